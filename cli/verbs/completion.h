// SPDX-License-Identifier: GPL-2.0-or-later
// completion, synopsis: what the table of commands looks like to a shell and to the manual page.
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

}  // namespace vnet::cli::verbs
