// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/apply/port_state.h"

#include <fmt/format.h>

#include <algorithm>

#include "loader/apply/port_addresses.h"
#include "loader/bpf/map_address.h"
#include "loader/model/drop_reason.h"

namespace vnet {
namespace {

constexpr std::uint64_t second = 1'000'000'000;

struct Total {
  std::uint64_t PortTotals::*total;
  __u64 vnet_traffic::*counter;
};
constexpr Total counters[] = {{&PortTotals::rx_packets, &vnet_traffic::rx_packets},
                              {&PortTotals::rx_bytes, &vnet_traffic::rx_bytes},
                              {&PortTotals::tx_packets, &vnet_traffic::tx_packets},
                              {&PortTotals::tx_bytes, &vnet_traffic::tx_bytes}};

Result<PortRecord> attached(System& system, const std::string& interface) {
  VNET_ASSIGN(auto record, system.records.port(interface));
  if (!record || !system.datapath) return not_found(interface + " is not attached to any network");
  return *record;
}

std::vector<PortAddress> read_addresses(const SharedMaps& maps, std::uint16_t slot) {
  std::vector<PortAddress> all;
  const auto now = tick_now();
  maps.addresses.for_each([&](const vnet_address_key& key, const vnet_address& value) {
    if (key.slot != slot || value.port != slot || value.source == VNET_ADDRESS_FIXED) return;
    const auto left = static_cast<std::int32_t>(value.until - now);
    if (value.until && left <= 0) return;
    const auto seconds =
        value.until ? ((static_cast<std::uint64_t>(left) << VNET_TICK_SHIFT) / second) + 1 : 0;
    all.push_back({to_address(key.addr), value.source == VNET_ADDRESS_LEASED, seconds});
  });
  std::ranges::sort(all, {}, &PortAddress::address);
  return all;
}

PortTotals read_totals(const SharedMaps& maps, std::uint16_t slot) {
  PortTotals totals;
  for (const auto& cpu : maps.traffic.get(slot))
    for (const auto& [total, counter] : counters) totals.*total += cpu.*counter;
  for (const auto& key : maps.drops.keys()) {
    if (key.slot != slot) continue;
    for (const auto count : maps.drops.get(key)) totals.drops[reason_word(key.reason)] += count;
  }
  return totals;
}

// What is missing is added to one CPU's part.
Result<void> give_totals(SharedMaps& maps, std::uint16_t slot, const PortTotals& wanted) {
  const auto now = read_totals(maps, slot);
  auto traffic = maps.traffic.get(slot);
  if (!traffic.empty()) {
    for (const auto& [total, counter] : counters)
      traffic.front().*counter += std::max(wanted.*total, now.*total) - now.*total;
    VNET_TRY(maps.traffic.set(slot, traffic));
  }
  for (std::uint16_t reason = 1; reason < VNET_DROP_MAX; ++reason) {
    const auto want = wanted.drops.find(reason_word(reason));
    const auto have = now.drops.find(reason_word(reason));
    const auto before = have == now.drops.end() ? 0 : have->second;
    if (want == wanted.drops.end() || want->second <= before) continue;
    const vnet_drop_key key{.slot = slot, .reason = reason};
    auto values = maps.drops.get(key);
    if (values.empty()) {
      VNET_TRY(maps.drops.clear(key));
      values = maps.drops.get(key);
    }
    if (values.empty()) return failed("the counters of drops are full");
    values.front() += want->second - before;
    VNET_TRY(maps.drops.set(key, values));
  }
  return {};
}

}  // namespace

Result<PortState> read_port_state(System& system, const std::string& interface) {
  VNET_ASSIGN(auto record, attached(system, interface));
  const auto& maps = system.datapath->maps();
  PortState state{record};
  state.interface = record.interface;
  state.network = record.network;
  state.addresses = read_addresses(maps, record.slot);
  state.totals = read_totals(maps, record.slot);
  return state;
}

Result<void> give_port_state(System& system, const PortState& state) {
  VNET_ASSIGN(auto record, attached(system, state.interface));
  VNET_ASSIGN(auto active, active_network(system, record.network));
  if (!active) return failed(fmt::format("network {} is not active", record.network));
  auto& maps = system.datapath->maps();
  VNET_TRY(give_addresses(maps, record, *active, state.addresses));
  return give_totals(maps, record.slot, state.totals);
}

}  // namespace vnet
