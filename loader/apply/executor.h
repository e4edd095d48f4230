// SPDX-License-Identifier: GPL-2.0-or-later
// The one place where plans are carried out.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "loader/apply/system.h"
#include "loader/plan/plan.h"

namespace vnet {

// All steps in order. When one fails it and those before it are undone in reverse; the error says what could
// not be undone.
Result<void> carry_out(System& system, const std::vector<Step>& steps);

// For `run`: what concerns one thing fails together and is undone together; all else goes on.
struct Outcome {
  std::string about;
  std::vector<std::string> texts;  // of what was done
  Result<void> result;
};
std::vector<Outcome> carry_out_apart(System& system, const std::vector<Step>& steps);

}  // namespace vnet
