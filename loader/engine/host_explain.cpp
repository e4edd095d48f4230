// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/engine/host_state.h"
#include "loader/explain/walk.h"
#include "loader/plan/resources.h"

namespace vnet {

Result<Explanation> Host::explain(const Question& question) {
  if (!state_->system.datapath) return failed("no network is active: nothing to explain");
  if (layout() != VNET_ABI_VERSION) return older_layout(layout());
  if (!state_->shadow) {
    VNET_ASSIGN(auto shadow, Shadow::make(*state_->system.datapath));
    state_->shadow.emplace(std::move(shadow));
  }
  return Walk(state_->system, *state_->shadow).explain(question);
}

}  // namespace vnet
