// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/apply/port_entries.h"

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "loader/apply/direct.h"
#include "loader/apply/entries.h"
#include "loader/apply/port_guard.h"
#include "loader/apply/port_limits.h"
#include "loader/apply/xdp_target.h"
#include "loader/bpf/shared_maps.h"
#include "loader/plan/port_rules.h"

namespace vnet {
namespace {

bool reaches_other_namespace(const LinkInfo& link) {
  return link.kind == "veth" && link.peer_netns_id.has_value();
}

Result<void> forget_macs(SharedMaps& maps, std::uint32_t ifindex) {
  std::vector<vnet_fdb_key> gone;
  maps.fdb.for_each([&](const vnet_fdb_key& key, const vnet_fdb_entry& entry) {
    if (entry.ifindex == ifindex) gone.push_back(key);
  });
  for (const auto& key : gone) VNET_TRY(maps.fdb.erase(key));
  return {};
}

// The MAC that a guarded port's guest was seen with is held like a fixed one; any other may move away.
Result<void> hold_learned(SharedMaps& maps, const PortRecord& record, const std::optional<Mac>& fixed,
                          bool held) {
  std::vector<std::pair<vnet_fdb_key, vnet_fdb_entry>> learned;
  maps.fdb.for_each([&](const vnet_fdb_key& key, const vnet_fdb_entry& entry) {
    bool is_fixed = fixed && std::ranges::equal(key.mac, fixed->bytes);
    if (entry.ifindex == static_cast<__u32>(record.ifindex) && !is_fixed && entry.is_static != held)
      learned.emplace_back(key, entry);
  });
  for (auto& [key, entry] : learned) {
    entry.is_static = held;
    VNET_TRY(maps.fdb.set(key, entry));
  }
  return {};
}

// <vlan> of a guest's card, as libvirt has it on a bridge: one tag is the guest's without its knowing; a
// trunk's are the guest's to use, but for the native one.
std::vector<PortVlan> vlans_of(const Vlan& vlan) {
  std::vector<PortVlan> vlans;
  for (const auto& tag : vlan.tags) {
    bool native = !vlan.trunk || tag.native;
    vlans.push_back({.id = tag.id, .pvid = native, .untagged = native && !tag.native_tagged});
  }
  return vlans;
}

// A trunk's tagged ones.
Result<void> write_port_vlans(SharedMaps& maps, const PortRecord& record, const Network& network) {
  auto vlan = switched_vlan_of(record, network);
  auto has = [&](__u16 id) {
    return vlan && vlan->trunk && std::ranges::count(vlan->tags, unsigned{id}, &VlanTag::id) > 0;
  };
  for (const auto& key : maps.port_vlans.keys())
    if (key.slot == record.slot && !has(key.vlan)) VNET_TRY(maps.port_vlans.erase(key));
  if (!vlan || !vlan->trunk) return {};
  for (const auto& tag : vlan->tags)
    VNET_TRY(maps.port_vlans.set({.slot = record.slot, .vlan = static_cast<__u16>(tag.id)}, 1));
  return {};
}

Result<void> set_vlans(Netlink& netlink, const PortRecord& record, const Network& network,
                       const std::vector<PortVlan>& vlans) {
  if (!is_bridged(network)) return {};
  VNET_ASSIGN(auto bridge, netlink.link(network.bridge));
  if (!bridge.bridge || !bridge.bridge->vlan_filtering) return {};
  return netlink.set_port_vlans(record.ifindex, vlans);
}

Result<void> write_vlans(Netlink& netlink, const PortRecord& record, const Network& network) {
  auto vlan = vlan_of(record, network);
  return vlan ? set_vlans(netlink, record, network, vlans_of(*vlan)) : Result<void>{};
}

}  // namespace

vnet_fdb_key fdb_key(std::uint16_t network, const Mac& mac) {
  vnet_fdb_key key{.network = network};
  std::memcpy(key.mac, mac.bytes.data(), sizeof(key.mac));
  return key;
}

Result<void> write_rules(System& system, const PortRecord& record, const LinkInfo& link,
                         const ActiveNetwork& active) {
  VNET_ASSIGN(Datapath * datapath, system.need_datapath());
  auto& maps = datapath->maps();
  vnet_port port{.slot = record.slot, .network = active.record.slot};
  VNET_ASSIGN(port.flags, port_flags(record, active.network));
  if (reaches_other_namespace(link)) port.flags |= VNET_PORT_F_PEER;
  port.vlan = untagged_vlan(switched_vlan_of(record, active.network));
  if (has_mac_nat(record, active.network)) port.flags |= VNET_PORT_F_MAC_NAT;
  if (auto mac = fixed_mac(record, active.network)) {
    port.flags |= VNET_PORT_F_MAC;
    std::memcpy(port.mac, mac->bytes.data(), sizeof(port.mac));
  }
  VNET_TRY(add_guard(system, record, active));
  VNET_TRY(add_limits(maps, record, active));
  // A VLAN that the port leaves goes first: it is in fewer meanwhile, not in more.
  VNET_TRY(write_port_vlans(maps, record, active.network));
  VNET_TRY(maps.ports.set(static_cast<__u32>(link.ifindex), port));
  VNET_TRY(trim_limits(maps, record, active.network));
  return trim_guard(system, record, active);
}

Result<void> write_entries(System& system, const PortRecord& record, const LinkInfo& link,
                           const ActiveNetwork& active) {
  VNET_ASSIGN(Datapath * datapath, system.need_datapath());
  auto& maps = datapath->maps();
  VNET_ASSIGN(auto segment, segment_of(system, record, active.record.slot));
  __u8 flags = reaches_other_namespace(link) ? VNET_HOP_F_PEER : 0;
  auto mac = fixed_mac(record, active.network);
  VNET_ASSIGN(auto guard, port_flags(record, active.network));
  VNET_TRY(hold_learned(maps, record, mac, guard & VNET_PORT_F_NO_MAC_SPOOFING));
  if (mac)
    VNET_TRY(maps.fdb.set(
        fdb_key(segment, *mac),
        {.ifindex = static_cast<__u32>(link.ifindex), .slot = record.slot, .flags = flags, .is_static = 1}));
  VNET_TRY(write_target(*datapath, active.network, record, link));
  auto network = maps.networks.get(active.record.slot);
  if (!network || !has_gateway(active.network)) return {};
  return add_member(maps, static_cast<int>(network->gateway_ifindex), link.ifindex);
}

Result<void> erase_entries(System& system, const PortRecord& record) {
  auto& maps = system.datapath->maps();
  VNET_TRY(forget_macs(maps, static_cast<std::uint32_t>(record.ifindex)));
  VNET_TRY(forget_mac_nat(maps, record.slot));
  VNET_TRY(maps.xdp_targets.erase(static_cast<__u32>(record.ifindex)));
  VNET_ASSIGN(auto network, system.records.network(record.network));
  auto entry = network ? maps.networks.get(network->slot) : std::nullopt;
  if (!entry || !record.parent.empty()) return {};
  return remove_member(maps, static_cast<int>(entry->gateway_ifindex), record.ifindex);
}

Result<void> write_bridge_entries(Netlink& netlink, const PortRecord& record, const Network& network) {
  if (!record.parent.empty()) return {};
  auto mac = fixed_mac(record, network);
  VNET_TRY(
      netlink.set_port_flags(record.ifindex, {.learning = !mac, .isolated = is_isolated(record, network)}));
  VNET_TRY(write_vlans(netlink, record, network));
  return mac ? netlink.add_fdb(record.ifindex, *mac) : Result<void>{};
}

Result<void> clear_vlans(Netlink& netlink, const PortRecord& record, const Network& network) {
  return set_vlans(netlink, record, network, {{.id = 1, .pvid = true, .untagged = true}});
}

Result<void> keep_counters(SharedMaps& maps, std::uint16_t from, std::uint16_t network) {
  auto port = maps.traffic.get(from);
  auto sum = maps.traffic.get(network);
  if (!port.empty() && port.size() == sum.size()) {
    for (std::size_t cpu = 0; cpu < sum.size(); ++cpu) {
      sum[cpu].rx_packets += port[cpu].rx_packets;
      sum[cpu].rx_bytes += port[cpu].rx_bytes;
      sum[cpu].tx_packets += port[cpu].tx_packets;
      sum[cpu].tx_bytes += port[cpu].tx_bytes;
    }
    VNET_TRY(maps.traffic.set(network, sum));
  }
  for (const auto& key : maps.drops.keys()) {
    if (key.slot != from) continue;
    auto values = maps.drops.get(key);
    vnet_drop_key into{.slot = network, .reason = key.reason};
    auto before = maps.drops.get(into);
    for (std::size_t cpu = 0; cpu < before.size() && cpu < values.size(); ++cpu) values[cpu] += before[cpu];
    VNET_TRY(maps.drops.set(into, values));
  }
  return {};
}

}  // namespace vnet
