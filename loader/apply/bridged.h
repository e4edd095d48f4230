// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

#include "loader/apply/system.h"

namespace vnet {

// Every known way past a bridge ends now (bpf/bridge.h). A network of another mode has none.
Result<void> void_shortcuts(System& system, const std::string& network);

// Loaded; members and ports keep theirs until they are attached anew.
Result<void> load_bridged_programs(System& system, const Network& network, std::uint16_t slot);

}  // namespace vnet
