// SPDX-License-Identifier: GPL-2.0-or-later
// Direct attachment: what parents and their ports have to do with each other.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "loader/apply/system.h"

namespace vnet {

// The ports that the parent floods to, as the records say; without one that is going.
Result<void> write_members(System& system, const ParentRecord& parent, const std::string& without = "");

// The slot that keys the guest's MAC: its parent's, else its network's.
Result<std::uint16_t> segment_of(System& system, const PortRecord& record, std::uint16_t network);

// The parent takes its guest's MAC (passthrough), or its own again: nullopt.
Result<void> lend_mac(System& system, const std::string& parent, const std::optional<Mac>& mac);

}  // namespace vnet
