// SPDX-License-Identifier: GPL-2.0-or-later
// What stands in the maps for one port beside its entry: the addresses that its guest may use, what is let
// in, whom it is isolated from.
#pragma once

#include <cstdint>

#include "loader/apply/system.h"

namespace vnet {

// A live port is never less guarded than before or after: add_guard() comes before the port's entry is
// written, trim_guard(), which removes what the record no longer says, behind it. Both idempotent.
Result<void> add_guard(System& system, const PortRecord& record, const ActiveNetwork& active);
Result<void> trim_guard(System& system, const PortRecord& record, const ActiveNetwork& active);

// Whether outside its guest has the parent's MAC: <vnet:macNat>, with auto on a wireless one.
bool has_mac_nat(const PortRecord& record, const Network& network);
// So that nothing from outside finds the port any more.
Result<void> forget_mac_nat(SharedMaps& maps, std::uint16_t port_slot);

// The port goes; its network goes.
Result<void> forget_guard(SharedMaps& maps, std::uint16_t port_slot);
Result<void> forget_addresses(SharedMaps& maps, std::uint16_t slot);

}  // namespace vnet
