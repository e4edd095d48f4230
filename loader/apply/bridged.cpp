// SPDX-License-Identifier: GPL-2.0-or-later
// Bridged networks: their programs, and those at the members of the host's bridge that lead outside.
#include "loader/apply/bridged.h"
#include "loader/apply/apply.h"
#include "loader/apply/network_entry.h"

namespace vnet {
namespace {

Result<void> detach_member(System& system, const UplinkRecord& record) {
  if (system.datapath) {
    VNET_TRY(system.datapath->maps().devices.erase(static_cast<__u32>(record.ifindex)));
    VNET_TRY(system.datapath->detach(record.interface, record.ifindex));
    VNET_TRY(clear_slot(system.datapath->maps(), record.slot));
  }
  return system.records.remove_uplink(record.interface);
}

Result<void> unload(System& system, const Network& network, std::uint16_t slot) {
  if (!system.datapath) return {};
  VNET_TRY(forget_network(system.datapath->maps(), slot));
  system.datapath->unload_network(network.name);
  return {};
}

}  // namespace

Result<void> load_bridged_programs(System& system, const Network& network, std::uint16_t slot) {
  VNET_ASSIGN(Datapath * datapath, system.need_datapath());
  VNET_ASSIGN(auto link, system.netlink.link(network.bridge));
  return datapath->load_network(network.name, {.slot = slot,
                                               .gateway_ifindex = link.ifindex,
                                               .gateway_mac = link.mac,
                                               .flags = VNET_NETWORK_F_BRIDGED,
                                               .needs_bridge = true});
}

Result<void> apply(System& system, const LoadBridged& change) {
  const Network& network = change.network;
  VNET_ASSIGN(Datapath * datapath, system.need_datapath());
  VNET_ASSIGN(auto link, system.netlink.link(network.bridge));
  vnet_network entry{};
  entry.gateway_ifindex = static_cast<__u32>(link.ifindex);
  entry.flags = change.flags;
  VNET_TRY(fill_entry(system, network, entry));
  VNET_TRY(datapath->maps().networks.set(change.slot, entry));
  return load_bridged_programs(system, network, change.slot);
}
Result<void> undo(System& system, const LoadBridged& change) {
  return unload(system, change.network, change.slot);
}

Result<void> apply(System& system, const UnloadBridged& change) {
  return unload(system, change.network, change.slot);
}

Result<void> apply(System& system, const AttachMember& change) {
  VNET_ASSIGN(Datapath * datapath, system.need_datapath());
  const UplinkRecord& record = change.record;
  if (change.fresh) VNET_TRY(clear_slot(datapath->maps(), record.slot));
  VNET_TRY(system.records.save(record));
  VNET_TRY(datapath->attach({Role::Member, record.network, record.interface, record.ifindex}));
  vnet_device device{.role = VNET_DEVICE_MEMBER, .slot = record.slot};
  return datapath->maps().devices.set(static_cast<__u32>(record.ifindex), device);
}
Result<void> undo(System& system, const AttachMember& change) {
  return detach_member(system, change.record);
}

Result<void> apply(System& system, const DetachMember& change) {
  return detach_member(system, change.record);
}

Result<void> apply(System& system, const SetBridgedFlags& change) {
  VNET_ASSIGN(Datapath * datapath, system.need_datapath());
  auto& networks = datapath->maps().networks;
  auto now = networks.get(change.slot);
  if (!now) return {};
  now->flags = change.flags;
  return networks.set(change.slot, *now);
}

Result<void> void_shortcuts(System& system, const std::string& network) {
  VNET_ASSIGN(auto record, system.records.network(network));
  if (!record || !system.datapath) return {};
  auto& networks = system.datapath->maps().networks;
  auto entry = networks.get(record->slot);
  if (!entry || !(entry->flags & VNET_NETWORK_F_BRIDGED)) return {};
  ++entry->generation;
  return networks.set(record->slot, *entry);
}

}  // namespace vnet
