// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/apply/subnets.h"

#include <algorithm>

#include "loader/apply/apply.h"
#include "loader/apply/port_addresses.h"
#include "loader/bpf/map_address.h"
#include "loader/plan/subnets.h"

namespace vnet {
namespace {

vnet_subnet_key subnet_key(const Prefix& prefix) {
  vnet_subnet_key key{};
  key.prefixlen = prefix.length + (prefix.address.family == Family::V4 ? 96 : 0);
  key.addr = from_address(prefix.network().address);
  return key;
}

bool has_address(const std::vector<AddedAddress>& added, const Address& address) {
  return std::ranges::any_of(added, [&](const AddedAddress& one) { return one.address.address == address; });
}

// As long as it is not finished the record says of each change that it is about to be made.
Result<void> note_changes(System& system, NetworkRecord record, const std::vector<AddedAddress>& now) {
  for (const auto& one : now)
    if (std::ranges::find(record.added, one) == record.added.end())
      record.added.push_back({.address = one.address, .refused = "interrupted"});
  return system.records.save(record);
}

}  // namespace

Prefix to_prefix(const vnet_subnet_key& key) {
  auto address = to_address(key.addr);
  return {address, address.family == Family::V4 ? key.prefixlen - 96 : key.prefixlen};
}

bool has_subnet(const std::vector<AddedAddress>& added, const Prefix& subnet) {
  return std::ranges::any_of(
      added, [&](const AddedAddress& one) { return one.refused.empty() && one.address.network() == subnet; });
}

Result<void> write_subnet(SharedMaps& maps, const Prefix& prefix, std::uint16_t slot) {
  return maps.subnets.set(subnet_key(prefix), {.network = slot});
}

// The look-up is for the longest prefix: with an entry of its own, that one.
Result<void> erase_subnet(SharedMaps& maps, const Prefix& prefix, std::uint16_t slot) {
  auto entry = maps.subnets.get(subnet_key(prefix));
  return entry && entry->network == slot ? maps.subnets.erase(subnet_key(prefix)) : Result<void>{};
}

Result<void> write_subnets(SharedMaps& maps, const Network& network, std::uint16_t slot) {
  VNET_TRY(reserve_gateway(maps, network, slot));
  for (const auto& prefix : prefixes_of(network)) VNET_TRY(write_subnet(maps, prefix, slot));
  return {};
}

Result<void> erase_subnets(SharedMaps& maps, std::uint16_t slot) {
  std::vector<vnet_subnet_key> own;
  maps.subnets.for_each([&](const vnet_subnet_key& key, const vnet_subnet& subnet) {
    if (subnet.network == slot) own.push_back(key);
  });
  for (const auto& key : own) VNET_TRY(maps.subnets.erase(key));
  return {};
}

Result<void> apply(System& system, const FollowAddresses& change) {
  VNET_ASSIGN(Datapath * datapath, system.need_datapath());
  auto& maps = datapath->maps();
  const Network& network = change.active.network;
  VNET_ASSIGN(auto record, system.records.network(network.name));
  if (!record) return {};
  VNET_TRY(note_changes(system, *record, change.added));
  auto defined = prefixes_of(network);
  for (const auto& before : record->added) {
    auto subnet = before.address.network();
    if (!has_subnet(change.added, subnet) && std::ranges::find(defined, subnet) == defined.end())
      VNET_TRY(erase_subnet(maps, subnet, record->slot));
    if (!has_address(change.added, before.address.address))
      VNET_TRY(release_address(maps, network, record->slot, before.address.address));
  }
  for (const auto& one : change.added) {
    VNET_TRY(reserve_address(maps, record->slot, one.address.address));
    if (one.refused.empty()) VNET_TRY(maps.subnets.set(subnet_key(one.address), {.network = record->slot}));
  }
  record->added = change.added;
  return system.records.save(*record);
}

}  // namespace vnet
