// SPDX-License-Identifier: GPL-2.0-or-later
// What the host's firewall and resolver are told of gateways.
#include "loader/apply/apply.h"
#include "loader/bus/firewalld.h"
#include "loader/bus/resolved.h"
#include "loader/firewall/passes.h"

namespace vnet {

Result<void> apply(System&, const SetPasses& change) {
  return write_passes(change.table, change.rules);
}
Result<void> undo(System&, const SetPasses& change) {
  return write_passes(change.table, change.before);
}

Result<void> apply(System&, const SetZone& change) {
  return set_zone(change.bridge, change.zone);
}
Result<void> undo(System&, const SetZone& change) {
  return set_zone(change.bridge, change.before);
}

Result<void> apply(System& system, const SetLinkNames& change) {
  VNET_ASSIGN(auto link, system.netlink.find_link(change.bridge));
  return link ? set_link_names(link->ifindex, change.names) : Result<void>{};
}

}  // namespace vnet
