// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/apply/announce.h"
#include "loader/engine/host_state.h"

namespace vnet {

Result<AnnouncedView> Host::announced() {
  return read_announced(state_->system);
}
Result<std::vector<std::string>> Host::plan_announcements() {
  return vnet::plan_announcements(state_->system);
}
Result<bool> Host::may_be_announced() {
  return vnet::may_be_announced(state_->system);
}

Result<std::vector<std::string>> Transaction::give_announcements() {
  return vnet::give_announcements(host_->state_->system);
}

}  // namespace vnet
