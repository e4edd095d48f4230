// SPDX-License-Identifier: GPL-2.0-or-later
// Ports: a guest's interface on the host's side, guarded first and plugged into its bridge then.
#include <fmt/format.h>

#include "loader/apply/apply.h"
#include "loader/apply/bridged.h"
#include "loader/apply/direct.h"
#include "loader/apply/guards.h"
#include "loader/apply/port_entries.h"
#include "loader/apply/port_guard.h"
#include "loader/apply/sessions.h"
#include "loader/apply/xdp_target.h"
#include "loader/os/sysctl.h"
#include "loader/plan/port_rules.h"

namespace vnet {
namespace {

// A guest's interface is none of the host's: no address of its own, no answer to router advertisements.
Result<void> take_out_of_ipv6(const std::string& interface) {
  SysctlKey key{"net", "ipv6", "conf", interface, "disable_ipv6"};
  VNET_ASSIGN(auto disabled, read_sysctl(key));
  return disabled && *disabled == "0" ? write_sysctl(key, "1") : Result<void>{};
}

// A port's settings, and those of its network.
struct PortSettings {
  PortRecord record;
  Network network;
};

// The one change of a live port: maps, bridge and record follow the new record. Sessions and counters stay.
Result<void> change_port(System& system, const PortSettings& old, const PortSettings& wanted) {
  const PortRecord& before = old.record;
  PortRecord after = wanted.record;
  VNET_ASSIGN(Datapath * datapath, system.need_datapath());
  VNET_ASSIGN(auto link, system.netlink.link(after.interface));
  VNET_ASSIGN(auto record, system.records.network(after.network));
  if (!record) return not_found("no active network " + after.network);
  ActiveNetwork active{.record = std::move(*record), .network = wanted.network};
  after.settled = false;
  VNET_TRY(system.records.save(after));
  VNET_TRY(write_rules(system, after, link, active));
  VNET_TRY(write_entries(system, after, link, active));
  auto no_longer = fixed_mac(before, old.network);
  if (no_longer && no_longer != fixed_mac(after, active.network)) {
    VNET_ASSIGN(auto segment, segment_of(system, after, active.record.slot));
    VNET_TRY(datapath->maps().fdb.erase(fdb_key(segment, *no_longer)));
    if (after.parent.empty()) VNET_TRY(system.netlink.delete_fdb(link.ifindex, *no_longer));
  }
  if (vlan_of(before, old.network) && !vlan_of(after, active.network))
    VNET_TRY(clear_vlans(system.netlink, after, active.network));
  VNET_TRY(write_bridge_entries(system.netlink, after, active.network));
  if (vlan_of(before, old.network) != vlan_of(after, active.network))
    VNET_TRY(void_shortcuts(system, after.network));
  if (after.mac) VNET_TRY(lend_mac(system, after.parent, after.mac));
  // As a cable: the other end of a veth loses its carrier.
  if (before.plugged != after.plugged)
    VNET_TRY(after.plugged ? system.netlink.set_up(link.ifindex) : system.netlink.set_down(link.ifindex));
  after.settled = true;
  return system.records.save(after);
}

// Within the active definition.
Result<void> change_port(System& system, const PortRecord& before, const PortRecord& after) {
  VNET_ASSIGN(auto active, active_network(system, after.network));
  if (!active) return not_found("no active network " + after.network);
  return change_port(system, {before, active->network}, {after, active->network});
}

}  // namespace

Result<void> apply(System& system, const GuardPort& change) {
  const PortRecord& record = change.record;
  VNET_ASSIGN(Datapath * datapath, system.need_datapath());
  VNET_TRY(system.records.save(record));
  if (change.fresh) VNET_TRY(clear_slot(datapath->maps(), record.slot));
  VNET_TRY(take_out_of_ipv6(record.interface));
  VNET_TRY(write_rules(system, record, change.link, change.active));
  return datapath->attach(attachment_of(record));
}
Result<void> undo(System& system, const GuardPort& change) {
  const PortRecord& record = change.record;
  if (!system.datapath) return {};
  VNET_TRY(erase_entries(system, record));
  VNET_TRY(system.datapath->maps().ports.erase(static_cast<__u32>(record.ifindex)));
  VNET_TRY(system.datapath->detach(record.interface, record.ifindex));
  VNET_TRY(forget_guard(system.datapath->maps(), record.slot));
  return system.records.remove_port(record.interface);
}

Result<void> apply(System& system, const SetPortMtu& change) {
  return system.netlink.set_mtu(change.record.ifindex, change.mtu);
}
Result<void> undo(System& system, const SetPortMtu& change) {
  return system.netlink.set_mtu(change.record.ifindex, change.before);
}

Result<void> apply(System& system, const PlugPort& change) {
  PortRecord record = change.record;
  VNET_ASSIGN(auto gateway, system.netlink.link(change.active.network.bridge));
  VNET_ASSIGN(auto now, system.netlink.find_link(record.ifindex));
  if (now && now->master && now->master != gateway.ifindex)
    return failed(fmt::format("{} has been put into another bridge meanwhile", record.interface));
  VNET_TRY(system.netlink.set_master(record.ifindex, gateway.ifindex));
  VNET_TRY(write_bridge_entries(system.netlink, record, change.active.network));
  VNET_TRY(write_entries(system, record, change.link, change.active));
  VNET_TRY(record.plugged ? system.netlink.set_up(record.ifindex) : system.netlink.set_down(record.ifindex));
  record.settled = true;
  return system.records.save(record);
}
Result<void> undo(System& system, const PlugPort& change) {
  return change.record.enslaved_by_us ? system.netlink.clear_master(change.record.ifindex) : Result<void>{};
}

Result<void> apply(System& system, const ChangePort& change) {
  return change_port(system, change.before, change.after);
}
Result<void> undo(System& system, const ChangePort& change) {
  return change_port(system, change.after, change.before);
}

Result<void> apply(System& system, const RefreshPort& change) {
  return change_port(system, {change.record, change.previous}, {change.record, change.network});
}
Result<void> undo(System& system, const RefreshPort& change) {
  return change_port(system, {change.record, change.network}, {change.record, change.previous});
}

// From here on it loses its guard: it must not be up meanwhile, nor afterwards.
Result<void> apply(System& system, const TakePortDown& change) {
  PortRecord record = change.record;
  record.leaving = true;
  VNET_TRY(system.records.save(record));
  return change.ours ? system.netlink.set_down(record.ifindex) : Result<void>{};
}
Result<void> undo(System& system, const TakePortDown& change) {
  VNET_TRY(system.records.save(change.record));
  bool up = change.ours && change.record.plugged;
  return up ? system.netlink.set_up(change.record.ifindex) : Result<void>{};
}

Result<void> apply(System& system, const UnplugPort& change) {
  const PortRecord& record = change.record;
  if (record.mac) VNET_TRY(system.netlink.delete_fdb(record.ifindex, *record.mac));
  if (record.enslaved_by_us) return system.netlink.clear_master(record.ifindex);
  return system.netlink.set_port_flags(record.ifindex, {.learning = true, .isolated = false});
}

Result<void> apply(System& system, const UnguardPort& change) {
  const PortRecord& record = change.record;
  if (system.datapath) {
    auto& maps = system.datapath->maps();
    VNET_TRY(erase_entries(system, record));
    VNET_TRY(void_shortcuts(system, record.network));
    VNET_TRY(maps.ports.erase(static_cast<__u32>(record.ifindex)));
    VNET_TRY(system.datapath->detach(record.interface, record.ifindex));
    VNET_TRY(forget_sessions(maps, record.slot));
    VNET_TRY(forget_guard(maps, record.slot));
    VNET_ASSIGN(auto network, system.records.network(record.network));
    if (network) VNET_TRY(keep_counters(maps, record.slot, network->slot));
    VNET_TRY(clear_slot(maps, record.slot));
  }
  return system.records.remove_port(record.interface);
}

Result<void> apply(System& system, const SetXdpTarget& change) {
  VNET_ASSIGN(Datapath * datapath, system.need_datapath());
  return write_target(*datapath, change.network, change.record, change.link);
}

}  // namespace vnet
