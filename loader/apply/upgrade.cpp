// SPDX-License-Identifier: GPL-2.0-or-later
// Each hook goes from another build's program to this one's at once. What is replaced stays in PINS/before
// until all of it is (loader/bpf/before.h).
#include <algorithm>

#include "loader/apply/apply.h"
#include "loader/apply/bridged.h"
#include "loader/apply/fence.h"
#include "loader/apply/gateway.h"
#include "loader/apply/guards.h"
#include "loader/apply/hand_over.h"
#include "loader/apply/port_entries.h"
#include "loader/apply/uplinks.h"
#include "loader/bpf/before.h"
#include "loader/bpf/fence.h"
#include "loader/bpf/migrate.h"
#include "loader/bpf/socket_redirect.h"

namespace vnet {
namespace {

bool is_there(System& system, const std::string& interface, int ifindex) {
  auto link = system.netlink.find_link(ifindex);
  return link && *link && (*link)->name == interface;
}

// Those that stand; one that is missing is put back as such.
Result<void> attach_all(System& system, const std::vector<Attachment>& attachments) {
  for (const auto& one : attachments)
    if (is_there(system, one.interface, one.ifindex)) VNET_TRY(system.datapath->attach(one));
  return {};
}

// Of all that have the network's programs, but its gateway.
Result<std::vector<Attachment>> ports_and_members(System& system, const std::string& network) {
  std::vector<Attachment> all;
  VNET_ASSIGN(auto ports, system.records.ports());
  for (const auto& port : ports)
    if (port.network == network && port.parent.empty() && !port.leaving) all.push_back(attachment_of(port));
  VNET_ASSIGN(auto uplinks, system.records.uplinks());
  for (const auto& member : uplinks)
    if (member.network == network) all.push_back({Role::Member, network, member.interface, member.ifindex});
  return all;
}

Result<std::vector<Attachment>> parent_and_ports(System& system, const ParentRecord& parent) {
  std::vector<Attachment> all{{Role::Parent, parent.interface, parent.interface, parent.ifindex}};
  VNET_ASSIGN(auto ports, system.records.ports());
  for (const auto& port : ports)
    if (port.parent == parent.interface && !port.leaving) all.push_back(attachment_of(port));
  return all;
}

}  // namespace

Result<void> apply(System& system, const MoveMaps&) {
  VNET_TRY(is_handed_over(system) ? take_back(system) : move_maps(system.dirs.pins(), VNET_ABI_VERSION));
  VNET_TRY(Before(system.dirs.pins()).begin());
  VNET_ASSIGN(system.datapath, Datapath::open(system.dirs.pins()));
  return {};
}
Result<void> undo(System& system, const MoveMaps& change) {
  const auto pins = system.dirs.pins();
  const Before before(pins);
  if (change.from != VNET_ABI_VERSION) {
    VNET_TRY(move_back(pins, change.from));
    VNET_ASSIGN(system.datapath, Datapath::open(pins));
  } else if (pinned_layout(before.folder() / "maps")) {
    return {};  // begun by one that was killed: some programs are on those maps
  }
  before.remove();
  return {};
}

Result<void> apply(System& system, const CopyRest&) {
  return copy_rest(system.dirs.pins());
}

Result<void> apply(System& system, const UpgradeNetwork& change) {
  VNET_ASSIGN(Datapath * datapath, system.need_datapath());
  const Network& network = change.network;
  VNET_TRY(datapath->keep_programs({.role = Role::Port, .owner = network.name}));
  VNET_TRY(is_bridged(network) ? load_bridged_programs(system, network, change.slot)
                               : load_gateway_programs(system, network, change.slot));
  VNET_ASSIGN(auto others, ports_and_members(system, network.name));
  return attach_all(system, others);
}
Result<void> undo(System& system, const UpgradeNetwork& change) {
  const Network& network = change.network;
  VNET_TRY(system.datapath->put_back_programs({.role = Role::Port, .owner = network.name}));
  VNET_ASSIGN(auto all, ports_and_members(system, network.name));
  if (has_gateway(network)) {
    VNET_ASSIGN(auto link, system.netlink.find_link(network.bridge));
    if (link) all.push_back({Role::Gateway, network.name, network.bridge, link->ifindex});
  }
  return attach_all(system, all);
}

Result<void> apply(System& system, const UpgradeParent& change) {
  VNET_ASSIGN(Datapath * datapath, system.need_datapath());
  const ParentRecord& parent = change.record;
  VNET_TRY(datapath->keep_programs({.role = Role::Parent, .owner = parent.interface}));
  VNET_TRY(datapath->load_parent(parent.interface, {.slot = parent.slot,
                                                    .ifindex = parent.ifindex,
                                                    .mac = parent.mac,
                                                    .passthrough = parent.passthrough}));
  VNET_ASSIGN(auto all, parent_and_ports(system, parent));
  return attach_all(system, all);
}
Result<void> undo(System& system, const UpgradeParent& change) {
  VNET_TRY(system.datapath->put_back_programs({.role = Role::Parent, .owner = change.record.interface}));
  VNET_ASSIGN(auto all, parent_and_ports(system, change.record));
  return attach_all(system, all);
}

Result<void> apply(System& system, const UpgradeUplink& change) {
  VNET_ASSIGN(Datapath * datapath, system.need_datapath());
  UplinkRecord record = change.record;
  VNET_TRY(datapath->keep_programs({.role = Role::Uplink, .owner = record.interface}));
  VNET_TRY(datapath->keep_xdp(record.interface, record.ifindex));
  VNET_TRY(bring_up_uplink(*datapath, record, change.link, true));
  VNET_TRY(bring_up_xdp(*datapath, record));
  return system.records.save(record);
}
Result<void> undo(System& system, const UpgradeUplink& change) {
  const UplinkRecord& record = change.record;
  Attachment uplink{Role::Uplink, record.interface, record.interface, record.ifindex};
  VNET_TRY(system.datapath->put_back_programs(uplink));
  VNET_TRY(system.datapath->show_to_new_only(record.interface, record.ifindex));
  VNET_TRY(attach_all(system, {uplink}));
  VNET_TRY(system.datapath->put_back_xdp(record.interface, record.ifindex));
  return system.records.save(record);
}

Result<void> apply(System& system, const UpgradeLimit& change) {
  VNET_ASSIGN(Datapath * datapath, system.need_datapath());
  const PortRecord& record = change.record;
  VNET_TRY(write_rules(system, record, change.link, change.active));
  return datapath->take_old_limit(record.interface, record.ifindex);
}
Result<void> undo(System& system, const UpgradeLimit& change) {
  return system.datapath->put_back_old_limit(change.record.interface, change.record.ifindex);
}

Result<void> apply(System& system, const UpgradeFence& change) {
  VNET_TRY(Fence::keep(system.dirs.pins()));
  return apply(system, PutUpFence{change.networks});
}
Result<void> undo(System& system, const UpgradeFence&) {
  return Fence::put_back(system.dirs.pins());
}

Result<void> apply(System& system, const UpgradeSocketRedirect&) {
  VNET_TRY(SocketRedirect::keep(system.dirs.pins()));
  return apply(system, PutUpSocketRedirect{});
}
Result<void> undo(System& system, const UpgradeSocketRedirect&) {
  return SocketRedirect::put_back(system.dirs.pins());
}

Result<void> apply(System& system, const FinishUpgrade&) {
  VNET_ASSIGN(auto uplinks, system.records.uplinks());
  for (const auto& uplink : uplinks)
    if (system.datapath) VNET_TRY(system.datapath->show_to_new_only(uplink.interface, uplink.ifindex));
  Before(system.dirs.pins()).remove();
  return {};
}

}  // namespace vnet
