// SPDX-License-Identifier: GPL-2.0-or-later
// The verbs: each does what the options say and prints to stdout.
#pragma once

#include <string>

#include "cli/options.h"
#include "loader/error.h"
#include "loader/host.h"

namespace vnet::cli {

Result<void> run_verb(const Options& options);
Result<void> change(Host& host, const Options& options);   // verbs_change.cpp
Result<void> look(Host& host, const Options& options);     // verbs_look.cpp
Result<void> run(Host& host, const Options& options);      // run.cpp
Result<void> hook(Host& host, const Options& options);     // hook.cpp
Result<void> monitor(Host& host, const Options& options);  // monitor.cpp
Result<void> export_metrics(const Options& options);       // export.cpp
Result<void> watch(const Options& options);                // watch.cpp
Result<void> watch_flows(const Options& options);          // watch_flows.cpp
std::string bash_completion();                             // completion.cpp

void print(const std::string& text);

}  // namespace vnet::cli
