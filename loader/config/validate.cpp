// SPDX-License-Identifier: GPL-2.0-or-later
// Rules that concern more than one element. They are libvirt's, so that a file that define takes here is one
// that virsh net-define takes, and the other way round.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "loader/config/xml_parts.h"

namespace vnet {
namespace {

std::string forward_text(const Network& network) {
  const ModeSpec& spec = mode_spec(network.mode);
  if (spec.has_gateway && !spec.is_routed) return "a network without <forward>";
  if (!spec.on_parents) return fmt::format("<forward mode='{}'>", mode_name(network.mode));
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

// What a mode has to be capable of for an element, a child of it, or an attribute to mean anything. Where it
// is not, the host side is not ours to configure: the bridge is the administrator's own, or there is none.
struct ElementRule {
  const char* element;
  const char* child;
  const char* attribute;
  bool ModeSpec::*needs;
};
constexpr ElementRule element_rules[] = {
    {"bridge", nullptr, "stp", &ModeSpec::has_gateway},
    {"bridge", nullptr, "delay", &ModeSpec::has_gateway},
    {"bridge", nullptr, "zone", &ModeSpec::has_gateway},
    {"mtu", nullptr, nullptr, &ModeSpec::has_gateway},
    {"mac", nullptr, nullptr, &ModeSpec::has_gateway},
    {"domain", nullptr, nullptr, &ModeSpec::has_gateway},
    {"ip", nullptr, nullptr, &ModeSpec::has_gateway},
    {"route", nullptr, nullptr, &ModeSpec::has_gateway},
    {"dns", "txt", nullptr, &ModeSpec::has_gateway},
    {"dns", "host", nullptr, &ModeSpec::has_gateway},
    {"dns", "srv", nullptr, &ModeSpec::has_gateway},
    {"bandwidth", nullptr, nullptr, &ModeSpec::has_bandwidth},
};

// The same of our own settings.
struct SettingRule {
  const char* element;
  bool ModeSpec::*needs;
};
constexpr SettingRule setting_rules[] = {
    {"nat", &ModeSpec::masquerades},      {"timeouts", &ModeSpec::is_routed},
    {"macNat", &ModeSpec::on_parents},    {"announce", &ModeSpec::is_visible},
    {"announce", &ModeSpec::has_gateway},
};

Result<void> validate_setting_elements(const Network& network, const XmlNode& root) {
  const auto metadata = root.child("metadata");
  const auto settings = metadata ? metadata->child("network", settings_namespace) : std::nullopt;
  if (!settings) return {};
  for (const auto& rule : setting_rules)
    if (const auto node = settings->child(rule.element, settings_namespace);
        node && !(mode_spec(network.mode).*rule.needs))
      return node->error("not allowed with " + forward_text(network));
  const auto mac_nat = settings->child("macNat", settings_namespace);
  if (mac_nat && network.settings.mac_nat != MacNat::Off &&
      (network.direct_mode == DirectMode::Vepa || network.direct_mode == DirectMode::Passthrough))
    return mac_nat->error("not allowed with " + forward_text(network));
  if (mac_nat && network.settings.mac_nat != MacNat::Off && network.vlan)
    return mac_nat->error("not allowed with <vlan>: what is tagged does not come back");
  return {};
}

Result<void> validate_elements(const Network& network, const XmlNode& root) {
  const auto why = "not allowed with " + forward_text(network);
  for (const auto& rule : element_rules) {
    if (mode_spec(network.mode).*rule.needs) continue;
    for (const auto& node : root.children(rule.element)) {
      if (rule.attribute) {
        VNET_ASSIGN(const auto value, node.attribute(rule.attribute));
        if (value) return node.wrong_value(rule.attribute, *value, why);
      } else if (!rule.child) {
        return node.error(why);
      } else if (const auto child = node.child(rule.child)) {
        return child->error(why);
      }
    }
  }
  return {};
}

Result<void> validate_bridge(const Network& network, const XmlNode& root) {
  const auto bridge = root.child("bridge");
  if (!bridge || mode_spec(network.mode).has_gateway) return {};
  if (!network.bridge.empty() && mode_spec(network.mode).on_parents)
    return bridge->wrong_value("name", network.bridge, "not allowed with " + forward_text(network));
  if (!network.bridge.empty() && !(network.devices.empty() && network.physical_function.empty()))
    return bridge->wrong_value("name", network.bridge, "a bridge name and an uplink exclude each other");
  VNET_ASSIGN(const auto manager, bridge->attribute("macTableManager"));
  if (manager && network.bridge.empty())
    return bridge->wrong_value("macTableManager", *manager, "needs a bridge name");
  return {};
}

Result<void> validate_forward(const Network& network, const XmlNode& root) {
  const ModeSpec& spec = mode_spec(network.mode);
  const auto forward = root.child("forward");
  if (!forward) return {};
  if (spec.max_uplinks == 0 && !network.devices.empty())
    return forward->wrong_value("dev", network.devices.front(), "not allowed with " + forward_text(network));
  if (network.devices.size() > spec.max_uplinks)
    return forward->error(fmt::format("only one interface is allowed with {}", forward_text(network)));
  if (spec.needs_ip && network.ips.empty())
    return forward->error(fmt::format("{} needs an <ip>", forward_text(network)));
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
  VNET_TRY(validate_elements(network, root));
  VNET_TRY(validate_setting_elements(network, root));
  VNET_TRY(validate_bridge(network, root));
  VNET_TRY(validate_forward(network, root));
  VNET_TRY(validate_portgroups(network, root));
  VNET_TRY(validate_ips(network, root));
  VNET_TRY(validate_routes(network, root));
  VNET_TRY(validate_guards(network, root));
  return validate_settings(network, root);
}

}  // namespace vnet
