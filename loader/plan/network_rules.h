// SPDX-License-Identifier: GPL-2.0-or-later
// What a network's programs and its entry in the maps are made of.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "loader/model/network.h"

namespace vnet {

// VNET_NETWORK_F_* of a network with a gateway.
// What only its entry in the map has of VNET_NETWORK_F_*: no program is compiled for it.
std::uint32_t entry_flags(const Network& network);
std::uint32_t program_flags(const Network& network);
// The first address of the family: the source of ICMP refusals.
std::optional<Address> gateway_of(const Network& network, Family family);
std::vector<Prefix> gateways_of(const Network& network);

// Whether a change of the definition needs other programs: what is fixed in them differs.
bool needs_other_programs(const Network& before, const Network& after);
// Whether it changes how guests' flows are translated, or by which interface they leave.
bool translates_otherwise(const Network& before, const Network& after);

}  // namespace vnet
