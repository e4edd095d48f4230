// SPDX-License-Identifier: GPL-2.0-or-later
// completion: the table of commands as a script for the shell.
#pragma once

#include <string>
#include <vector>

#include "cli/action.h"

namespace vnet::cli::verbs {

struct CompletionOptions {
  std::string shell;

  std::vector<Option> list();
};
Result<void> completion(const Common& common, const CompletionOptions& options);

std::string bash_completion();
std::string zsh_completion();
std::string fish_completion();  // completion_fish.cpp

}  // namespace vnet::cli::verbs
