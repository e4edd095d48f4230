// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/observe/stats.h"

namespace vnet {

Counters& Counters::operator+=(const Counters& other) {
  rx_packets += other.rx_packets;
  rx_bytes += other.rx_bytes;
  tx_packets += other.tx_packets;
  tx_bytes += other.tx_bytes;
  for (const auto& [reason, count] : other.drops) drops[reason] += count;
  return *this;
}

std::uint64_t Counters::dropped() const {
  std::uint64_t sum = 0;
  for (const auto& [reason, count] : drops) sum += count;
  return sum;
}

Counters read_counters(const SharedMaps& maps, std::uint16_t slot) {
  Counters sum;
  for (const auto& cpu : maps.traffic.get(slot)) {
    sum.rx_packets += cpu.rx_packets;
    sum.rx_bytes += cpu.rx_bytes;
    sum.tx_packets += cpu.tx_packets;
    sum.tx_bytes += cpu.tx_bytes;
  }
  return sum;
}

std::map<std::uint16_t, std::map<std::string, std::uint64_t>> read_drops(const SharedMaps& maps) {
  std::map<std::uint16_t, std::map<std::string, std::uint64_t>> all;
  for (const auto& key : maps.drops.keys()) {
    std::uint64_t sum = 0;
    for (auto cpu : maps.drops.get(key)) sum += cpu;
    if (sum) all[key.slot][reason_word(key.reason)] += sum;
  }
  return all;
}

}  // namespace vnet
