// SPDX-License-Identifier: GPL-2.0-or-later
// The map `limits`: <bandwidth> of a port, and its part in its network's.
#pragma once

#include <cstdint>

#include "loader/bpf/shared_maps.h"
#include "loader/model/records.h"

namespace vnet {

// Before the port's entry says that there are limits. How full a bucket is stays as it is.
Result<void> add_limits(SharedMaps& maps, const PortRecord& record, const ActiveNetwork& active);
// Behind it: those that the port has no more.
Result<void> trim_limits(SharedMaps& maps, const PortRecord& record, const Network& network);
Result<void> forget_limits(SharedMaps& maps, std::uint16_t slot);

bool has_limits(const SharedMaps& maps, const PortRecord& record, const Network& network);

}  // namespace vnet
