// SPDX-License-Identifier: GPL-2.0-or-later
// Ports that XDP `forward` may deliver to: the map `targets`, which the uplinks' XDP programs ask last. What
// it does not name is tc's.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "loader/plan/context.h"

namespace vnet {

// Why XDP does not deliver to a guest's interface; nullopt: it does. features: of its driver, where the
// kernel tells.
std::optional<std::string> why_no_target(const Network& network, const PortRecord& port, const LinkInfo& link,
                                         std::optional<std::uint64_t> features);

// The entry as it should be, for a port that has been attached or changed.
Result<void> write_target(Datapath& datapath, const Network& network, const PortRecord& port,
                          const LinkInfo& link);

// By port of a running network that wants it: "" or why XDP does not deliver there.
Result<std::map<std::string, std::string>> describe_targets(Context& context, const Network& network);

// For what has changed without a command: the guest's end of a veth takes such frames only while it has GRO
// on, or an XDP program.
Result<Plan> plan_targets(Context& context, const std::vector<ActiveNetwork>& active);

}  // namespace vnet
