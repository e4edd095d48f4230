// SPDX-License-Identifier: GPL-2.0-or-later
// What runs, told to FRR. Not a part of the plan: what FRR has of ours is seen in FRR alone, and it may be
// away, or stopped, without anything of the datapath being less complete.
#pragma once

#include <string>
#include <vector>

#include "loader/apply/system.h"
#include "loader/model/announcement.h"

namespace vnet {

// Of the networks that run, whether or not they ask for it.
Result<std::vector<Announcement>> read_announcements(System& system);

// The same, and what FRR has of it.
Result<AnnouncedView> read_announced(System& system);

// Whether a network asks for it, or FRR has been given something before: cheap. Where neither is so, FRR is
// not asked.
Result<bool> may_be_announced(System& system);

// FRR announces what is asked for and runs, and no more of ours. What has been done, a line each.
Result<std::vector<std::string>> give_announcements(System& system);
// What it would be told.
Result<std::vector<std::string>> plan_announcements(System& system);

}  // namespace vnet
