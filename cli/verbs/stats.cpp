// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/verbs/stats.h"

#include "cli/render.h"
#include "cli/watch.h"

namespace vnet::cli::verbs {

std::vector<Option> StatsOptions::list() {
  return {{"--network NET", "Only this network", into(network), complete_networks},
          {"--port IFACE", "Only this interface", into(port), complete_ports},
          watch_option(watch_seconds, "Live rates every SECONDS (default 1)")};
}

Result<void> StatsOptions::check(const Common& common) const {
  if (watch_seconds && common.json) return invalid("--watch and --json exclude each other");
  return {};
}

Result<void> stats(const Common& common, const StatsOptions& options) {
  if (options.watch_seconds) return watch_stats(common, options);
  VNET_ASSIGN(auto host, open_host(common));
  return print_facts(host.stats(options.network, options.port), common.json);
}

}  // namespace vnet::cli::verbs
