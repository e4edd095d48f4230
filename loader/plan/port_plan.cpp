// SPDX-License-Identifier: GPL-2.0-or-later
// Ports: a guest's interface on the host's side, guarded first and enslaved to the gateway then.
#include <fmt/format.h>

#include <algorithm>

#include "loader/model/port_rules.h"
#include "loader/os/sysctl.h"
#include "loader/plan/direct.h"
#include "loader/plan/entries.h"
#include "loader/plan/guards.h"
#include "loader/plan/modes.h"
#include "loader/plan/port_addresses.h"
#include "loader/plan/port_entries.h"
#include "loader/plan/port_guard.h"

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

// A guest's interface is none of the host's: no address of its own, no answer to router advertisements.
Result<void> take_out_of_ipv6(const std::string& interface) {
  SysctlKey key{"net", "ipv6", "conf", interface, "disable_ipv6"};
  VNET_ASSIGN(auto disabled, read_sysctl(key));
  return disabled && *disabled == "0" ? write_sysctl(key, "1") : Result<void>{};
}

Result<void> check_mac_free(Context& context, const std::vector<PortRecord>& ports, const PortRecord& record,
                            const Network& network) {
  auto mac = fixed_mac(record, network);
  if (!mac) return {};
  for (const auto& other : ports) {
    bool meets = other.network == record.network || (!record.parent.empty() && other.parent == record.parent);
    if (!meets || other.interface == record.interface || other.mac != mac) continue;
    VNET_ASSIGN(auto theirs, active_network(context, other.network));
    if (theirs && fixed_mac(other, theirs->network))
      return failed(fmt::format("{} has the MAC {} already", other.interface, mac->text()));
  }
  return {};
}

void apply_request(PortRecord& record, const PortRequest& request) {
  if (request.mac) record.mac = request.mac;
  if (request.any_mac) record.any_mac = request.any_mac;
  if (request.ips) record.ips = *request.ips;
  if (request.ip_only) record.ip_only = *request.ip_only;
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
  VNET_ASSIGN(auto routed, routed_links(context));
  VNET_ASSIGN(auto uplink, context.records.uplink(link.name));
  VNET_ASSIGN(auto parent, context.records.parent(link.name));
  if (routed.contains(link.ifindex))
    return invalid(fmt::format(
        "{} is an uplink of the host, not a guest's interface: it has addresses or routes (ip addr flush dev "
        "{})",
        link.name, link.name));
  if ((uplink && !uplink->network.empty()) || parent)
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
  VNET_TRY(write_rules(context, after, link, *active));
  VNET_TRY(write_entries(context, after, link, *active));
  auto no_longer = fixed_mac(before, active->network);
  if (no_longer && no_longer != fixed_mac(after, active->network)) {
    VNET_ASSIGN(auto segment, segment_of(context, after, active->record.slot));
    (void)datapath->maps().fdb.erase(fdb_key(segment, *no_longer));
    if (after.parent.empty()) VNET_TRY(context.netlink.delete_fdb(link.ifindex, *no_longer));
  }
  VNET_TRY(write_bridge_entries(context.netlink, after, active->network));
  if (after.mac) VNET_TRY(lend_mac(context, after.parent, after.mac));
  // As a cable: the other end of a veth loses its carrier.
  if (before.plugged != after.plugged)
    VNET_TRY(after.plugged ? context.netlink.set_up(link.ifindex) : context.netlink.set_down(link.ifindex));
  after.settled = true;
  return context.records.save(after);
}

void note_ip_only(Plan& plan, const PortRecord& record, const Network& network) {
  auto note = ip_only_note(record, network);
  if (!note.empty()) plan.notes.push_back(std::move(note));
}

