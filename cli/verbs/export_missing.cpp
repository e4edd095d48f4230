// SPDX-License-Identifier: GPL-2.0-or-later
// In place of export.cpp where prometheus-cpp is not installed.
#include "cli/verbs/export.h"

namespace vnet::cli::verbs {

Result<void> export_metrics(const Common&, const ExportOptions&) {
  return failed(
      "this build has no export: it was built without prometheus-cpp; stats --json has the counters");
}

}  // namespace vnet::cli::verbs
