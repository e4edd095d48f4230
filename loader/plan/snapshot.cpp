// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/plan/snapshot.h"

#include <linux/rtnetlink.h>

#include <algorithm>

namespace vnet {
namespace {

const auto* find(const auto& all, const auto& key, auto projection) {
  auto found = std::ranges::find(all, key, projection);
  return found == all.end() ? nullptr : &*found;
}

// Every interface has routes of its link's own: nothing is routed by those.
bool stays_on_link(const RouteInfo& route) {
  if (!route.destination || route.family == Family::V4) return false;
  const auto& bytes = route.destination->address.bytes;
  return bytes[0] == 0xff || (bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80);
}

}  // namespace

const LinkInfo* Snapshot::link(const std::string& name) const {
  return find(links, name, &LinkInfo::name);
}
const LinkInfo* Snapshot::link(int ifindex) const {
  return find(links, ifindex, &LinkInfo::ifindex);
}
const Network* Snapshot::definition(const std::string& name) const {
  return find(definitions, name, &Network::name);
}
const ActiveNetwork* Snapshot::network(const std::string& name) const {
  return find(active, name, [](const ActiveNetwork& one) { return one.network.name; });
}
const PortRecord* Snapshot::port(const std::string& interface) const {
  return find(ports, interface, &PortRecord::interface);
}
const UplinkRecord* Snapshot::uplink(const std::string& interface) const {
  return find(uplinks, interface, &UplinkRecord::interface);
}
const ParentRecord* Snapshot::parent(const std::string& interface) const {
  return find(parents, interface, &ParentRecord::interface);
}

const NetworkEntry* Snapshot::entry(std::uint16_t slot) const {
  auto found = entries.find(slot);
  return found == entries.end() ? nullptr : &found->second;
}

std::string Snapshot::sysctl(const std::string& name) const {
  auto found = sysctls.find(name);
  return found == sysctls.end() ? "" : found->second;
}

bool Snapshot::is_device(int ifindex, vnet_device_role role) const {
  auto device = devices.find(ifindex);
  return device != devices.end() && device->second == role;
}

bool Snapshot::is_running(const std::string& name) const {
  const ActiveNetwork* active = network(name);
  if (!active || !active->record.complete) return false;
  if (!is_direct(active->network)) return link(active->network.bridge);
  const NetworkEntry* in_map = entry(active->record.slot);
  return datapath && in_map && in_map->entered;
}

std::set<int> Snapshot::routed_links() const {
  std::set<int> found;
  for (const auto& route : routes)
    if (route.oif && route.type == RTN_UNICAST && !stays_on_link(route)) found.insert(route.oif);
  return found;
}

int Snapshot::attached_bridge(const NetworkRecord& record) const {
  const NetworkEntry* in_map = datapath ? entry(record.slot) : nullptr;
  return in_map ? in_map->bridge : 0;
}

std::string accept_ra_of(const std::string& interface) {
  return "net/ipv6/conf/" + interface + "/accept_ra";  // the name may have a dot
}

}  // namespace vnet
