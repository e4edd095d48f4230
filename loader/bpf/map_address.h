// SPDX-License-Identifier: GPL-2.0-or-later
// Addresses as the maps have them: 16 bytes, IPv4 as ::ffff:a.b.c.d, in network byte order.
#pragma once

#include "loader/bpf/map_address.h"
#include "loader/model/address.h"
#include "maps/abi.h"

namespace vnet {

Address to_address(const vnet_addr& address);
vnet_addr from_address(const Address& address);

}  // namespace vnet
