// SPDX-License-Identifier: GPL-2.0-or-later
// Does anybody filter frames inside the host's bridges? Then no frame may go past them.
#pragma once

#include <string>

#include "loader/base/error.h"

namespace vnet {

// What filters there, in words ("nftables tables of family bridge"); empty: nothing.
// Looks at nftables' bridge family and at br_netfilter's sysctls in the current network namespace.
Result<std::string> bridge_filters();

}  // namespace vnet
