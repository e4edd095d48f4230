// SPDX-License-Identifier: GPL-2.0-or-later
// Ports of direct attachment: which parent they hang on.
#pragma once

#include <string>

#include "loader/plan/builder.h"

namespace vnet {

// The one that the port has, else the one with the fewest ports.
Result<std::string> choose_parent(const Builder& builder, const Network& network, const PortRecord& record);
Result<void> check_direct_port(const Snapshot& snapshot, const Network& network, const PortRecord& record);

}  // namespace vnet
