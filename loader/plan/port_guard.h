// SPDX-License-Identifier: GPL-2.0-or-later
// What stands in the maps for one port beside its entry: the addresses that its guest may use, what is let
// in, whom it is isolated from. Internal to the library.
#pragma once

#include <cstdint>

#include "loader/plan/context.h"

namespace vnet {

// The port's own setting, or its network's default.
Inbound inbound_of(const PortRecord& record, const Network& network);
bool is_isolated(const PortRecord& record, const Network& network);
bool takes_any_mac(const PortRecord& record, const Network& network);

// The only MAC that the guest may send from, and that nobody else may; nullopt: MACs are learned.
std::optional<Mac> fixed_mac(const PortRecord& record, const Network& network);

// VNET_PORT_F_* of everything that is a setting of the guard.
Result<std::uint32_t> guard_flags(const PortRecord& record, const Network& network);

// A live port is never less guarded than before or after: add_guard() comes before the port's entry is
// written, trim_guard(), which removes what the record no longer says, behind it. Both idempotent.
Result<void> add_guard(Context& context, const PortRecord& record, const ActiveNetwork& active);
Result<void> trim_guard(Context& context, const PortRecord& record, const ActiveNetwork& active);

// The port goes; its network goes.
void forget_guard(SharedMaps& maps, std::uint16_t port_slot);
void forget_addresses(SharedMaps& maps, std::uint16_t slot);

}  // namespace vnet
