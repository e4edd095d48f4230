// SPDX-License-Identifier: GPL-2.0-or-later
// What the modes are made of, one row each. A mode is added here, in loader/model/mode.cpp and in
// loader/config.
#pragma once

#include <vector>

#include "loader/plan/builder.h"

namespace vnet {

struct ModePlan {
  // May it be started here? ours: an earlier start of this network was recorded.
  Result<void> (*check)(const Snapshot& snapshot, const Network& network, bool ours);
  // What an active network wants beside its row: members, parents, the state of its gateway.
  void (*want)(Builder& builder, const ActiveNetwork& active);
  // The changes of a start: `raise` stands before uplinks and fence (programs first), `open` behind them
  // (only then can anything be reached). `close` is all of a stop, when the ports have gone.
  void (*raise)(std::vector<Change>& changes, const ActiveNetwork& active, const NetworkResource& wanted);
  void (*open)(std::vector<Change>& changes, const ActiveNetwork& active);
  void (*close)(const Snapshot& snapshot, std::vector<Change>& changes, const ActiveNetwork& active);
  // What stands is brought to what is wanted.
  void (*mend)(const Snapshot& snapshot, std::vector<Change>& changes, const ActiveNetwork& active,
               const NetworkResource& now, const NetworkResource& wanted);
};

const ModePlan& mode_plan(const Network& network);

extern const ModePlan gateway_plan, bridged_plan, direct_plan;

}  // namespace vnet
