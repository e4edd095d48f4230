// SPDX-License-Identifier: GPL-2.0-or-later
// A network's record: it is there before anything of the network is, and goes last.
#include "loader/apply/apply.h"
#include "loader/apply/service.h"
#include "loader/bpf/block_list.h"

namespace vnet {
namespace {

// Ports from before, when the bridge went away under them: to be attached to the new one.
Result<void> unsettle_ports(System& system, const std::string& network) {
  VNET_ASSIGN(auto ports, system.records.ports());
  for (auto& port : ports) {
    if (port.network != network || !port.settled) continue;
    port.settled = false;
    VNET_TRY(system.records.save(port));
  }
  return {};
}

// The last network has stopped. Whether there is a datapath is not asked: a command that was killed here
// before has left some of the pins.
void remove_datapath(System& system) {
  BlockList::remove_other_pins(system.dirs.pins());
  system.datapath.reset();
}

}  // namespace

Result<void> apply(System& system, const ClaimNetwork& change) {
  VNET_ASSIGN(Datapath * datapath, system.need_datapath());
  VNET_TRY(system.records.save(change.record));
  VNET_TRY(unsettle_ports(system, change.record.name));
  return clear_slot(datapath->maps(), change.record.slot);
}
Result<void> undo(System& system, const ClaimNetwork& change) {
  VNET_TRY(system.records.remove_network(change.record.name));
  VNET_ASSIGN(auto left, system.records.networks());
  if (left.empty()) remove_datapath(system);
  return {};
}

Result<void> apply(System& system, const CompleteNetwork& change) {
  return system.records.save(change.record);
}

Result<void> apply(System& system, const LeaveNetwork& change) {
  return system.records.save(change.record);
}

// The record last: as long as it is there, an interrupted `stop` is finished by the next.
Result<void> apply(System& system, const ForgetNetwork& change) {
  if (change.last) remove_datapath(system);
  VNET_TRY(remove_dnsmasq_files(system, change.name));
  return system.records.remove_network(change.name);
}

}  // namespace vnet
