// SPDX-License-Identifier: GPL-2.0-or-later
// port export, port import: what goes with a guest to another host.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/action.h"

namespace vnet::cli::verbs {

struct PortOptions {
  std::string action;  // export or import
  std::string what;    // the interface, or the file
  std::string interface, network;

  std::vector<Option> list();
  Result<void> check(const Common& common) const;
  bool changes() const { return action == "import"; }
};
Result<void> port(Host& host, const Common& common, const PortOptions& options);

}  // namespace vnet::cli::verbs
