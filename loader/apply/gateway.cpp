// SPDX-License-Identifier: GPL-2.0-or-later
// A gateway of ours: the bridge, its programs, what they are told, and the addresses.
#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "loader/apply/apply.h"
#include "loader/apply/entries.h"
#include "loader/apply/subnets.h"
#include "loader/bpf/map_address.h"
#include "loader/os/sysctl.h"

namespace vnet {
namespace {

std::uint32_t program_flags(const Network& network) {
  const ModeSpec& mode = mode_spec(network.mode);
  std::uint32_t flags = 0;
  auto set = [&](bool condition, std::uint32_t flag) { flags |= condition ? flag : 0; };
  set(mode.masquerades, VNET_NETWORK_F_MASQUERADE4);
  set(mode.masquerades && network.nat.ipv6, VNET_NETWORK_F_MASQUERADE6);
  set(mode.is_visible, VNET_NETWORK_F_VISIBLE);
  set(mode.any_uplink, VNET_NETWORK_F_OPEN);
  set(!mode.is_routed, VNET_NETWORK_F_ISOLATED);
  set(network.settings.host_access == HostAccess::Services, VNET_NETWORK_F_HOST_SERVICES);
  set(network.settings.host_access == HostAccess::None, VNET_NETWORK_F_HOST_CLOSED);
  set(network.settings.host_firewall == HostFirewall::Bypass, VNET_NETWORK_F_BYPASS);
  return flags;
}

std::uint32_t v4_number(const Address& address) {
  std::uint32_t number;
  std::memcpy(&number, address.bytes.data(), sizeof(number));
  return ntohl(number);
}

// The ports to masquerade to: what the XML names, else everything above the privileged ones; others than the
// guest's own are looked for where the host's connections are not.
Result<void> fill_port_spans(const Network& network, vnet_network& entry) {
  constexpr vnet_port_span none{1, 0};
  if (network.nat.ports) {
    entry.ports[0] = {network.nat.ports->start, network.nat.ports->end};
    entry.ports[1] = none;
    entry.keep = entry.ports[0];
    return {};
  }
  entry.keep = {1024, 65535};
  VNET_ASSIGN(auto ephemeral, ephemeral_port_range());
  auto first = std::max<unsigned>(ephemeral.start, 1024);
  entry.ports[0] = {1024, static_cast<__u16>(first - 1)};
  entry.ports[1] =
      ephemeral.end < 65535
          ? vnet_port_span{static_cast<__u16>(std::max<unsigned>(ephemeral.end + 1U, 1024)), 65535}
          : none;
  if (entry.ports[0].first > entry.ports[0].last && entry.ports[1].first > entry.ports[1].last)
    return failed(
        "net.ipv4.ip_local_port_range leaves no port to masquerade to; narrow it, or name a range in "
        "<nat><port>");
  return {};
}

vnet_forward_key forward_key(const PortForward& forward) {
  return {.port_be = htons(forward.port),
          .proto = static_cast<__u8>(forward.proto == "tcp" ? IPPROTO_TCP : IPPROTO_UDP),
          .family = static_cast<__u8>(forward.to.family == Family::V4 ? 4 : 6)};
}

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
  NetworkPrograms programs{.slot = slot,
                           .gateway_ifindex = link.ifindex,
                           .gateway_mac = link.mac,
                           .flags = program_flags(network),
                           .needs_bridge = true};
  for (const auto& ip : network.ips) {
    auto& gateway = ip.gateway.address.family == Family::V4 ? programs.gateway4 : programs.gateway6;
    if (!gateway) gateway = ip.gateway.address;
  }
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
  entry.flags = programs.flags;
  entry.max_sessions = network.settings.max_sessions;
  entry.max_sessions_per_port = network.settings.max_sessions_per_port;
  entry.new_flows = network.settings.new_flows;
  entry.link_protocols = network.settings.link_protocols;
  VNET_TRY(fill_port_spans(network, entry));
  if (!network.devices.empty()) {
    VNET_ASSIGN(auto uplink, system.netlink.link(network.devices.front()));
    entry.uplink_ifindex = static_cast<__u32>(uplink.ifindex);
  }
  if (network.nat.addresses) {
    entry.nat_first = v4_number(network.nat.addresses->start);
    entry.nat_last = v4_number(network.nat.addresses->end);
  }
  VNET_TRY(maps.networks.set(slot, entry));
  VNET_TRY(write_subnets(maps, network, slot));
  for (const auto& forward : network.settings.port_forwards)
    VNET_TRY(maps.forwards.set(
        forward_key(forward),
        {.to = from_address(forward.to), .port_be = htons(forward.to_port), .network = slot}));
  VNET_TRY(datapath->load_network(network.name, programs));
  VNET_TRY(datapath->attach({Role::Gateway, network.name, network.bridge, link.ifindex}));
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
  }
  VNET_TRY(erase_subnets(maps, slot));
  for (const auto& forward : network.settings.port_forwards)
    VNET_TRY(maps.forwards.erase(forward_key(forward)));
  VNET_TRY(forget_network(maps, slot));
  system.datapath->unload_network(network.name);
  return {};
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

Result<void> apply(System& system, const AttachGateway& change) {
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

}  // namespace vnet
