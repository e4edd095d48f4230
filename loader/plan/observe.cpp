// SPDX-License-Identifier: GPL-2.0-or-later
// What stands, of a snapshot.
#include <algorithm>

#include "loader/config/network_xml.h"
#include "loader/plan/resources.h"

namespace vnet {
namespace {

NetworkResource observe_network(const Snapshot& snapshot, const ActiveNetwork& active) {
  const auto& [record, network] = active;
  NetworkResource resource{.slot = record.slot, .xml = record.xml, .complete = record.complete};
  resource.guarded = !has_gateway(network) || snapshot.guarded_networks.contains(network.name);
  resource.added = record.added;
  if (is_bridged(network))
    if (const NetworkEntry* entry = snapshot.entry(record.slot)) resource.bridged_flags = entry->flags;
  resource.dnsmasq = snapshot.services.contains(network.name);
  return resource;
}

UplinkResource observe_uplink(const Snapshot& snapshot, const UplinkRecord& record) {
  auto addresses = snapshot.uplink_addresses.find(record.ifindex);
  return {
      .network = record.network,
      .ifindex = record.ifindex,
      .slot = record.slot,
      .xdp = record.xdp,
      .primary = record.primary,
      .guarded = snapshot.guarded_uplinks.contains(record.interface) &&
                 snapshot.uplinks_with_xdp.contains(record.interface),
      .addresses = addresses == snapshot.uplink_addresses.end() ? std::vector<Address>{} : addresses->second};
}

ParentResource observe_parent(const Snapshot& snapshot, const ParentRecord& record) {
  const LinkInfo* link = snapshot.link(record.interface);
  bool as_it_was = link && link->ifindex == record.ifindex && link->promiscuous &&
                   (record.own_mac || link->mac == record.mac);
  return {.ifindex = record.ifindex,
          .slot = record.slot,
          .passthrough = record.passthrough,
          .guarded = as_it_was && snapshot.guarded_parents.contains(record.interface)};
}

// An interface that has been made anew, or an interrupted attach, is gone through again from the start.
PortResource observe_port(const Snapshot& snapshot, const PortRecord& record) {
  const LinkInfo* link = snapshot.link(record.interface);
  bool in_place = record.settled && !record.leaving && link && link->ifindex == record.ifindex &&
                  (link->master || !record.parent.empty()) &&
                  snapshot.guarded_ports.contains(record.interface);
  return {
      .record = record, .in_place = in_place, .xdp_target = snapshot.xdp_targets.contains(record.ifindex)};
}

}  // namespace

Resources observe(const Snapshot& snapshot) {
  Resources now;
  for (const auto& network : snapshot.definitions)
    now.definitions[network.name] = {.xml = format_network(network),
                                     .autostart = snapshot.autostart.contains(network.name)};
  for (const auto& active : snapshot.active)
    now.networks[active.network.name] = observe_network(snapshot, active);
  for (const auto& record : snapshot.uplinks)
    now.uplinks[record.interface] = observe_uplink(snapshot, record);
  for (const auto& record : snapshot.parents)
    now.parents[record.interface] = observe_parent(snapshot, record);
  for (const auto& record : snapshot.ports) now.ports[record.interface] = observe_port(snapshot, record);
  for (const auto& [ifindex, role] : snapshot.devices)
    if (role == VNET_DEVICE_VRF) now.vrfs.insert(ifindex);
  for (const auto& [sysctl, before] : snapshot.changed_sysctls) now.forwarding.insert(sysctl);
  now.blocked = snapshot.blocked;
  now.socket_redirect = snapshot.socket_redirect;
  now.host_addresses = snapshot.host_addresses;
  for (const auto& state : snapshot.passes)
    if (!state.rules.empty() || !state.in_place) now.passes[state.table] = {state.rules, state.in_place};
  if (snapshot.firewalld) now.zones = snapshot.firewalld->zone_of;
  if (snapshot.resolver) now.link_names = *snapshot.resolver;
  now.outdated = snapshot.outdated;
  now.fence = snapshot.fence && std::ranges::any_of(snapshot.active, [](const ActiveNetwork& active) {
                return has_gateway(active.network);
              });
  return now;
}

}  // namespace vnet
