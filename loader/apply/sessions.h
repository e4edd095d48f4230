// SPDX-License-Identifier: GPL-2.0-or-later
// Sessions that end before their time.
#pragma once

#include <cstdint>

#include "loader/apply/system.h"

namespace vnet {

// Every session of a slot (a network's or a port's) goes, and its share with it.
Result<void> forget_sessions(SharedMaps& maps, std::uint16_t slot);

// Those of the network that its definition, and its entry in the maps, would translate otherwise, not at all,
// or lead out by another interface.
Result<void> end_illegal_sessions(Datapath& datapath, const Network& network, std::uint16_t slot);

}  // namespace vnet
