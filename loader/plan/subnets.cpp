// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/plan/subnets.h"

#include <fmt/format.h>
#include <linux/rtnetlink.h>

#include <algorithm>

#include "loader/bpf/map_address.h"
#include "loader/bpf/shared_maps.h"
#include "loader/plan/entries.h"
#include "loader/plan/port_addresses.h"

namespace vnet {
namespace {

vnet_subnet_key subnet_key(const Prefix& prefix) {
  vnet_subnet_key key{};
  key.prefixlen = prefix.length + (prefix.address.family == Family::V4 ? 96 : 0);
  key.addr = from_address(prefix.network().address);
  return key;
}

// The look-up is for the longest prefix: with an entry of its own, that one.
Result<void> erase_subnet(SharedMaps& maps, const Prefix& prefix, std::uint16_t slot) {
  auto entry = maps.subnets.get(subnet_key(prefix));
  return entry && entry->network == slot ? maps.subnets.erase(subnet_key(prefix)) : Result<void>{};
}

Prefix to_prefix(const vnet_subnet_key& key) {
  auto address = to_address(key.addr);
  return {address, address.family == Family::V4 ? key.prefixlen - 96 : key.prefixlen};
}

// Its subnets, and what it routes to through its guests.
std::vector<Prefix> prefixes_of(const Network& network) {
  std::vector<Prefix> prefixes;
  for (const auto& ip : network.ips) prefixes.push_back(ip.gateway.network());
  for (const auto& route : network.routes)
    if (route.destination.length > 0) prefixes.push_back(route.destination.network());
  return prefixes;
}

// The other interface that the host reaches the prefix by, or a part of it; "" where there is none. A wider
// route elsewhere (10.0.0.0/8 through a tunnel) loses to ours, as it does in every router.
Result<std::string> interface_with(Context& context, const std::vector<RouteInfo>& routes,
                                   const Prefix& prefix, const std::string& bridge, bool by_other_gateways) {
  for (const auto& route : routes) {
    if (!route.destination || !route.oif || route.type != RTN_UNICAST ||
        (!by_other_gateways && has_device(context.datapath->maps(), route.oif, VNET_DEVICE_GATEWAY)) ||
        route.family != prefix.address.family || route.destination->length < prefix.length ||
        !prefix.overlaps(*route.destination) || prefix.address.is_link_local())
      continue;
    VNET_ASSIGN(auto link, context.netlink.find_link(route.oif));
    if (link && link->name != bridge) return link->name;
  }
  return "";
}

Result<std::string> network_with(Context& context, std::uint16_t slot) {
  VNET_ASSIGN(auto records, context.records.networks());
  auto record = std::ranges::find(records, slot, &NetworkRecord::slot);
  return record == records.end() ? "" : record->name;
}

// Why guests of the network may not use the prefix, though its gateway has an address in it; "": they may.
Result<std::string> why_refused(Context& context, const ActiveNetwork& active, const Prefix& prefix) {
  if (prefix.length == 0) return "that is every address";
  std::optional<std::pair<std::uint16_t, Prefix>> taken;
  context.datapath->maps().subnets.for_each([&](const vnet_subnet_key& key, const vnet_subnet& subnet) {
    if (subnet.network != active.record.slot && to_prefix(key).overlaps(prefix))
      taken = {subnet.network, to_prefix(key)};
  });
  if (taken) {
    VNET_ASSIGN(auto name, network_with(context, taken->first));
    return fmt::format("network {} has {}", name, taken->second.text());
  }
  // What another network has come to later is not its own, and must not take it from this one.
  VNET_ASSIGN(auto routes, context.netlink.routes());
  VNET_ASSIGN(auto name, interface_with(context, routes, prefix, active.network.bridge, false));
  return name.empty() ? "" : fmt::format("it is in use by interface {}", name);
}

bool is_defined(const Network& network, const Prefix& address) {
  return std::ranges::any_of(network.ips, [&](const IpConfig& ip) { return ip.gateway == address; });
}

// What is on the interface and not in the definition, in order.
Result<std::vector<AddedAddress>> added_addresses(Context& context, const ActiveNetwork& active,
                                                  int gateway) {
  VNET_ASSIGN(auto addresses, context.netlink.addresses(gateway));
  std::vector<AddedAddress> added;
  for (const auto& [prefix, permanent, tentative, dad_failed, scope] : addresses)
    if (!prefix.address.is_link_local() && scope != RT_SCOPE_HOST && !dad_failed &&
        !is_defined(active.network, prefix))
      added.push_back({.address = prefix, .refused = ""});
  for (auto& one : added) {
    VNET_ASSIGN(one.refused, why_refused(context, active, one.address.network()));
  }
  std::ranges::sort(added, {}, &AddedAddress::address);
  return added;
}

bool has_address(const std::vector<AddedAddress>& added, const Address& address) {
  return std::ranges::any_of(added, [&](const AddedAddress& one) { return one.address.address == address; });
}

bool has_subnet(const std::vector<AddedAddress>& added, const Prefix& subnet) {
  return std::ranges::any_of(
      added, [&](const AddedAddress& one) { return one.refused.empty() && one.address.network() == subnet; });
}

// As long as it is not finished the record says of each change that it is about to be made.
Result<void> note_changes(Context& context, NetworkRecord record, const std::vector<AddedAddress>& now) {
  for (const auto& one : now)
    if (std::ranges::find(record.added, one) == record.added.end())
      record.added.push_back({.address = one.address, .refused = "interrupted"});
  return context.records.save(record);
}

// What is on the interface is asked again: what has been done meanwhile may have been for another network.
Result<void> follow(Context& context, const ActiveNetwork& active, int gateway) {
  VNET_ASSIGN(Datapath * datapath, context.need_datapath());
  VNET_ASSIGN(auto now, added_addresses(context, active, gateway));
  auto& maps = datapath->maps();
  const Network& network = active.network;
  VNET_ASSIGN(auto record, context.records.network(network.name));
  if (!record) return {};
  VNET_TRY(note_changes(context, *record, now));
  auto defined = prefixes_of(network);
  for (const auto& before : record->added) {
    auto subnet = before.address.network();
    if (!has_subnet(now, subnet) && std::ranges::find(defined, subnet) == defined.end())
      VNET_TRY(erase_subnet(maps, subnet, record->slot));
    if (!has_address(now, before.address.address))
      VNET_TRY(release_address(maps, network, record->slot, before.address.address));
  }
  for (const auto& one : now) {
    VNET_TRY(reserve_address(maps, record->slot, one.address.address));
    if (one.refused.empty()) VNET_TRY(maps.subnets.set(subnet_key(one.address), {.network = record->slot}));
  }
  record->added = now;
  return context.records.save(*record);
}

std::string list(const std::vector<AddedAddress>& added) {
  std::string text;
  for (const auto& [address, refused] : added) {
    text += (text.empty() ? "" : ", ") + address.text();
    if (!refused.empty()) text += fmt::format(" (not its guests' subnet: {})", refused);
  }
  return text.empty() ? "none but the definition's" : text;
}

}  // namespace

Result<void> check_subnets_free(Context& context, const Network& network) {
  VNET_ASSIGN(auto routes, context.netlink.routes());
  std::vector<std::pair<Prefix, const char*>> wanted;
  for (const auto& ip : network.ips) wanted.emplace_back(ip.gateway.network(), "<ip>");
  for (const auto& route : network.routes) wanted.emplace_back(route.destination.network(), "<route>");
  for (const auto& [prefix, element] : wanted) {
    VNET_ASSIGN(auto interface, interface_with(context, routes, prefix, network.bridge, true));
    if (!interface.empty())
      return failed(fmt::format(
          "network {}: {} {} is already in use by interface {}; choose another subnet, or take it from there",
          network.name, element, prefix.text(), interface));
  }
  return {};
}

Result<void> write_subnets(SharedMaps& maps, const Network& network, std::uint16_t slot) {
  VNET_TRY(reserve_gateway(maps, network, slot));
  for (const auto& prefix : prefixes_of(network))
    VNET_TRY(maps.subnets.set(subnet_key(prefix), {.network = slot}));
  return {};
}

void erase_subnets(SharedMaps& maps, std::uint16_t slot) {
  std::vector<vnet_subnet_key> own;
  maps.subnets.for_each([&](const vnet_subnet_key& key, const vnet_subnet& subnet) {
    if (subnet.network == slot) own.push_back(key);
  });
  for (const auto& key : own) (void)maps.subnets.erase(key);
}

Result<Plan> plan_added_addresses(Context& context, const ActiveNetwork& active, int gateway) {
  Plan plan;
  VNET_ASSIGN(auto now, added_addresses(context, active, gateway));
  if (now == active.record.added) return plan;
  plan.add(fmt::format("network {}: addresses added to {}: {}", active.network.name, active.network.bridge,
                       list(now)),
           [&context, active, gateway] { return follow(context, active, gateway); });
  return plan;
}

}  // namespace vnet
