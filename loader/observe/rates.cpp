// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/observe/rates.h"

#include <algorithm>

namespace vnet {
namespace {

double per_second(std::uint64_t before, std::uint64_t now, double seconds) {
  if (now <= before || seconds <= 0) return 0;
  return static_cast<double>(now - before) / seconds;
}

std::uint64_t count_of(const Counters& counters, const std::string& reason) {
  auto count = counters.drops.find(reason);
  return count == counters.drops.end() ? 0 : count->second;
}

// Reason by reason, so that one that has begun anew does not hide another.
double drop_rate(const Counters& before, const Counters& now, double seconds) {
  double all = 0;
  for (const auto& [reason, count] : now.drops) all += per_second(count_of(before, reason), count, seconds);
  return all;
}

template <typename Entry, typename Name>
Rate rate_of(const std::vector<Entry>& before, const Entry& now, Name Entry::*name, double seconds) {
  auto old = std::ranges::find(before, now.*name, name);
  return old == before.end() ? Rate{} : compute_rate(old->counters, now.counters, seconds);
}

// The networks hold their ports' drops; without them (`stats --port`) the ports count; uplinks always.
Counters all_drops(const Stats& stats) {
  Counters all;
  for (const auto& network : stats.networks) all += network.counters;
  if (stats.networks.empty())
    for (const auto& port : stats.ports) all += port.counters;
  for (const auto& uplink : stats.uplinks) all += uplink.counters;
  return all;
}

std::vector<DropRate> drop_rates(const Counters& before, const Counters& now, double seconds) {
  std::vector<DropRate> drops;
  for (const auto& [reason, total] : now.drops)
    drops.push_back({reason, per_second(count_of(before, reason), total, seconds), total});
  std::ranges::stable_sort(drops, [](const DropRate& a, const DropRate& b) {
    return a.per_second != b.per_second ? a.per_second > b.per_second : a.total > b.total;
  });
  return drops;
}

}  // namespace

Rate& Rate::operator+=(const Rate& other) {
  rx_packets += other.rx_packets;
  rx_bits += other.rx_bits;
  tx_packets += other.tx_packets;
  tx_bits += other.tx_bits;
  drops += other.drops;
  return *this;
}

Rate compute_rate(const Counters& before, const Counters& now, double seconds) {
  return {per_second(before.rx_packets, now.rx_packets, seconds),
          per_second(before.rx_bytes, now.rx_bytes, seconds) * 8,
          per_second(before.tx_packets, now.tx_packets, seconds),
          per_second(before.tx_bytes, now.tx_bytes, seconds) * 8, drop_rate(before, now, seconds)};
}

Rates compute_rates(const Stats& before, const Stats& now, double seconds) {
  Rates rates;
  rates.time = now.time;
  for (const auto& network : now.networks)
    rates.networks.push_back({network.network, network.ports, network.sessions,
                              rate_of(before.networks, network, &NetworkStats::network, seconds),
                              network.max_sessions});
  // By name and not by searching: there may be a thousand, every second.
  std::map<std::string, const Counters*> ports_before;
  for (const auto& port : before.ports) ports_before[port.interface] = &port.counters;
  for (const auto& port : now.ports) {
    auto old = ports_before.find(port.interface);
    bool known = old != ports_before.end();
    rates.ports.push_back(
        {port.interface, port.network, port.sessions,
         known ? compute_rate(*old->second, port.counters, seconds) : Rate{}, port.max_sessions,
         drop_rates(known ? *old->second : port.counters, port.counters, seconds), port.counters});
  }
  for (const auto& uplink : now.uplinks)
    rates.uplinks.push_back(
        {uplink.interface, rate_of(before.uplinks, uplink, &UplinkStats::interface, seconds)});
  for (const auto& network : rates.networks) rates.total += network.rate;
  if (rates.networks.empty())
    for (const auto& port : rates.ports) rates.total += port.rate;
  rates.drops = drop_rates(all_drops(before), all_drops(now), seconds);
  return rates;
}

}  // namespace vnet
