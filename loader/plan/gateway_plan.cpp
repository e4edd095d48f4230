// SPDX-License-Identifier: GPL-2.0-or-later
// Networks with a gateway of ours (NAT, routed, isolated, open): a Linux bridge with the host's addresses.
// The order is the safety: nothing is forwarded before the programs that judge it are attached, and they go
// last.
#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "loader/bpf/map_address.h"
#include "loader/os/sysctl.h"
#include "loader/plan/entries.h"
#include "loader/plan/guards.h"
#include "loader/plan/modes.h"
#include "loader/plan/subnets.h"

namespace vnet {
namespace {

// Forwarding switches the kernel to ignoring router advertisements unless accept_ra is 2.
Result<void> check_router_advertisements(Context& context, const Network& network) {
  if (!network.has(Family::V6) || network.mode == Mode::Isolated) return {};
  VNET_ASSIGN(auto forwarding, read_sysctl("net.ipv6.conf.all.forwarding"));
  if (forwarding && *forwarding == "1") return {};
  VNET_ASSIGN(auto routes, context.netlink.routes());
  for (const auto& route : routes) {
    if (route.family != Family::V6 || route.protocol != RTPROT_RA || !route.oif) continue;
    VNET_ASSIGN(auto link, context.netlink.find_link(route.oif));
    if (!link) continue;
    VNET_ASSIGN(auto accept, read_sysctl({"net", "ipv6", "conf", link->name, "accept_ra"}));
    if (accept && *accept == "1")
      return failed(fmt::format(
          "network {}: {} has routes from router advertisements, which IPv6 forwarding would take away; set "
          "`sysctl net.ipv6.conf.{}.accept_ra=2` first",
          network.name, link->name, link->name));
  }
  return {};
}

std::uint32_t program_flags(const Network& network) {
  std::uint32_t flags = 0;
  switch (network.mode) {
    case Mode::Nat:
      flags |= VNET_NETWORK_F_MASQUERADE4;
      if (network.nat.ipv6) flags |= VNET_NETWORK_F_MASQUERADE6;
      break;
    case Mode::Open:
      flags |= VNET_NETWORK_F_OPEN | VNET_NETWORK_F_VISIBLE;
      break;
    case Mode::Route:
      flags |= VNET_NETWORK_F_VISIBLE;
      break;
    default:
      flags |= VNET_NETWORK_F_ISOLATED;
  }
  if (network.settings.host_access == HostAccess::Services) flags |= VNET_NETWORK_F_HOST_SERVICES;
  if (network.settings.host_access == HostAccess::None) flags |= VNET_NETWORK_F_HOST_CLOSED;
  if (network.settings.host_firewall == HostFirewall::Bypass) flags |= VNET_NETWORK_F_BYPASS;
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
Result<std::uint32_t> vrf_of(Context& context, const LinkInfo& link) {
  VNET_ASSIGN(auto master, context.netlink.find_link(link.master));
  return master && master->kind == "vrf" ? static_cast<std::uint32_t>(master->ifindex) : 0;
}

// Programs and maps of the network, attached to its gateway. Others believe that it is one when that has been
// seen.
Result<void> bring_up_programs(Context& context, const Network& network, std::uint16_t slot) {
  VNET_ASSIGN(Datapath * datapath, context.need_datapath());
  VNET_ASSIGN(auto link, context.netlink.link(network.bridge));
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
      erase_device(maps, gone);
      remove_members(maps, gone);
    }
  }
  vnet_network entry{};
  entry.gateway_ifindex = static_cast<__u32>(link.ifindex);
  VNET_ASSIGN(entry.gateway_vrf, vrf_of(context, link));
  entry.flags = programs.flags;
  entry.max_sessions = network.settings.max_sessions;
  entry.max_sessions_per_port = network.settings.max_sessions_per_port;
  entry.new_flows = network.settings.new_flows;
  entry.link_protocols = network.settings.link_protocols;
  VNET_TRY(fill_port_spans(network, entry));
  if (!network.devices.empty()) {
    VNET_ASSIGN(auto uplink, context.netlink.link(network.devices.front()));
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

void take_down_programs(Context& context, const Network& network, std::uint16_t slot) {
  if (!context.datapath) return;
  auto& maps = context.datapath->maps();
  auto entry = maps.networks.get(slot);
  if (entry && entry->gateway_ifindex) {
    auto gateway = static_cast<int>(entry->gateway_ifindex);
    erase_device(maps, gateway);
    remove_members(maps, gateway);
    (void)context.datapath->detach(network.bridge, gateway);
  }
  erase_subnets(maps, slot);
  for (const auto& forward : network.settings.port_forwards) (void)maps.forwards.erase(forward_key(forward));
  forget_network(maps, slot);
  context.datapath->unload_network(network.name);
}

// Another network may have forwarded ports that this one wants, too.
Result<void> check_port_forwards(Context& context, const Network& network) {
  VNET_ASSIGN(auto active, active_networks(context));
  for (const auto& other : active)
    for (const auto& theirs : other.network.settings.port_forwards)
      for (const auto& ours : network.settings.port_forwards)
        if (other.network.name != network.name && theirs.proto == ours.proto && theirs.port == ours.port &&
            theirs.to.family == ours.to.family)
          return failed(fmt::format("network {}: <vnet:portForward> {}/{} is taken by network {}",
                                    network.name, ours.proto, ours.port, other.network.name));
  return {};
}

// Whether the host must forward for it.
bool is_routed(const Network& network) {
  return network.mode == Mode::Nat || network.mode == Mode::Route || network.mode == Mode::Open;
}

Result<void> restore_sysctls(Context& context) {
  VNET_ASSIGN(auto previous, context.records.sysctls());
  for (const auto& [key, value] : previous) VNET_TRY(write_sysctl(key, value));
  return context.records.save_sysctls({});
}

void plan_sysctls(Plan& plan, Context& context, const Network& network) {
  if (!is_routed(network)) return;
  auto wanted = std::vector<std::string>{};
  if (network.has(Family::V4)) wanted.emplace_back("net.ipv4.ip_forward");
  if (network.has(Family::V6)) wanted.emplace_back("net.ipv6.conf.all.forwarding");
  for (const auto& key : wanted) {
    auto value = read_sysctl(key);
    if (value && *value && **value == "1") continue;
    plan.add(
        fmt::format("set sysctl {}=1", key),
        [&context, key]() -> Result<void> {
          VNET_ASSIGN(auto previous, context.records.sysctls());
          VNET_ASSIGN(auto before, read_sysctl(key));
          if (before && *before != "1" && !previous.contains(key)) {
            previous[key] = *before;
            VNET_TRY(context.records.save_sysctls(previous));
          }
          return write_sysctl(key, "1");
        },
        [&context] {
          auto networks = context.records.networks();
          if (networks && networks->size() <= 1) (void)restore_sysctls(context);  // nobody else forwards
        });
  }
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
// bridge; there two of those reach each other, and nobody else.
Result<void> make_gateway(Context& context, const Network& network) {
  BridgeOptions options{.stp = network.stp, .forward_delay_seconds = network.delay_seconds};
  options.vlan_filtering = true;
  options.default_pvid = 0;
  if (context.netlink.create_bridge(network.bridge, *network.mac, network.mtu, options)) return {};
  options.vlan_filtering = false;
  options.default_pvid.reset();
  VNET_TRY(context.netlink.create_bridge(network.bridge, *network.mac, network.mtu, options));
  return {};
}

void plan_gateway(Plan& plan, Context& context, const Network& network) {
  plan.add(
      fmt::format("create bridge {} ({})", network.bridge, network.mac->text()),
      [&context, network]() -> Result<void> {
        VNET_ASSIGN(auto there, context.netlink.find_link(network.bridge));
        if (!there) VNET_TRY(make_gateway(context, network));
        // As libvirt: without an IPv6 address the gateway takes no part in IPv6.
        const auto& name = network.bridge;
        VNET_TRY(
            write_sysctl({"net", "ipv6", "conf", name, "disable_ipv6"}, network.has(Family::V6) ? "0" : "1"));
        VNET_TRY(write_sysctl({"net", "ipv6", "conf", name, "accept_ra"}, "0"));
        return write_sysctl({"net", "ipv6", "conf", name, "autoconf"}, "0");
      },
      [&context, network] { (void)context.netlink.delete_link(network.bridge); });
}

void plan_addresses(Plan& plan, Context& context, const Network& network) {
  std::string texts;
  for (const auto& ip : network.ips) texts += (texts.empty() ? "" : ", ") + ip.gateway.text();
  plan.add(fmt::format("give {} the addresses {} and set it up", network.bridge, texts),
           [&context, network]() -> Result<void> {
             VNET_ASSIGN(auto link, context.netlink.link(network.bridge));
             // Nobody else can have the gateway's address on a bridge that we have just made; waiting for
             // duplicate address detection would only delay dnsmasq's router advertisements.
             for (const auto& ip : network.ips)
               VNET_TRY(context.netlink.add_address(link.ifindex, ip.gateway, {.nodad = true}));
             return context.netlink.set_up(link.ifindex);
           });
  for (const auto& route : network.routes)
    plan.add(fmt::format("route {} through {}", route.destination.text(), route.gateway.text()),
             [&context, network, route]() -> Result<void> {
               VNET_ASSIGN(auto link, context.netlink.link(network.bridge));
               return context.netlink.add_route(to_route(route, link.ifindex));
             });
}

std::vector<Network> networks_of(const std::vector<ActiveNetwork>& active) {
  std::vector<Network> networks;
  for (const auto& one : active) networks.push_back(one.network);
  return networks;
}

}  // namespace

Result<void> check_gateway(Context& context, const Network& network, bool ours) {
  VNET_ASSIGN(auto bridge, context.netlink.find_link(network.bridge));
  if (bridge && !ours)
    return failed(fmt::format(
        "network {}: an interface {} exists already and is not ours; is libvirt's network running (virsh "
        "net-destroy)? Otherwise give the network another <bridge name>",
        network.name, network.bridge));
  for (const auto& device : network.devices) {
    VNET_ASSIGN(auto link, context.netlink.find_link(device));
    if (!link) return not_found(fmt::format("network {}: there is no interface {}", network.name, device));
  }
  VNET_TRY(check_subnets_free(context, network));
  VNET_TRY(check_router_advertisements(context, network));
  return check_port_forwards(context, network);
}

Result<Plan> plan_gateway_up(Context& context, const Network& network, std::uint16_t slot,
                             const std::vector<ActiveNetwork>& others) {
  Plan plan;
  plan_gateway(plan, context, network);
  plan.add(
      fmt::format("attach to {}: gateway of {}", network.bridge, network.name),
      [&context, network, slot] { return bring_up_programs(context, network, slot); },
      [&context, network, slot] { take_down_programs(context, network, slot); });
  auto all = networks_of(others);
  all.push_back(network);
  VNET_ASSIGN(auto uplinks, plan_uplinks(context, all));
  plan.append(std::move(uplinks));
  plan_fence(plan, context, all);
  plan_addresses(plan, context, network);
  plan_sysctls(plan, context, network);
  VNET_ASSIGN(auto dnsmasq, plan_dnsmasq(context, network));
  plan.append(std::move(dnsmasq));
  return plan;
}

Result<Plan> plan_gateway_heal(Context& context, const ActiveNetwork& active) {
  Plan plan;
  const Network& network = active.network;
  VNET_ASSIGN(auto link, context.netlink.find_link(network.bridge));
  if (!link || !context.datapath) return plan;
  auto entry = context.datapath->maps().networks.get(active.record.slot);
  bool ours = entry && entry->gateway_ifindex == static_cast<__u32>(link->ifindex);
  if (!ours) return plan;
  VNET_ASSIGN(auto added, plan_added_addresses(context, active, link->ifindex));
  plan.append(std::move(added));
  if (is_gateway_guarded(context, active, link->ifindex)) return plan;
  plan.add(fmt::format("attach to {} again: gateway of {}", network.bridge, network.name),
           [&context, network, slot = active.record.slot, ifindex = link->ifindex]() -> Result<void> {
             // With programs that are loaded anew the ports would have others than their network's.
             if (!context.datapath->attach({Role::Gateway, network.name, network.bridge, ifindex}))
               return bring_up_programs(context, network, slot);
             return write_device(context.datapath->maps(), ifindex,
                                 {.role = VNET_DEVICE_GATEWAY, .slot = slot});
           });
  return plan;
}

Result<Plan> plan_gateway_down(Context& context, const Network& network, std::uint16_t slot,
                               const std::vector<ActiveNetwork>& others) {
  Plan plan;
  if (context.dnsmasq(network.name).running())
    plan.add(fmt::format("stop dnsmasq on {}", network.bridge),
             [&context, name = network.name] { return context.dnsmasq(name).stop(); });
  plan.add(fmt::format("delete bridge {}", network.bridge),
           [&context, network] { return context.netlink.delete_link(network.bridge); });
  plan.add(fmt::format("unload the programs of {}", network.name),
           [&context, network, slot]() -> Result<void> {
             take_down_programs(context, network, slot);
             return {};
           });
  VNET_ASSIGN(auto uplinks, plan_uplinks(context, networks_of(others)));
  plan.append(std::move(uplinks));
  plan_fence(plan, context, networks_of(others));
  if (std::ranges::none_of(others, [](const ActiveNetwork& other) { return is_routed(other.network); })) {
    VNET_ASSIGN(auto previous, context.records.sysctls());
    for (const auto& [key, value] : previous)
      plan.add(fmt::format("set sysctl {}={} again", key, value),
               [&context] { return restore_sysctls(context); });
  }
  return plan;
}

}  // namespace vnet
