// SPDX-License-Identifier: GPL-2.0-or-later
// Whose addresses are a network's: the subnets of its definition, and those of the addresses that the
// administrator has added to its gateway (`ip addr add`). Internal to the planners.
#pragma once

#include <vector>

#include "loader/plan/builder.h"

namespace vnet {

// A subnet of the definition that the host reaches elsewhere would take that away from it.
Result<void> check_subnets_free(const Snapshot& snapshot, const Network& network);

// The subnets of the definition, and what it routes to through its guests.
std::vector<Prefix> prefixes_of(const Network& network);

// What is on the gateway and not in the definition, in order, each with the reason why its subnet is not the
// network's, if it is not. Of two networks that got the same one, the first in order has it.
std::vector<AddedAddress> added_addresses(const Builder& builder, const ActiveNetwork& active, int gateway);

}  // namespace vnet
