// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/verbs/announce.h"

#include "cli/render.h"

namespace vnet::cli::verbs {
namespace {

Result<std::vector<std::string>> give(Host& host, const Common& common) {
  if (common.dry_run) return host.plan_announcements();
  VNET_ASSIGN(auto transaction, host.begin(common.verb));
  return transaction.give_announcements();
}

}  // namespace

std::vector<Option> AnnounceOptions::list() {
  return {{"--frr", "Give it to FRR, and take back what no longer runs", flag_into(frr)}};
}

Result<void> announce(Host& host, const Common& common, const AnnounceOptions& options) {
  if (!options.frr) return print_facts(host.announced(), common.json);
  VNET_ASSIGN(auto commands, give(host, common));
  for (const auto& command : commands) print(printable(command) + "\n");
  if (commands.empty() && !common.dry_run) print("FRR has what runs; nothing to do\n");
  return {};
}

}  // namespace vnet::cli::verbs
