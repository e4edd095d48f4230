// SPDX-License-Identifier: GPL-2.0-or-later
// Bridged: a bridge that the host has already, with its way out. The bridge is its owner's: nothing of it is
// changed. Programs stand at its members that lead outside, and at our ports.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "loader/plan/modes/bond_check.h"
#include "loader/plan/modes/modes.h"

namespace vnet {
namespace {

// Guests' and containers' interfaces, which are not ours to look into unless they are attached.
bool is_guests(const LinkInfo& link) {
  constexpr std::array kinds{"tun", "veth", "netkit", "macvtap", "macvlan", "ipvlan", "ipvtap"};
  return std::ranges::find(kinds, link.kind) != kinds.end();
}

// The bridge's members that lead outside: those of <vnet:uplink>, else NICs, bonds, VLANs, tunnels.
std::vector<LinkInfo> ways_out(const Snapshot& snapshot, const Network& network, int bridge) {
  std::vector<LinkInfo> links;
  const auto& named = network.settings.uplinks;
  for (const auto& link : snapshot.links)
    if (link.master == bridge && !snapshot.port(link.name) &&
        (named.empty() ? !is_guests(link) : std::ranges::count(named, link.name) > 0))
      links.push_back(link);
  return links;
}

// A firewall that looks into the bridge must see every frame.
std::uint32_t wanted_flags(const Snapshot& snapshot) {
  return VNET_NETWORK_F_BRIDGED | (snapshot.bridges_are_filtered ? 0U : VNET_NETWORK_F_SHORTCUT);
}

Result<void> check(const Snapshot& snapshot, const Network& network, bool) {
  const LinkInfo* bridge = snapshot.link(network.bridge);
  if (!bridge)
    return not_found(fmt::format(
        "network {}: the host has no bridge {}; make it with your network manager (or ip link add {} type "
        "bridge) and put the outside interface into it first",
        network.name, network.bridge, network.bridge));
  if (bridge->kind != "bridge")
    return invalid(fmt::format("network {}: {} is not a bridge", network.name, network.bridge));
  for (const auto& name : network.settings.uplinks) {
    const LinkInfo* link = snapshot.link(name);
    if (!link || link->master != bridge->ifindex)
      return not_found(fmt::format("network {}: <vnet:uplink dev='{}'> is no member of bridge {}",
                                   network.name, name, network.bridge));
  }
  for (const auto& member : ways_out(snapshot, network, bridge->ifindex))
    VNET_TRY(check_bond(network, member));
  return {};
}

// A way out that has gone keeps its record until the network stops.
void want(Builder& builder, const ActiveNetwork& active) {
  const Network& network = active.network;
  const LinkInfo* bridge = builder.snapshot.link(network.bridge);
  if (!bridge) return;
  auto& resource = builder.wanted.resources.networks[network.name];
  resource.bridged_flags = wanted_flags(builder.snapshot);
  resource.dnsmasq = needs_dnsmasq(network);
  auto& uplinks = builder.wanted.resources.uplinks;
  auto members = ways_out(builder.snapshot, network, bridge->ifindex);
  if (builder.wanted.changed.contains(network.name))
    std::erase_if(uplinks, [&](const auto& entry) {
      return entry.second.network == network.name &&
             !std::ranges::count(members, entry.first, &LinkInfo::name);
    });
  for (const auto& member : members) {
    UplinkResource wanted{.network = network.name, .ifindex = member.ifindex};
    if (auto before = uplinks.find(member.name); before != uplinks.end()) {
      wanted.slot = before->second.slot;
    } else {
      auto slot = builder.slots.take();
      if (!slot) return builder.refuse("network " + network.name, slot.error());
      wanted.slot = *slot;
    }
    uplinks[member.name] = wanted;
  }
}

void raise(std::vector<Change>& changes, const ActiveNetwork& active, const NetworkResource& wanted) {
  changes.push_back(LoadBridged{active.network, active.record.slot, wanted.bridged_flags});
}

void open(std::vector<Change>&, const ActiveNetwork&) {}

void close(const Snapshot&, std::vector<Change>& changes, const ActiveNetwork& active) {
  changes.push_back(UnloadBridged{active.network, active.record.slot});
}

void mend(const Snapshot&, std::vector<Change>& changes, const ActiveNetwork& active,
          const NetworkResource& now, const NetworkResource& wanted) {
  if (now.bridged_flags != wanted.bridged_flags && now.bridged_flags)
    changes.push_back(SetBridgedFlags{active.network, active.record.slot, wanted.bridged_flags});
}

}  // namespace

Result<std::vector<std::string>> guests_in_bridge(const Snapshot& snapshot, const Network& network) {
  if (is_direct(network))
    return invalid(fmt::format("network {} has no bridge; name its guests' interfaces", network.name));
  const LinkInfo* bridge = snapshot.link(network.bridge);
  if (!bridge) return not_found("no such interface: " + network.bridge);
  const auto& uplinks = network.settings.uplinks;
  std::vector<std::string> names;
  for (const auto& link : snapshot.links)
    if (link.master == bridge->ifindex && is_guests(link) && !std::ranges::count(uplinks, link.name))
      names.push_back(link.name);
  return names;
}

const ModePlan bridged_plan{check, want, raise, open, close, mend};

}  // namespace vnet
