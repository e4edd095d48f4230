// SPDX-License-Identifier: GPL-2.0-or-later
// The ports' part of diff(). Internal to the planners.
#pragma once

#include <vector>

#include "loader/plan/resources.h"

namespace vnet {

void remove_ports(std::vector<Step>& steps, const Snapshot& snapshot, const Resources& now,
                  const Resources& wanted);
void add_ports(std::vector<Step>& steps, const Snapshot& snapshot, const Resources& now,
               const Wanted& wanted);

}  // namespace vnet
