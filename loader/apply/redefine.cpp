// SPDX-License-Identifier: GPL-2.0-or-later
// A definition that changes while its network runs.
#include "loader/apply/apply.h"
#include "loader/apply/forwards.h"
#include "loader/apply/gateway.h"
#include "loader/apply/guards.h"
#include "loader/apply/network_entry.h"
#include "loader/apply/port_addresses.h"
#include "loader/apply/sessions.h"
#include "loader/apply/subnets.h"
#include "loader/os/sysctl.h"

namespace vnet {
namespace {

// Each hook goes from the old program to the new one at once: a packet meets one of the two.
Result<void> load_anew(System& system, const Network& network, std::uint16_t slot) {
  VNET_TRY(load_gateway_programs(system, network, slot));
  VNET_ASSIGN(auto ports, system.records.ports());
  for (const auto& port : ports) {
    if (port.network != network.name || port.leaving) continue;
    VNET_ASSIGN(auto link, system.netlink.find_link(port.ifindex));
    if (link && link->name == port.interface) VNET_TRY(system.datapath->attach(attachment_of(port)));
  }
  return {};
}

Result<void> write_entry(System& system, const Network& network, std::uint16_t slot) {
  VNET_ASSIGN(Datapath * datapath, system.need_datapath());
  auto& networks = datapath->maps().networks;
  auto entry = networks.get(slot);
  if (!entry) return failed("the map of networks has no place " + std::to_string(slot));
  VNET_TRY(fill_entry(system, network, *entry));
  return networks.set(slot, *entry);
}

// As libvirt: without an IPv6 address the gateway takes no part in IPv6.
Result<void> set_ipv6(const Network& network) {
  return write_sysctl({"net", "ipv6", "conf", network.bridge, "disable_ipv6"},
                      network.has(Family::V6) ? "0" : "1");
}

}  // namespace

Result<void> apply(System& system, const ChangeDefinition& change) {
  return system.records.save(change.record);
}
Result<void> undo(System& system, const ChangeDefinition& change) {
  return system.records.save(change.previous);
}

Result<void> apply(System& system, const LoadProgramsAnew& change) {
  return load_anew(system, change.network, change.slot);
}
Result<void> undo(System& system, const LoadProgramsAnew& change) {
  return load_anew(system, change.previous, change.slot);
}

Result<void> apply(System& system, const WriteNetworkEntry& change) {
  return write_entry(system, change.network, change.slot);
}
Result<void> undo(System& system, const WriteNetworkEntry& change) {
  return write_entry(system, change.previous, change.slot);
}

Result<void> apply(System& system, const AddPortForward& change) {
  VNET_ASSIGN(Datapath * datapath, system.need_datapath());
  return write_port_forward(datapath->maps(), change.forward, change.slot);
}
Result<void> undo(System& system, const AddPortForward& change) {
  return apply(system, RemovePortForward{change.forward, change.network, change.slot});
}

Result<void> apply(System& system, const RemovePortForward& change) {
  VNET_ASSIGN(Datapath * datapath, system.need_datapath());
  return erase_port_forward(datapath->maps(), change.forward, change.slot);
}
Result<void> undo(System& system, const RemovePortForward& change) {
  return apply(system, AddPortForward{change.forward, change.network, change.slot});
}

Result<void> apply(System& system, const EnterSubnet& change) {
  VNET_ASSIGN(Datapath * datapath, system.need_datapath());
  return write_subnet(datapath->maps(), change.subnet, change.slot);
}
Result<void> undo(System& system, const EnterSubnet& change) {
  return apply(system, LeaveSubnet{change.subnet, change.network, change.slot});
}

// An address that the administrator has added may be in it, too.
Result<void> apply(System& system, const LeaveSubnet& change) {
  VNET_ASSIGN(Datapath * datapath, system.need_datapath());
  VNET_ASSIGN(auto record, system.records.network(change.network));
  return record && has_subnet(record->added, change.subnet)
             ? Result<void>{}
             : erase_subnet(datapath->maps(), change.subnet, change.slot);
}
Result<void> undo(System& system, const LeaveSubnet& change) {
  return apply(system, EnterSubnet{change.subnet, change.network, change.slot});
}

Result<void> apply(System& system, const AddGatewayAddress& change) {
  VNET_ASSIGN(Datapath * datapath, system.need_datapath());
  VNET_ASSIGN(auto link, system.netlink.link(change.network.bridge));
  if (change.address.address.family == Family::V6) VNET_TRY(set_ipv6(change.network));
  VNET_TRY(reserve_address(datapath->maps(), change.slot, change.address.address));
  return system.netlink.add_address(link.ifindex, change.address, {.nodad = true});
}
Result<void> undo(System& system, const AddGatewayAddress& change) {
  Network without = change.network;
  std::erase_if(without.ips, [&](const IpConfig& ip) { return ip.gateway == change.address; });
  return apply(system, RemoveGatewayAddress{std::move(without), change.address, change.slot});
}

Result<void> apply(System& system, const RemoveGatewayAddress& change) {
  VNET_ASSIGN(Datapath * datapath, system.need_datapath());
  VNET_ASSIGN(auto link, system.netlink.link(change.network.bridge));
  VNET_TRY(system.netlink.delete_address(link.ifindex, change.address));
  if (change.address.address.family == Family::V6) VNET_TRY(set_ipv6(change.network));
  return release_address(datapath->maps(), change.network, change.slot, change.address.address);
}
Result<void> undo(System& system, const RemoveGatewayAddress& change) {
  Network with = change.network;
  with.ips.push_back({.gateway = change.address});
  return apply(system, AddGatewayAddress{std::move(with), change.address, change.slot});
}

Result<void> apply(System& system, const SetSpanningTree& change) {
  VNET_ASSIGN(auto link, system.netlink.link(change.bridge));
  return system.netlink.set_spanning_tree(link.ifindex, change.stp, change.delay_seconds);
}
Result<void> undo(System& system, const SetSpanningTree& change) {
  return apply(system, SetSpanningTree{change.bridge, change.stp_before, change.stp, change.delay_before,
                                       change.delay_seconds});
}

Result<void> apply(System& system, const SetGatewayMtu& change) {
  VNET_ASSIGN(auto link, system.netlink.link(change.bridge));
  return system.netlink.set_mtu(link.ifindex, change.mtu);
}
Result<void> undo(System& system, const SetGatewayMtu& change) {
  return apply(system, SetGatewayMtu{change.bridge, change.before, change.mtu});
}

Result<void> apply(System& system, const EndSessions& change) {
  return system.datapath ? end_illegal_sessions(*system.datapath, change.network, change.slot)
                         : Result<void>{};
}

}  // namespace vnet
