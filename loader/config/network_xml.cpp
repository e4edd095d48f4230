// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/config/network_xml.h"

#include <fmt/format.h>

#include <cctype>

#include "loader/config/xml_parts.h"

namespace vnet {
namespace {

// The name becomes the name of files and a part of dnsmasq's command line.
Result<std::string> parse_name(const XmlNode& root) {
  const auto node = root.child("name");
  if (!node) return root.error("<name> is missing");
  auto name = node->text();
  if (name.empty()) return node->error("is empty");
  if (has_control_character(name)) return node->error("no newline or other control character is allowed");
  if (name.contains('/')) return node->error("no slash is allowed");
  if (name == "." || name == "..") return node->error("'.' and '..' cannot be the name of a file");
  if (name.size() > 200) return node->error("more than 200 bytes");
  return name;
}

// Any mixture of dashes and case is taken, as libvirt does.
Result<std::string> parse_uuid(const XmlNode& root) {
  const auto node = root.child("uuid");
  if (!node) return "";
  const auto text = trimmed(node->text());
  std::string uuid;
  for (const char c : text) {
    if (c == '-' || c == ' ') continue;
    if (!std::isxdigit(static_cast<unsigned char>(c))) return node->error("not a UUID");
    if (uuid.size() == 8 || uuid.size() == 13 || uuid.size() == 18 || uuid.size() == 23) uuid += '-';
    uuid += static_cast<char>(std::tolower(c));
  }
  if (uuid.size() != 36) return node->error("not a UUID: it has 32 hexadecimal digits");
  return uuid;
}

Result<void> parse_identity(const XmlNode& root, Network& network) {
  VNET_ASSIGN(network.name, parse_name(root));
  VNET_ASSIGN(network.uuid, parse_uuid(root));
  if (const auto title = root.child("title")) {
    network.title = title->text();
    if (has_control_character(network.title))
      return title->error("no newline or other control character is allowed");
  }
  if (const auto description = root.child("description")) network.description = description->text();
  if (const auto metadata = root.child("metadata")) {
    network.metadata_xml = metadata->serialized();
    VNET_ASSIGN(network.settings, parse_settings(*metadata));
  }
  VNET_ASSIGN(const auto ipv6, root.yes_no("ipv6"));
  network.ipv6_attribute = ipv6.value_or(false);
  VNET_TRY(root.attribute("connections"));  // how many guests a running one has: libvirt's own note
  VNET_ASSIGN(const auto trust, root.yes_no("trustGuestRxFilters"));
  network.trust_guest_rx_filters = trust.value_or(false);
  return {};
}

Result<void> parse_link(const XmlNode& root, Network& network) {
  if (const auto bridge = root.child("bridge")) VNET_TRY(parse_bridge(*bridge, network));
  if (const auto forward = root.child("forward"))
    VNET_TRY(parse_forward(*forward, !network.bridge.empty(), network));
  if (const auto mtu = root.child("mtu")) {
    VNET_TRY(mtu->required("size"));
    VNET_ASSIGN(const auto size, mtu->number("size", 68, 65535));
    network.mtu = static_cast<unsigned>(*size);
  }
  if (const auto mac = root.child("mac")) {
    VNET_ASSIGN(network.mac, mac->unicast_mac("address"));
  }
  if (const auto port = root.child("port")) {
    VNET_ASSIGN(const auto isolated, port->yes_no("isolated"));
    network.isolated_ports = isolated.value_or(false);
  }
  if (const auto bandwidth = root.child("bandwidth")) {
    VNET_ASSIGN(network.bandwidth, parse_bandwidth(*bandwidth));
  }
  if (const auto vlan = root.child("vlan")) {
    VNET_ASSIGN(network.vlan, parse_vlan(*vlan));
  }
  for (const auto& node : root.children("portgroup")) {
    VNET_ASSIGN(auto group, parse_portgroup(node));
    network.portgroups.push_back(std::move(group));
  }
  return {};
}

Result<void> parse_layer3(const XmlNode& root, Network& network) {
  if (const auto domain = root.child("domain")) {
    VNET_ASSIGN(network.domain, parse_dns_domain(*domain));
  }
  if (const auto dns = root.child("dns")) {
    VNET_ASSIGN(network.dns, parse_dns(*dns));
  }
  for (const auto& node : root.children("ip")) {
    VNET_ASSIGN(auto ip, parse_ip(node));
    network.ips.push_back(std::move(ip));
  }
  for (const auto& node : root.children("route")) {
    VNET_ASSIGN(const auto route, parse_route(node));
    network.routes.push_back(route);
  }
  VNET_ASSIGN(network.dnsmasq_options, parse_dnsmasq_options(root));
  return {};
}

}  // namespace

Result<Network> parse_network(std::string_view xml, const std::string& file_name,
                              std::vector<std::string>* ignored) {
  VNET_ASSIGN(const auto document, XmlDocument::parse(xml, file_name));
  const auto root = document.root();
  if (root.name() != "network") return root.error("the outermost element must be <network>");
  Network network;
  VNET_TRY(parse_identity(root, network));
  VNET_TRY(parse_link(root, network));
  VNET_TRY(parse_layer3(root, network));
  VNET_TRY(validate(network, root));
  if (ignored) *ignored = document.ignored();
  return network;
}

}  // namespace vnet
