// SPDX-License-Identifier: GPL-2.0-or-later
// What each mode adds to the start and the stop of a network. Internal to the planners.
//
// check_*: may it be started here? Nothing has been touched yet.
// plan_*_up: from the loaded datapath to the active network; plan_*_down: back, when its ports are gone.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "loader/plan/context.h"

namespace vnet {

// NAT, routed, isolated, open. ours: an earlier start of this network was recorded.
Result<void> check_gateway(Context& context, const Network& network, bool ours);
Result<Plan> plan_gateway_up(Context& context, const Network& network, std::uint16_t slot,
                             const std::vector<ActiveNetwork>& others);
Result<Plan> plan_gateway_down(Context& context, const Network& network, std::uint16_t slot,
                               const std::vector<ActiveNetwork>& others);
// The gateway's programs, where somebody has taken them away; addresses that somebody has added to it.
Result<Plan> plan_gateway_heal(Context& context, const ActiveNetwork& active);

// The guard behind routing (fence_plan.cpp): with these networks active, or none any more.
void plan_fence(Plan& plan, Context& context, const std::vector<Network>& networks);
Result<Plan> plan_fence_heal(Context& context, const std::vector<Network>& networks);
bool fence_is_written_down();  // a table, not a program that asks the maps
Result<bool> fence_stands(Context& context, const std::vector<Network>& networks);

// Bridged: on a bridge of the host's.
Result<void> check_bridged(Context& context, const Network& network);
Result<Plan> plan_bridged_up(Context& context, const Network& network, std::uint16_t slot);
Result<Plan> plan_bridged_down(Context& context, const Network& network, std::uint16_t slot);

// The members of the network's bridge that may be guests' interfaces, attached or not.
Result<std::vector<std::string>> guests_in_bridge(Context& context, const Network& network);

// What has changed around an active bridged network: ways out that came or were made anew, filters inside the
// bridge.
Result<Plan> plan_bridged_heal(Context& context, const Network& network, std::uint16_t slot);

// Every known way past a bridge ends now (bpf/lib/bridge.h). A network of another mode has none.
Result<void> void_shortcuts(Context& context, const std::string& network);

// A bond that guests hang on must show each guest's MAC in one place (docs/modes.md). An interface that is no
// bond passes.
Result<void> check_bond(const Network& network, const LinkInfo& link);

// An empty map entry for the network, its counters and what it had learned gone.
void forget_network(SharedMaps& maps, std::uint16_t slot);

}  // namespace vnet
