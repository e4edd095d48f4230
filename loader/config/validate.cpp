// SPDX-License-Identifier: GPL-2.0-or-later
// Rules that concern more than one element. They are libvirt's, so that a file that define takes here is one
// that virsh net-define takes, and the other way round.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "loader/config/xml_parts.h"

namespace vnet {
namespace {

bool has_gateway_of_ours(const Network& network) {
  return network.mode != Mode::Bridge && network.mode != Mode::Direct;
}

std::string forward_text(const Network& network) {
  if (network.mode == Mode::Isolated) return "a network without <forward>";
  if (network.mode != Mode::Direct) return fmt::format("<forward mode='{}'>", mode_name(network.mode));
  switch (network.direct_mode) {
    case DirectMode::Bridge:
      return "<forward mode='bridge'>";
    case DirectMode::Private:
      return "<forward mode='private'>";
    case DirectMode::Vepa:
      return "<forward mode='vepa'>";
    case DirectMode::Passthrough:
      return "<forward mode='passthrough'>";
  }
  return "<forward>";
}

Result<void> refuse_virtualport(const XmlNode& root) {
  auto places = root.children("portgroup");
  places.push_back(root);
  for (const auto& interface :
       root.child("forward") ? root.child("forward")->children("interface") : std::vector<XmlNode>{})
    places.push_back(interface);
  for (const auto& place : places)
    if (const auto port = place.child("virtualport"))
      return port->error(
          "virtual switch protocols (openvswitch, 802.1Qbg, 802.1Qbh, midonet) are not supported by "
          "vnet-bpf");
  return {};
}

// A bridge that is the administrator's own, or no bridge: the host side is not ours to configure.
Result<void> validate_foreign(const Network& network, const XmlNode& root) {
  if (has_gateway_of_ours(network)) return {};
  const auto why = "not allowed with " + forward_text(network);
  if (const auto bridge = root.child("bridge")) {
    if (!network.bridge.empty() && network.mode == Mode::Direct)
      return bridge->wrong_value("name", network.bridge, why);
    if (!network.bridge.empty() && !(network.devices.empty() && network.physical_function.empty()))
      return bridge->wrong_value("name", network.bridge, "a bridge name and an uplink exclude each other");
    for (const char* attribute : {"stp", "delay", "zone"}) {
      VNET_ASSIGN(const auto value, bridge->attribute(attribute));
      if (value) return bridge->wrong_value(attribute, *value, why);
    }
    VNET_ASSIGN(const auto manager, bridge->attribute("macTableManager"));
    if (manager && network.bridge.empty())
      return bridge->wrong_value("macTableManager", *manager, "needs a bridge name");
  }
  for (const char* name : {"mtu", "mac", "domain", "ip", "route"})
    if (const auto node = root.child(name)) return node->error(why);
  if (const auto dns = root.child("dns"))
    for (const char* name : {"txt", "host", "srv"})
      if (const auto node = dns->child(name)) return dns->error(fmt::format("<{}> is {}", name, why));
  if (network.bandwidth && network.mode == Mode::Direct) return root.child("bandwidth")->error(why);
  return {};
}

Result<void> validate_forward(const Network& network, const XmlNode& root) {
  const auto forward = root.child("forward");
  if (!forward) return {};
  if (network.mode == Mode::Open && !network.devices.empty())
    return forward->wrong_value("dev", network.devices.front(), "not allowed with <forward mode='open'>");
  if ((network.mode == Mode::Nat || network.mode == Mode::Route) && network.devices.size() > 1)
    return forward->error(fmt::format("only one interface is allowed with {}", forward_text(network)));
  if ((network.mode == Mode::Nat || network.mode == Mode::Route) && network.ips.empty())
    return forward->error(fmt::format("{} needs an <ip>", forward_text(network)));
  return {};
}

Result<void> validate_vlan(const Network& network, const XmlNode& root) {
  const bool allowed = network.mode == Mode::Bridge ||
                       (network.mode == Mode::Direct && (network.direct_mode == DirectMode::Bridge ||
                                                         network.direct_mode == DirectMode::Passthrough));
  if (allowed) return {};
  auto places = root.children("portgroup");
  places.push_back(root);
  for (const auto& place : places)
    if (const auto vlan = place.child("vlan"))
      return vlan->error("not allowed with " + forward_text(network));
  return {};
}

Result<void> validate_portgroups(const Network& network, const XmlNode& root) {
  const auto nodes = root.children("portgroup");
  std::set<std::string> names;
  bool has_default = false;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const auto& group = network.portgroups[i];
    if (!names.insert(group.name).second)
      return nodes[i].wrong_value("name", group.name, "another portgroup has this name");
    if (group.is_default && has_default)
      return nodes[i].wrong_value("default", "yes", "another portgroup is the default");
    has_default |= group.is_default;
  }
  return {};
}

Result<void> validate_ips(const Network& network, const XmlNode& root) {
  const auto nodes = root.children("ip");
  std::set<Family> dhcp;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const auto& ip = network.ips[i];
    const auto& gateway = ip.gateway;
    if (!(ip.ranges.empty() && ip.hosts.empty()) && !dhcp.insert(gateway.address.family).second)
      return nodes[i].error("<dhcp> is allowed in one IPv4 and one IPv6 <ip> only");
    const unsigned step = gateway.address.family == Family::V4 ? 8 : 4;
    if (ip.local_ptr && (gateway.length % step != 0 || gateway.length == 0))
      return nodes[i].wrong_value(
          "localPtr", "yes",
          fmt::format("needs a prefix that is a multiple of {}, not {}", step, gateway.length));
  }
  return {};
}

