// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

#include "loader/apply/system.h"

namespace vnet {

Result<void> remove_dnsmasq_files(System& system, const std::string& network);

}  // namespace vnet
