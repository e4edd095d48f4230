// SPDX-License-Identifier: GPL-2.0-or-later
// The command line as values: parsed and validated before anything is touched.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "cli/command_table.h"

namespace vnet::cli {

struct Invocation {
  const Command* command;
  Common common;
  Call call;
};

// Text for --help and --version: to be printed, exit 0.
struct Notice {
  std::string text;
};

Result<std::variant<Invocation, Notice>> parse_options(const std::vector<std::string>& arguments);

}  // namespace vnet::cli
