// SPDX-License-Identifier: GPL-2.0-or-later
// What happens per second, from two readings of the counters. Never negative: a counter that has begun anew
// (a port detached and attached again) counts as standing still.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "loader/observe/stats.h"

namespace vnet {

struct Rate {
  double rx_packets = 0, rx_bits = 0, tx_packets = 0, tx_bits = 0, drops = 0;  // per second
  Rate& operator+=(const Rate& other);
};

struct DropRate {
  std::string reason;
  double per_second = 0;
  std::uint64_t total = 0;
};
struct NetworkRate {
  std::string name;
  unsigned ports = 0;
  std::uint32_t sessions = 0;
  Rate rate;
  std::uint32_t max_sessions = 0;
};
struct PortRate {
  std::string name, network;
  std::uint32_t sessions = 0;
  Rate rate;
  std::uint32_t max_sessions = 0;
  std::vector<DropRate> drops;  // the most frequent first
  Counters counters;            // since it was attached
};
struct UplinkRate {
  std::string name;
  Rate rate;
};

struct Rates {
  double time = 0;  // of the later reading, seconds since the epoch
  Rate total;       // the networks together
  std::vector<NetworkRate> networks;
  std::vector<PortRate> ports;
  std::vector<UplinkRate> uplinks;
  std::vector<DropRate> drops;  // the most frequent first
};

// `seconds` between the readings, by a monotonic clock. What `before` does not know stands still.
Rates compute_rates(const Stats& before, const Stats& now, double seconds);
Rate compute_rate(const Counters& before, const Counters& now, double seconds);

}  // namespace vnet
