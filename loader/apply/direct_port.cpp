// SPDX-License-Identifier: GPL-2.0-or-later
// Ports of direct attachment: plugged into their parent.
#include <fmt/format.h>

#include "loader/apply/apply.h"
#include "loader/apply/direct.h"
#include "loader/apply/port_entries.h"

namespace vnet {

Result<std::uint16_t> segment_of(System& system, const PortRecord& record, std::uint16_t network) {
  if (record.parent.empty()) return network;
  VNET_ASSIGN(auto parent, system.records.parent(record.parent));
  if (!parent)
    return failed(fmt::format("{} is not attached; start network {} again", record.parent, record.network));
  return parent->slot;
}

Result<void> lend_mac(System& system, const std::string& interface, const std::optional<Mac>& mac) {
  VNET_ASSIGN(auto parent, system.records.parent(interface));
  VNET_ASSIGN(auto link, system.netlink.find_link(interface));
  if (!parent || !parent->passthrough) return {};
  bool there = link && link->ifindex == parent->ifindex;
  if (mac) {
    if (!there) return not_found("there is no interface " + interface);
    if (!parent->own_mac) parent->own_mac = link->mac;
    VNET_TRY(system.records.save(*parent));
    return link->mac == *mac ? Result<void>{} : system.netlink.set_mac(link->ifindex, *mac);
  }
  if (there && parent->own_mac && link->mac != *parent->own_mac)
    VNET_TRY(system.netlink.set_mac(link->ifindex, *parent->own_mac));
  parent->own_mac = std::nullopt;
  return system.records.save(*parent);
}

Result<void> apply(System& system, const ShowPort& change) {
  return write_entries(system, change.record, change.link, change.active);
}

Result<void> apply(System& system, const GiveMac& change) {
  return lend_mac(system, change.record.parent, change.record.mac);
}
Result<void> undo(System& system, const GiveMac& change) {
  return lend_mac(system, change.record.parent, std::nullopt);
}

Result<void> apply(System& system, const PlugDirectPort& change) {
  PortRecord record = change.record;
  VNET_ASSIGN(auto parent, system.records.parent(record.parent));
  if (!parent) return not_found(fmt::format("{} is gone", record.parent));
  // What the guest may send is what the wire takes; its own interface is told by the hypervisor.
  VNET_ASSIGN(auto wire, system.netlink.link(record.parent));
  VNET_TRY(system.netlink.set_mtu(record.ifindex, wire.mtu));
  VNET_TRY(write_members(system, *parent));
  VNET_TRY(record.plugged ? system.netlink.set_up(record.ifindex) : system.netlink.set_down(record.ifindex));
  record.settled = true;
  return system.records.save(record);
}
Result<void> undo(System& system, const PlugDirectPort& change) {
  VNET_TRY(system.netlink.set_mtu(change.record.ifindex, change.link.mtu));
  VNET_ASSIGN(auto parent, system.records.parent(change.record.parent));
  return parent ? write_members(system, *parent, change.record.interface) : Result<void>{};
}

Result<void> apply(System& system, const UnplugDirectPort& change) {
  VNET_ASSIGN(auto parent, system.records.parent(change.record.parent));
  if (!parent || !system.datapath) return {};
  VNET_TRY(write_members(system, *parent, change.record.interface));
  return lend_mac(system, change.record.parent, std::nullopt);
}

}  // namespace vnet
