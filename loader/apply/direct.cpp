// SPDX-License-Identifier: GPL-2.0-or-later
// Direct attachment: the parents, physical interfaces that guests hang on.
#include "loader/apply/direct.h"

#include "loader/apply/apply.h"
#include "loader/apply/entries.h"
#include "loader/apply/guards.h"
#include "loader/apply/network_entry.h"

namespace vnet {
namespace {

// The note of it comes before what it describes; a parent made anew has another former state.
Result<ParentRecord> note_parent(System& system, const AttachParent& change, const LinkInfo& link) {
  VNET_ASSIGN(auto before, system.records.parent(link.name));
  ParentRecord record = change.record;
  record.ifindex = link.ifindex;
  record.mac = link.mac;
  record.was_promiscuous = link.promiscuous;
  record.was_up = link.up;
  if (before && before->ifindex == link.ifindex) {
    record = *before;
    record.passthrough = change.record.passthrough;
    if (!record.own_mac) record.mac = link.mac;
  } else if (change.fresh) {
    VNET_ASSIGN(Datapath * datapath, system.need_datapath());
    VNET_TRY(clear_slot(datapath->maps(), record.slot));
  }
  VNET_TRY(system.records.save(record));
  return record;
}

Result<void> reattach_ports(System& system, const ParentRecord& parent) {
  VNET_ASSIGN(auto ports, system.records.ports());
  for (const auto& port : ports) {
    if (port.parent != parent.interface || !port.settled) continue;
    VNET_ASSIGN(auto link, system.netlink.find_link(port.ifindex));
    if (!link || link->name != port.interface) continue;
    VNET_TRY(system.datapath->attach(attachment_of(port)));
    if (parent.passthrough) VNET_TRY(lend_mac(system, parent.interface, port.mac));
  }
  return {};
}

Result<void> detach(System& system, const ParentRecord& record) {
  if (record.own_mac) VNET_TRY(lend_mac(system, record.interface, std::nullopt));
  VNET_ASSIGN(auto link, system.netlink.find_link(record.interface));
  if (link && link->ifindex == record.ifindex) {
    if (!record.was_promiscuous) VNET_TRY(system.netlink.set_promiscuous(record.ifindex, false));
    if (!record.was_up) VNET_TRY(system.netlink.set_down(record.ifindex));
  }
  if (system.datapath) {
    auto& maps = system.datapath->maps();
    for (const auto& key : maps.fdb.keys())
      if (key.network == record.slot) VNET_TRY(maps.fdb.erase(key));
    VNET_TRY(remove_members(maps, record.ifindex));
    VNET_TRY(system.datapath->detach_parent(record.interface, record.ifindex));
    system.datapath->unload_parent(record.interface);
    VNET_TRY(clear_slot(maps, record.slot));
  }
  return system.records.remove_parent(record.interface);
}

Result<void> forget(System& system, std::uint16_t slot) {
  return system.datapath ? forget_network(system.datapath->maps(), slot) : Result<void>{};
}

}  // namespace

Result<void> write_members(System& system, const ParentRecord& parent, const std::string& without) {
  VNET_ASSIGN(Datapath * datapath, system.need_datapath());
  VNET_ASSIGN(auto ports, system.records.ports());
  auto& members = datapath->maps().flood_ports;
  vnet_flood_key key{.parent = static_cast<__u32>(parent.ifindex), .index = 0};
  for (const auto& port : ports)
    if (port.parent == parent.interface && port.interface != without) {
      VNET_TRY(members.set(key, static_cast<__u32>(port.ifindex)));
      ++key.index;
    }
  for (; members.get(key); ++key.index) VNET_TRY(members.erase(key));
  return {};
}

Result<void> apply(System& system, const AttachParent& change) {
  const std::string& interface = change.record.interface;
  VNET_ASSIGN(Datapath * datapath, system.need_datapath());
  VNET_ASSIGN(auto link, system.netlink.link(interface));
  VNET_ASSIGN(auto record, note_parent(system, change, link));
  VNET_TRY(datapath->load_parent(
      interface,
      {.slot = record.slot, .ifindex = link.ifindex, .mac = record.mac, .passthrough = record.passthrough}));
  VNET_TRY(datapath->attach({Role::Parent, interface, interface, link.ifindex}));
  VNET_TRY(reattach_ports(system, record));
  VNET_TRY(write_members(system, record));
  // The guests' MACs are not the card's own: it must not filter.
  if (!link.promiscuous) VNET_TRY(system.netlink.set_promiscuous(link.ifindex, true));
  return link.up ? Result<void>{} : system.netlink.set_up(link.ifindex);
}
Result<void> undo(System& system, const AttachParent& change) {
  if (!change.is_ours) return {};
  VNET_ASSIGN(auto record, system.records.parent(change.record.interface));
  return record ? detach(system, *record) : Result<void>{};
}

Result<void> apply(System& system, const DetachParent& change) {
  return detach(system, change.record);
}

Result<void> apply(System& system, const EnterDirect& change) {
  VNET_ASSIGN(Datapath * datapath, system.need_datapath());
  vnet_network entry{};
  VNET_TRY(fill_entry(system, change.network, entry));
  return datapath->maps().networks.set(change.slot, entry);
}
Result<void> undo(System& system, const EnterDirect& change) {
  return forget(system, change.slot);
}

Result<void> apply(System& system, const RemoveDirect& change) {
  return forget(system, change.slot);
}

}  // namespace vnet
