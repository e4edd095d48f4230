// SPDX-License-Identifier: GPL-2.0-or-later
// The reader's side of bpf/lib/monitor.h: claims a place among the readers, brings a ring buffer, and gives
// both back. A reader that is killed, or stopped for long, loses its place by itself within seconds.
#pragma once

#include <bpf/libbpf.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>

#include "loader/base/error.h"
#include "loader/bpf/shared_maps.h"
#include "maps/lost_abi.h"

namespace vnet {

struct MonitorFilter {
  std::uint64_t reasons = 0;            // a bit for each vnet_reason; 0: all
  std::uint16_t network = 0, port = 0;  // slots; 0: all
  std::uint32_t per_second = 1000;      // events at most; the others are counted as lost
};

class Monitor {
 public:
  // The cause only where the host's own stack has dropped it (bpf/lost.bpf.c); else nullptr.
  using Visit = std::function<void(const vnet_event&, const vnet_cause*)>;

  // The maps must outlive it. Fails when VNET_MONITORS_MAX others read already.
  static Result<Monitor> start(const SharedMaps& maps, const MonitorFilter& filter);
  Monitor(Monitor&&) noexcept = default;
  Monitor& operator=(Monitor&&) = delete;
  ~Monitor();

  // Hands over what has come; waits for it, but not longer than that, nor beyond a signal. To be called at
  // least every two seconds, and ten times a second where the rate shall be reached. Fails when another
  // reader has taken the place of one that was stopped for long.
  Result<void> poll(std::chrono::milliseconds limit, const Visit& visit);
  // The claim on the place, for longer; poll does it. False when it has run out and is another reader's.
  bool renew();
  __u32 place() const { return place_; }
  // How many that pass the filter have not been shown, since the start.
  std::uint64_t lost() const;

 private:
  struct Unmap {
    void operator()(vnet_readers* at) const;
  };
  struct Free {
    void operator()(ring_buffer* ring) const { ring_buffer__free(ring); }
  };
  using Table = std::unique_ptr<vnet_readers, Unmap>;

  Monitor(const SharedMaps& maps, Table table) : maps_(&maps), table_(std::move(table)) {}
  Result<void> claim();
  void grant();
  std::uint64_t lost_ever() const;

  const SharedMaps* maps_;
  Table table_;
  __u32 place_ = VNET_MONITORS_MAX;  // none yet
  __u64 until_ = 0;
  __u32 per_second_ = 0;
  __u64 granted_ = 0;  // up to then
  std::uint64_t lost_before_ = 0;
  std::unique_ptr<Visit> visit_ = std::make_unique<Visit>();  // where libbpf's callback finds it
  std::unique_ptr<ring_buffer, Free> ring_;
};

}  // namespace vnet
