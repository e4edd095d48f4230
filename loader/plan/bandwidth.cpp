// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/plan/bandwidth.h"

#include <algorithm>

#include "loader/plan/port_rules.h"

namespace vnet {
namespace {

constexpr std::uint64_t ns_per_second = 1'000'000'000;
constexpr std::uint64_t bytes_per_kib = 1024, bytes_per_mib = 1 << 20;
constexpr std::uint64_t max_rate = 100'000'000;  // kB/s: 800 Gbit/s
constexpr std::uint64_t whole_segment = 64;      // KiB of a GSO packet
constexpr std::uint64_t max_depth = 3600 * ns_per_second;

vnet_bucket bucket_of(std::uint64_t kilobytes, std::uint64_t kibibytes) {
  std::uint64_t rate = std::min(kilobytes, max_rate) * 1000;
  std::uint64_t ns_per_mib = bytes_per_mib * ns_per_second / rate;
  // What is deeper than an hour never fills, and would leave no room for arithmetic.
  auto depth = static_cast<double>(kibibytes) * bytes_per_kib * ns_per_second / static_cast<double>(rate);
  return {.ns_per_mib = ns_per_mib,
          .depth_ns = static_cast<__u64>(std::min(depth, static_cast<double>(max_depth))),
          .full_at = 0};
}

std::optional<Bandwidth> of(const std::optional<BandwidthPair>& pair, vnet_direction direction) {
  if (!pair) return std::nullopt;
  const auto& rate = direction == VNET_IN ? pair->inbound : pair->outbound;
  return rate && rate->average ? rate : std::nullopt;
}

}  // namespace

// Without burst= what comes in a second, as libvirt's policer, and never less than a whole segment. The peak
// has to hold at once: a hundredth of a second.
vnet_limit limit_of(const std::optional<Bandwidth>& rate) {
  vnet_limit limit{};
  if (!rate || !rate->average) return limit;
  limit.average =
      bucket_of(rate->average, std::max(rate->burst ? rate->burst : rate->average, whole_segment));
  if (rate->peak) limit.peak = bucket_of(rate->peak, std::max(rate->peak / 100, whole_segment));
  return limit;
}

std::optional<Bandwidth> rate_of(const PortRecord& record, const Network& network, vnet_direction direction) {
  return of(bandwidth_of(record, network), direction);
}

std::optional<Bandwidth> shared_rate(const Network& network, vnet_direction direction) {
  return of(network.bandwidth, direction);
}

bool is_limited(const PortRecord& record, const Network& network, vnet_direction direction) {
  return rate_of(record, network, direction) || shared_rate(network, direction);
}

}  // namespace vnet
