// SPDX-License-Identifier: GPL-2.0-or-later
// vnet-bpf's own settings in <metadata>. Unlike libvirt's elements an unknown one is an error: a setting
// that is written wrong must not look as if it held.
#include <fmt/format.h>

#include "loader/config/parts.h"
#include "maps/abi.h"

namespace vnet {
namespace {

Result<PortForward> parse_forward(const XmlNode& node) {
  PortForward forward;
  VNET_ASSIGN(auto proto, node.one_of("proto", {"tcp", "udp"}));
  VNET_ASSIGN(auto port, node.number("port", 1, 65535));
  VNET_ASSIGN(auto to, node.address("to"));
  VNET_ASSIGN(auto to_port, node.number("toPort", 1, 65535));
  if (!proto || !port || !to) return node.error("<portForward> needs the attributes 'proto', 'port' and 'to'");
  forward.proto = *proto ? "udp" : "tcp";
  forward.port = static_cast<std::uint16_t>(*port);
  forward.to = *to;
  forward.to_port = static_cast<std::uint16_t>(to_port.value_or(*port));
  return forward;
}

// An element that has just one attribute with a choice of words.
Result<std::size_t> choice(const XmlNode& node, const char* attribute, std::initializer_list<const char*> allowed) {
  VNET_ASSIGN(auto index, node.one_of(attribute, allowed));
  if (!index) return node.error(fmt::format("<{}> needs the attribute '{}'", node.name(), attribute));
  return *index;
}

Result<void> parse_setting(const XmlNode& node, Settings& settings) {
  if (node.name() == "hostFirewall") {
    VNET_ASSIGN(auto index, choice(node, "mode", {"honor", "bypass"}));
    settings.host_firewall = static_cast<HostFirewall>(index);
  } else if (node.name() == "xdp") {
    VNET_ASSIGN(auto index, choice(node, "mode", {"auto", "off", "filter", "forward"}));
    settings.xdp = static_cast<XdpMode>(index);
  } else if (node.name() == "sessions") {
    VNET_ASSIGN(auto max, node.number("max", 1, VNET_SESSIONS_MAX));
    VNET_ASSIGN(auto per_port, node.number("perPort", 1, VNET_SESSIONS_MAX));
    if (max) settings.max_sessions = static_cast<std::uint32_t>(*max);
    if (per_port) settings.max_sessions_per_port = static_cast<std::uint32_t>(*per_port);
  } else if (node.name() == "inbound") {
    VNET_ASSIGN(auto index, choice(node, "default", {"accept", "established", "drop"}));
    settings.inbound = static_cast<Inbound>(index);
  } else if (node.name() == "host") {
    VNET_ASSIGN(auto index, choice(node, "access", {"all", "services", "none"}));
    settings.host_access = static_cast<HostAccess>(index);
  } else if (node.name() == "portForward") {
    VNET_ASSIGN(auto forward, parse_forward(node));
    settings.port_forwards.push_back(std::move(forward));
  } else {
    return node.error(fmt::format("<vnet:{}>: unknown; allowed: hostFirewall, xdp, sessions, inbound, host, portForward",
                                  node.name()));
  }
  return {};
}

}  // namespace

Result<Settings> parse_settings(const XmlNode& metadata) {
  Settings settings;
  for (const auto& root : metadata.children_of_namespace(settings_namespace)) {
    if (root.name() != "network") return root.error(fmt::format("<vnet:{}>: unknown; allowed: network", root.name()));
    for (const auto& node : root.children_of_namespace(settings_namespace)) VNET_TRY(parse_setting(node, settings));
  }
  return settings;
}

}  // namespace vnet
