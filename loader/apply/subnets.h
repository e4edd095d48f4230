// SPDX-License-Identifier: GPL-2.0-or-later
// Whose addresses are a network's, in the maps.
#pragma once

#include <cstdint>

#include "loader/apply/system.h"

namespace vnet {

Prefix to_prefix(const vnet_subnet_key& key);

// The definition's subnets, and the gateway's own addresses, which no guest can have.
Result<void> write_subnets(SharedMaps& maps, const Network& network, std::uint16_t slot);
Result<void> write_subnet(SharedMaps& maps, const Prefix& prefix, std::uint16_t slot);
// Where it is the network's.
Result<void> erase_subnet(SharedMaps& maps, const Prefix& prefix, std::uint16_t slot);
// Guests may have addresses in it because of an address that was added.
bool has_subnet(const std::vector<AddedAddress>& added, const Prefix& subnet);
// All of the network's.
Result<void> erase_subnets(SharedMaps& maps, std::uint16_t slot);

}  // namespace vnet
