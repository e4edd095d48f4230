// SPDX-License-Identifier: GPL-2.0-or-later
// Port forwards in the maps. Internal to the planners.
#pragma once

#include <vector>

#include "loader/base/error.h"
#include "loader/bpf/shared_maps.h"
#include "loader/model/port_forward.h"

namespace vnet {

Result<void> write_port_forward(SharedMaps& maps, const PortForward& forward, std::uint16_t slot);
Result<void> erase_port_forward(SharedMaps& maps, const PortForward& forward, std::uint16_t slot);
Result<void> erase_port_forwards(SharedMaps& maps, std::uint16_t slot);  // all of the network's

// Was it begun by a port forward, and by none of these?
bool has_lost_its_forward(const std::vector<PortForward>& forwards, const vnet_flow& key,
                          const vnet_session& session);

}  // namespace vnet
