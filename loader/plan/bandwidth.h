// SPDX-License-Identifier: GPL-2.0-or-later
// <bandwidth> of ports and networks as the programs enforce it (bpf/lib/bandwidth.h).
#pragma once

#include <optional>

#include "loader/model/records.h"
#include "maps/abi.h"

namespace vnet {

// Empty without an average: no limit.
vnet_limit limit_of(const std::optional<Bandwidth>& rate);

// What is configured for that direction of a port, and of its network.
std::optional<Bandwidth> rate_of(const PortRecord& record, const Network& network, vnet_direction direction);
std::optional<Bandwidth> shared_rate(const Network& network, vnet_direction direction);

bool is_limited(const PortRecord& record, const Network& network, vnet_direction direction);

}  // namespace vnet
