// SPDX-License-Identifier: GPL-2.0-or-later
// The guard behind routing (loader/bpf/fence.h), for these networks.
#pragma once

#include <vector>

#include "loader/apply/system.h"
#include "loader/bpf/fence_table.h"

namespace vnet {

// What may be forwarded of what comes in by these networks' gateways.
Result<std::vector<FenceRule>> fence_rules(System& system, const std::vector<Network>& networks);
bool fence_is_table();  // written down, not a program that asks the maps
Result<bool> fence_stands(System& system, const std::vector<Network>& networks);

}  // namespace vnet
