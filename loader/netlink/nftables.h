// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

#include "loader/base/error.h"

namespace vnet {

// What nft(8) does with these commands, in the network namespace of the calling thread: all of them or none.
// Returns what it prints, as `nft -a`; `json`: as `nft -j`.
Result<std::string> run_nft(const std::string& commands, bool json = false);

}  // namespace vnet
