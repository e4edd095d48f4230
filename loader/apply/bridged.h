// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

#include "loader/apply/system.h"

namespace vnet {

// Every known way past a bridge ends now (bpf/bridge.h). A network of another mode has none.
Result<void> void_shortcuts(System& system, const std::string& network);

}  // namespace vnet
