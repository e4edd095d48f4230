// SPDX-License-Identifier: GPL-2.0-or-later
// Whose addresses are a network's: the subnets of its definition, and those of the addresses that somebody
// has added to its gateway's interface (`ip addr add`). Internal to the planners.
#pragma once

#include "loader/plan/context.h"

namespace vnet {

// A subnet of the definition that the host reaches elsewhere would take that away from it.
Result<void> check_subnets_free(Context& context, const Network& network);

// The definition's, and the gateway's own addresses, which are nobody's else.
Result<void> write_subnets(SharedMaps& maps, const Network& network, std::uint16_t slot);
// All of the network's.
void erase_subnets(SharedMaps& maps, std::uint16_t slot);

// Follows what is on the gateway's interface now. Empty when that is known.
Result<Plan> plan_added_addresses(Context& context, const ActiveNetwork& active, int gateway);

}  // namespace vnet
