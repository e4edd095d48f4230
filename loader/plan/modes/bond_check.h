// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "loader/base/error.h"
#include "loader/model/link.h"
#include "loader/model/network.h"

namespace vnet {

// A bond that guests hang on must show each guest's MAC in one place (docs/modes.md). An interface that is no
// bond passes.
Result<void> check_bond(const Network& network, const LinkInfo& link);

}  // namespace vnet
