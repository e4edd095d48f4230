// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "loader/apply/system.h"
#include "loader/plan/snapshot.h"

namespace vnet {

// Reads everything that plans are made of. With the lock held it stays true for as long as only vnet-bpf
// changes the host.
Result<Snapshot> read_snapshot(System& system);

// Snapshot::sockets, for a plan that may forward ports anew: those of the definitions, and more.
void read_sockets(Snapshot& snapshot, const std::vector<PortForward>& more);

// The definitions as they are stored, by name.
Result<std::vector<Network>> read_definitions(const StateDir& dirs);

}  // namespace vnet
