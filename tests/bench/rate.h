// SPDX-License-Identifier: GPL-2.0-or-later
// Packet rate: 60-byte UDP frames out of an interface as fast as one CPU makes them (BPF_PROG_TEST_RUN with
// live frames), counted and dropped where they arrive.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace vnet::bench {

struct RateOptions {
  std::string from;    // NAMESPACE:INTERFACE that sends
  std::string to;      // where they are counted; empty: nowhere, the datapath's own counters tell
  std::string tap_to;  // instead: the tap that is read; from outside, on the next CPU
  std::string source_mac, target_mac;
  std::string source, target;  // IPv4
  unsigned flows = 1;
  double seconds = 1, warm_up = 0.2;
  bool answers = false;  // the same flows, from their far end
  int cpu = 0;
  std::vector<std::string> hooks;  // NAMESPACE:INTERFACE whose programs' time is taken; costs time itself
};

// {"sent", "all" (with the warming up), "received", "seconds", "rate", "hooks": [...]}
nlohmann::json measure_rate(const RateOptions& options);

}  // namespace vnet::bench
