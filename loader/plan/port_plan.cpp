// SPDX-License-Identifier: GPL-2.0-or-later
// Ports: a guest's interface on the host's side, guarded first and enslaved to the gateway then.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "loader/model/port_rules.h"
#include "loader/plan/direct.h"
#include "loader/plan/modes.h"
#include "loader/plan/port_guard.h"
#include "loader/plan/xdp_target.h"

namespace vnet {
namespace {

Result<void> check_request(const PortRequest& request) {
  if (request.filters) VNET_TRY(parse_filters(*request.filters));
  if (request.allow)
    for (const auto& rule : *request.allow) VNET_TRY(parse_allow_rule(rule));
  if (request.mac && request.mac->is_multicast())
    return invalid(fmt::format("--mac {}: a guest's address cannot be a multicast one", request.mac->text()));
  return {};
}

vnet_fdb_key fdb_key(std::uint16_t network, const Mac& mac) {
  vnet_fdb_key key{.network = network};
  std::memcpy(key.mac, mac.bytes.data(), sizeof(key.mac));
  return key;
}

bool reaches_other_namespace(const LinkInfo& link) {
  return link.kind == "veth" && link.peer_netns_id.has_value();
}

void forget_macs(SharedMaps& maps, std::uint32_t ifindex) {
  std::vector<vnet_fdb_key> gone;
  maps.fdb.for_each([&](const vnet_fdb_key& key, const vnet_fdb_entry& entry) {
    if (entry.ifindex == ifindex) gone.push_back(key);
  });
  for (const auto& key : gone) (void)maps.fdb.erase(key);
}

// The port as the programs see it. The fixed MAC's entry is written before the port claims it alone.
Result<void> write_port(Context& context, const PortRecord& record, const LinkInfo& link,
                        const ActiveNetwork& active) {
  VNET_ASSIGN(Datapath * datapath, context.need_datapath());
  auto& maps = datapath->maps();
  VNET_ASSIGN(auto segment, segment_of(context, record, active.record.slot));
  bool peer = reaches_other_namespace(link);
  vnet_port port{.slot = record.slot, .network = active.record.slot};
  VNET_ASSIGN(port.flags, guard_flags(record, active.network));
  port.flags |= direct_flags(active.network);
  if (peer) port.flags |= VNET_PORT_F_PEER;
  if (!record.plugged) port.flags |= VNET_PORT_F_DOWN;
  if (record.mac) {
    port.flags |= VNET_PORT_F_MAC;
    std::memcpy(port.mac, record.mac->bytes.data(), sizeof(port.mac));
    VNET_TRY(
        maps.fdb.set(fdb_key(segment, *record.mac), {.ifindex = static_cast<__u32>(link.ifindex),
                                                     .slot = record.slot,
                                                     .flags = static_cast<__u8>(peer ? VNET_HOP_F_PEER : 0),
                                                     .is_static = 1}));
  }
  VNET_TRY(add_guard(context, record, active));
  VNET_TRY(maps.ports.set(static_cast<__u32>(link.ifindex), port));
  VNET_TRY(write_target(*datapath, active.network, record, link));
  VNET_TRY(datapath->limit_port(record.interface, link.ifindex, record.slot,
                                record.bandwidth ? record.bandwidth->outbound : std::nullopt));
  return trim_guard(context, record, active);
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

Result<void> write_vlans(Netlink& netlink, const PortRecord& record, const Network& network) {
  if (!record.vlan || network.mode != Mode::Bridge) return {};
  VNET_ASSIGN(auto bridge, netlink.link(network.bridge));
  if (!bridge.bridge || !bridge.bridge->vlan_filtering) return {};
  return netlink.set_port_vlans(record.ifindex, vlans_of(*record.vlan));
}

// The bridge must agree: the fixed MAC is where we say, nothing else is learned there, and what it floods
// does not cross from one isolated port to another.
Result<void> write_bridge_entries(Netlink& netlink, const PortRecord& record, const Network& network) {
  if (!record.parent.empty()) return {};
  VNET_TRY(netlink.set_port_flags(record.ifindex,
                                  {.learning = !record.mac, .isolated = is_isolated(record, network)}));
  VNET_TRY(write_vlans(netlink, record, network));
  return record.mac ? netlink.add_fdb(record.ifindex, *record.mac) : Result<void>{};
}

Result<void> check_mac_free(const std::vector<PortRecord>& ports, const PortRecord& record) {
  if (!record.mac) return {};
  for (const auto& other : ports)
    if (other.interface != record.interface && other.mac == record.mac &&
        (other.network == record.network || (!record.parent.empty() && other.parent == record.parent)))
      return failed(fmt::format("{} has the MAC {} already", other.interface, record.mac->text()));
  return {};
}

// The port's counters end in its network's, whose sums would run backwards otherwise.
void keep_counters(SharedMaps& maps, std::uint16_t from, std::uint16_t network) {
  auto port = maps.traffic.get(from);
  auto sum = maps.traffic.get(network);
  if (!port.empty() && port.size() == sum.size()) {
    for (std::size_t cpu = 0; cpu < sum.size(); ++cpu) {
      sum[cpu].rx_packets += port[cpu].rx_packets;
      sum[cpu].rx_bytes += port[cpu].rx_bytes;
      sum[cpu].tx_packets += port[cpu].tx_packets;
      sum[cpu].tx_bytes += port[cpu].tx_bytes;
    }
    __u32 key = network;
    (void)bpf_map_update_elem(maps.traffic.fd(), &key, sum.data(), BPF_ANY);
  }
  for (const auto& key : maps.drops.keys()) {
    if (key.slot != from) continue;
    auto values = maps.drops.get(key);
    vnet_drop_key into{.slot = network, .reason = key.reason};
    auto before = maps.drops.get(into);
    for (std::size_t cpu = 0; cpu < before.size() && cpu < values.size(); ++cpu) values[cpu] += before[cpu];
    (void)bpf_map_update_elem(maps.drops.fd(), &into, values.data(), BPF_ANY);
  }
}

void apply_request(PortRecord& record, const PortRequest& request) {
  if (request.mac) record.mac = request.mac;
  if (request.ips) record.ips = *request.ips;
  if (request.model) record.model = *request.model;
  if (request.bandwidth) record.bandwidth = request.bandwidth;
  if (request.vlan) record.vlan = request.vlan;
  if (request.portgroup) record.portgroup = *request.portgroup;
  if (request.link_up) record.plugged = *request.link_up;
  if (request.filters) record.filters = *request.filters;
  if (request.allow) record.allow = *request.allow;
  if (request.inbound) record.inbound = request.inbound;
  if (request.isolated) record.isolated = request.isolated;
}

Result<void> check_attachable(Context& context, const LinkInfo& link, const Network& network) {
  if (!link.ethernet) return invalid(fmt::format("{} is not an Ethernet interface", link.name));
  if (link.kind == "bridge" || link.name == "lo")
    return invalid(fmt::format("{} is a {}, not a guest's interface", link.name,
                               link.kind == "bridge" ? "bridge" : "loopback"));
  if (link.without_macs)
    return invalid(
        fmt::format("{} is a netkit device in mode l3: its packets have no MAC addresses; make it "
                    "with mode l2",
                    link.name));
  VNET_ASSIGN(auto uplink, context.records.uplink(link.name));
  VNET_ASSIGN(auto parent, context.records.parent(link.name));
  if (uplink || parent)
    return invalid(fmt::format("{} is an uplink of the host, not a guest's interface", link.name));
  if (link.master) {
    VNET_ASSIGN(auto master, context.netlink.find_link(link.master));
    if (master && master->name != network.bridge)
      return failed(fmt::format("{} belongs to {}; take it out first (ip link set {} nomaster)", link.name,
                                master->name, link.name));
  }
  return {};
}

// The one change of a live port: maps, bridge and record follow the new record. Sessions and counters stay.
Result<void> change_port(Context& context, const PortRecord& before, PortRecord after) {
  VNET_ASSIGN(Datapath * datapath, context.need_datapath());
  VNET_ASSIGN(auto link, context.netlink.link(after.interface));
  VNET_ASSIGN(auto active, active_network(context, after.network));
  if (!active) return not_found("no active network " + after.network);
  after.settled = false;
  VNET_TRY(context.records.save(after));
  VNET_TRY(write_port(context, after, link, *active));
  if (before.mac != after.mac && before.mac) {
    VNET_ASSIGN(auto segment, segment_of(context, after, active->record.slot));
    (void)datapath->maps().fdb.erase(fdb_key(segment, *before.mac));
    if (after.parent.empty()) VNET_TRY(context.netlink.delete_fdb(link.ifindex, *before.mac));
  }
  VNET_TRY(write_bridge_entries(context.netlink, after, active->network));
  if (after.mac) VNET_TRY(lend_mac(context, after.parent, after.mac));
  // As a cable: the other end of a veth loses its carrier.
  if (before.plugged != after.plugged)
    VNET_TRY(after.plugged ? context.netlink.set_up(link.ifindex) : context.netlink.set_down(link.ifindex));
  after.settled = true;
  return context.records.save(after);
}

Result<Plan> plan_change(Context& context, const PortRecord& before, const PortRequest& request,
                         const std::vector<PortRecord>& ports, const std::string& done) {
  VNET_TRY(check_request(request));
  PortRecord after = before;
  apply_request(after, request);
  VNET_TRY(check_mac_free(ports, after));
  if (!after.parent.empty()) {
    VNET_ASSIGN(auto active, active_network(context, after.network));
    if (active) VNET_TRY(check_direct_port(context, active->network, after));
  }
  Plan plan;
  plan.done = done;
  if (after == before && before.settled) return plan;
  plan.add(
      fmt::format("change port {}", before.interface),
      [&context, before, after] { return change_port(context, before, after); },
      [&context, before, after] { (void)change_port(context, after, before); });
  return plan;
}

}  // namespace

Result<KnownPorts> known_ports(Context& context) {
  KnownPorts known;
  VNET_ASSIGN(known.ports, context.records.ports());
  VNET_ASSIGN(known.slots, context.records.taken_slots());
  return known;
}

Result<Plan> plan_attach(Context& context, const PortRequest& request, KnownPorts& known) {
  VNET_TRY(check_request(request));
  VNET_ASSIGN(auto active, need_active(context, request.network));
  VNET_ASSIGN(auto link, context.netlink.find_link(request.interface));
  if (!link) return not_found(fmt::format("there is no interface {}", request.interface));
  VNET_ASSIGN(auto before, context.records.port(request.interface));
  if (before && before->network != request.network)
    return failed(
        fmt::format("{} is attached to network {}; detach it first", request.interface, before->network));
  std::string done = fmt::format("Interface {} attached to network {}", request.interface, request.network);
  // Attached and in place: change what is asked for. A record of an interface that has been made anew (or of
  // an interrupted attach) is gone through again from the start.
  bool in_place = before && before->settled && before->ifindex == link->ifindex &&
                  (link->master || active.network.mode == Mode::Direct) && context.datapath &&
                  context.datapath->maps().ports.get(static_cast<__u32>(link->ifindex));
  if (in_place) return plan_change(context, *before, request, known.ports, done);
  VNET_TRY(check_attachable(context, *link, active.network));

  PortRecord record{.interface = request.interface, .network = request.network, .ifindex = link->ifindex};
  if (before) {
    record = *before;
    record.ifindex = link->ifindex;
  } else {
    VNET_ASSIGN(record.slot, lowest_free(known.slots));
    record.enslaved_by_us = !link->master;
  }
  apply_request(record, request);
  record.settled = false;
  if (active.network.mode == Mode::Direct) {
    VNET_ASSIGN(record.parent, choose_parent(context, active.network, record, known.ports));
    VNET_TRY(check_direct_port(context, active.network, record));
  }
  VNET_TRY(check_mac_free(known.ports, record));
  std::erase_if(known.ports, [&](const PortRecord& port) { return port.interface == record.interface; });
  known.ports.push_back(record);
  known.slots.insert(record.slot);

  const Network& network = active.network;
  Plan plan;
  plan.done = done;
  plan.add(
      fmt::format("guard {} as port of {}", record.interface, record.network),
      [&context, record, link = *link, fresh = !before, active]() -> Result<void> {
        VNET_ASSIGN(Datapath * datapath, context.need_datapath());
        VNET_TRY(context.records.save(record));
        if (fresh) VNET_TRY(clear_slot(datapath->maps(), record.slot));
        VNET_TRY(write_port(context, record, link, active));
        if (!record.parent.empty())
          return datapath->attach_direct_port(record.parent, record.interface, record.ifindex);
        return datapath->attach_port(record.network, record.interface, record.ifindex);
      },
      [&context, record] {
        if (!context.datapath) return;
        (void)context.datapath->detach(record.interface, record.ifindex);
        forget_macs(context.datapath->maps(), static_cast<__u32>(record.ifindex));
        (void)context.datapath->maps().targets.erase(static_cast<__u32>(record.ifindex));
        (void)context.datapath->maps().ports.erase(static_cast<__u32>(record.ifindex));
        forget_guard(context.datapath->maps(), record.slot);
        (void)context.records.remove_port(record.interface);
      });
  if (network.mode == Mode::Direct) {
    plan_plug_direct(plan, context, network, record, *link);
    return plan;
  }
  auto mtu = network.mtu;
  if (network.mode == Mode::Bridge) {  // as libvirt: a smaller one would make the bridge's smaller, too
    VNET_ASSIGN(auto bridge, context.netlink.link(network.bridge));
    mtu = bridge.mtu;
  }
  if (mtu && link->mtu != *mtu)
    plan.add(
        fmt::format("set the MTU of {} to {}", record.interface, *mtu),
        [&context, record, mtu = *mtu] { return context.netlink.set_mtu(record.ifindex, mtu); },
        [&context, record, mtu = link->mtu] { (void)context.netlink.set_mtu(record.ifindex, mtu); });
  plan.add(
      fmt::format("plug {} into {}", record.interface, network.bridge),
      [&context, record, network]() mutable -> Result<void> {
        VNET_ASSIGN(auto gateway, context.netlink.link(network.bridge));
        VNET_TRY(context.netlink.set_master(record.ifindex, gateway.ifindex));
        VNET_TRY(write_bridge_entries(context.netlink, record, network));
        VNET_TRY(record.plugged ? context.netlink.set_up(record.ifindex)
                                : context.netlink.set_down(record.ifindex));
        record.settled = true;
        return context.records.save(record);
      },
      [&context, record] {
        if (record.enslaved_by_us) (void)context.netlink.clear_master(record.ifindex);
      });
  return plan;
}

Result<Plan> plan_set(Context& context, const PortRequest& request) {
  VNET_ASSIGN(auto before, context.records.port(request.interface));
  if (!before) return not_found(fmt::format("{} is not attached to any network", request.interface));
  VNET_ASSIGN(auto ports, context.records.ports());
  return plan_change(context, *before, request, ports,
                     fmt::format("Interface {} changed", request.interface));
}

Result<Plan> plan_detach(Context& context, const PortRecord& record) {
  Plan plan;
  plan.done = fmt::format("Interface {} detached from network {}", record.interface, record.network);
  VNET_ASSIGN(auto link, context.netlink.find_link(record.interface));
  // The name may have been given to another interface meanwhile: that one is not ours to touch.
  bool there = link && link->ifindex == record.ifindex;
  // It may have been moved to another bridge, too.
  VNET_ASSIGN(auto active, active_network(context, record.network));
  VNET_ASSIGN(auto bridge, context.netlink.find_link(active ? active->network.bridge : ""));
  if (there && bridge && link->master == bridge->ifindex)
    plan.add(fmt::format("take {} out of its bridge", record.interface),
             [&context, record]() -> Result<void> {
               if (record.mac) (void)context.netlink.delete_fdb(record.ifindex, *record.mac);
               if (!record.enslaved_by_us) {
                 (void)context.netlink.set_port_flags(record.ifindex, {.learning = true, .isolated = false});
                 return {};
               }
               return context.netlink.clear_master(record.ifindex);
             });
  if (!record.parent.empty()) plan_unplug_direct(plan, context, record);
  plan.add(fmt::format("take the guard off {}", record.interface), [&context, record]() -> Result<void> {
    if (context.datapath) {
      auto& maps = context.datapath->maps();
      VNET_TRY(context.datapath->detach(record.interface, record.ifindex));
      (void)maps.targets.erase(static_cast<__u32>(record.ifindex));
      (void)maps.ports.erase(static_cast<__u32>(record.ifindex));
      VNET_TRY(void_shortcuts(context, record.network));
      forget_macs(maps, static_cast<__u32>(record.ifindex));
      forget_sessions(maps, record.slot);
      forget_guard(maps, record.slot);
      VNET_ASSIGN(auto network, context.records.network(record.network));
      if (network) keep_counters(maps, record.slot, network->slot);
      VNET_TRY(clear_slot(maps, record.slot));
    }
    return context.records.remove_port(record.interface);
  });
  return plan;
}

}  // namespace vnet
