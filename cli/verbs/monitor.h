// SPDX-License-Identifier: GPL-2.0-or-later
// monitor.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/action.h"

namespace vnet::cli::verbs {

struct MonitorOptions {
  DropFilter filter;
  std::uint64_t rate = 1000;        // shown a second
  std::optional<std::string> pcap;  // "-": standard output
  std::uint64_t count = 0;          // end after so many; 0: never

  std::vector<Option> list();
};
Result<void> monitor(Host& host, const Common& common, const MonitorOptions& options);

}  // namespace vnet::cli::verbs
