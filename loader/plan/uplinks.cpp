// SPDX-License-Identifier: GPL-2.0-or-later
// Uplinks: wherever the host routes a packet to, it may leave, whatever the rules say: marks, tables, DNAT.
// So every interface that carries a route has our programs, which translate, or drop what may not leave by
// it. And the VRFs that uplinks are in, and the fence at FORWARD.
#include <fmt/format.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <ranges>

#include "loader/plan/builder.h"
#include "loader/plan/uplink_xdp.h"

namespace vnet {
namespace {

bool any_gateway(const Builder& builder) {
  return std::ranges::any_of(builder.wanted.networks,
                             [](const auto& entry) { return has_gateway(entry.second); });
}

// The networks that ask something of an uplink, by its ifindex: those that name it, else of the default
// routes.
std::map<int, std::vector<Network>> users_of_uplinks(const Builder& builder) {
  std::map<int, std::vector<Network>> users;
  for (const auto& [name, network] : builder.wanted.networks) {
    if (!is_routed(network)) continue;
    if (network.devices.empty()) {
      for (int index : builder.snapshot.default_links) users[index].push_back(network);
      continue;
    }
    const LinkInfo* link = builder.snapshot.link(network.devices.front());
    if (link) users[link->ifindex].push_back(network);
  }
  return users;
}

// An interface that belongs to another one has no routes; those in a VRF have theirs.
bool is_enslaved(const Snapshot& snapshot, const LinkInfo& link) {
  const LinkInfo* master = link.master ? snapshot.link(link.master) : nullptr;
  return master && master->kind != "vrf";
}

// One that is being stopped is not among the wanted networks, and its gateway is there all the same.
std::set<std::string> gateway_bridges(const Builder& builder) {
  std::set<std::string> names;
  for (const auto& [name, network] : builder.wanted.networks)
    if (!is_bridged(network)) names.insert(network.bridge);  // the host's own may be an uplink
  for (const auto& active : builder.snapshot.active)
    if (has_gateway(active.network)) names.insert(active.network.bridge);
  return names;
}

// For kernels below 6.7, whose FIB lookup does not tell the source address of a route.
std::vector<Address> masquerade_addresses(const Snapshot& snapshot, int ifindex) {
  std::vector<Address> found;
  auto addresses = snapshot.addresses.find(ifindex);
  if (addresses == snapshot.addresses.end()) return found;
  for (auto family : {Family::V4, Family::V6})
    for (const auto& info : addresses->second)
      if (info.prefix.address.family == family && info.scope == RT_SCOPE_UNIVERSE && !info.tentative) {
        found.push_back(info.prefix.address);
        break;
      }
  return found;
}

std::map<std::string, UplinkResource> uplinks_now(const Builder& builder) {
  std::map<std::string, UplinkResource> wanted;
  if (!any_gateway(builder)) return wanted;
  const Snapshot& snapshot = builder.snapshot;
  auto users = users_of_uplinks(builder);
  auto routed = snapshot.routed_links();
  auto gateways = gateway_bridges(builder);
  for (const auto& link : snapshot.links) {
    if (link.name == "lo" || gateways.contains(link.name) || is_enslaved(snapshot, link) ||
        snapshot.port(link.name))
      continue;
    // One that is down has lost its routes, and gets them back faster than programs can be attached.
    const UplinkRecord* record = snapshot.uplink(link.name);
    bool waits = !link.up && record && record->ifindex == link.ifindex && record->network.empty();
    if (!routed.contains(link.ifindex) && !users.contains(link.ifindex) && !waits) continue;
    UplinkResource resource{.ifindex = link.ifindex};
    resource.xdp = wanted_xdp(link, snapshot.links, users[link.ifindex]);
    resource.primary = !users[link.ifindex].empty();
    resource.addresses = masquerade_addresses(snapshot, link.ifindex);
    wanted[link.name] = resource;
  }
  return wanted;
}

// When the stack has taken a packet in, only the VRF is left of where it came from. What an uplink's program
// says of a packet is believed behind the VRF as well, when every member is an uplink of ours: another one's
// packets could carry the same word (skb->tc_index), which is not ours then.
std::set<int> vrfs_of(const Builder& builder) {
  std::set<int> uplinks, vrfs;
  for (const auto& [interface, resource] : builder.wanted.resources.uplinks)
    if (resource.network.empty()) uplinks.insert(resource.ifindex);
  const auto& links = builder.snapshot.links;
  for (const auto& vrf : links) {
    if (vrf.kind != "vrf") continue;
    auto members =
        links | std::views::filter([&](const LinkInfo& link) { return link.master == vrf.ifindex; });
    if (!members.empty() &&
        std::ranges::all_of(members, [&](const LinkInfo& link) { return uplinks.contains(link.ifindex); }))
      vrfs.insert(vrf.ifindex);
  }
  return vrfs;
}

}  // namespace

void want_uplinks(Builder& builder) {
  auto& uplinks = builder.wanted.resources.uplinks;
  auto wanted = uplinks_now(builder);
  for (auto& [interface, resource] : wanted) {
    if (auto before = uplinks.find(interface); before != uplinks.end()) {
      if (!before->second.network.empty()) continue;  // a bridged network's own
      resource.slot = before->second.slot;
    } else {
      auto slot = builder.slots.take();
      if (!slot) {
        builder.refuse("uplinks", slot.error());
        continue;
      }
      resource.slot = *slot;
    }
    uplinks[interface] = resource;
  }
  std::erase_if(uplinks, [&](const auto& entry) {
    return entry.second.network.empty() && !wanted.contains(entry.first);
  });
  builder.wanted.resources.vrfs = vrfs_of(builder);
}

void want_fence(Builder& builder) {
  builder.wanted.resources.fence = any_gateway(builder);
}

}  // namespace vnet
