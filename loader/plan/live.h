// SPDX-License-Identifier: GPL-2.0-or-later
// What of a definition can change while its network runs: one table, a row each.
#pragma once

#include <string>
#include <vector>

#include "loader/base/error.h"
#include "loader/plan/snapshot.h"

namespace vnet {

struct LiveRow {
  const char* name;  // "port forwards"
  bool (*differs)(const Network& before, const Network& after);
  // "": it can. Else what is in the way: "3 guests are on it".
  std::string (*why_not)(const Snapshot& snapshot, const Network& before, const Network& after);
};
const std::vector<LiveRow>& live_rows();

// "port forwards, DHCP hosts"
std::string differences(const Network& before, const Network& after);
// Failed: names all that cannot be changed without stopping the network.
Result<void> check_live(const Snapshot& snapshot, const Network& before, const Network& after);

}  // namespace vnet
