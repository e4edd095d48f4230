// SPDX-License-Identifier: GPL-2.0-or-later
// The addresses that a port's guest may use, as the loader knows them: --ip, static leases; and, for a guest
// that was there before its filters, what DHCP has leased to it and what the gateway's neighbour table knows
// it by. From then on the programs follow DHCP and duplicate address detection themselves.
#pragma once

#include "loader/plan/context.h"

namespace vnet {

bool has_fixed(const PortRecord& record, Family family);  // --ip names addresses of the family
bool has_autoconf(const Network& network);                // guests give themselves IPv6 addresses (SLAAC)

Result<void> add_addresses(Context& context, const PortRecord& record, const ActiveNetwork& active);
void trim_addresses(SharedMaps& maps, const PortRecord& record, const Network& network);

}  // namespace vnet
