// SPDX-License-Identifier: GPL-2.0-or-later
// Ports that XDP `forward` may deliver to: the map `xdp_targets`, which the uplinks' XDP programs ask last.
// What it does not name is tc's.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "loader/model/link.h"
#include "loader/model/records.h"

namespace vnet {

// Why XDP does not deliver to a guest's interface; nullopt: it does. features: of its driver, where the
// kernel tells.
std::optional<std::string> why_no_target(const Network& network, const PortRecord& port, const LinkInfo& link,
                                         std::optional<std::uint64_t> features);

}  // namespace vnet
