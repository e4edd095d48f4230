// SPDX-License-Identifier: GPL-2.0-or-later
// A gateway of ours: the bridge, its programs, what they are told, and the addresses.
#include "loader/apply/gateway.h"

#include "loader/apply/apply.h"
#include "loader/apply/entries.h"
#include "loader/apply/forwards.h"
#include "loader/apply/network_entry.h"
#include "loader/apply/subnets.h"
#include "loader/os/sysctl.h"
#include "loader/plan/network_rules.h"

namespace vnet {
namespace {

// The stack sees what comes in by a VRF's member as the VRF's.
Result<std::uint32_t> vrf_of(System& system, const LinkInfo& link) {
  VNET_ASSIGN(auto master, system.netlink.find_link(link.master));
  return master && master->kind == "vrf" ? static_cast<std::uint32_t>(master->ifindex) : 0;
}

// Programs and maps of the network, attached to its gateway. Others believe that it is one when that has been
// seen.
Result<void> bring_up_programs(System& system, const Network& network, std::uint16_t slot) {
  VNET_ASSIGN(Datapath * datapath, system.need_datapath());
  VNET_ASSIGN(auto link, system.netlink.link(network.bridge));
  auto& maps = datapath->maps();
  if (auto before = maps.networks.get(slot); before && before->gateway_ifindex) {
    auto gone = static_cast<int>(before->gateway_ifindex);
    if (gone != link.ifindex) {
      VNET_TRY(erase_device(maps, gone));
      VNET_TRY(remove_members(maps, gone));
    }
  }
  vnet_network entry{};
  entry.gateway_ifindex = static_cast<__u32>(link.ifindex);
  VNET_ASSIGN(entry.gateway_vrf, vrf_of(system, link));
  VNET_TRY(fill_entry(system, network, entry));
  VNET_TRY(maps.networks.set(slot, entry));
  VNET_TRY(write_subnets(maps, network, slot));
  for (const auto& forward : network.settings.port_forwards)
    VNET_TRY(write_port_forward(maps, forward, slot));
  VNET_TRY(load_gateway_programs(system, network, slot));
  return write_device(maps, link.ifindex, {.role = VNET_DEVICE_GATEWAY, .slot = slot});
}

Result<void> take_down_programs(System& system, const Network& network, std::uint16_t slot) {
  if (!system.datapath) return {};
  auto& maps = system.datapath->maps();
  auto entry = maps.networks.get(slot);
  if (entry && entry->gateway_ifindex) {
    auto gateway = static_cast<int>(entry->gateway_ifindex);
    VNET_TRY(erase_device(maps, gateway));
    VNET_TRY(remove_members(maps, gateway));
    VNET_TRY(system.datapath->detach(network.bridge, gateway));
  } else if (!system.datapath->has_maps()) {
    VNET_TRY(system.datapath->detach(network.bridge, 0));  // by its pins
  }
  VNET_TRY(erase_subnets(maps, slot));
  VNET_TRY(erase_port_forwards(maps, slot));
  VNET_TRY(forget_network(maps, slot));
  system.datapath->unload_network(network.name);
  return {};
}

// What a change that was interrupted, or an older bridge of the network, has left.
Result<void> clear_leftovers(System& system, std::uint16_t slot) {
  VNET_ASSIGN(Datapath * datapath, system.need_datapath());
  VNET_TRY(erase_port_forwards(datapath->maps(), slot));
  return erase_subnets(datapath->maps(), slot);
}

RouteInfo to_route(const StaticRoute& route, int gateway) {
  return {.family = route.gateway.family,
          .destination = route.destination.network(),
          .oif = gateway,
          .gateway = route.gateway,
          .metric = route.metric.value_or(0)};
}

// The programs switch, so that the bridge need not: as long as its ports are in no VLAN it carries nothing
// between interfaces that are in it and not attached. A kernel without BRIDGE_VLAN_FILTERING has no such
// bridge; there two of those reach each other, and no one else.
Result<void> make_gateway(System& system, const Network& network) {
  BridgeOptions options{.stp = network.stp, .forward_delay_seconds = network.delay_seconds};
  options.vlan_filtering = true;
  options.default_pvid = 0;
  if (system.netlink.create_bridge(network.bridge, *network.mac, network.mtu, options)) return {};
  options.vlan_filtering = false;
  options.default_pvid.reset();
  VNET_TRY(system.netlink.create_bridge(network.bridge, *network.mac, network.mtu, options));
  return {};
}

}  // namespace

Result<void> apply(System& system, const CreateBridge& change) {
  const Network& network = change.network;
  VNET_ASSIGN(auto there, system.netlink.find_link(network.bridge));
  if (!there) VNET_TRY(make_gateway(system, network));
  // As libvirt: without an IPv6 address the gateway takes no part in IPv6.
  const auto& name = network.bridge;
  VNET_TRY(write_sysctl({"net", "ipv6", "conf", name, "disable_ipv6"}, network.has(Family::V6) ? "0" : "1"));
  VNET_TRY(write_sysctl({"net", "ipv6", "conf", name, "accept_ra"}, "0"));
  return write_sysctl({"net", "ipv6", "conf", name, "autoconf"}, "0");
}
Result<void> undo(System& system, const CreateBridge& change) {
  return system.netlink.delete_link(change.network.bridge);
}

Result<void> apply(System& system, const DeleteBridge& change) {
  return system.netlink.delete_link(change.bridge);
}

Result<void> load_gateway_programs(System& system, const Network& network, std::uint16_t slot) {
  VNET_ASSIGN(Datapath * datapath, system.need_datapath());
  VNET_ASSIGN(auto link, system.netlink.link(network.bridge));
  VNET_TRY(datapath->load_network(network.name, {.slot = slot,
                                                 .gateway_ifindex = link.ifindex,
                                                 .gateway_mac = link.mac,
                                                 .flags = program_flags(network),
                                                 .gateway4 = gateway_of(network, Family::V4),
                                                 .gateway6 = gateway_of(network, Family::V6),
                                                 .needs_bridge = true}));
  return datapath->attach({Role::Gateway, network.name, network.bridge, link.ifindex});
}

Result<void> apply(System& system, const AttachGateway& change) {
  VNET_TRY(clear_leftovers(system, change.slot));
  return bring_up_programs(system, change.network, change.slot);
}
Result<void> undo(System& system, const AttachGateway& change) {
  return take_down_programs(system, change.network, change.slot);
}

// With programs that are loaded anew the ports would have others than their network's.
Result<void> apply(System& system, const ReattachGateway& change) {
  const Network& network = change.network;
  if (!system.datapath ||
      !system.datapath->attach({Role::Gateway, network.name, network.bridge, change.ifindex}))
    return bring_up_programs(system, network, change.slot);
  return write_device(system.datapath->maps(), change.ifindex,
                      {.role = VNET_DEVICE_GATEWAY, .slot = change.slot});
}

Result<void> apply(System& system, const UnloadGateway& change) {
  return take_down_programs(system, change.network, change.slot);
}

// No other host can have the gateway's address on a bridge that has just been made; waiting for duplicate
// address detection would only delay dnsmasq's router advertisements.
Result<void> apply(System& system, const GiveAddresses& change) {
  VNET_ASSIGN(auto link, system.netlink.link(change.network.bridge));
  for (const auto& ip : change.network.ips)
    VNET_TRY(system.netlink.add_address(link.ifindex, ip.gateway, {.nodad = true}));
  return system.netlink.set_up(link.ifindex);
}

Result<void> apply(System& system, const AddRoute& change) {
  VNET_ASSIGN(auto link, system.netlink.link(change.network.bridge));
  return system.netlink.add_route(to_route(change.route, link.ifindex));
}
Result<void> undo(System& system, const AddRoute& change) {
  return apply(system, RemoveRoute{change.network, change.route});
}

// The kernel may have taken it away with the address that it was reached by.
Result<void> apply(System& system, const RemoveRoute& change) {
  VNET_ASSIGN(auto link, system.netlink.find_link(change.network.bridge));
  return link ? system.netlink.delete_route(to_route(change.route, link->ifindex)) : Result<void>{};
}
Result<void> undo(System& system, const RemoveRoute& change) {
  return apply(system, AddRoute{change.network, change.route});
}

}  // namespace vnet
