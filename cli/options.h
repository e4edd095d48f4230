// SPDX-License-Identifier: GPL-2.0-or-later
// Parses and validates the command line. Touches nothing.
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

// The text of --help or --version, to be printed before exit 0.
struct Notice {
  std::string text;
};

Result<std::variant<Invocation, Notice>> parse_options(const std::vector<std::string>& arguments);

}  // namespace vnet::cli
