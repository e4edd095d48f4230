// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/verbs/export.h"

namespace vnet::cli::verbs {

std::vector<Option> ExportOptions::list() {
  return {{"--listen ADDR:PORT", "Serve them at http://ADDR:PORT/metrics", into(listen)},
          {"--textfile FILE", "Write them to FILE.prom, for node_exporter", into(textfile), complete_files}};
}

Result<void> ExportOptions::check(const Common& common) const {
  if (common.json) return invalid("--json: export prints the Prometheus format; stats --json prints JSON");
  if (listen && textfile) return invalid("--listen and --textfile exclude each other");
  if (textfile && !textfile->ends_with(".prom"))
    return invalid("--textfile: '" + *textfile + "' must end in .prom, or node_exporter does not read it");
  return {};
}

}  // namespace vnet::cli::verbs
