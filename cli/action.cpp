// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/action.h"

#include <iostream>

#include "cli/text.h"

namespace vnet::cli {

Result<Host> open_host(const Common& common) {
  return Host::open(common.state_dir, common.verbose);
}

Result<void> change(const Common& common, const std::function<Result<void>()>& load,
                    const std::function<Result<Plan>(Host&)>& make_plan) {
  VNET_ASSIGN(auto host, open_host(common));
  VNET_TRY(load());
  if (common.dry_run) {  // without the lock: taking it creates directories
    VNET_ASSIGN(auto plan, make_plan(host));
    for (const auto& step : plan.steps()) print(printable(step.text) + "\n");
    return {};
  }
  VNET_ASSIGN(auto lock, host.lock(common.verb));
  VNET_ASSIGN(auto plan, make_plan(host));
  VNET_TRY(plan.run());
  if (!plan.done.empty()) print(printable(plan.done) + "\n");
  for (const auto& note : plan.notes) std::cerr << "vnet-bpf: note: " << printable(note) << "\n";
  return {};
}

}  // namespace vnet::cli
