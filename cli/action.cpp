// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/action.h"

#include "cli/text.h"

namespace vnet::cli {

Result<Host> open_host(const Common& common) {
  VNET_ASSIGN(auto host, Host::open(common.state_dir, common.verbose));
  VNET_TRY(host.check_readable());
  return host;
}

Result<void> change(const Common& common, const Intent& intent) {
  // A plan says itself what can be done with maps that cannot be read.
  VNET_ASSIGN(auto host, Host::open(common.state_dir, common.verbose));
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
