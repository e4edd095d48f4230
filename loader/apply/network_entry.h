// SPDX-License-Identifier: GPL-2.0-or-later
// What a definition makes of its network's entry in the maps.
#pragma once

#include <cstdint>

#include "loader/apply/system.h"

namespace vnet {

// What does not come from the definition (interfaces, a bridged network's flags) stays.
Result<void> fill_entry(System& system, const Network& network, vnet_network& entry);

}  // namespace vnet
