// SPDX-License-Identifier: GPL-2.0-or-later
// export: prints the counters in the Prometheus text format, writes them to a file, or serves them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/action.h"

namespace vnet::cli::verbs {

struct ExportOptions {
  std::optional<std::string> listen, textfile;

  std::vector<Option> list();
  Result<void> check(const Common& common) const;
};
Result<void> export_metrics(const Common& common, const ExportOptions& options);

}  // namespace vnet::cli::verbs
