// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/apply/port_limits.h"

#include <algorithm>
#include <array>

#include "loader/plan/bandwidth.h"

namespace vnet {
namespace {

constexpr std::array directions{VNET_OUT, VNET_IN};

vnet_limit_key limit_key(std::uint16_t slot, vnet_direction direction) {
  return {.slot = slot, .direction = static_cast<__u16>(direction)};
}

Result<void> write_limit(SharedMaps& maps, const vnet_limit_key& key, vnet_limit limit) {
  if (auto now = maps.limits.get(key)) {
    limit.average.full_at = now->average.full_at;
    limit.peak.full_at = now->peak.full_at;
    limit.share_full_at = now->share_full_at;
    limit.tick = now->tick;
    limit.active = now->active;
    limit.was_active = now->was_active;
  }
  return maps.limits.set(key, limit);
}

}  // namespace

Result<void> add_limits(SharedMaps& maps, const PortRecord& record, const ActiveNetwork& active) {
  const auto& [network_record, network] = active;
  for (auto direction : directions) {
    if (!is_limited(record, network, direction)) continue;
    auto limit = limit_of(rate_of(record, network, direction));
    if (auto shared = shared_rate(network, direction)) {
      VNET_TRY(write_limit(maps, limit_key(network_record.slot, direction), limit_of(shared)));
      limit.network = network_record.slot;
    }
    VNET_TRY(write_limit(maps, limit_key(record.slot, direction), limit));
  }
  return {};
}

Result<void> trim_limits(SharedMaps& maps, const PortRecord& record, const Network& network) {
  for (auto direction : directions)
    if (!is_limited(record, network, direction))
      VNET_TRY(maps.limits.erase(limit_key(record.slot, direction)));
  return {};
}

Result<void> forget_limits(SharedMaps& maps, std::uint16_t slot) {
  for (auto direction : directions) VNET_TRY(maps.limits.erase(limit_key(slot, direction)));
  return {};
}

bool has_limits(const SharedMaps& maps, const PortRecord& record, const Network& network) {
  return std::ranges::all_of(directions, [&](vnet_direction direction) {
    return !is_limited(record, network, direction) || maps.limits.get(limit_key(record.slot, direction));
  });
}

}  // namespace vnet
