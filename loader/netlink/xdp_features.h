// SPDX-License-Identifier: GPL-2.0-or-later
// What an interface can do with XDP, as the kernel tells from 6.3 on (the netdev family).
#pragma once

#include <cstdint>
#include <map>
#include <optional>

#include "loader/model/link.h"

namespace vnet {

// Without a value: a kernel that does not tell, or no such interface.
std::optional<std::uint64_t> xdp_features(int ifindex);
std::map<int, std::uint64_t> xdp_features();  // of all interfaces

}  // namespace vnet
