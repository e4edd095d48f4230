// SPDX-License-Identifier: GPL-2.0-or-later
// The programs of a network that has a gateway.
#pragma once

#include <cstdint>

#include "loader/apply/system.h"

namespace vnet {

// Loaded, and attached to the gateway; its ports keep theirs until they are attached anew.
Result<void> load_gateway_programs(System& system, const Network& network, std::uint16_t slot);

}  // namespace vnet
