// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/action.h"

#include "cli/text.h"

namespace vnet::cli {

Result<Host> open_host(const Common& common) {
  return Host::open(common.state_dir, common.verbose);
}

Result<void> change(const Common& common, const Intent& intent) {
  VNET_ASSIGN(auto host, open_host(common));
  if (common.dry_run) {
    VNET_ASSIGN(auto plan, host.plan(intent));
    for (const auto& step : plan.steps) print(printable(text(step.change)) + "\n");
    return {};
  }
  VNET_ASSIGN(auto transaction, host.begin(common.verb));
  VNET_ASSIGN(auto plan, transaction.run(intent));
  if (const auto& done = plan.done[""]; !done.empty()) print(printable(done) + "\n");
  for (const auto& note : plan.notes) print_note(note);
  return {};
}

}  // namespace vnet::cli
