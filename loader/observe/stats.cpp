// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/observe/stats.h"

#include <numeric>

#include "loader/bpf/shared_maps.h"
#include "loader/model/drop_reason.h"

namespace vnet {
namespace {

std::uint64_t sum(const std::vector<__u64>& values) {
  return std::accumulate(values.begin(), values.end(), std::uint64_t{0});
}

}  // namespace

Counters& Counters::operator+=(const Counters& other) {
  rx_packets += other.rx_packets;
  rx_bytes += other.rx_bytes;
  tx_packets += other.tx_packets;
  tx_bytes += other.tx_bytes;
  forwarded += other.forwarded;
  for (const auto& [reason, count] : other.drops) drops[reason] += count;
  return *this;
}

std::uint64_t Counters::dropped() const {
  std::uint64_t all = 0;
  for (const auto& [reason, count] : drops) all += count;
  return all;
}

Counters read_traffic(const SharedMaps& maps, std::uint16_t slot) {
  Counters counters;
  for (const vnet_traffic& cpu : maps.traffic.get(slot)) {
    counters.rx_packets += cpu.rx_packets;
    counters.rx_bytes += cpu.rx_bytes;
    counters.tx_packets += cpu.tx_packets;
    counters.tx_bytes += cpu.tx_bytes;
    counters.forwarded += cpu.forwarded;
  }
  return counters;
}

Counters read_counters(const SharedMaps& maps, std::uint16_t slot) {
  Counters counters = read_traffic(maps, slot);
  for (std::uint16_t reason = 1; reason < VNET_DROP_MAX; ++reason)
    if (auto count = sum(maps.drops.get({slot, reason}))) counters.drops[reason_word(reason)] = count;
  return counters;
}

std::map<std::uint16_t, std::map<std::string, std::uint64_t>> read_drops(const SharedMaps& maps) {
  std::map<std::uint16_t, std::map<std::string, std::uint64_t>> all;
  for (const vnet_drop_key& key : maps.drops.keys())
    if (auto count = sum(maps.drops.get(key))) all[key.slot][reason_word(key.reason)] += count;
  return all;
}

}  // namespace vnet
