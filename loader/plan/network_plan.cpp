// SPDX-License-Identifier: GPL-2.0-or-later
// Starting and stopping a network: what all modes share. The mode's own steps are in gateway_plan.cpp,
// bridge_plan.cpp and direct_plan.cpp.
#include <fmt/format.h>

#include <algorithm>

#include "loader/bpf/block_list.h"
#include "loader/bpf/shared_maps.h"
#include "loader/config/network_xml.h"
#include "loader/plan/direct.h"
#include "loader/plan/modes.h"
#include "loader/plan/port_guard.h"

namespace vnet {
namespace {

// What the XML may say but this version does not do yet is refused, never ignored.
Result<void> check_supported(const Network& network) {
  auto missing = [&](const std::string& what) {
    return invalid(fmt::format("network {}: {} is not in this build yet", network.name, what));
  };
  if (network.bandwidth) return missing("<bandwidth>");
  if (!network.zone.empty()) return missing("a firewalld zone");
  if (network.domain && network.domain->register_) return missing("<domain register='yes'>");
  if (network.nat.ports && network.nat.ports->start >= network.nat.ports->end)
    return invalid(fmt::format("network {}: Invalid port range '{}-{}'", network.name,
                               network.nat.ports->start, network.nat.ports->end));
  return {};
}

// The active networks but this one.
Result<std::vector<ActiveNetwork>> other_networks(Context& context, const std::string& name) {
  VNET_ASSIGN(auto others, active_networks(context));
  std::erase_if(others, [&](const ActiveNetwork& other) { return other.network.name == name; });
  return others;
}

// Ports from before, when the bridge went away under them: to be attached to the new one.
Result<void> unsettle_ports(Context& context, const std::string& network) {
  VNET_ASSIGN(auto ports, context.records.ports());
  for (auto& port : ports) {
    if (port.network != network || !port.settled) continue;
    port.settled = false;
    VNET_TRY(context.records.save(port));
  }
  return {};
}

// The last network has stopped. Whether there is a datapath is not asked: one that was killed here before has
// left some of the pins.
void remove_datapath(Context& context) {
  BlockList::remove_other_pins(context.dirs.pins());
  context.datapath.reset();
}

Result<Plan> plan_mode_up(Context& context, const Network& network, std::uint16_t slot,
                          const std::vector<ActiveNetwork>& others) {
  if (network.mode == Mode::Bridge) return plan_bridged_up(context, network, slot);
  if (network.mode == Mode::Direct) return plan_direct_up(context, network, slot, others);
  return plan_gateway_up(context, network, slot, others);
}

Result<Plan> plan_mode_down(Context& context, const Network& network, std::uint16_t slot,
                            const std::vector<ActiveNetwork>& others) {
  if (network.mode == Mode::Bridge) return plan_bridged_down(context, network, slot);
  if (network.mode == Mode::Direct) return plan_direct_down(context, network, slot, others);
  return plan_gateway_down(context, network, slot, others);
}

}  // namespace

void forget_network(SharedMaps& maps, std::uint16_t slot) {
  for (const auto& key : maps.fdb.keys())
    if (key.network == slot) (void)maps.fdb.erase(key);
  forget_sessions(maps, slot);
  forget_addresses(maps, slot);
  (void)clear_slot(maps, slot);
  (void)maps.networks.set(slot, vnet_network{});
}

Result<Plan> plan_start(Context& context, const Network& network) {
  VNET_TRY(check_supported(network));
  VNET_ASSIGN(auto record, context.records.network(network.name));
  if (network.mode == Mode::Bridge) {
    VNET_TRY(check_bridged(context, network));
  } else if (network.mode == Mode::Direct) {
    VNET_TRY(check_direct(context, network));
  } else {
    VNET_TRY(check_gateway(context, network, record.has_value()));
  }
  VNET_ASSIGN(auto others, other_networks(context, network.name));
  for (const auto& other : others)
    if (!network.bridge.empty() && other.network.bridge == network.bridge)
      return failed(fmt::format("network {}: bridge {} belongs to network {}", network.name, network.bridge,
                                other.network.name));

  NetworkRecord started{.name = network.name, .complete = false, .xml = format_network(network)};
  if (record) {
    started.slot = record->slot;
    started.added = record->added;  // still in the maps
  } else {
    VNET_ASSIGN(started.slot, context.take_slot());
  }

  Plan plan;
  plan.add(
      "load the datapath",
      [&context, started]() -> Result<void> {
        VNET_ASSIGN(Datapath * datapath, context.need_datapath());
        VNET_TRY(context.records.save(started));
        VNET_TRY(unsettle_ports(context, started.name));
        return clear_slot(datapath->maps(), started.slot);
      },
      [&context, started] {
        (void)context.records.remove_network(started.name);
        if (auto left = context.records.networks(); left && left->empty()) remove_datapath(context);
      });
  VNET_ASSIGN(auto mode, plan_mode_up(context, network, started.slot, others));
  plan.append(std::move(mode));
  plan.add(fmt::format("note that {} is active", network.name), [&context, started]() mutable {
    started.complete = true;
    return context.records.save(started);
  });
  plan.done = fmt::format("Network {} started", network.name);
  return plan;
}

Result<Plan> plan_stop(Context& context, const ActiveNetwork& active) {
  Plan plan;
  const Network& network = active.network;
  plan.add(fmt::format("note that {} is stopping", network.name),
           [&context, record = active.record]() mutable {
             record.complete = false;
             return context.records.save(record);
           });
  VNET_ASSIGN(auto ports, context.records.ports());
  for (const auto& port : ports) {
    if (port.network != network.name) continue;
    VNET_ASSIGN(auto detach, plan_detach(context, port));
    plan.append(std::move(detach));
  }
  VNET_ASSIGN(auto others, other_networks(context, network.name));
  VNET_ASSIGN(auto mode, plan_mode_down(context, network, active.record.slot, others));
  plan.append(std::move(mode));
  plan.add(fmt::format("forget {}", network.name),
           [&context, name = network.name, last = others.empty()]() -> Result<void> {
             // The record last: as long as it is there, an interrupted `stop` is finished by the next.
             if (last) remove_datapath(context);
             remove_dnsmasq_files(context, name);
             return context.records.remove_network(name);
           });
  plan.done = fmt::format("Network {} destroyed", network.name);
  return plan;
}

}  // namespace vnet
