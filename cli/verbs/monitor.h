// SPDX-License-Identifier: GPL-2.0-or-later
// monitor: prints dropped packets as they happen.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/action.h"

namespace vnet::cli::verbs {

struct MonitorOptions {
  DropFilter filter;
  std::uint64_t rate = 1000;        // lines per second
  std::optional<std::string> pcap;  // "-": standard output
  std::uint64_t count = 0;          // ends after so many packets; 0: never

  std::vector<Option> list();
};
Result<void> monitor(Host& host, const Common& common, const MonitorOptions& options);

}  // namespace vnet::cli::verbs