Result<void> validate_routes(const Network& network, const XmlNode& root) {
  const auto nodes = root.children("route");
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const auto& gateway = network.routes[i].gateway;
    if (std::ranges::none_of(network.ips, [&](const IpConfig& ip) { return ip.gateway.contains(gateway); }))
      return nodes[i].wrong_value("gateway", gateway.text(), "in none of the network's subnets");
  }
  return {};
}

Result<void> validate_guards(const Network& network, const XmlNode& root) {
  const auto metadata = root.child("metadata");
  const auto settings = metadata ? metadata->child("network", settings_namespace) : std::nullopt;
  if (!settings) return {};
  for (const auto& node : settings->children("guard", settings_namespace)) {
    VNET_ASSIGN(const auto group, node.attribute("portgroup"));
    if (group && std::ranges::find(network.portgroups, *group, &PortGroup::name) == network.portgroups.end())
      return node.wrong_value("portgroup", *group, "the network has no portgroup of this name");
  }
  return {};
}

Result<void> validate_settings(const Network& network, const XmlNode& root) {
  for (const auto& forward : network.settings.port_forwards) {
    const auto inside = [&](const IpConfig& ip) { return ip.gateway.contains(forward.to); };
    if (std::ranges::any_of(network.ips, inside)) continue;
    const auto settings = root.child("metadata")->child("network", settings_namespace);
    for (const auto& node : settings->children("portForward", settings_namespace)) {
      VNET_ASSIGN(const auto to, node.address("to"));
      if (to == forward.to)
        return node.wrong_value("to", forward.to.text(), "in none of the network's subnets");
    }
  }
  return {};
}

}  // namespace

Result<void> validate(const Network& network, const XmlNode& root) {
  VNET_TRY(refuse_virtualport(root));
  VNET_TRY(validate_foreign(network, root));
  VNET_TRY(validate_forward(network, root));
  VNET_TRY(validate_vlan(network, root));
  VNET_TRY(validate_portgroups(network, root));
  VNET_TRY(validate_ips(network, root));
  VNET_TRY(validate_routes(network, root));
  VNET_TRY(validate_guards(network, root));
  return validate_settings(network, root);
}

}  // namespace vnet
