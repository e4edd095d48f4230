// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <vector>

#include "loader/bpf/fence_table.h"
#include "loader/plan/context.h"

namespace vnet {

// What may be forwarded of what comes in by these networks' gateways.
Result<std::vector<FenceRule>> fence_rules(Context& context, const std::vector<Network>& networks);

}  // namespace vnet
