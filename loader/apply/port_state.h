// SPDX-License-Identifier: GPL-2.0-or-later
// What goes with a guest to another host, read from a port here and given to one there.
#pragma once

#include <string>

#include "loader/apply/system.h"
#include "loader/model/port_state.h"

namespace vnet {

// NotFound: it is not attached.
Result<PortState> read_port_state(System& system, const std::string& interface);

// To an attached port: the addresses that the guest had, unless another guest has them here, and its counters
// as they were; what is more already stays, so that a second time changes nothing.
Result<void> give_port_state(System& system, const PortState& state);

}  // namespace vnet
