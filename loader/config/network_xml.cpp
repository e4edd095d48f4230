// SPDX-License-Identifier: GPL-2.0-or-later
// <network> and its own elements.
#include "loader/config/network_xml.h"

#include <fmt/format.h>

#include <algorithm>

#include "loader/config/parts.h"
#include "loader/kernel/netlink.h"

namespace vnet {
namespace {

Result<void> check_interface_name(const XmlNode& node, const std::string& name) {
  // A template (virbr%d) is filled in at define.
  std::string plain = name;
  if (auto at = plain.find("%d"); at != std::string::npos) plain.replace(at, 2, "0");
  if (!valid_interface_name(plain))
    return node.error(fmt::format("<{}>: '{}' is not an interface name (at most 15 characters, no '/' or white space)",
                                  node.name(), name));
  return {};
}

Result<void> parse_nat(const XmlNode& forward, Network& network) {
  VNET_ASSIGN(auto node, forward.child("nat"));
  if (!node) return {};
  if (network.mode != Mode::Nat) return node->error("<nat> is only allowed in <forward mode='nat'>");
  VNET_ASSIGN(auto ipv6, node->yes_no("ipv6"));
  network.nat.ipv6 = ipv6.value_or(false);
  VNET_ASSIGN(auto address, node->child("address"));
  if (address) {
    VNET_ASSIGN(auto start, address->address("start"));
    VNET_ASSIGN(auto end, address->address("end"));
    if (!start || !end) return address->error("<address> in <nat> needs the attributes 'start' and 'end'");
    if (start->family == Family::V6 || end->family == Family::V6)
      return address->error("<address> in <nat>: only IPv4 addresses are supported");
    if (*end < *start) return address->error("<address> in <nat>: the range is reversed");
    network.nat.addresses = AddressRange{*start, *end};
  }
  VNET_ASSIGN(auto port, node->child("port"));
  if (port) {
    VNET_ASSIGN(auto start, port->number("start", 1, 65535));
    VNET_ASSIGN(auto end, port->number("end", 1, 65535));
    if (!start || !end) return port->error("<port> in <nat> needs the attributes 'start' and 'end'");
    if (*end < *start) return port->error("<port> in <nat>: the range is reversed");
    network.nat.ports = PortRange{static_cast<std::uint16_t>(*start), static_cast<std::uint16_t>(*end)};
  }
  return {};
}

Result<void> parse_forward(const XmlNode& node, Network& network) {
  VNET_ASSIGN(auto mode, node.one_of("mode", {"nat", "route", "open", "bridge", "private", "vepa", "passthrough", "hostdev"}));
  switch (mode.value_or(0)) {
    case 0:
      network.mode = Mode::Nat;
      break;
    case 1:
      network.mode = Mode::Route;
      break;
    case 2:
      network.mode = Mode::Open;
      break;
    case 3:  // a host bridge, or macvtap when interfaces are named: seen below
      network.mode = Mode::Bridge;
      break;
    case 7:
      return node.error("<forward mode='hostdev'>: PCI passthrough is not supported");
    default:
      network.mode = Mode::Direct;
      network.direct_mode = static_cast<DirectMode>(*mode - 3);
  }
  VNET_ASSIGN(auto dev, node.attribute("dev"));
  auto interfaces = node.children("interface");
  if (dev) {
    VNET_TRY(check_interface_name(node, *dev));
    network.devices.push_back(*dev);
  }
  for (const auto& child : interfaces) {
    VNET_ASSIGN(auto name, child.required("dev"));
    VNET_TRY(check_interface_name(child, name));
    // libvirt writes the first pool member twice.
    if (dev && name == *dev && &child == &interfaces.front()) continue;
    if (std::ranges::find(network.devices, name) != network.devices.end())
      return child.error(fmt::format("<interface dev='{}'>: listed twice", name));
    network.devices.push_back(std::move(name));
  }
  if (!node.children("address").empty())
    return node.error("<address> below <forward> is for mode hostdev, which is not supported");
  VNET_ASSIGN(auto pf, node.child("pf"));
  if (pf) {
    VNET_ASSIGN(network.physical_function, pf->required("dev"));
    if (!network.devices.empty()) return pf->error("<pf> and <interface> exclude each other");
  }
  if (network.mode == Mode::Bridge && (!network.devices.empty() || pf)) network.mode = Mode::Direct;
  return parse_nat(node, network);
}

Result<void> parse_bridge(const XmlNode& node, Network& network) {
  VNET_ASSIGN(auto name, node.attribute("name"));
  if (name) VNET_TRY(check_interface_name(node, *name));
  network.bridge = name.value_or("");
  VNET_ASSIGN(auto stp, node.one_of("stp", {"off", "on"}));
  network.stp = stp.value_or(1) == 1;
  VNET_ASSIGN(auto delay, node.number("delay", 0, 0xffffffff));
  network.delay_seconds = static_cast<unsigned>(delay.value_or(0));
  VNET_ASSIGN(auto manager, node.one_of("macTableManager", {"kernel", "libvirt"}));
  network.mac_table_libvirt = manager.value_or(0) == 1;
  VNET_ASSIGN(auto zone, node.attribute("zone"));
  network.zone = zone.value_or("");
  bool own = network.mode != Mode::Bridge && network.mode != Mode::Direct;
  if (!own && (stp || delay || zone)) return node.error("<bridge>: stp, delay and zone are for networks with a bridge of their own");
  if (network.mode == Mode::Direct && manager) return node.error("<bridge macTableManager>: there is no bridge in this mode");
  return {};
}

Result<std::optional<BandwidthPair>> parse_bandwidth(const XmlNode& parent) {
  VNET_ASSIGN(auto node, parent.child("bandwidth"));
  if (!node) return std::nullopt;
  BandwidthPair pair;
  for (auto [name, to] : {std::pair{"inbound", &pair.inbound}, {"outbound", &pair.outbound}}) {
    VNET_ASSIGN(auto child, node->child(name));
    if (!child) continue;
    Bandwidth bandwidth;
    VNET_ASSIGN(auto average, child->number("average", 1, 1ULL << 40));
    VNET_ASSIGN(auto peak, child->number("peak", 1, 1ULL << 40));
    VNET_ASSIGN(auto burst, child->number("burst", 1, 1ULL << 40));
    VNET_ASSIGN(auto floor, child->number("floor", 1, 1ULL << 40));
    if (!average && !floor) return child->error(fmt::format("<{}> needs the attribute 'average'", name));
    bandwidth.average = average.value_or(0);
    bandwidth.peak = peak.value_or(0);
    bandwidth.burst = burst.value_or(0);
    *to = bandwidth;
  }
  return pair;
}

Result<std::optional<Vlan>> parse_vlan(const XmlNode& parent) {
  VNET_ASSIGN(auto node, parent.child("vlan"));
  if (!node) return std::nullopt;
  Vlan vlan;
  VNET_ASSIGN(auto trunk, node->yes_no("trunk"));
  for (const auto& child : node->children("tag")) {
    VNET_ASSIGN(auto id, child.number("id", 0, 4095));
    if (!id) return child.error("<tag> needs the attribute 'id'");
    VNET_ASSIGN(auto native, child.one_of("nativeMode", {"tagged", "untagged"}));
    vlan.tags.push_back({static_cast<unsigned>(*id), native.has_value()});
  }
  if (vlan.tags.empty()) return node->error("<vlan> needs a <tag>");
  vlan.trunk = trunk.value_or(vlan.tags.size() > 1);
  if (vlan.tags.size() > 1 && !vlan.trunk) return node->error("<vlan trunk='no'> has more than one <tag>");
  return vlan;
}

Result<void> refuse_virtualport(const XmlNode& parent) {
  VNET_ASSIGN(auto node, parent.child("virtualport"));
  if (!node) return {};
  VNET_ASSIGN(auto type, node->attribute("type"));
  return node->error(fmt::format("<virtualport type='{}'> is not supported", type.value_or("")));
}

Result<PortGroup> parse_portgroup(const XmlNode& node) {
  PortGroup group;
  VNET_ASSIGN(group.name, node.required("name"));
  VNET_ASSIGN(auto is_default, node.yes_no("default"));
  group.is_default = is_default.value_or(false);
  VNET_ASSIGN(group.bandwidth, parse_bandwidth(node));
  VNET_ASSIGN(group.vlan, parse_vlan(node));
  VNET_TRY(refuse_virtualport(node));
  return group;
}

Result<void> parse_domain(const XmlNode& node, Network& network) {
  Domain domain;
  VNET_ASSIGN(domain.name, node.required("name"));
  if (domain.name.find_first_of("/, ") != std::string::npos)
    return node.error(fmt::format("<domain name='{}'>: not a domain", domain.name));
  VNET_ASSIGN(auto local, node.yes_no("localOnly"));
  VNET_ASSIGN(auto registered, node.yes_no("register"));
  domain.local_only = local.value_or(false);
  domain.register_ = registered.value_or(false);
  if (domain.register_ && !domain.local_only) return node.error("<domain register='yes'> needs localOnly='yes'");
  network.domain = std::move(domain);
  return {};
}

Result<std::string> parse_uuid(const XmlNode& node) {
  VNET_ASSIGN(auto text, node.text());
  std::string digits;
  for (char c : text)
    if (c != '-') digits += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  if (digits.size() != 32 || digits.find_first_not_of("0123456789abcdef") != std::string::npos)
    return node.error(fmt::format("<uuid>{}</uuid>: malformed uuid", text));
  for (std::size_t at : {20U, 16U, 12U, 8U}) digits.insert(at, "-");
  return digits;
}

Result<void> parse_texts(const XmlNode& root, Network& network) {
  VNET_ASSIGN(auto name, root.child("name"));
  if (!name) return root.error("<network> needs a <name>");
  VNET_ASSIGN(network.name, name->text());
  if (network.name.empty()) return name->error("<name> is empty");
  if (network.name.find_first_of("/\n\r\t") != std::string::npos || network.name.front() == '.' || network.name.size() > 200)
    return name->error(fmt::format("<name>{}</name>: must not contain '/' or line ends, begin with '.', or exceed 200 "
                                   "characters (it names files)", network.name));
  VNET_ASSIGN(auto uuid, root.child("uuid"));
  if (uuid) { VNET_ASSIGN(network.uuid, parse_uuid(*uuid)); }
  VNET_ASSIGN(auto title, root.child("title"));
  if (title) {
    VNET_ASSIGN(network.title, title->text());
    if (network.title.find('\n') != std::string::npos) return title->error("<title> must not contain a line end");
  }
  VNET_ASSIGN(auto description, root.child("description"));
  if (description) { VNET_ASSIGN(network.description, description->text()); }
  VNET_ASSIGN(auto metadata, root.child("metadata"));
  if (metadata) {
    network.metadata_xml = metadata->verbatim();
    VNET_ASSIGN(network.settings, parse_settings(*metadata));
  }
  return {};
}

Result<void> parse_lists(const XmlNode& root, Network& network) {
  for (const auto& node : root.children("ip")) {
    VNET_ASSIGN(auto ip, parse_ip(node));
    network.ips.push_back(std::move(ip));
  }
  for (const auto& node : root.children("route")) {
    VNET_ASSIGN(auto route, parse_route(node));
    network.routes.push_back(std::move(route));
  }
  for (const auto& node : root.children("portgroup")) {
    VNET_ASSIGN(auto group, parse_portgroup(node));
    network.portgroups.push_back(std::move(group));
  }
  for (const auto& options : root.children_of_namespace(dnsmasq_namespace))
    for (const auto& option : options.children_of_namespace(dnsmasq_namespace)) {
      if (option.name() != "option") continue;
      VNET_ASSIGN(auto value, option.required("value"));
      network.dnsmasq_options.push_back(std::move(value));
    }
  return {};
}

}  // namespace

Result<Network> parse_network(std::string_view xml, const std::string& file_name) {
  VNET_ASSIGN(auto document, XmlDocument::parse(xml, file_name));
  XmlNode root = document.root();
  if (root.name() != "network") return root.error(fmt::format("<{}>: expected <network>", root.name()));
  Network network;
  VNET_TRY(parse_texts(root, network));
  VNET_ASSIGN(auto ipv6, root.yes_no("ipv6"));
  network.ipv6_attribute = ipv6.value_or(false);
  VNET_ASSIGN(auto trust, root.yes_no("trustGuestRxFilters"));
  network.trust_guest_rx_filters = trust.value_or(false);
  VNET_ASSIGN(auto forward, root.child("forward"));
  if (forward) VNET_TRY(parse_forward(*forward, network));
  VNET_ASSIGN(auto bridge, root.child("bridge"));
  if (bridge) VNET_TRY(parse_bridge(*bridge, network));
  VNET_ASSIGN(auto mtu, root.child("mtu"));
  if (mtu) {
    VNET_ASSIGN(auto size, mtu->number("size", 68, 65535));
    if (!size) return mtu->error("<mtu> needs the attribute 'size'");
    network.mtu = static_cast<unsigned>(*size);
  }
  VNET_ASSIGN(auto mac, root.child("mac"));
  if (mac) { VNET_ASSIGN(network.mac, mac->mac("address")); }
  VNET_ASSIGN(auto domain, root.child("domain"));
  if (domain) VNET_TRY(parse_domain(*domain, network));
  VNET_ASSIGN(auto dns, root.child("dns"));
  if (dns) { VNET_ASSIGN(network.dns, parse_dns(*dns)); }
  VNET_TRY(parse_lists(root, network));
  VNET_ASSIGN(network.bandwidth, parse_bandwidth(root));
  VNET_ASSIGN(network.vlan, parse_vlan(root));
  VNET_TRY(refuse_virtualport(root));
  VNET_ASSIGN(auto port, root.child("port"));
  if (port) {
    VNET_ASSIGN(auto isolated, port->yes_no("isolated"));
    network.isolated_ports = isolated.value_or(false);
  }
  VNET_TRY(validate(network, root));
  return network;
}

}  // namespace vnet
