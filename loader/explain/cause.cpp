// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/explain/cause.h"

#include <fmt/format.h>

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
};

}  // namespace

std::string cause_of(unsigned reason, const CauseFacts& facts) {
  if (facts.port) {
    const PortRecord& port = *facts.port;
    if (reason == VNET_DROP_LINK_DOWN) return fmt::format("vnet-bpf set {} --link down", port.interface);
    if (reason == VNET_DROP_SPOOFED_MAC && port.mac)
      return fmt::format("vnet-bpf attach {} --mac {}", port.interface, port.mac->text());
  }
  if (!facts.network) return "";
  for (const Quote& quote : quotes) {
    if (quote.reason != reason) continue;
    std::string line = line_with(facts.network->xml, quote.element);
    return fmt::format("network {}: {}; {}", facts.network->name, line.empty() ? quote.missing : line,
                       quote.advice);
  }
  return "";
}

}  // namespace vnet
