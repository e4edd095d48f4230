// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/plan/modes/modes.h"

namespace vnet {

const ModePlan& mode_plan(const Network& network) {
  if (is_bridged(network)) return bridged_plan;
  return is_direct(network) ? direct_plan : gateway_plan;
}

}  // namespace vnet
