// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/observe/monitor.h"
#include "loader/bpf/shared_maps.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <time.h>

#include <algorithm>
#include <atomic>
#include <numeric>

namespace vnet {
namespace {

constexpr __u64 claim_ns = 3'000'000'000;
constexpr __u64 renew_ns = claim_ns - 1'000'000'000;

// What may be shown at once, after a while of silence.
constexpr __u64 burst_ns = 125'000'000;

// The kernel's side compares with its coarse clock, which is at most some milliseconds behind.
__u64 now_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<__u64>(now.tv_sec) * 1'000'000'000 + static_cast<__u64>(now.tv_nsec);
}

// Never earlier than others want it.
void extend(__u64& until, __u64 to) {
  std::atomic_ref<__u64> all(until);
  for (__u64 seen = all.load(); seen < to && !all.compare_exchange_weak(seen, to);) {
  }
}

int hand_over(void* context, void* data, std::size_t size) {
  const vnet_cause* cause = size >= sizeof(vnet_loss) ? &static_cast<const vnet_loss*>(data)->cause : nullptr;
  (*static_cast<Monitor::Visit*>(context))(*static_cast<const vnet_event*>(data), cause);
  return 0;
}

}  // namespace

void Monitor::Unmap::operator()(vnet_readers* at) const {
  ::munmap(at, sizeof(vnet_readers));
}

Result<Monitor> Monitor::start(const SharedMaps& maps, const MonitorFilter& filter) {
  void* shared =
      ::mmap(nullptr, sizeof(vnet_readers), PROT_READ | PROT_WRITE, MAP_SHARED, maps.readers.fd(), 0);
  if (shared == MAP_FAILED) return system_error("mapping the table of monitors");
  Monitor monitor(maps, Table(static_cast<vnet_readers*>(shared)));
  VNET_TRY(monitor.claim());

  Fd ring(bpf_map_create(BPF_MAP_TYPE_RINGBUF, "drops_ring", 0, 0, VNET_MONITOR_RING, nullptr));
  if (!ring) return system_error("making a ring buffer");
  VNET_TRY(maps.reader_rings.set(monitor.place_, ring.get()));
  monitor.ring_.reset(ring_buffer__new(ring.get(), hand_over, monitor.visit_.get(), nullptr));
  if (!monitor.ring_) return system_error("reading the ring buffer");

  vnet_reader& mine = monitor.table_->each[monitor.place_];
  mine.reasons = filter.reasons;
  mine.network = filter.network;
  mine.port = filter.port;
  monitor.per_second_ = filter.per_second;
  monitor.granted_ = now_ns() - 1'000'000'000;  // the first one waits for nothing, however low the rate
  mine.tokens = 0;
  monitor.grant();
  monitor.lost_before_ = monitor.lost_ever();
  extend(monitor.table_->until, monitor.until_);
  return monitor;
}

Result<void> Monitor::claim() {
  __u64 now = now_ns();
  for (__u32 place = 0; place < VNET_MONITORS_MAX; ++place) {
    std::atomic_ref<__u64> until(table_->each[place].until);
    __u64 before = until.load();
    if (before > now || !until.compare_exchange_strong(before, now + claim_ns)) continue;
    place_ = place;
    until_ = now + claim_ns;
    return {};
  }
  return failed(fmt::format("{} monitors are running already; end one of them first", VNET_MONITORS_MAX));
}

bool Monitor::renew() {
  __u64 now = now_ns();
  if (until_ < now + renew_ns) {
    __u64 mine = until_;
    if (!std::atomic_ref<__u64>(table_->each[place_].until).compare_exchange_strong(mine, now + claim_ns))
      return false;
    until_ = now + claim_ns;
  }
  extend(table_->until, until_);  // the kernel may have cleared it meanwhile
  return true;
}

// Never more than a burst, and less than one token is not lost but earned further.
void Monitor::grant() {
  __u64 now = now_ns();
  auto burst = std::max<std::int64_t>(static_cast<std::int64_t>(per_second_ * burst_ns / 1'000'000'000), 1);
  auto earned = static_cast<std::int64_t>((now - granted_) * per_second_ / 1'000'000'000);
  if (!earned) return;
  std::atomic_ref<__s32> tokens(table_->each[place_].tokens);
  std::int64_t room = burst - tokens.load();
  if (room > 0) tokens.fetch_add(static_cast<__s32>(std::min(room, earned)));
  granted_ = now;
}

Result<void> Monitor::poll(std::chrono::milliseconds limit, const Visit& visit) {
  if (!renew()) {
    place_ = VNET_MONITORS_MAX;
    return failed("this monitor was stopped for so long that another one has taken its place");
  }
  grant();
  *visit_ = visit;
  int got = ring_buffer__poll(ring_.get(), static_cast<int>(limit.count()));
  if (got < 0 && got != -EINTR) return system_error("reading the ring buffer", -got);
  return {};
}

std::uint64_t Monitor::lost_ever() const {
  auto cpus = maps_->reader_overruns.get(place_);
  return std::accumulate(cpus.begin(), cpus.end(), std::uint64_t{0});
}

std::uint64_t Monitor::lost() const {
  return lost_ever() - lost_before_;
}

Monitor::~Monitor() {
  if (!table_ || place_ >= VNET_MONITORS_MAX) return;
  __u64 mine = until_;
  if (!std::atomic_ref<__u64>(table_->each[place_].until).compare_exchange_strong(mine, 0)) return;
  bpf_map_delete_elem(maps_->reader_rings.fd(), &place_);
  // Off, unless others read; one that renews just now switches it on again.
  __u64 latest = 0;
  for (vnet_reader& each : table_->each) latest = std::max(latest, std::atomic_ref<__u64>(each.until).load());
  std::atomic_ref<__u64>(table_->until).store(latest > now_ns() ? latest : 0);
}

}  // namespace vnet
