// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/config/domain_xml.h"

#include "loader/config/xml_parts.h"

namespace vnet {
namespace {

Result<std::string> attribute_of(const XmlNode& parent, const char* element, const char* name) {
  const auto node = parent.child(element);
  if (!node) return "";
  return node->string_or_empty(name);
}

Result<void> parse_filter(const XmlNode& node, GuestInterface& card) {
  VNET_ASSIGN(card.filter, node.required("filter"));
  for (const auto& parameter : node.children("parameter")) {
    VNET_ASSIGN(const auto name, parameter.string_or_empty("name"));
    if (name != "IP" && name != "IPV6") continue;
    VNET_ASSIGN(const auto address, parameter.address("value"));
    if (address) card.ips.push_back(*address);
  }
  return {};
}

Result<GuestInterface> parse_card(const XmlNode& node) {
  GuestInterface card;
  VNET_ASSIGN(card.target, attribute_of(node, "target", "dev"));
  VNET_ASSIGN(card.model, attribute_of(node, "model", "type"));
  VNET_ASSIGN(card.portgroup, attribute_of(node, "source", "portgroup"));
  VNET_ASSIGN(card.trust_guest_rx_filters, node.yes_no("trustGuestRxFilters"));
  if (const auto mac = node.child("mac")) {
    VNET_ASSIGN(card.mac, mac->unicast_mac("address"));
  }
  if (const auto link = node.child("link")) {
    VNET_ASSIGN(card.link_up, link->choice<bool>("state", {{"up", true}, {"down", false}}));
  }
  if (const auto port = node.child("port")) {
    VNET_ASSIGN(card.isolated, port->yes_no("isolated"));
  }
  if (const auto filter = node.child("filterref")) VNET_TRY(parse_filter(*filter, card));
  if (const auto bandwidth = node.child("bandwidth")) {
    VNET_ASSIGN(card.bandwidth, parse_bandwidth(*bandwidth, true));
  }
  if (const auto vlan = node.child("vlan")) {
    VNET_ASSIGN(card.vlan, parse_vlan(*vlan));
  }
  return card;
}

}  // namespace

Result<std::vector<GuestInterface>> parse_domain_interfaces(std::string_view xml,
                                                            const std::string& file_name) {
  VNET_ASSIGN(const auto document, XmlDocument::parse(xml, file_name));
  const auto root = document.root();
  if (root.name() != "domain") return root.error("the outermost element must be <domain>");
  std::vector<GuestInterface> cards;
  const auto devices = root.child("devices");
  if (!devices) return cards;
  for (const auto& node : devices->children("interface")) {
    VNET_ASSIGN(auto card, parse_card(node));
    if (const auto name = root.child("name")) card.guest = name->text();
    if (const auto uuid = root.child("uuid")) card.guest_uuid = trimmed(uuid->text());
    cards.push_back(std::move(card));
  }
  return cards;
}

}  // namespace vnet
