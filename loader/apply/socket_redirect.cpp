// SPDX-License-Identifier: GPL-2.0-or-later
// The host's own way to port forwards.
#include "loader/bpf/socket_redirect.h"

#include "loader/apply/apply.h"
#include "loader/bpf/map_address.h"

namespace vnet {

Result<void> apply(System& system, const PutUpSocketRedirect&) {
  VNET_ASSIGN(Datapath * datapath, system.need_datapath());
  return SocketRedirect::put_up(*datapath);
}
Result<void> undo(System& system, const PutUpSocketRedirect&) {
  return SocketRedirect::take_down(system.dirs.pins());
}

Result<void> apply(System& system, const TakeDownSocketRedirect&) {
  return SocketRedirect::take_down(system.dirs.pins());
}

Result<void> apply(System& system, const SetHostAddresses& change) {
  VNET_ASSIGN(Datapath * datapath, system.need_datapath());
  auto& known = datapath->maps().host_addresses;
  for (const auto& address : change.removed) VNET_TRY(known.erase(from_address(address)));
  for (const auto& address : change.added) VNET_TRY(known.set(from_address(address), 1));
  return {};
}

}  // namespace vnet
