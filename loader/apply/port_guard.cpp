// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/apply/port_guard.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>
#include <set>

#include "loader/apply/port_addresses.h"
#include "loader/bpf/map_address.h"
#include "loader/bpf/shared_maps.h"
#include "loader/model/port_rules.h"
#include "loader/os/wireless.h"
#include "loader/plan/port_rules.h"

namespace vnet {
namespace {

vnet_allow_key rule_key(std::uint16_t slot, const AllowRule& rule) {
  return {.slot = slot,
          .port_be = htons(rule.port),
          .proto = static_cast<__u8>(rule.proto == "tcp" ? IPPROTO_TCP : IPPROTO_UDP),
          .pad = {}};
}

vnet_allow_source source_key(std::uint16_t slot, const AllowRule& rule) {
  vnet_allow_source key{};
  key.rule = rule_key(slot, rule);
  key.prefixlen =
      sizeof(key.rule) * 8 + rule.from->length + (rule.from->address.family == Family::V4 ? 96 : 0);
  key.addr = from_address(rule.from->network().address);
  return key;
}

template <typename Key>
bool same_bytes(const Key& a, const Key& b) {
  return std::memcmp(&a, &b, sizeof(Key)) == 0;
}

template <typename Key>
bool among(const std::vector<Key>& keys, const Key& key) {
  return std::ranges::any_of(keys, [&](const Key& other) { return same_bytes(other, key); });
}

struct WantedAllows {
  std::vector<std::pair<vnet_allow_key, vnet_allow>> rules;
  std::vector<vnet_allow_source> sources;
};

// A rule from everywhere makes those of the same port with a prefix void.
Result<WantedAllows> wanted_allows(const PortRecord& record) {
  WantedAllows wanted;
  for (const auto& text : record.allow) {
    VNET_ASSIGN(auto rule, parse_allow_rule(text));
    auto key = rule_key(record.slot, rule);
    auto known =
        std::ranges::find_if(wanted.rules, [&](auto& entry) { return same_bytes(entry.first, key); });
    if (known == wanted.rules.end()) known = wanted.rules.insert(known, {key, {.anywhere = 0}});
    if (rule.from)
      wanted.sources.push_back(source_key(record.slot, rule));
    else
      known->second.anywhere = 1;
  }
  return wanted;
}

// Its flows are the port's own, so that another guest's cannot push them out.
Result<void> make_started(SharedMaps& maps, std::uint16_t slot) {
  if (maps.outgoing_flows.get(slot)) return {};
  Fd flows(bpf_map_create(BPF_MAP_TYPE_LRU_HASH, "started_flows", sizeof(vnet_flow), sizeof(__u32),
                          VNET_STARTED_MAX, nullptr));
  if (!flows) return system_error("making a port's map of flows");
  return maps.outgoing_flows.set(slot, static_cast<__u32>(flows.get()));
}

// What its guest's addresses are noted in; a port without one has none.
Result<void> make_mac_nat_ring(SharedMaps& maps, std::uint16_t slot) {
  return maps.mac_nat_rings.get(slot) ? Result<void>{} : maps.mac_nat_rings.set(slot, {});
}

}  // namespace

bool has_mac_nat(const PortRecord& record, const Network& network) {
  if (!is_direct(network) || network.settings.mac_nat == MacNat::Off) return false;
  return network.settings.mac_nat == MacNat::On || is_wireless(record.parent);
}

Result<void> forget_mac_nat(SharedMaps& maps, std::uint16_t slot) {
  VNET_TRY(maps.mac_nat_rings.erase(slot));  // now nothing more is noted
  std::vector<vnet_address_key> gone;
  maps.mac_nat.for_each([&](const vnet_address_key& key, const vnet_mac_nat& guest) {
    if (guest.slot == slot) gone.push_back(key);
  });
  for (const auto& key : gone) VNET_TRY(maps.mac_nat.erase(key));
  return {};
}

Result<void> add_guard(System& system, const PortRecord& record, const ActiveNetwork& active) {
  VNET_ASSIGN(Datapath * datapath, system.need_datapath());
  auto& maps = datapath->maps();
  VNET_TRY(add_addresses(system, record, active));
  VNET_ASSIGN(auto wanted, wanted_allows(record));
  for (const auto& source : wanted.sources) VNET_TRY(maps.allow_prefixes.set(source, 1));
  for (const auto& [key, value] : wanted.rules) VNET_TRY(maps.allow_rules.set(key, value));
  if (inbound_of(record, active.network) == Inbound::Established) VNET_TRY(make_started(maps, record.slot));
  if (is_isolated(record, active.network)) VNET_TRY(maps.isolated.set(record.slot, active.record.slot));
  if (has_mac_nat(record, active.network)) VNET_TRY(make_mac_nat_ring(maps, record.slot));
  return {};
}

Result<void> trim_guard(System& system, const PortRecord& record, const ActiveNetwork& active) {
  VNET_ASSIGN(Datapath * datapath, system.need_datapath());
  auto& maps = datapath->maps();
  VNET_TRY(trim_addresses(maps, record, active.network));
  VNET_ASSIGN(auto wanted, wanted_allows(record));
  std::vector<vnet_allow_key> rules;
  for (const auto& entry : wanted.rules) rules.push_back(entry.first);
  for (const auto& key : maps.allow_rules.keys())
    if (key.slot == record.slot && !among(rules, key)) VNET_TRY(maps.allow_rules.erase(key));
  for (const auto& key : maps.allow_prefixes.keys())
    if (key.rule.slot == record.slot && !among(wanted.sources, key)) VNET_TRY(maps.allow_prefixes.erase(key));
  if (inbound_of(record, active.network) != Inbound::Established)
    VNET_TRY(maps.outgoing_flows.erase(record.slot));
  if (!is_isolated(record, active.network)) VNET_TRY(maps.isolated.erase(record.slot));
  if (!has_mac_nat(record, active.network)) VNET_TRY(forget_mac_nat(maps, record.slot));
  return {};
}

Result<void> forget_guard(SharedMaps& maps, std::uint16_t slot) {
  VNET_TRY(forget_addresses(maps, slot));
  for (const auto& key : maps.allow_rules.keys())
    if (key.slot == slot) VNET_TRY(maps.allow_rules.erase(key));
  for (const auto& key : maps.allow_prefixes.keys())
    if (key.rule.slot == slot) VNET_TRY(maps.allow_prefixes.erase(key));
  VNET_TRY(maps.outgoing_flows.erase(slot));
  VNET_TRY(forget_mac_nat(maps, slot));
  return maps.isolated.erase(slot);
}

}  // namespace vnet
