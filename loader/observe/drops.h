// SPDX-License-Identifier: GPL-2.0-or-later
// Dropped packets as they happen, with names instead of numbers.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "loader/base/error.h"
#include "loader/observe/packet_view.h"

namespace vnet {

struct DropFilter {
  std::optional<std::string> network, port;
  std::vector<std::string> reasons;  // words; none: all
  std::uint32_t per_second = 1000;
};

struct Drop {
  std::uint64_t time_ns = 0;  // since the epoch
  std::string hook, reason;   // words
  std::string interface;      // where it was dropped
  std::string network, port;  // whose packet; "": not known
  // Where the host's own stack has dropped it: why, in the kernel's word; and by which of its functions,
  // where the word says nothing.
  std::string kernel_reason, kernel_function;
  std::uint32_t length = 0;  // as it arrived there
  bool ethernet = true;
  std::vector<std::uint8_t> bytes;  // the first ones, VLAN tags in their places
  PacketView packet;
};

// Must not outlive the Host that made it.
class DropWatch {
 public:
  struct State;
  explicit DropWatch(std::unique_ptr<State> state);
  DropWatch(DropWatch&&) noexcept;
  ~DropWatch();

  // To be called at least every two seconds. Waits no longer than that, nor beyond a signal. Fails when there
  // is nothing to watch any more.
  Result<void> wait(std::chrono::milliseconds limit, const std::function<void(const Drop&)>& visit);
  // Why what the host's own stack drops is not seen; nullopt: it is, or it was not asked for.
  const std::optional<Error>& blind() const;
  std::uint64_t not_shown() const;  // since the start; that passed the filter, but not the rate

 private:
  std::unique_ptr<State> state_;
};

// Counts what the host's own stack drops, for as long as it lives (Host::count_losses).
class LossCount {
 public:
  struct State;
  LossCount();
  LossCount(LossCount&&) noexcept;
  ~LossCount();
  // Why it cannot: the other counters are there without it.
  const std::optional<Error>& blind() const { return blind_; }

 private:
  friend class Host;
  std::unique_ptr<State> state_;
  std::optional<Error> blind_;
};

}  // namespace vnet
