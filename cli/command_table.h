// SPDX-License-Identifier: GPL-2.0-or-later
// The table of commands. Dispatch, --help, the shell completion and the synopsis of the manual page come from
// it: a new verb is a row in command_table.cpp and a file in verbs/.
#pragma once

#include <string>
#include <vector>

#include "cli/action.h"

namespace vnet::cli {

// Who may use a verb: the kernel lets only root see or change links, maps and programs; files may be
// readable.
enum class User { Any, Root };
enum class Shown { Yes, No };  // in --help and completion

struct Command {
  std::string name;
  User user;
  Action action;  // whether it changes something, its options and its function
  std::string help;
  std::string example;
  std::string alias = {};
  Shown shown = Shown::Yes;
};

const std::vector<Command>& commands();

}  // namespace vnet::cli
