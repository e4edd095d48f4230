// SPDX-License-Identifier: GPL-2.0-or-later
// Whose addresses are a network's, in the maps.
#pragma once

#include <cstdint>

#include "loader/apply/system.h"

namespace vnet {

Prefix to_prefix(const vnet_subnet_key& key);

// The definition's subnets, and the gateway's own addresses, which no guest can have.
Result<void> write_subnets(SharedMaps& maps, const Network& network, std::uint16_t slot);
// All of the network's.
Result<void> erase_subnets(SharedMaps& maps, std::uint16_t slot);

}  // namespace vnet
