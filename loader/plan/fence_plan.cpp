// SPDX-License-Identifier: GPL-2.0-or-later
// The fence at FORWARD, for all networks that have a gateway.
#include <algorithm>

#include "loader/bpf/fence.h"
#include "loader/plan/context.h"
#include "loader/plan/entries.h"
#include "loader/plan/fence_rules.h"
#include "loader/plan/modes.h"

namespace vnet {
namespace {

bool is_visible(const Network& network) {
  return network.mode == Mode::Route || network.mode == Mode::Open;
}

// The gateways and uplinks that programs stand at, as the maps say.
struct Ways {
  std::vector<FenceInterface> uplinks, gateways;  // those of isolated networks are nobody's way
};

Result<Ways> known_ways(Context& context, const std::vector<Network>& networks) {
  Ways ways;
  VNET_ASSIGN(auto uplinks, context.records.uplinks());
  for (const auto& uplink : uplinks)
    if (has_device(context.datapath->maps(), uplink.ifindex, VNET_DEVICE_UPLINK))
      ways.uplinks.push_back({uplink.ifindex, uplink.interface});
  for (const auto& network : networks) {
    if (!has_gateway(network) || network.mode == Mode::Isolated) continue;
    VNET_ASSIGN(auto link, context.netlink.find_link(network.bridge));
    if (link) ways.gateways.push_back({link->ifindex, link->name});
  }
  return ways;
}

// What bpf/fence.bpf.c asks the maps, written down for the table.
Result<FenceRule> rule_of(Context& context, const Network& network, int gateway, const Ways& ways) {
  FenceRule rule{.gateway = gateway, .translated = network.mode == Mode::Nat};
  if (network.mode == Mode::Isolated) return rule;
  bool anywhere = network.mode == Mode::Open || (network.mode == Mode::Route && network.devices.empty());
  rule.all_but = anywhere;
  if (anywhere) return rule;
  rule.out = ways.gateways;  // judged by their own programs
  if (network.devices.empty()) {
    rule.out.insert(rule.out.end(), ways.uplinks.begin(), ways.uplinks.end());
    return rule;
  }
  VNET_ASSIGN(auto device, context.netlink.find_link(network.devices.front()));
  if (!device) return rule;
  FenceInterface way{device->ifindex, device->name};
  if (is_visible(network) || std::ranges::count(ways.uplinks, way)) rule.out.push_back(way);
  return rule;
}

}  // namespace

Result<std::vector<FenceRule>> fence_rules(Context& context, const std::vector<Network>& networks) {
  std::vector<FenceRule> rules;
  VNET_ASSIGN(auto ways, known_ways(context, networks));
  for (const auto& network : networks) {
    if (!has_gateway(network)) continue;
    VNET_ASSIGN(auto link, context.netlink.find_link(network.bridge));
    if (!link) continue;
    VNET_ASSIGN(auto rule, rule_of(context, network, link->ifindex, ways));
    rules.push_back(std::move(rule));
  }
  return rules;
}

void plan_fence(Plan& plan, Context& context, const std::vector<Network>& networks) {
  if (std::ranges::none_of(networks, has_gateway)) {
    plan.add("take down the fence at FORWARD", [&context] { return Fence::take_down(context.dirs.pins()); });
    return;
  }
  plan.add(
      "put up the fence at FORWARD",
      [&context, networks]() -> Result<void> {
        VNET_ASSIGN(Datapath * datapath, context.need_datapath());
        VNET_ASSIGN(auto rules, fence_rules(context, networks));
        return Fence::put_up(*datapath, rules);
      },
      [&context] {
        auto left = context.records.networks();
        if (left && left->size() <= 1)
          (void)Fence::take_down(context.dirs.pins());  // nobody else is behind it
      });
}

Result<Plan> plan_fence_heal(Context& context, const std::vector<Network>& networks) {
  Plan plan;
  VNET_ASSIGN(bool stands, fence_stands(context, networks));
  if (!stands) plan_fence(plan, context, networks);
  return plan;
}

bool fence_is_written_down() {
  return Fence::way() == FenceWay::Table;
}

Result<bool> fence_stands(Context& context, const std::vector<Network>& networks) {
  if (!context.datapath || std::ranges::none_of(networks, has_gateway)) return true;
  VNET_ASSIGN(auto rules, fence_rules(context, networks));
  return Fence::stands(*context.datapath, rules);
}

}  // namespace vnet