Result<Plan> plan_change(Context& context, const PortRecord& before, const PortRequest& request,
                         const std::vector<PortRecord>& ports, const std::string& done) {
  VNET_TRY(check_request(request));
  PortRecord after = before;
  apply_request(after, request);
  VNET_ASSIGN(auto active, active_network(context, after.network));
  if (active) {
    VNET_TRY(check_mac_free(context, ports, after, active->network));
    if (!after.parent.empty()) VNET_TRY(check_direct_port(context, active->network, after));
  }
  Plan plan;
  plan.done = done;
  if (active) note_ip_only(plan, after, active->network);
  if (after == before && before.settled) return plan;
  plan.add(
      fmt::format("change port {}", before.interface),
      [&context, before, after] { return change_port(context, before, after); },
      [&context, before, after] { (void)change_port(context, after, before); });
  return plan;
}

}  // namespace

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
  bool in_place = before && before->settled && before->ifindex == link->ifindex && !before->leaving &&
                  (link->master || active.network.mode == Mode::Direct) && is_guarded(context, *before);
  if (in_place) return plan_change(context, *before, request, known, done);
  VNET_TRY(check_attachable(context, *link, active.network));

  PortRecord record{.interface = request.interface, .network = request.network, .ifindex = link->ifindex};
  if (before) {
    record = *before;
    record.ifindex = link->ifindex;
  } else {
    VNET_ASSIGN(record.slot, context.take_slot());
    record.enslaved_by_us = !link->master;
  }
  apply_request(record, request);
  record.settled = record.leaving = false;
  if (active.network.mode == Mode::Direct) {
    VNET_ASSIGN(record.parent, choose_parent(context, active.network, record, known));
    VNET_TRY(check_direct_port(context, active.network, record));
  }
  VNET_TRY(check_mac_free(context, known, record, active.network));
  std::erase_if(known, [&](const PortRecord& port) { return port.interface == record.interface; });
  known.push_back(record);

  const Network& network = active.network;
  Plan plan;
  plan.done = done;
  note_ip_only(plan, record, network);
  plan.add(
      fmt::format("guard {} as port of {}", record.interface, record.network),
      [&context, record, link = *link, fresh = !before, active]() -> Result<void> {
        VNET_ASSIGN(Datapath * datapath, context.need_datapath());
        VNET_TRY(context.records.save(record));
        if (fresh) VNET_TRY(clear_slot(datapath->maps(), record.slot));
        VNET_TRY(take_out_of_ipv6(record.interface));
        VNET_TRY(write_rules(context, record, link, active));
        return datapath->attach(attachment_of(record));
      },
      [&context, record] {
        if (!context.datapath) return;
        erase_entries(context, record);
        (void)context.datapath->maps().ports.erase(static_cast<__u32>(record.ifindex));
        (void)context.datapath->detach(record.interface, record.ifindex);
        forget_guard(context.datapath->maps(), record.slot);
        (void)context.records.remove_port(record.interface);
      });
  if (network.mode == Mode::Direct) {
    plan.add(fmt::format("let {} be found", record.interface), [&context, record, link = *link, active] {
      return write_entries(context, record, link, active);
    });
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
      [&context, record, link = *link, active]() mutable -> Result<void> {
        VNET_ASSIGN(auto gateway, context.netlink.link(active.network.bridge));
        VNET_ASSIGN(auto now, context.netlink.find_link(record.ifindex));
        if (now && now->master && now->master != gateway.ifindex)
          return failed(fmt::format("{} has been put into another bridge meanwhile", record.interface));
        VNET_TRY(context.netlink.set_master(record.ifindex, gateway.ifindex));
        VNET_TRY(write_bridge_entries(context.netlink, record, active.network));
        VNET_TRY(write_entries(context, record, link, active));
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
  // Nobody guards it any more from here on: it must not be up meanwhile, nor afterwards.
  plan.add(
      fmt::format("take {} down", record.interface),
      [&context, record = record, there]() mutable -> Result<void> {
        record.leaving = true;
        VNET_TRY(context.records.save(record));
        return there ? context.netlink.set_down(record.ifindex) : Result<void>{};
      },
      [&context, record = record, there] {
        (void)context.records.save(record);
        if (there && record.plugged) (void)context.netlink.set_up(record.ifindex);
      });
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
      erase_entries(context, record);
      VNET_TRY(void_shortcuts(context, record.network));
      (void)maps.ports.erase(static_cast<__u32>(record.ifindex));
      VNET_TRY(context.datapath->detach(record.interface, record.ifindex));
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
