// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <map>
#include <string>

#include "loader/apply/system.h"

namespace vnet {

// The entry as it should be, for a port that has been attached or changed.
Result<void> write_target(Datapath& datapath, const Network& network, const PortRecord& port,
                          const LinkInfo& link);

// By port of a running network that wants it: "" or why XDP does not deliver there.
Result<std::map<std::string, std::string>> describe_targets(System& system, const Network& network);

}  // namespace vnet
