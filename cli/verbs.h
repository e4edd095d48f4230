// SPDX-License-Identifier: GPL-2.0-or-later
// The command line: each file of verbs adds its subcommands; exactly one of them is run.
#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "loader/host.h"

namespace vnet::cli {

struct Globals {
  std::optional<std::string> state_dir;
  bool json = false, dry_run = false, verbose = false;
};

// What the chosen verb does; its error becomes the exit code.
using Action = std::function<Result<void>(Host&, const Globals&)>;

struct Commands {
  CLI::App& app;
  Action chosen;

  // A subcommand with an example beneath its help.
  CLI::App* add(const std::string& name, const std::string& what, const std::string& example);
};

void add_network_verbs(Commands& commands);      // define undefine start stop autostart up list show leases
void add_port_verbs(Commands& commands);         // attach detach set ports
void add_observe_verbs(Commands& commands);      // stats flows
void add_completion(Commands& commands);         // completion (hidden)

// Takes the lock, plans, and shows the plan or runs it.
Result<void> carry_out(Host& host, const Globals& globals, const std::string& verb,
                       const std::function<Result<Plan>()>& plan);

// The live screen, or lines where stdout is no terminal. Ends on q, SIGINT, SIGTERM.
Result<void> watch_stats(Host& host, const std::optional<std::string>& network, const std::optional<std::string>& port,
                         double seconds);

}  // namespace vnet::cli
