// SPDX-License-Identifier: GPL-2.0-or-later
// Bridged networks: a bridge that the host has already, with its way out. The bridge is its owner's: nothing
// of it is changed. Programs stand at its members that lead outside, and at our ports.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "loader/netlink/bridge_filters.h"
#include "loader/plan/guards.h"
#include "loader/plan/modes.h"

namespace vnet {
namespace {

// Guests' and containers' interfaces, which are not ours to look into unless they are attached.
bool is_guests(const LinkInfo& link) {
  constexpr std::array kinds{"tun", "veth", "netkit", "macvtap", "macvlan", "ipvlan", "ipvtap"};
  return std::ranges::find(kinds, link.kind) != kinds.end();
}

// The bridge's members that lead outside: those of <vnet:uplink>, else NICs, bonds, VLANs, tunnels.
Result<std::vector<LinkInfo>> ways_out(Context& context, const Network& network, int bridge) {
  VNET_ASSIGN(auto links, context.netlink.links());
  VNET_ASSIGN(auto ports, context.records.ports());
  std::erase_if(links, [&](const LinkInfo& link) {
    if (link.master != bridge || std::ranges::find(ports, link.name, &PortRecord::interface) != ports.end())
      return true;
    const auto& named = network.settings.uplinks;
    return named.empty() ? is_guests(link) : std::ranges::find(named, link.name) == named.end();
  });
  return links;
}

void take_down_member(Context& context, const UplinkRecord& record) {
  if (context.datapath) {
    (void)context.datapath->maps().devices.erase(static_cast<__u32>(record.ifindex));
    (void)context.datapath->detach(record.interface, record.ifindex);
    (void)clear_slot(context.datapath->maps(), record.slot);
  }
  (void)context.records.remove_uplink(record.interface);
}

Result<void> bring_up_member(Context& context, const Network& network, const LinkInfo& link) {
  VNET_ASSIGN(Datapath * datapath, context.need_datapath());
  VNET_ASSIGN(auto before, context.records.uplink(link.name));
  UplinkRecord record{.interface = link.name, .network = network.name, .ifindex = link.ifindex};
  if (before) {
    record.slot = before->slot;
  } else {
    VNET_ASSIGN(record.slot, context.take_slot());
    VNET_TRY(clear_slot(datapath->maps(), record.slot));
  }
  VNET_TRY(context.records.save(record));
  VNET_TRY(datapath->attach({Role::Member, network.name, link.name, link.ifindex}));
  vnet_device device{.role = VNET_DEVICE_MEMBER, .slot = record.slot};
  return datapath->maps().devices.set(static_cast<__u32>(link.ifindex), device);
}

// Whoever filters inside the bridge must see every frame.
Result<std::uint32_t> wanted_flags() {
  VNET_ASSIGN(auto filters, bridge_filters());
  return VNET_NETWORK_F_BRIDGED | (filters.empty() ? VNET_NETWORK_F_SHORTCUT : 0U);
}

Result<void> bring_up_programs(Context& context, const Network& network, std::uint16_t slot) {
  VNET_ASSIGN(Datapath * datapath, context.need_datapath());
  VNET_ASSIGN(auto link, context.netlink.link(network.bridge));
  vnet_network entry{};
  entry.gateway_ifindex = static_cast<__u32>(link.ifindex);
  VNET_ASSIGN(entry.flags, wanted_flags());
  entry.max_sessions = network.settings.max_sessions;
  entry.max_sessions_per_port = network.settings.max_sessions_per_port;
  entry.link_protocols = network.settings.link_protocols;
  VNET_TRY(datapath->maps().networks.set(slot, entry));
  return datapath->load_network(network.name, {.slot = slot,
                                               .gateway_ifindex = link.ifindex,
                                               .gateway_mac = link.mac,
                                               .flags = VNET_NETWORK_F_BRIDGED,
                                               .needs_bridge = true});
}

void take_down_programs(Context& context, const Network& network, std::uint16_t slot) {
  if (!context.datapath) return;
  forget_network(context.datapath->maps(), slot);
  context.datapath->unload_network(network.name);
}

}  // namespace

Result<std::vector<std::string>> guests_in_bridge(Context& context, const Network& network) {
  if (network.mode == Mode::Direct)
    return invalid(fmt::format("network {} has no bridge; name its guests' interfaces", network.name));
  VNET_ASSIGN(auto bridge, context.netlink.link(network.bridge));
  VNET_ASSIGN(auto links, context.netlink.links());
  const auto& uplinks = network.settings.uplinks;
  std::vector<std::string> names;
  for (const auto& link : links)
    if (link.master == bridge.ifindex && is_guests(link) &&
        std::ranges::find(uplinks, link.name) == uplinks.end())
      names.push_back(link.name);
  return names;
}

Result<void> void_shortcuts(Context& context, const std::string& network) {
  VNET_ASSIGN(auto record, context.records.network(network));
  if (!record || !context.datapath) return {};
  auto& networks = context.datapath->maps().networks;
  auto entry = networks.get(record->slot);
  if (!entry || !(entry->flags & VNET_NETWORK_F_BRIDGED)) return {};
  ++entry->generation;
  return networks.set(record->slot, *entry);
}

Result<void> check_bridged(Context& context, const Network& network) {
  VNET_ASSIGN(auto bridge, context.netlink.find_link(network.bridge));
  if (!bridge)
    return not_found(fmt::format(
        "network {}: the host has no bridge {}; make it with your network manager (or ip link add {} type "
        "bridge) and put the outside interface into it first",
        network.name, network.bridge, network.bridge));
  if (bridge->kind != "bridge")
    return invalid(fmt::format("network {}: {} is not a bridge", network.name, network.bridge));
  for (const auto& name : network.settings.uplinks) {
    VNET_ASSIGN(auto link, context.netlink.find_link(name));
    if (!link || link->master != bridge->ifindex)
      return not_found(fmt::format("network {}: <vnet:uplink dev='{}'> is no member of bridge {}",
                                   network.name, name, network.bridge));
  }
  VNET_ASSIGN(auto members, ways_out(context, network, bridge->ifindex));
  for (const auto& member : members) VNET_TRY(check_bond(network, member));
  return {};
}

Result<Plan> plan_bridged_up(Context& context, const Network& network, std::uint16_t slot) {
  Plan plan;
  plan.add(
      fmt::format("load the programs of {} for bridge {}", network.name, network.bridge),
      [&context, network, slot] { return bring_up_programs(context, network, slot); },
      [&context, network, slot] { take_down_programs(context, network, slot); });
  VNET_ASSIGN(auto bridge, context.netlink.link(network.bridge));
  VNET_ASSIGN(auto members, ways_out(context, network, bridge.ifindex));
  for (const auto& member : members)
    plan.add(
        fmt::format("attach to {}: the way out of {}", member.name, network.bridge),
        [&context, network, member] { return bring_up_member(context, network, member); },
        [&context, name = member.name] {
          if (auto record = context.records.uplink(name); record && *record)
            take_down_member(context, **record);
        });
  return plan;
}

Result<Plan> plan_bridged_heal(Context& context, const Network& network, std::uint16_t slot) {
  Plan plan;
  VNET_ASSIGN(auto bridge, context.netlink.find_link(network.bridge));
  if (!bridge || !context.datapath) return plan;
  VNET_ASSIGN(auto members, ways_out(context, network, bridge->ifindex));
  for (const auto& member : members) {
    VNET_ASSIGN(auto record, context.records.uplink(member.name));
    if (record && record->ifindex == member.ifindex && is_uplink_guarded(context, *record)) continue;
    plan.add(fmt::format("attach to {}: the way out of {}", member.name, network.bridge),
             [&context, network, member] { return bring_up_member(context, network, member); });
  }
  VNET_ASSIGN(auto flags, wanted_flags());
  auto entry = context.datapath->maps().networks.get(slot);
  if (entry && entry->flags != flags)
    plan.add(flags & VNET_NETWORK_F_SHORTCUT
                 ? fmt::format("take the shortcut past {} again", network.bridge)
                 : fmt::format("leave every frame to {}: it has filters inside", network.bridge),
             [&context, slot, flags]() -> Result<void> {
               auto& networks = context.datapath->maps().networks;
               auto now = networks.get(slot);
               if (!now) return {};
               now->flags = flags;
               return networks.set(slot, *now);
             });
  return plan;
}

Result<Plan> plan_bridged_down(Context& context, const Network& network, std::uint16_t slot) {
  Plan plan;
  VNET_ASSIGN(auto uplinks, context.records.uplinks());
  for (const auto& record : uplinks) {
    if (record.network != network.name) continue;
    plan.add(fmt::format("detach {}", record.interface), [&context, record]() -> Result<void> {
      take_down_member(context, record);
      return {};
    });
  }
  plan.add(fmt::format("unload the programs of {}", network.name),
           [&context, network, slot]() -> Result<void> {
             take_down_programs(context, network, slot);
             return {};
           });
  return plan;
}

}  // namespace vnet
