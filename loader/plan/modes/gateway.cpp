// SPDX-License-Identifier: GPL-2.0-or-later
// NAT, routed, open, isolated: networks with a gateway of ours, a Linux bridge with the host's addresses.
// Nothing can be reached before the programs that judge it are attached, and they go last.
#include <fmt/format.h>
#include <linux/rtnetlink.h>

#include "loader/plan/forwards.h"
#include "loader/plan/modes/modes.h"
#include "loader/plan/subnets.h"

namespace vnet {
namespace {

// Forwarding switches the kernel to ignoring router advertisements unless accept_ra is 2.
Result<void> check_router_advertisements(const Snapshot& snapshot, const Network& network) {
  if (!network.has(Family::V6) || !is_routed(network)) return {};
  if (snapshot.sysctl("net.ipv6.conf.all.forwarding") == "1") return {};
  for (const auto& route : snapshot.routes) {
    if (route.family != Family::V6 || route.protocol != RTPROT_RA || !route.oif) continue;
    const LinkInfo* link = snapshot.link(route.oif);
    if (link && snapshot.sysctl(accept_ra_of(link->name)) == "1")
      return failed(fmt::format(
          "network {}: {} has routes from router advertisements, which IPv6 forwarding would take away; set "
          "`sysctl net.ipv6.conf.{}.accept_ra=2` first",
          network.name, link->name, link->name));
  }
  return {};
}

Result<void> check(const Snapshot& snapshot, const Network& network, bool ours) {
  if (snapshot.link(network.bridge) && !ours)
    return failed(fmt::format(
        "network {}: an interface {} exists already and is not ours; is libvirt's network running (virsh "
        "net-destroy)? Otherwise give the network another <bridge name>",
        network.name, network.bridge));
  for (const auto& device : network.devices)
    if (!snapshot.link(device))
      return not_found(fmt::format("network {}: there is no interface {}", network.name, device));
  VNET_TRY(check_subnets_free(snapshot, network));
  VNET_TRY(check_router_advertisements(snapshot, network));
  VNET_TRY(check_zone(snapshot, network));
  return check_forwards(snapshot, network);
}

void want(Builder& builder, const ActiveNetwork& active) {
  const auto& [record, network] = active;
  auto& resource = builder.wanted.resources.networks[network.name];
  const LinkInfo* bridge = builder.snapshot.link(network.bridge);
  bool starts = builder.wanted.restart.contains(network.name);
  if (!starts && !bridge) return;  // `start` or `run` make it again
  resource.dnsmasq = needs_dnsmasq(network);
  bool ours = bridge && builder.snapshot.attached_bridge(record) == bridge->ifindex;
  if (starts || !ours) return;
  resource.guarded = true;
  resource.added = added_addresses(builder, active, bridge->ifindex);
}

void raise(std::vector<Change>& changes, const ActiveNetwork& active, const NetworkResource&) {
  changes.push_back(CreateBridge{active.network});
  changes.push_back(AttachGateway{active.network, active.record.slot});
}

void open(std::vector<Change>& changes, const ActiveNetwork& active) {
  changes.push_back(GiveAddresses{active.network});
  for (const auto& route : active.network.routes) changes.push_back(AddRoute{active.network, route});
}

void close(const Snapshot& snapshot, std::vector<Change>& changes, const ActiveNetwork& active) {
  const auto& [record, network] = active;
  if (snapshot.services.contains(network.name)) changes.push_back(StopDnsmasq{network.name, network.bridge});
  changes.push_back(DeleteBridge{network.bridge});
  changes.push_back(UnloadGateway{network, record.slot});
}

void mend(const Snapshot& snapshot, std::vector<Change>& changes, const ActiveNetwork& active,
          const NetworkResource& now, const NetworkResource& wanted) {
  const auto& [record, network] = active;
  const LinkInfo* bridge = snapshot.link(network.bridge);
  if (!bridge) return;
  if (now.added != wanted.added) changes.push_back(FollowAddresses{active, bridge->ifindex, wanted.added});
  if (!now.guarded && wanted.guarded)
    changes.push_back(ReattachGateway{network, record.slot, bridge->ifindex});
}

}  // namespace

const ModePlan gateway_plan{check, want, raise, open, close, mend};

}  // namespace vnet
