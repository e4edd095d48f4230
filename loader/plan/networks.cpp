// SPDX-License-Identifier: GPL-2.0-or-later
// Networks that shall be active: what all modes share. The mode's own part is in modes/.
#include <fmt/format.h>

#include <algorithm>

#include "loader/config/network_xml.h"
#include "loader/plan/forwards.h"
#include "loader/plan/live.h"
#include "loader/plan/modes/modes.h"
#include "loader/plan/port_rules.h"

namespace vnet {
namespace {

// On a bridge of the host's own, what a tag may be is the bridge's affair.
Result<void> check_vlans(const Network& network) {
  auto check = [&](const std::optional<Vlan>& vlan) -> Result<void> {
    if (!vlan) return {};
    for (const auto& tag : vlan->tags)
      if (tag.id < 1 || tag.id > 4094)
        return invalid(fmt::format("network {}: <tag id='{}'>: VLANs are numbered from 1 to 4094",
                                   network.name, tag.id));
    return {};
  };
  if (is_bridged(network)) return {};
  VNET_TRY(check(network.vlan));
  for (const auto& group : network.portgroups) VNET_TRY(check(group.vlan));
  if (has_gateway(network) && network.vlan && !untagged_vlan(network.vlan))
    return invalid(
        fmt::format("network {}: the gateway is in the network's own VLAN: <vlan> needs one <tag>, or one "
                    "with nativeMode",
                    network.name));
  return {};
}

// What the XML may say but this version does not do yet is refused, never ignored.
Result<void> check_supported(const Network& network) {
  VNET_TRY(check_vlans(network));
  if (network.nat.ports && network.nat.ports->start >= network.nat.ports->end)
    return invalid(fmt::format("network {}: Invalid port range '{}-{}'", network.name,
                               network.nat.ports->start, network.nat.ports->end));
  return {};
}

// Forwarding is switched on with the first network that is routed.
void want_forwarding(Builder& builder, const Network& network) {
  if (!is_routed(network)) return;
  auto need = [&](const char* sysctl) {
    if (builder.snapshot.sysctl(sysctl) != "1") builder.wanted.resources.forwarding.insert(sysctl);
  };
  if (network.has(Family::V4)) need("net.ipv4.ip_forward");
  if (network.has(Family::V6)) need("net.ipv6.conf.all.forwarding");
}

void forget_unused_parents(Builder& builder) {
  std::erase_if(builder.wanted.resources.parents, [&](const auto& entry) {
    return std::ranges::none_of(builder.wanted.networks, [&](const auto& other) {
      return is_direct(other.second) && std::ranges::count(other.second.devices, entry.first);
    });
  });
}

// A bridge that went away. Ours is made again; the host's own is waited for.
void follow_bridge(Builder& builder, const ActiveNetwork& active) {
  const auto& [record, network] = active;
  const LinkInfo* bridge = builder.snapshot.link(network.bridge);
  if (!record.complete || is_direct(network) ||
      (bridge && bridge->ifindex == builder.snapshot.attached_bridge(record)))
    return;
  std::string about = "network " + network.name;
  if (is_bridged(network) && !bridge)
    return builder.refuse(
        about, failed(fmt::format("network {}: the host's bridge {} has gone; waiting for it to come back",
                                  network.name, network.bridge))
                   .error());
  if (has_gateway(network) && bridge)
    return builder.refuse(
        about,
        failed(fmt::format("network {}: somebody has made another {}; remove it (ip link delete {}) or stop "
                           "the network (vnet-bpf stop {})",
                           network.name, network.bridge, network.bridge, network.name))
            .error());
  auto again = want_network(builder, network);
  if (!again) return builder.refuse(about, std::move(again).error());
  builder.wanted.done[about] =
      fmt::format("Network {} started again: its bridge {} had gone", network.name, network.bridge);
}

}  // namespace

Result<void> want_network(Builder& builder, const Network& network) {
  auto& resources = builder.wanted.resources;
  auto before = resources.networks.find(network.name);
  bool ours = before != resources.networks.end();
  VNET_TRY(check_supported(network));
  VNET_TRY(mode_plan(network).check(builder.snapshot, network, ours));
  for (const auto& [name, other] : builder.wanted.networks)
    if (name != network.name && !network.bridge.empty() && other.bridge == network.bridge)
      return failed(
          fmt::format("network {}: bridge {} belongs to network {}", network.name, network.bridge, name));

  NetworkResource wanted{.xml = format_network(network)};
  if (ours) {
    wanted.slot = before->second.slot;
    wanted.added = before->second.added;  // still in the maps
  } else {
    VNET_ASSIGN(wanted.slot, builder.slots.take());
  }
  resources.networks[network.name] = wanted;
  builder.wanted.networks[network.name] = network;
  builder.wanted.restart.insert(network.name);
  builder.wanted.changed.erase(network.name);  // all of it is made anew
  builder.wanted.done["network " + network.name] = fmt::format("Network {} started", network.name);
  want_forwarding(builder, network);
  return {};
}

Result<void> want_definition(Builder& builder, const ActiveNetwork& active, const Network& network) {
  auto xml = format_network(network);
  if (xml == active.record.xml) return {};
  VNET_TRY(check_live(builder.snapshot, active.network, network));
  VNET_TRY(check_supported(network));
  VNET_TRY(mode_plan(network).check(builder.snapshot, network, true));
  VNET_TRY(check_ports_free(builder.snapshot, network, &active.network));
  // What an interrupted change has left stands as well.
  auto standing = former_definitions(active.record);
  std::erase_if(standing, [&](const Network& one) { return format_network(one) == active.record.xml; });
  standing.push_back(active.network);
  builder.wanted.changed[network.name] = std::move(standing);
  builder.wanted.resources.networks[network.name].xml = std::move(xml);
  builder.wanted.networks[network.name] = network;
  return {};
}

void want_no_network(Builder& builder, const std::string& name) {
  auto& resources = builder.wanted.resources;
  for (const auto& port : builder.snapshot.ports)
    if (port.network == name) want_no_port(builder, port.interface);
  std::erase_if(resources.uplinks, [&](const auto& entry) { return entry.second.network == name; });
  resources.networks.erase(name);
  builder.wanted.networks.erase(name);
  builder.wanted.changed.erase(name);
  bool routed =
      std::ranges::any_of(builder.wanted.networks, [](const auto& entry) { return is_routed(entry.second); });
  if (!routed) resources.forwarding.clear();
  forget_unused_parents(builder);
}

void mend_networks(Builder& builder) {
  for (const auto& [name, network] : builder.wanted.networks) {
    auto& resource = builder.wanted.resources.networks[name];
    // One that was interrupted is finished by `start` or `stop`.
    if (!resource.complete) continue;
    if (builder.wanted.changed.contains(name)) want_forwarding(builder, network);
    mode_plan(network).want(builder, {.record = {.name = name,
                                                 .slot = resource.slot,
                                                 .complete = true,
                                                 .xml = resource.xml,
                                                 .added = resource.added},
                                      .network = network});
  }
  forget_unused_parents(builder);
}

void follow_networks(Builder& builder) {
  for (const auto& active : builder.snapshot.active)
    if (!builder.wanted.restart.contains(active.network.name)) follow_bridge(builder, active);
}

const ActiveNetwork* find_complete(const Builder& builder, const std::string& name) {
  const ActiveNetwork* active = builder.snapshot.network(name);
  return active && active->record.complete ? active : nullptr;
}

Result<ActiveNetwork> need_complete(const Builder& builder, const std::string& name) {
  if (const ActiveNetwork* active = find_complete(builder, name)) return *active;
  return not_found(fmt::format("network {0} is not active; start it first (vnet-bpf start {0})", name));
}

}  // namespace vnet
