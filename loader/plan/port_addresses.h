// SPDX-License-Identifier: GPL-2.0-or-later
// The addresses that a port's guest may use, as the loader knows them: --ip, static leases; and, for a guest
// that was there before its filters, what DHCP has leased to it and what the gateway's neighbour table knows
// it by. From then on the programs follow DHCP and duplicate address detection themselves.
#pragma once

#include <cstdint>
#include <string>

#include "loader/plan/context.h"

namespace vnet {

bool has_fixed(const PortRecord& record, Family family);  // --ip names addresses of the family
bool has_autoconf(const Network& network);                // guests give themselves IPv6 addresses (SLAAC)
// Beside --ip neither leases nor claims count. Where guests give themselves addresses, only with --ip-only:
// the guest would prefer the one that it has made up, and reach nobody.
bool is_only_fixed(const PortRecord& record, const Network& network, Family family);
// What --ip-only costs this guest; "": nothing.
std::string ip_only_note(const PortRecord& record, const Network& network);

// Nobody can claim the gateway's addresses, nor send from them.
Result<void> reserve_gateway(SharedMaps& maps, const Network& network, std::uint16_t slot);
// One that the gateway has beside the definition's; and has no longer.
Result<void> reserve_address(SharedMaps& maps, std::uint16_t slot, const Address& address);
Result<void> release_address(SharedMaps& maps, const Network& network, std::uint16_t slot,
                             const Address& address);
Result<void> add_addresses(Context& context, const PortRecord& record, const ActiveNetwork& active);
void trim_addresses(SharedMaps& maps, const PortRecord& record, const Network& network);

}  // namespace vnet
