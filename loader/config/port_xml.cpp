// SPDX-License-Identifier: GPL-2.0-or-later
// What applies to ports: <bandwidth>, <vlan>, <portgroup>.
#include <fmt/format.h>

#include "loader/config/xml_parts.h"

namespace vnet {
namespace {

Result<std::optional<Bandwidth>> parse_rate(const XmlNode& node, bool of_a_card) {
  VNET_ASSIGN(const auto floor, node.attribute("floor"));
  if (floor && !of_a_card)
    return node.wrong_value("floor", *floor, "only allowed for the interface of a guest");
  VNET_ASSIGN(const auto average, node.number("average", 0, UINT64_MAX));
  VNET_ASSIGN(const auto peak, node.number("peak", 0, UINT64_MAX));
  VNET_ASSIGN(const auto burst, node.number("burst", 0, UINT64_MAX));
  if (!average && floor) return std::nullopt;
  if (!average) return node.error("the attribute average is missing");
  return Bandwidth{*average, peak.value_or(0), burst.value_or(0)};
}

}  // namespace

Result<BandwidthPair> parse_bandwidth(const XmlNode& node, bool of_a_card) {
  BandwidthPair pair;
  for (auto [name, target] : {std::pair{"inbound", &pair.inbound}, std::pair{"outbound", &pair.outbound}}) {
    const auto rates = node.children(name);
    if (rates.size() > 1) return rates[1].error("only one is allowed in <bandwidth>");
    if (rates.empty()) continue;
    VNET_ASSIGN(*target, parse_rate(rates.front(), of_a_card));
  }
  return pair;
}

Result<Vlan> parse_vlan(const XmlNode& node) {
  Vlan vlan;
  VNET_ASSIGN(const auto trunk, node.yes_no("trunk"));
  bool native = false;
  for (const auto& child : node.children("tag")) {
    VlanTag tag;
    VNET_TRY(child.required("id"));
    VNET_ASSIGN(const auto id, child.number("id", 0, 4095));
    tag.id = static_cast<unsigned>(*id);
    VNET_ASSIGN(const auto mode, child.choice<bool>("nativeMode", {{"tagged", true}, {"untagged", false}}));
    tag.native = mode.has_value();
    tag.native_tagged = mode.value_or(false);
    if (tag.native && native) return child.error("only one tag can be the native VLAN");
    native |= tag.native;
    vlan.tags.push_back(tag);
  }
  if (vlan.tags.empty()) return node.error("needs at least one <tag id='...'/>");
  // More than one tag, and a native VLAN, have a meaning on a trunk only.
  const bool needs_trunk = vlan.tags.size() > 1 || native;
  if (trunk == false && needs_trunk)
    return node.wrong_value("trunk", "no", "several tags or a native VLAN need trunk='yes'");
  vlan.trunk = trunk.value_or(needs_trunk);
  return vlan;
}

Result<PortGroup> parse_portgroup(const XmlNode& node) {
  PortGroup group;
  VNET_ASSIGN(group.name, node.required("name"));
  VNET_ASSIGN(const auto is_default, node.yes_no("default"));
  group.is_default = is_default.value_or(false);
  VNET_ASSIGN(group.trust_guest_rx_filters, node.yes_no("trustGuestRxFilters"));
  if (const auto bandwidth = node.child("bandwidth")) {
    VNET_ASSIGN(group.bandwidth, parse_bandwidth(*bandwidth));
  }
  if (const auto vlan = node.child("vlan")) {
    VNET_ASSIGN(group.vlan, parse_vlan(*vlan));
  }
  return group;
}

}  // namespace vnet
