// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/plan/subnets.h"

#include <fmt/format.h>
#include <linux/rtnetlink.h>

#include <algorithm>

namespace vnet {
namespace {

// The other interface that the host reaches the prefix by, or a part of it; "" where there is none. A wider
// route elsewhere (10.0.0.0/8 through a tunnel) loses to ours, as it does in every router.
std::string interface_with(const Snapshot& snapshot, const Prefix& prefix, const std::string& bridge,
                           bool by_other_gateways) {
  for (const auto& route : snapshot.routes) {
    if (!route.destination || !route.oif || route.type != RTN_UNICAST ||
        (!by_other_gateways && snapshot.is_device(route.oif, VNET_DEVICE_GATEWAY)) ||
        route.family != prefix.address.family || route.destination->length < prefix.length ||
        !prefix.overlaps(*route.destination) || prefix.address.is_link_local())
      continue;
    const LinkInfo* link = snapshot.link(route.oif);
    if (link && link->name != bridge) return link->name;
  }
  return "";
}

std::string network_with(const Snapshot& snapshot, std::uint16_t slot) {
  for (const auto& active : snapshot.active)
    if (active.record.slot == slot) return active.network.name;
  return "";
}

// Why guests of the network may not use the prefix, though its gateway has an address in it; "": they may.
std::string why_refused(const Builder& builder, const ActiveNetwork& active, const Prefix& prefix) {
  if (prefix.length == 0) return "that is every address";
  const Snapshot& snapshot = builder.snapshot;
  for (const auto& [taken, slot] : snapshot.subnets)
    if (slot != active.record.slot && taken.overlaps(prefix))
      return fmt::format("network {} has {}", network_with(snapshot, slot), taken.text());
  // Found with the same snapshot, and not in the maps yet.
  for (const auto& [name, other] : builder.wanted.resources.networks)
    for (const auto& one : other.added)
      if (name != active.network.name && one.refused.empty() && one.address.network().overlaps(prefix))
        return fmt::format("network {} has {}", name, one.address.network().text());
  // What another network has come to later is not its own, and must not take it from this one.
  std::string name = interface_with(snapshot, prefix, active.network.bridge, false);
  return name.empty() ? "" : fmt::format("it is in use by interface {}", name);
}

bool is_defined(const Network& network, const Prefix& address) {
  return std::ranges::any_of(network.ips, [&](const IpConfig& ip) { return ip.gateway == address; });
}

// Also by a definition that is being left.
bool is_ours(const Builder& builder, const Network& network, const Prefix& address) {
  auto changed = builder.wanted.changed.find(network.name);
  return is_defined(network, address) || (changed != builder.wanted.changed.end() &&
                                          std::ranges::any_of(changed->second, [&](const Network& before) {
                                            return is_defined(before, address);
                                          }));
}

}  // namespace

Result<void> check_subnets_free(const Snapshot& snapshot, const Network& network) {
  std::vector<std::pair<Prefix, const char*>> wanted;
  for (const auto& ip : network.ips) wanted.emplace_back(ip.gateway.network(), "<ip>");
  for (const auto& route : network.routes) wanted.emplace_back(route.destination.network(), "<route>");
  for (const auto& [prefix, element] : wanted) {
    std::string interface = interface_with(snapshot, prefix, network.bridge, true);
    if (!interface.empty())
      return failed(fmt::format(
          "network {}: {} {} is already in use by interface {}; choose another subnet, or take it from there",
          network.name, element, prefix.text(), interface));
  }
  return {};
}

std::vector<Prefix> prefixes_of(const Network& network) {
  std::vector<Prefix> prefixes;
  for (const auto& ip : network.ips) prefixes.push_back(ip.gateway.network());
  for (const auto& route : network.routes)
    if (route.destination.length > 0) prefixes.push_back(route.destination.network());
  return prefixes;
}

std::vector<AddedAddress> added_addresses(const Builder& builder, const ActiveNetwork& active, int gateway) {
  std::vector<AddedAddress> added;
  auto addresses = builder.snapshot.addresses.find(gateway);
  if (addresses == builder.snapshot.addresses.end()) return added;
  for (const auto& [prefix, permanent, tentative, dad_failed, scope] : addresses->second)
    if (!prefix.address.is_link_local() && scope != RT_SCOPE_HOST && !dad_failed &&
        !is_ours(builder, active.network, prefix))
      added.push_back({.address = prefix, .refused = why_refused(builder, active, prefix.network())});
  std::ranges::sort(added, {}, &AddedAddress::address);
  return added;
}

}  // namespace vnet
