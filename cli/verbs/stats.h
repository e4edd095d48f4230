// SPDX-License-Identifier: GPL-2.0-or-later
// stats: shows counters.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/action.h"

namespace vnet::cli::verbs {

struct StatsOptions {
  std::optional<std::string> network, port;
  std::optional<double> watch_seconds;

  std::vector<Option> list();
  Result<void> check(const Common& common) const;
};
Result<void> stats(const Common& common, const StatsOptions& options);
Result<void> watch_stats(const Common& common, const StatsOptions& options);  // stats_watch.cpp

}  // namespace vnet::cli::verbs
