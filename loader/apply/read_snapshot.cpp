// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/apply/read_snapshot.h"

#include <linux/rtnetlink.h>

#include <algorithm>

#include "loader/apply/fence.h"
#include "loader/apply/guards.h"
#include "loader/apply/read_outdated.h"
#include "loader/apply/subnets.h"
#include "loader/base/files.h"
#include "loader/bpf/block_list.h"
#include "loader/bpf/map_address.h"
#include "loader/bpf/socket_redirect.h"
#include "loader/bus/firewalld.h"
#include "loader/bus/resolved.h"
#include "loader/config/network_xml.h"
#include "loader/firewall/passes.h"
#include "loader/netlink/bridge_filters.h"
#include "loader/netlink/xdp_features.h"
#include "loader/os/host_sockets.h"
#include "loader/os/sysctl.h"
#include "loader/services/leases.h"

namespace vnet {
namespace {

Result<void> read_records(System& system, Snapshot& snapshot) {
  snapshot.definitions_folder = system.dirs.definitions();
  snapshot.autostart_folder = system.dirs.autostart();
  VNET_ASSIGN(snapshot.definitions, read_definitions(system.dirs));
  for (const auto& network : snapshot.definitions) {
    std::error_code error;
    if (std::filesystem::is_symlink(system.dirs.autostart() / (network.name + ".xml"), error))
      snapshot.autostart.insert(network.name);
  }
  VNET_ASSIGN(snapshot.active, active_networks(system));
  VNET_ASSIGN(snapshot.ports, system.records.ports());
  VNET_ASSIGN(snapshot.guest_ports, guest_ports(system));
  VNET_ASSIGN(snapshot.uplinks, system.records.uplinks());
  VNET_ASSIGN(snapshot.parents, system.records.parents());
  VNET_ASSIGN(snapshot.changed_sysctls, system.records.sysctls());
  VNET_ASSIGN(auto list, BlockList::open(system.dirs.pins()));
  if (list)
    for (const auto& prefix : list->all()) snapshot.blocked.insert(prefix);
  return {};
}

Result<void> read_sysctl_into(Snapshot& snapshot, const std::string& name, const SysctlKey& key) {
  VNET_ASSIGN(auto value, read_sysctl(key));
  if (value) snapshot.sysctls[name] = *value;
  return {};
}

}  // namespace

void read_sockets(Snapshot& snapshot, const std::vector<PortForward>& more) {
  std::vector<PortForward> forwards = more;
  const auto add = [&](const Network& network) {
    const auto& those = network.settings.port_forwards;
    forwards.insert(forwards.end(), those.begin(), those.end());
  };
  for (const auto& network : snapshot.definitions) add(network);
  for (const auto& active : snapshot.active) add(active.network);
  if (forwards.empty()) return;
  snapshot.sockets = host_sockets([&](const HostSocket& socket) {
    return std::ranges::any_of(forwards,
                               [&](const PortForward& forward) { return is_in_the_way(socket, forward); });
  });
}

namespace {

Result<void> read_kernel(System& system, Snapshot& snapshot) {
  VNET_ASSIGN(snapshot.links, system.netlink.links());
  VNET_ASSIGN(snapshot.addresses, system.netlink.addresses());
  VNET_ASSIGN(snapshot.routes, system.netlink.routes());
  VNET_ASSIGN(snapshot.default_links, system.netlink.default_route_links());
  for (const char* name : {"net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"})
    VNET_TRY(read_sysctl_into(snapshot, name, name));
  for (const auto& route : snapshot.routes) {
    const LinkInfo* link = route.protocol == RTPROT_RA ? snapshot.link(route.oif) : nullptr;
    if (link)
      VNET_TRY(read_sysctl_into(snapshot, accept_ra_of(link->name),
                                {"net", "ipv6", "conf", link->name, "accept_ra"}));
  }
  auto any = [&](auto which) {
    return std::ranges::any_of(snapshot.active, which, &ActiveNetwork::network) ||
           std::ranges::any_of(snapshot.definitions, which);
  };
  if (any(is_bridged)) {
    VNET_ASSIGN(auto filters, bridge_filters());
    snapshot.bridges_are_filtered = !filters.empty();
  }
  if (any([](const Network& network) { return network.settings.xdp == XdpMode::Forward; }))
    snapshot.xdp_features = xdp_features();
  return {};
}

void read_maps(SharedMaps& maps, Snapshot& snapshot) {
  for (const auto& active : snapshot.active)
    if (auto entry = maps.networks.get(active.record.slot))
      snapshot.entries[active.record.slot] = {.bridge = static_cast<int>(entry->gateway_ifindex),
                                              .flags = entry->flags,
                                              .entered = entry->max_sessions != 0};
  maps.devices.for_each([&](const __u32& key, const vnet_device& device) {
    auto ifindex = static_cast<int>(key);
    if (maps.trusted_devices.get(key)) snapshot.devices[ifindex] = static_cast<vnet_device_role>(device.role);
    if (device.role != VNET_DEVICE_UPLINK) return;
    for (const auto& addr : {device.addr4, device.addr6})
      if (addr.word_be[0] || addr.word_be[3]) snapshot.uplink_addresses[ifindex].push_back(to_address(addr));
  });
  for (const auto& address : maps.host_addresses.keys()) snapshot.host_addresses.insert(to_address(address));
  for (__u32 ifindex : maps.xdp_targets.keys()) snapshot.xdp_targets.insert(static_cast<int>(ifindex));
  maps.subnets.for_each([&](const vnet_subnet_key& key, const vnet_subnet& subnet) {
    snapshot.subnets.emplace_back(to_prefix(key), subnet.network);
  });
}

std::vector<std::string> filters_of(std::uint32_t flags) {
  if (flags & VNET_PORT_F_CLEAN) return {"clean-traffic"};
  std::vector<std::string> filters;
  for (auto [flag, name] : {std::pair{VNET_PORT_F_NO_MAC_SPOOFING, "no-mac-spoofing"},
                            {VNET_PORT_F_NO_IP_SPOOFING, "no-ip-spoofing"},
                            {VNET_PORT_F_NO_ARP_SPOOFING, "no-arp-spoofing"}})
    if (flags & static_cast<std::uint32_t>(flag)) filters.emplace_back(name);
  return filters;
}

// A port whose record is damaged, as its map entry has it: neither is it opened, nor is it in the way.
std::optional<PortRecord> salvage(const std::string& interface, SharedMaps& maps, const Snapshot& snapshot) {
  const LinkInfo* link = snapshot.link(interface);
  auto entry = link ? maps.ports.get(static_cast<__u32>(link->ifindex)) : std::nullopt;
  if (!entry) return std::nullopt;
  auto active = std::ranges::find(snapshot.active, entry->network,
                                  [](const ActiveNetwork& each) { return each.record.slot; });
  if (active == snapshot.active.end() || is_direct(active->network)) return std::nullopt;
  PortRecord record;
  record.interface = interface;
  record.network = active->network.name;
  record.ifindex = link->ifindex;
  record.slot = entry->slot;
  record.settled = true;
  record.any_mac = !(entry->flags & VNET_PORT_F_MAC);
  if (!*record.any_mac) record.mac.emplace();
  if (record.mac) std::ranges::copy(entry->mac, record.mac->bytes.begin());
  record.plugged = !(entry->flags & VNET_PORT_F_DOWN);
  record.isolated = (entry->flags & VNET_PORT_F_ISOLATED) != 0;
  record.filters = filters_of(entry->flags);
  record.inbound = entry->flags & VNET_PORT_F_SHUT          ? Inbound::Drop
                   : entry->flags & VNET_PORT_F_ESTABLISHED ? Inbound::Established
                                                            : Inbound::Accept;
  return record;
}

// Or the reason why not; the program may have been taken away.
bool has_its_xdp(const Datapath& datapath, const UplinkRecord& record) {
  return record.xdp.mode == XdpMode::Off || !record.xdp_why.empty() ||
         datapath.uplink_xdp(record.interface, record.ifindex).how != XdpHow::Not;
}

Result<void> read_datapath(System& system, Snapshot& snapshot) {
  std::vector<Network> networks;
  for (const auto& active : snapshot.active) networks.push_back(active.network);
  VNET_ASSIGN(snapshot.fence, fence_stands(system, networks));
  if (!networks.empty()) snapshot.fence_is_table = fence_is_table();
  for (const auto& active : snapshot.active)
    if (system.dnsmasq(active.network.name).running()) snapshot.services.insert(active.network.name);
  if (!system.datapath) return {};
  snapshot.datapath = true;
  read_maps(system.datapath->maps(), snapshot);
  VNET_ASSIGN(auto damaged, system.records.damaged_ports());
  for (const auto& interface : damaged)
    if (auto record = salvage(interface, system.datapath->maps(), snapshot))
      snapshot.ports.push_back(std::move(*record));
  snapshot.socket_redirect = SocketRedirect::stands(*system.datapath);
  VNET_ASSIGN(snapshot.outdated, read_outdated(system));
  for (const auto& active : snapshot.active)
    if (const LinkInfo* bridge = snapshot.link(active.network.bridge);
        bridge && has_gateway(active.network) && is_gateway_guarded(system, active, bridge->ifindex))
      snapshot.guarded_networks.insert(active.network.name);
  for (const auto& port : snapshot.ports)
    if (const ActiveNetwork* active = snapshot.network(port.network);
        active && is_guarded(system, port, active->network))
      snapshot.guarded_ports.insert(port.interface);
  for (const auto& uplink : snapshot.uplinks) {
    if (is_uplink_guarded(system, uplink)) snapshot.guarded_uplinks.insert(uplink.interface);
    if (has_its_xdp(*system.datapath, uplink)) snapshot.uplinks_with_xdp.insert(uplink.interface);
  }
  for (const auto& parent : snapshot.parents)
    if (is_parent_guarded(system, parent)) snapshot.guarded_parents.insert(parent.interface);
  return {};
}

bool has_several_subnets(const Network& network) {
  auto count = [&](Family family) {
    return std::ranges::count_if(network.ips,
                                 [&](const IpConfig& ip) { return ip.gateway.address.family == family; });
  };
  return count(Family::V4) > 1 || count(Family::V6) > 1;
}

Result<void> read_guest_addresses(System& system, Snapshot& snapshot) {
  for (const auto& active : snapshot.active) {
    const LinkInfo* bridge = snapshot.link(active.network.bridge);
    if (!bridge || !has_several_subnets(active.network)) continue;
    auto& addresses = snapshot.guest_addresses[active.network.name];
    VNET_ASSIGN(auto neighbours, system.netlink.neighbours(bridge->ifindex));
    for (const auto& neighbour : neighbours) addresses.insert(neighbour.address);
    VNET_ASSIGN(auto text, read_file(system.dirs.leases() / (active.network.name + ".leases")));
    if (text)
      for (const auto& lease : parse_leases(*text, active.network)) addresses.insert(lease.ip);
  }
  return {};
}

// What does not answer is as good as not there: `doctor` tells of it, and no guest waits for it.
void read_host_services(Snapshot& snapshot) {
  std::set<std::string> gateways;
  bool any_names = false;
  auto add = [&](const Network& network) {
    if (has_gateway(network)) gateways.insert(network.bridge);
    any_names = any_names || registers_names(network);
  };
  for (const auto& network : snapshot.definitions) add(network);
  for (const auto& active : snapshot.active) add(active.network);
  if (auto passes = read_passes()) snapshot.passes = std::move(*passes);
  snapshot.firewalld = read_firewalld({gateways.begin(), gateways.end()});
  if (!any_names) return;
  std::map<std::string, int> ifindexes;
  for (const auto& gateway : gateways)
    if (const LinkInfo* link = snapshot.link(gateway)) ifindexes[gateway] = link->ifindex;
  snapshot.resolver = read_link_names(ifindexes);
}

}  // namespace

Result<std::vector<Network>> read_definitions(const StateDir& dirs) {
  std::vector<Network> all;
  VNET_ASSIGN(auto files, list_files(dirs.definitions(), ".xml"));
  for (const auto& file : files) {
    VNET_ASSIGN(auto text, read_file(dirs.definitions() / file));
    if (!text) continue;
    VNET_ASSIGN(auto network, parse_network(*text, (dirs.definitions() / file).string()));
    all.push_back(std::move(network));
  }
  std::ranges::sort(all, {}, &Network::name);
  return all;
}

Result<Snapshot> read_snapshot(System& system) {
  Snapshot snapshot;
  VNET_TRY(read_records(system, snapshot));
  VNET_TRY(read_kernel(system, snapshot));
  VNET_TRY(read_datapath(system, snapshot));
  VNET_TRY(read_guest_addresses(system, snapshot));
  read_host_services(snapshot);
  return snapshot;
}

}  // namespace vnet
