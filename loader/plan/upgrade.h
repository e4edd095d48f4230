// SPDX-License-Identifier: GPL-2.0-or-later
// What another build has loaded and made becomes this one's. Internal to the planners.
#pragma once

#include <vector>

#include "loader/plan/resources.h"

namespace vnet {

// The maps first; all that is reached by packets of old and new programs alike in between holds for both.
void begin_upgrade(std::vector<Step>& steps, const Snapshot& snapshot, const Resources& now,
                   const Wanted& wanted);
void finish_upgrade(std::vector<Step>& steps, const Resources& now, const Wanted& wanted);

// Done by the pins alone, whatever the maps are.
bool only_takes_away(const Change& change);

}  // namespace vnet
