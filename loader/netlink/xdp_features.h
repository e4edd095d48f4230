// SPDX-License-Identifier: GPL-2.0-or-later
// What an interface can do with XDP, as the kernel tells from 6.3 on (the netdev family).
#pragma once

#include <cstdint>
#include <map>
#include <optional>

namespace vnet {

// enum netdev_xdp_act of the kernel, which Debian 12's headers do not have.
inline constexpr std::uint64_t xdp_act_basic = 1;     // programs, natively
inline constexpr std::uint64_t xdp_act_ndo_xmit = 4;  // takes frames that XDP redirects to it, now

// Without a value: a kernel that does not tell, or no such interface.
std::optional<std::uint64_t> xdp_features(int ifindex);
std::map<int, std::uint64_t> xdp_features();  // of all interfaces

}  // namespace vnet
