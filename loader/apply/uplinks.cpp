// SPDX-License-Identifier: GPL-2.0-or-later
// Uplinks, and the VRFs that they are in.
#include "loader/apply/uplinks.h"

#include "loader/apply/apply.h"
#include "loader/apply/entries.h"
#include "loader/bpf/map_address.h"

namespace vnet {
namespace {

void note_addresses(vnet_device& device, const std::vector<Address>& addresses) {
  for (const auto& address : addresses)
    (address.family == Family::V4 ? device.addr4 : device.addr6) = from_address(address);
}

Result<void> detach(System& system, const UplinkRecord& record) {
  if (system.datapath) {
    VNET_TRY(erase_device(system.datapath->maps(), record.ifindex));
    VNET_TRY(system.datapath->detach_uplink_xdp(record.interface, record.ifindex));
    VNET_TRY(system.datapath->detach(record.interface, record.ifindex));
    system.datapath->unload_uplink(record.interface);
    VNET_TRY(clear_slot(system.datapath->maps(), record.slot));
  }
  return system.records.remove_uplink(record.interface);
}

}  // namespace

// XDP costs no traffic: where it cannot be, the tc program does the same.
Result<void> bring_up_xdp(Datapath& datapath, UplinkRecord& record) {
  record.xdp_why.clear();
  if (record.xdp.mode == XdpMode::Off) return datapath.detach_uplink_xdp(record.interface, record.ifindex);
  VNET_ASSIGN(auto state, datapath.attach_uplink_xdp(record.interface,
                                                     {.slot = record.slot,
                                                      .ifindex = record.ifindex,
                                                      .limits_new_flows = record.xdp.limits_new_flows,
                                                      .generic = record.xdp.generic,
                                                      .forward = record.xdp.mode == XdpMode::Forward,
                                                      .distrusts_checksums = record.xdp.distrusts_checksums,
                                                      .mac = record.xdp.mac.value_or(Mac{})}));
  record.xdp_why = state.why;
  return {};
}

Result<void> bring_up_uplink(Datapath& datapath, const UplinkRecord& record, const LinkInfo& link,
                             bool ingress_first) {
  bool counted = record.xdp.mode != XdpMode::Off && record.xdp_why.empty();
  VNET_TRY(
      datapath.load_uplink(record.interface, {.slot = record.slot,
                                              .ifindex = record.ifindex,
                                              .ethernet = link.ethernet,
                                              .bridge = link.kind == "bridge",
                                              .limits_new_flows = record.xdp.limits_new_flows && !counted}));
  return datapath.attach({Role::Uplink, record.interface, record.interface, record.ifindex}, ingress_first);
}

Result<void> apply(System& system, const AttachUplink& change) {
  VNET_ASSIGN(Datapath * datapath, system.need_datapath());
  UplinkRecord record = change.record;
  if (change.fresh) VNET_TRY(clear_slot(datapath->maps(), record.slot));
  VNET_TRY(system.records.save(record));
  VNET_TRY(bring_up_xdp(*datapath, record));
  VNET_TRY(system.records.save(record));
  VNET_TRY(bring_up_uplink(*datapath, record, change.link));
  vnet_device device{.role = VNET_DEVICE_UPLINK, .slot = record.slot};
  note_addresses(device, change.addresses);
  return write_device(datapath->maps(), record.ifindex, device);
}
Result<void> undo(System& system, const AttachUplink& change) {
  if (change.before) return apply(system, AttachUplink{*change.before, change.link, change.addresses});
  VNET_ASSIGN(auto record, system.records.uplink(change.record.interface));
  return record ? detach(system, *record) : Result<void>{};
}

Result<void> apply(System& system, const DetachUplink& change) {
  return detach(system, change.record);
}

Result<void> apply(System& system, const NoteUplink& change) {
  return system.records.save(change.record);
}

Result<void> apply(System& system, const NoteUplinkAddresses& change) {
  VNET_ASSIGN(Datapath * datapath, system.need_datapath());
  vnet_device device{.role = VNET_DEVICE_UPLINK, .slot = change.record.slot};
  note_addresses(device, change.addresses);
  return datapath->maps().devices.set(static_cast<__u32>(change.record.ifindex), device);
}

Result<void> apply(System& system, const TrustVrf& change) {
  VNET_ASSIGN(Datapath * datapath, system.need_datapath());
  return write_device(datapath->maps(), change.ifindex, {.role = VNET_DEVICE_VRF});
}
Result<void> undo(System& system, const TrustVrf& change) {
  return apply(system, DistrustVrf{change.ifindex});
}

Result<void> apply(System& system, const DistrustVrf& change) {
  return system.datapath ? erase_device(system.datapath->maps(), change.ifindex) : Result<void>{};
}

}  // namespace vnet
