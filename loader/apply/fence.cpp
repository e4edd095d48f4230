// SPDX-License-Identifier: GPL-2.0-or-later
// The fence at FORWARD, for all networks that have a gateway.
#include "loader/bpf/fence.h"

#include <algorithm>

#include "loader/apply/apply.h"
#include "loader/apply/entries.h"
#include "loader/apply/fence.h"

namespace vnet {
namespace {

// The gateways and uplinks that programs stand at, as the maps say.
struct Ways {
  std::vector<FenceInterface> uplinks, gateways;  // not those of isolated networks
};

Result<Ways> known_ways(System& system, const std::vector<Network>& networks) {
  Ways ways;
  VNET_ASSIGN(auto uplinks, system.records.uplinks());
  for (const auto& uplink : uplinks)
    if (has_device(system.datapath->maps(), uplink.ifindex, VNET_DEVICE_UPLINK))
      ways.uplinks.push_back({uplink.ifindex, uplink.interface});
  for (const auto& network : networks) {
    if (!has_gateway(network) || !is_routed(network)) continue;
    VNET_ASSIGN(auto link, system.netlink.find_link(network.bridge));
    if (link) ways.gateways.push_back({link->ifindex, link->name});
  }
  return ways;
}

// What bpf/fence.bpf.c asks the maps, written down for the table.
Result<FenceRule> rule_of(System& system, const Network& network, int gateway, const Ways& ways) {
  FenceRule rule{.gateway = gateway, .translated = masquerades(network)};
  if (!is_routed(network)) return rule;
  bool anywhere = mode_spec(network.mode).any_uplink || (is_visible(network) && network.devices.empty());
  rule.all_but = anywhere;
  if (anywhere) return rule;
  rule.out = ways.gateways;  // judged by their own programs
  if (network.devices.empty()) {
    rule.out.insert(rule.out.end(), ways.uplinks.begin(), ways.uplinks.end());
    return rule;
  }
  VNET_ASSIGN(auto device, system.netlink.find_link(network.devices.front()));
  if (!device) return rule;
  FenceInterface way{device->ifindex, device->name};
  if (is_visible(network) || std::ranges::count(ways.uplinks, way)) rule.out.push_back(way);
  return rule;
}

}  // namespace

Result<std::vector<FenceRule>> fence_rules(System& system, const std::vector<Network>& networks) {
  std::vector<FenceRule> rules;
  VNET_ASSIGN(auto ways, known_ways(system, networks));
  for (const auto& network : networks) {
    if (!has_gateway(network)) continue;
    VNET_ASSIGN(auto link, system.netlink.find_link(network.bridge));
    if (!link) continue;
    VNET_ASSIGN(auto rule, rule_of(system, network, link->ifindex, ways));
    rules.push_back(std::move(rule));
  }
  return rules;
}

Result<void> apply(System& system, const PutUpFence& change) {
  VNET_ASSIGN(Datapath * datapath, system.need_datapath());
  VNET_ASSIGN(auto rules, fence_rules(system, change.networks));
  return Fence::put_up(*datapath, rules);
}
Result<void> undo(System& system, const PutUpFence& change) {
  return change.is_needed_anyway ? Result<void>{} : Fence::take_down(system.dirs.pins());
}

Result<void> apply(System& system, const TakeDownFence&) {
  return Fence::take_down(system.dirs.pins());
}

bool fence_is_table() {
  return Fence::way() == FenceWay::Table;
}

Result<bool> fence_stands(System& system, const std::vector<Network>& networks) {
  if (!system.datapath || std::ranges::none_of(networks, has_gateway)) return true;
  VNET_ASSIGN(auto rules, fence_rules(system, networks));
  return Fence::stands(*system.datapath, rules);
}

}  // namespace vnet
