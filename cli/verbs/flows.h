// SPDX-License-Identifier: GPL-2.0-or-later
// flows: lists sessions, or what they use (--usage).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/action.h"
#include "cli/flows.h"

namespace vnet::cli::verbs {

struct FlowsOptions {
  std::optional<std::string> network;
  FlowFilter filter;
  bool usage = false;
  std::optional<double> watch_seconds;

  std::vector<Option> list();
  Result<void> check(const Common& common) const;
};
Result<void> flows(const Common& common, const FlowsOptions& options);
Result<void> watch_flows(const Common& common, const FlowsOptions& options);  // flows_watch.cpp

}  // namespace vnet::cli::verbs
