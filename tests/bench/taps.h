// SPDX-License-Identifier: GPL-2.0-or-later
// Guests on taps: what a hypervisor's network backend does, as little of it as there can be.
#pragma once

#include <atomic>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "loader/base/fd.h"
#include "tests/bench/rate.h"

namespace vnet::bench {

// Packet rate out of a tap: written by one CPU in batches, which also reads them where the receiver is
// tap_to. `to` as in measure_rate. Returns what measure_rate does.
nlohmann::json measure_tap_rate(const RateOptions& options);

// Reads a tap on a CPU of its own and counts the benchmark's frames, for as long as it lives.
class TapReader {
 public:
  explicit TapReader(const RateOptions& options);  // its tap_to
  std::uint64_t received() const { return received_; }

 private:
  void read(const std::stop_token& stop, const RateOptions& options);

  Fd tap_;
  std::atomic<std::uint64_t> received_{0};
  std::jthread thread_;  // the last member: nothing it uses may end before it
};

// Frames of pairs[0] to pairs[1] and back, of pairs[2] to pairs[3] and so on, each NAMESPACE:TAP, with their
// virtio headers, like between a guest's network card and its tap; prints "ready". On CPU 0.
void relay_until_killed(const std::vector<std::string>& pairs);

}  // namespace vnet::bench
