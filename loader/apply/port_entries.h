// SPDX-License-Identifier: GPL-2.0-or-later
// A port in the maps and in its bridge: what its programs judge by, and by what others find it.
#pragma once

#include <cstdint>

#include "loader/apply/system.h"

namespace vnet {

vnet_fdb_key fdb_key(std::uint16_t network, const Mac& mac);

// What the programs judge the port's frames by. It stands before anybody can find the port.
Result<void> write_rules(System& system, const PortRecord& record, const LinkInfo& link,
                         const ActiveNetwork& active);

// By which others find the port: only behind its programs.
Result<void> write_entries(System& system, const PortRecord& record, const LinkInfo& link,
                           const ActiveNetwork& active);
Result<void> erase_entries(System& system, const PortRecord& record);

// The bridge must agree: the fixed MAC is where we say, nothing else is learned there, and what it floods
// does not cross from one isolated port to another.
Result<void> write_bridge_entries(Netlink& netlink, const PortRecord& record, const Network& network);

// As in a port that names no VLAN.
Result<void> clear_vlans(Netlink& netlink, const PortRecord& record, const Network& network);

// The port's counters end in its network's, whose sums would run backwards otherwise.
Result<void> keep_counters(SharedMaps& maps, std::uint16_t from, std::uint16_t network);

}  // namespace vnet
