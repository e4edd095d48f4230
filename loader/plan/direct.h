// SPDX-License-Identifier: GPL-2.0-or-later
// Direct attachment: guests on physical interfaces (parents) without a bridge. Internal to the planners.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "loader/plan/context.h"

namespace vnet {

// Starting and stopping a network, see modes.h.
Result<void> check_direct(Context& context, const Network& network);
Result<Plan> plan_direct_up(Context& context, const Network& network, std::uint16_t slot,
                            const std::vector<ActiveNetwork>& others);
Result<Plan> plan_direct_down(Context& context, const Network& network, std::uint16_t slot,
                              const std::vector<ActiveNetwork>& others);
bool is_direct_up(Context& context, const NetworkRecord& record);

// Parents that were unplugged and came back, got another MAC, or were set no longer promiscuous.
Result<Plan> heal_parents(Context& context, const std::vector<Network>& networks);

// The programs, and what the parent must be for them. With `kept`, only what it was before is put down anew.
Result<void> bring_up_parent(Context& context, const std::string& interface, bool passthrough);
void take_down_parent(Context& context, const ParentRecord& record);
// The ports that the parent floods to, as the records say; without one that is going.
Result<void> write_members(Context& context, const ParentRecord& parent, const std::string& without = "");

// Ports (direct_port.cpp). Which parent: the one the port has, else the one with the fewest ports.
Result<std::string> choose_parent(Context& context, const Network& network, const PortRecord& record,
                                  const std::vector<PortRecord>& ports);
Result<void> check_direct_port(Context& context, const Network& network, const PortRecord& record);
std::uint32_t direct_flags(const Network& network);  // VNET_PORT_F_*
// The slot that keys the guest's MAC: its parent's, else its network's.
Result<std::uint16_t> segment_of(Context& context, const PortRecord& record, std::uint16_t network);
// The parent takes its guest's MAC (passthrough), or its own again: nullopt.
Result<void> lend_mac(Context& context, const std::string& parent, const std::optional<Mac>& mac);
void plan_plug_direct(Plan& plan, Context& context, const Network& network, const PortRecord& record,
                      const LinkInfo& link);
void plan_unplug_direct(Plan& plan, Context& context, const PortRecord& record);

}  // namespace vnet
