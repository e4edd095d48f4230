// SPDX-License-Identifier: GPL-2.0-or-later
// Selects sessions, and sums up what they use. Pure functions.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "loader/engine/host.h"

namespace vnet::cli {

struct FlowFilter {
  std::optional<std::string> interface;  // the guest's port
  std::optional<std::uint16_t> port;     // of TCP or UDP, at any end
  std::optional<Prefix> address;         // inside, outside or translated
  std::optional<std::string> protocol, state;

  bool accepts(const SessionInfo& flow) const;
};

// Those that the filter accepts, the fastest first.
std::vector<SessionInfo> choose_flows(std::vector<SessionInfo> flows, const FlowFilter& filter);

// How many ports of one masquerade address are in use.
struct PoolUse {
  std::string network, protocol;
  Address address;
  std::size_t sessions = 0, ports_in_use = 0, ports = 0;
  // A port can serve several destinations at once: new sessions fail when all are in use for one destination.
  Endpoint busiest;
  std::size_t busiest_sessions = 0;
};

struct Usage {
  Stats stats;  // sessions of networks and ports, and how many they may have
  std::vector<PoolUse> pools;
  Allocations allocations;
};

std::vector<PoolUse> pool_use(const std::vector<SessionInfo>& flows,
                              const std::map<std::string, unsigned>& sizes);

}  // namespace vnet::cli
