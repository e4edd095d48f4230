// SPDX-License-Identifier: GPL-2.0-or-later
// Rules between elements: which mode allows what, as libvirt has them.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "loader/config/parts.h"

namespace vnet {
namespace {

// The element's own line where it is there.
std::unexpected<Error> at(const XmlNode& root, const char* element, const std::string& message) {
  auto all = root.children(element);
  return (all.empty() ? root : all.front()).error(message);
}

Result<void> validate_own_bridge(const Network& network, const XmlNode& root) {
  if ((network.mode == Mode::Nat || network.mode == Mode::Route) && network.ips.empty())
    return at(root, "forward", fmt::format("<forward mode='{}'> requires an <ip>, but none was given", mode_name(network.mode)));
  if (network.mode == Mode::Open && !network.devices.empty())
    return at(root, "forward", "forward dev not allowed for network with forward mode='open'");
  if (network.devices.size() > 1)
    return at(root, "forward", fmt::format("<forward mode='{}'>: only one interface is allowed", mode_name(network.mode)));
  if (!network.physical_function.empty()) return at(root, "forward", "<pf> is for direct attachment");
  if (network.vlan) return at(root, "vlan", fmt::format("<vlan> doesn't go with mode {}: it doesn't support vlan configuration", mode_name(network.mode)));
  for (Family family : {Family::V4, Family::V6}) {
    auto dhcp = std::ranges::count_if(network.ips, [&](const IpConfig& ip) {
      return ip.gateway.address.family == family && (!ip.ranges.empty() || !ip.hosts.empty());
    });
    if (dhcp > 1)
      return at(root, "ip", fmt::format("Multiple IPv{} dhcp sections found; dhcp is supported on one <ip> of each family", family == Family::V4 ? 4 : 6));
  }
  for (const auto& route : network.routes)
    if (std::ranges::none_of(network.ips, [&](const IpConfig& ip) { return ip.gateway.contains(route.gateway); }))
      return at(root, "route", fmt::format("<route gateway='{}'>: the gateway is in none of the network's subnets", route.gateway.text()));
  for (const auto& forward : network.settings.port_forwards)
    if (std::ranges::none_of(network.ips, [&](const IpConfig& ip) { return ip.gateway.contains(forward.to); }))
      return at(root, "metadata", fmt::format("<vnet:portForward to='{}'>: the address is in none of the network's subnets", forward.to.text()));
  return {};
}

Result<void> validate_foreign(const Network& network, const XmlNode& root) {
  const char* mode = mode_name(network.mode);
  if (!network.ips.empty()) return at(root, "ip", fmt::format("Unsupported <ip> element in network with forward mode='{}'", mode));
  if (network.domain) return at(root, "domain", fmt::format("Unsupported <domain> element in network with forward mode='{}'", mode));
  if (network.mac) return at(root, "mac", fmt::format("Unsupported <mac> element in network with forward mode='{}'", mode));
  if (network.mtu) return at(root, "mtu", fmt::format("Unsupported <mtu> element in network with forward mode='{}'", mode));
  if (!network.dns.txts.empty() || !network.dns.srvs.empty() || !network.dns.hosts.empty())
    return at(root, "dns", fmt::format("Unsupported <dns> records in network with forward mode='{}'", mode));
  if (!network.routes.empty()) return at(root, "route", fmt::format("Unsupported <route> element in network with forward mode='{}'", mode));
  if (network.mode == Mode::Bridge) {
    if (network.bridge.empty()) return at(root, "forward", "<forward mode='bridge'> needs <bridge name=...> or <interface>");
    return {};
  }
  if (!network.bridge.empty()) return at(root, "bridge", "bridge name not allowed with <interface> or in modes private, vepa and passthrough");
  if (network.bandwidth) return at(root, "bandwidth", "Unsupported <bandwidth> element: there is no bridge in this mode");
  if (network.isolated_ports) return at(root, "port", "<port isolated> needs a bridge");
  if (network.devices.empty() && network.physical_function.empty())
    return at(root, "forward", "direct attachment needs <forward dev>, <interface> or <pf>");
  if (network.vlan && network.direct_mode != DirectMode::Passthrough && network.direct_mode != DirectMode::Bridge)
    return at(root, "vlan", "<vlan>: this mode doesn't support vlan configuration");
  return {};
}

}  // namespace

Result<void> validate(const Network& network, const XmlNode& root) {
  std::set<std::string> names;
  unsigned defaults = 0;
  for (const auto& group : network.portgroups) {
    if (!names.insert(group.name).second) return at(root, "portgroup", fmt::format("multiple <portgroup> elements with the name {}", group.name));
    if (group.is_default && ++defaults > 1) return at(root, "portgroup", "multiple default <portgroup> elements");
  }
  bool own = network.mode != Mode::Bridge && network.mode != Mode::Direct;
  return own ? validate_own_bridge(network, root) : validate_foreign(network, root);
}

}  // namespace vnet
