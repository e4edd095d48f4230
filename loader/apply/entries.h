// SPDX-License-Identifier: GPL-2.0-or-later
// Map entries by which programs find each other. They are written when the programs behind them have been
// seen attached, and erased before those go: no entry, no way. Internal to the planners.
#pragma once

#include "loader/base/error.h"
#include "loader/bpf/shared_maps.h"

namespace vnet {

// An uplink or a gateway (struct vnet_device).
Result<void> write_device(SharedMaps& maps, int ifindex, const vnet_device& device);
Result<void> erase_device(SharedMaps& maps, int ifindex);
bool has_device(const SharedMaps& maps, int ifindex, vnet_device_role role);

// The ports that a gateway floods to. A change disturbs no other port: in passing, one may get a frame twice.
Result<void> add_member(SharedMaps& maps, int gateway, int port);
Result<void> remove_member(SharedMaps& maps, int gateway, int port);
Result<void> remove_members(SharedMaps& maps, int gateway);

}  // namespace vnet
