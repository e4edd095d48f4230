// SPDX-License-Identifier: GPL-2.0-or-later
// The VRFs that uplinks are in.
#pragma once

#include <set>
#include <vector>

#include "loader/plan/context.h"

namespace vnet {

// `uplinks`: what is an uplink when the plan has been carried out; ifindexes. Before any is detached:
void plan_vrfs_to_forget(Plan& plan, Context& context, const std::set<int>& uplinks,
                         const std::vector<LinkInfo>& links);
// When all are attached:
void plan_vrfs_to_note(Plan& plan, Context& context, const std::set<int>& uplinks,
                       const std::vector<LinkInfo>& links);

}  // namespace vnet
