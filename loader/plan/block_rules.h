// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "loader/base/error.h"
#include "loader/model/address.h"

namespace vnet {

// A slip that would cut the host off. The list keeps IPv4 addresses inside of ::/80.
Result<void> check_blockable(const Prefix& prefix);

}  // namespace vnet
