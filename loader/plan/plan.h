// SPDX-License-Identifier: GPL-2.0-or-later
// What is going to be done, as values that can be shown (--dry-run), carried out and undone (loader/apply).
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "loader/base/error.h"
#include "loader/plan/change.h"

namespace vnet {

struct Step {
  std::string about;  // "port vnet0", "network lab", "uplinks": `run` gives up one of these, not all
  Change change;
};

// What was asked for, or would have to be mended, and cannot be.
struct Refusal {
  std::string about;
  Error error;
};

struct Plan {
  std::vector<Step> steps;
  std::vector<Refusal> refusals;
  std::map<std::string, std::string> done;  // by what it is about: "Network default started"
  std::vector<std::string> notes;           // what else the user should know then

  bool empty() const { return steps.empty(); }
};

}  // namespace vnet
