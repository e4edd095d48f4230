// SPDX-License-Identifier: GPL-2.0-or-later
// Choosing among sessions, and what they use up. Pure: values in, values out.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "loader/host.h"

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

// What one address that the outside sees has of its ports.
struct PoolUse {
  std::string network, protocol;
  Address address;
  std::size_t sessions = 0, ports_in_use = 0, ports = 0;
  // A port may serve several destinations at once: new sessions fail when one destination has used them all.
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
