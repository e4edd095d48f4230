// SPDX-License-Identifier: GPL-2.0-or-later
// What a definition makes of its network's entry in the maps, and of the ports that are forwarded for it.
#pragma once

#include <cstdint>

#include "loader/apply/system.h"

namespace vnet {

// What does not come from the definition (interfaces, a bridged network's flags) stays.
Result<void> fill_entry(System& system, const Network& network, vnet_network& entry);

Result<void> write_port_forward(SharedMaps& maps, const PortForward& forward, std::uint16_t slot);
Result<void> erase_port_forward(SharedMaps& maps, const PortForward& forward, std::uint16_t slot);
Result<void> erase_port_forwards(SharedMaps& maps, std::uint16_t slot);  // all of the network's

}  // namespace vnet
