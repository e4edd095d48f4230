// SPDX-License-Identifier: GPL-2.0-or-later
// The addresses that a port's guest may use, as the loader knows them: --ip, static leases; and, for a guest
// that was there before its filters, what DHCP has leased to it and what the gateway's neighbour table knows
// it by. From then on the programs follow DHCP and duplicate address detection themselves.
#pragma once

#include <cstdint>

#include "loader/apply/system.h"
#include "loader/model/port_state.h"

namespace vnet {

std::uint32_t tick_now();  // the programs' clock

// No guest can claim the gateway's addresses, nor send from them.
Result<void> reserve_gateway(SharedMaps& maps, const Network& network, std::uint16_t slot);
// One that the gateway has beside the definition's; and has no longer.
Result<void> reserve_address(SharedMaps& maps, std::uint16_t slot, const Address& address);
Result<void> release_address(SharedMaps& maps, const Network& network, std::uint16_t slot,
                             const Address& address);
Result<void> add_addresses(System& system, const PortRecord& record, const ActiveNetwork& active);
// Those that the guest had on another host: it does not ask for them again. What is not in the network's
// subnets, or another guest's here, is left out.
Result<void> give_addresses(SharedMaps& maps, const PortRecord& record, const ActiveNetwork& active,
                            const std::vector<PortAddress>& addresses);
Result<void> trim_addresses(SharedMaps& maps, const PortRecord& record, const Network& network);

}  // namespace vnet
