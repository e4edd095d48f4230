// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <vector>

#include "loader/apply/system.h"
#include "loader/plan/snapshot.h"

namespace vnet {

// What was loaded by another build than this one, and in which layout the maps are.
Result<Outdated> read_outdated(System& system);

// Of a list for people: "network lab", "uplink eth0", "the fence".
std::vector<std::string> what_is_outdated(const Outdated& outdated);

}  // namespace vnet
