// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/explain/cause.h"

#include <fmt/format.h>

#include "loader/config/network_xml.h"
#include "loader/plan/port_rules.h"
#include "maps/reasons.h"

namespace vnet {
namespace {

// The first line of the XML with that element, without its indentation; "" when there is none.
std::string line_with(const std::string& xml, const std::string& element) {
  for (std::size_t at = xml.find("<" + element); at != std::string::npos;
       at = xml.find("<" + element, at + 1)) {
    char behind = at + element.size() + 1 < xml.size() ? xml[at + element.size() + 1] : '>';
    if (behind != ' ' && behind != '>' && behind != '/' && behind != '\n') continue;
    std::size_t from = xml.rfind('\n', at) + 1, to = xml.find('\n', at);
    from = xml.find_first_not_of(" \t", from);
    return xml.substr(from, to == std::string::npos ? to : to - from);
  }
  return "";
}

struct Quote {
  unsigned reason;
  const char* element;  // of the network's XML
  const char* missing;  // what holds when the element is not there
  const char* advice;
};

constexpr Quote quotes[] = {
    {VNET_DROP_SPOOFED_SOURCE, "ip", "it has no <ip>", "only addresses of its subnets may be a source"},
    {VNET_DROP_NOT_VISIBLE, "forward", "it has no <forward>", "<vnet:portForward> lets a connection in"},
    {VNET_DROP_OTHER_NETWORK, "forward", "it has no <forward>",
     "networks of that mode do not reach each other"},
    {VNET_DROP_NO_UPLINK, "forward", "it has no <forward>",
     "see `ip route get` on the host, and <forward dev>"},
    {VNET_DROP_NO_ADDRESS, "forward", "it has no <forward>", "give the uplink an address"},
    {VNET_DROP_PORTS_EXHAUSTED, "port",
     "it has no <nat><port>: the host's net.ipv4.ip_local_port_range is left out",
     "more ports, or more addresses in <nat>, make room"},
    {VNET_DROP_SESSION_LIMIT, "vnet:sessions", "the default <vnet:sessions max> holds", "raise max"},
    {VNET_DROP_PORT_QUOTA, "vnet:sessions", "the default <vnet:sessions perPort> holds", "raise perPort"},
    {VNET_DROP_ISOLATED, "forward", "it has no <forward>: isolated", "another mode lets its guests out"},
    {VNET_DROP_PRIVATE, "forward", "it has no <forward>", "its guests reach the outside only"},
    {VNET_DROP_NEW_FLOWS, "vnet:xdp", "it has no <vnet:xdp newFlows>", "raise newFlows"},
    {VNET_DROP_BPDU, "vnet:link-protocols", "it has no <vnet:link-protocols>",
     "forward names those that its guests may exchange"},
    {VNET_DROP_NO_WAY_OUT, "forward", "it has no <forward>",
     "see `ip route get` on the host, and <forward dev>"},
    {VNET_DROP_FORWARD_FROM, "", "its <vnet:portForward> names others", "from= says who may use it"},
    {VNET_DROP_NO_GUEST, "", "its <vnet:portForward> leads to a guest that is not there",
     "start the guest, or attach its interface"},
    {VNET_DROP_OTHER_VLAN, "vlan", "its ports and port groups alone have VLANs, its gateway has none",
     "guests reach those of their VLAN, and the gateway that of the network's own <vlan>"},
    {VNET_DROP_NAT_FILTER, "vnet:nat", "it has no <vnet:nat>",
     "filtering says who may send to a mapped port"},
    {VNET_DROP_MAC_NAT, "vnet:macNat", "it has no <vnet:macNat>",
     "what leaves by that interface must be IP or ARP, from an address that is nobody else's"},
    {VNET_DROP_HOST_CLOSED, "vnet:host", "the default <vnet:host access> holds",
     "access='all' opens the host"},
};

const char* inbound_word(Inbound inbound) {
  return inbound == Inbound::Drop ? "drop" : inbound == Inbound::Established ? "established" : "accept";
}

// The options of attach or set that are behind it.
std::string vlan_options(const Vlan& vlan) {
  std::string tags, native;
  for (const auto& tag : vlan.tags)
    (tag.native ? native : tags) +=
        fmt::format("{}{}", (tag.native ? native : tags).empty() ? "" : ",", tag.id);
  if (!vlan.trunk) return " --vlan " + tags;
  return (tags.empty() ? "" : " --vlan-trunk " + tags) + (native.empty() ? "" : " --vlan-native " + native);
}

std::string port_options(unsigned reason, const PortRecord& port) {
  std::string options;
  switch (reason) {
    case VNET_DROP_LINK_DOWN:
      return " --link down";
    case VNET_DROP_SPOOFED_MAC:
      return port.mac ? " --mac " + port.mac->text() : "";
    case VNET_DROP_INBOUND:
      if (port.inbound) options = fmt::format(" --inbound {}", inbound_word(*port.inbound));
      for (const auto& allowed : port.allow) options += " --allow " + allowed;
      return options;
    case VNET_DROP_ISOLATED_PORT:
      return port.isolated ? " --isolated" : "";
    case VNET_DROP_OTHER_VLAN:
      return port.vlan ? vlan_options(*port.vlan) : "";
    case VNET_DROP_SPOOFED_SOURCE:
    case VNET_DROP_SPOOFED_ARP:
    case VNET_DROP_SPOOFED_ND:
    case VNET_DROP_VLAN_TAGGED:
    case VNET_DROP_ETHERTYPE:
    case VNET_DROP_IP_MULTICAST:
    case VNET_DROP_DHCP_SERVER:
    case VNET_DROP_ROUTER:
    case VNET_DROP_HIDDEN:
      for (const auto& filter : port.filters) options += " --filter " + filter;
      for (const auto& ip : port.ips) options += " --ip " + ip.text();
      if (port.ip_only) options += " --ip-only";
      return port.filters.empty() ? "" : options;
    default:
      return "";
  }
}

bool takes_any_mac(const CauseFacts& facts) {
  if (!facts.port || !facts.network) return false;
  auto network = parse_network(facts.network->xml, "");
  return network && vnet::takes_any_mac(*facts.port, *network);
}

// Whether a setting is behind it, or the packet itself and the host. Without a default, so that the compiler
// asks for a new reason's.
constexpr bool has_setting(vnet_reason reason) {
  switch (reason) {
    case VNET_DROP_LINK_DOWN:
    case VNET_DROP_SPOOFED_MAC:
    case VNET_DROP_SPOOFED_SOURCE:
    case VNET_DROP_BPDU:
    case VNET_DROP_NOT_VISIBLE:
    case VNET_DROP_OTHER_NETWORK:
    case VNET_DROP_NO_UPLINK:
    case VNET_DROP_NO_ADDRESS:
    case VNET_DROP_PORTS_EXHAUSTED:
    case VNET_DROP_SESSION_LIMIT:
    case VNET_DROP_PORT_QUOTA:
    case VNET_DROP_ISOLATED:
    case VNET_DROP_HOST_CLOSED:
    case VNET_DROP_SPOOFED_ARP:
    case VNET_DROP_SPOOFED_ND:
    case VNET_DROP_VLAN_TAGGED:
    case VNET_DROP_ETHERTYPE:
    case VNET_DROP_IP_MULTICAST:
    case VNET_DROP_DHCP_SERVER:
    case VNET_DROP_ROUTER:
    case VNET_DROP_HIDDEN:
    case VNET_DROP_INBOUND:
    case VNET_DROP_ISOLATED_PORT:
    case VNET_DROP_PRIVATE:
    case VNET_DROP_BLOCKED:
    case VNET_DROP_NEW_FLOWS:
    case VNET_DROP_NO_WAY_OUT:
    case VNET_DROP_FORWARD_FROM:
    case VNET_DROP_NO_GUEST:
    case VNET_DROP_OTHER_VLAN:
    case VNET_DROP_NAT_FILTER:
    case VNET_DROP_MAC_NAT:
      return true;
    case VNET_DROP_NONE:
    case VNET_DROP_UNATTACHED:
    case VNET_DROP_MALFORMED:
    case VNET_DROP_NO_SESSION:
    case VNET_DROP_NOT_ROUTABLE:
    case VNET_DROP_FRAGMENT_UNKNOWN:
    case VNET_DROP_WRITE_FAILED:
    case VNET_DROP_REFLECTED:
    case VNET_DROP_TOO_BIG:
    case VNET_DROP_NO_PARENT:
    case VNET_DROP_BANDWIDTH:  // explain passes the buckets by
    case VNET_DROP_NO_BRIDGE:
    case VNET_DROP_HOST_FIREWALL:
    case VNET_DROP_HOST_STACK:
    case VNET_DROP_DHCP_CLIENT:
    case VNET_DROP_MAC_LIMIT:
    case VNET_DROP_MAX:
      return false;
  }
  return false;
}

}  // namespace

std::string cause_of(unsigned reason, const CauseFacts& facts) {
  if (!has_setting(static_cast<vnet_reason>(reason))) return "";
  if (reason == VNET_DROP_SPOOFED_MAC && takes_any_mac(facts)) return "";  // it is somebody else's
  if (facts.port)
    if (std::string options = port_options(reason, *facts.port); !options.empty())
      return fmt::format("vnet-bpf set {}{}", facts.port->interface, options);
  if (reason == VNET_DROP_BLOCKED) return "vnet-bpf block list";
  if (!facts.network) return "";
  for (const Quote& quote : quotes) {
    if (quote.reason != reason) continue;
    std::string line = *quote.element ? line_with(facts.network->xml, quote.element) : "";
    return fmt::format("network {}: {}; {}", facts.network->name, line.empty() ? quote.missing : line,
                       quote.advice);
  }
  return "";
}

}  // namespace vnet
