// SPDX-License-Identifier: GPL-2.0-or-later
// Networks of direct attachment, and their parents. A parent may serve several networks; it is brought up by
// the first and let go by the last.
#include <fmt/format.h>

#include <algorithm>

#include "loader/plan/direct.h"
#include "loader/plan/entries.h"
#include "loader/plan/guards.h"
#include "loader/plan/modes.h"

namespace vnet {
namespace {

bool is_passthrough(const Network& network) {
  return network.direct_mode == DirectMode::Passthrough;
}

bool uses(const Network& network, const std::string& device) {
  return network.mode == Mode::Direct && std::ranges::find(network.devices, device) != network.devices.end();
}

// What the XML may say of direct attachment but this version does not do yet.
Result<void> check_supported(const Network& network) {
  auto missing = [&](const char* what) {
    return invalid(
        fmt::format("network {}: {} is not in this build yet with direct attachment", network.name, what));
  };
  if (!network.physical_function.empty()) return missing("<pf>");
  if (network.settings.host_access != HostAccess::All) return missing("<vnet:host access>");
  if (network.settings.link_protocols) return missing("<vnet:link-protocols>");
  bool vlan = network.vlan.has_value();
  for (const auto& group : network.portgroups) vlan = vlan || group.vlan;
  if (vlan) return missing("<vlan>");
  if (network.devices.empty())
    return invalid(fmt::format(
        "network {}: direct attachment needs a physical interface; name it in <forward> with <interface "
        "dev='...'/>, or name a <bridge>",
        network.name));
  return {};
}

Result<void> check_parent(Context& context, const Network& network, const std::string& device) {
  auto refused = [&](const std::string& why) {
    return failed(fmt::format("network {}: {} {}", network.name, device, why));
  };
  VNET_ASSIGN(auto link, context.netlink.find_link(device));
  if (!link) return not_found(fmt::format("network {}: there is no interface {}", network.name, device));
  if (!link->ethernet || device == "lo")
    return refused("is not an Ethernet interface; use <forward mode='nat'> or 'route'");
  if (link->kind == "bridge")
    return refused(
        fmt::format("is a bridge; give its name in <bridge name='{}'/> instead of as an interface", device));
  if (link->master) {
    VNET_ASSIGN(auto master, context.netlink.link(link->master));
    if (master.kind == "bridge")
      return refused(
          fmt::format("is in bridge {0}; name that instead (<bridge name='{0}'/>), or take {1} out "
                      "of it (ip link set {1} nomaster)",
                      master.name, device));
    if (master.kind != "vrf") return refused(fmt::format("belongs to {0}; name {0} instead", master.name));
  }
  VNET_TRY(check_bond(network, *link));
  VNET_ASSIGN(auto port, context.records.port(device));
  if (port) return refused(fmt::format("is a guest's interface, attached to network {}", port->network));
  VNET_ASSIGN(auto active, active_networks(context));
  for (const auto& other : active)
    if (other.network.name != network.name && uses(other.network, device) &&
        (is_passthrough(other.network) || is_passthrough(network)))
      return refused(fmt::format("is in use by network {}, and passthrough wants it alone; stop that first",
                                 other.network.name));
  return {};
}

std::vector<std::string> orphans(const Network& network, const std::vector<ActiveNetwork>& others) {
  std::vector<std::string> left = network.devices;
  std::erase_if(left, [&](const std::string& device) {
    return std::ranges::any_of(others, [&](const auto& other) { return uses(other.network, device); });
  });
  return left;
}

// The note of it comes before what it describes; a parent made anew has another former state.
Result<ParentRecord> note_parent(Context& context, const LinkInfo& link, bool passthrough) {
  VNET_ASSIGN(auto before, context.records.parent(link.name));
  ParentRecord record{.interface = link.name, .ifindex = link.ifindex, .mac = link.mac};
  record.was_promiscuous = link.promiscuous;
  record.was_up = link.up;
  if (before && before->ifindex == link.ifindex) {
    record = *before;
    if (!record.own_mac) record.mac = link.mac;
  } else if (before) {
    record.slot = before->slot;
  } else {
    VNET_ASSIGN(Datapath * datapath, context.need_datapath());
    VNET_ASSIGN(record.slot, context.take_slot());
    VNET_TRY(clear_slot(datapath->maps(), record.slot));
  }
  record.passthrough = passthrough;
  VNET_TRY(context.records.save(record));
  return record;
}

Result<void> reattach_ports(Context& context, const ParentRecord& parent) {
  VNET_ASSIGN(auto ports, context.records.ports());
  for (const auto& port : ports) {
    if (port.parent != parent.interface || !port.settled) continue;
    VNET_ASSIGN(auto link, context.netlink.find_link(port.ifindex));
    if (!link || link->name != port.interface) continue;
    VNET_TRY(context.datapath->attach(attachment_of(port)));
    if (parent.passthrough) VNET_TRY(lend_mac(context, parent.interface, port.mac));
  }
  return {};
}

}  // namespace

Result<void> bring_up_parent(Context& context, const std::string& interface, bool passthrough) {
  VNET_ASSIGN(Datapath * datapath, context.need_datapath());
  VNET_ASSIGN(auto link, context.netlink.link(interface));
  VNET_ASSIGN(auto record, note_parent(context, link, passthrough));
  VNET_TRY(datapath->load_parent(
      interface,
      {.slot = record.slot, .ifindex = link.ifindex, .mac = record.mac, .passthrough = passthrough}));
  VNET_TRY(datapath->attach({Role::Parent, interface, interface, link.ifindex}));
  VNET_TRY(reattach_ports(context, record));
  VNET_TRY(write_members(context, record));
  // The guests' MACs are not the card's own: it must not filter.
  if (!link.promiscuous) VNET_TRY(context.netlink.set_promiscuous(link.ifindex, true));
  return link.up ? Result<void>{} : context.netlink.set_up(link.ifindex);
}

void take_down_parent(Context& context, const ParentRecord& record) {
  if (record.own_mac) (void)lend_mac(context, record.interface, std::nullopt);
  auto link = context.netlink.find_link(record.interface);
  if (link && *link && (*link)->ifindex == record.ifindex) {
    if (!record.was_promiscuous) (void)context.netlink.set_promiscuous(record.ifindex, false);
    if (!record.was_up) (void)context.netlink.set_down(record.ifindex);
  }
  if (context.datapath) {
    auto& maps = context.datapath->maps();
    for (const auto& key : maps.fdb.keys())
      if (key.network == record.slot) (void)maps.fdb.erase(key);
    remove_members(maps, record.ifindex);
    (void)context.datapath->detach_parent(record.interface, record.ifindex);
    context.datapath->unload_parent(record.interface);
    (void)clear_slot(maps, record.slot);
  }
  (void)context.records.remove_parent(record.interface);
}

Result<void> write_members(Context& context, const ParentRecord& parent, const std::string& without) {
  VNET_ASSIGN(Datapath * datapath, context.need_datapath());
  VNET_ASSIGN(auto ports, context.records.ports());
  auto& members = datapath->maps().members;
  vnet_member_key key{.parent = static_cast<__u32>(parent.ifindex), .index = 0};
  for (const auto& port : ports)
    if (port.parent == parent.interface && port.interface != without) {
      VNET_TRY(members.set(key, static_cast<__u32>(port.ifindex)));
      ++key.index;
    }
  for (; members.get(key); ++key.index) VNET_TRY(members.erase(key));
  return {};
}

Result<void> check_direct(Context& context, const Network& network) {
  VNET_TRY(check_supported(network));
  for (const auto& device : network.devices) VNET_TRY(check_parent(context, network, device));
  return {};
}

Result<Plan> plan_direct_up(Context& context, const Network& network, std::uint16_t slot,
                            const std::vector<ActiveNetwork>& others) {
  Plan plan;
  auto ours = orphans(network, others);  // nobody else has them: they go again when a step fails
  for (const auto& device : network.devices) {
    std::function<void()> undo;
    if (std::ranges::find(ours, device) != ours.end())
      undo = [&context, device] {
        if (auto record = context.records.parent(device); record && *record)
          take_down_parent(context, **record);
      };
    plan.add(
        fmt::format("attach to {}: the way out of {}", device, network.name),
        [&context, device, passthrough = is_passthrough(network)] {
          return bring_up_parent(context, device, passthrough);
        },
        undo);
  }
  plan.add(
      fmt::format("enter {} into the datapath", network.name),
      [&context, network, slot]() -> Result<void> {
        VNET_ASSIGN(Datapath * datapath, context.need_datapath());
        vnet_network entry{};
        entry.max_sessions = network.settings.max_sessions;
        entry.max_sessions_per_port = network.settings.max_sessions_per_port;
        return datapath->maps().networks.set(slot, entry);
      },
      [&context, slot] {
        if (context.datapath) forget_network(context.datapath->maps(), slot);
      });
  return plan;
}

Result<Plan> plan_direct_down(Context& context, const Network& network, std::uint16_t slot,
                              const std::vector<ActiveNetwork>& others) {
  Plan plan;
  for (const auto& device : orphans(network, others)) {
    VNET_ASSIGN(auto record, context.records.parent(device));
    if (!record) continue;
    plan.add(fmt::format("detach from {}", device), [&context, record = *record]() -> Result<void> {
      take_down_parent(context, record);
      return {};
    });
  }
  plan.add(fmt::format("remove {} from the datapath", network.name), [&context, slot]() -> Result<void> {
    if (context.datapath) forget_network(context.datapath->maps(), slot);
    return {};
  });
  return plan;
}

bool is_direct_up(Context& context, const NetworkRecord& record) {
  if (!record.complete || !context.datapath) return false;
  auto entry = context.datapath->maps().networks.get(record.slot);
  return entry && entry->max_sessions;
}

Result<Plan> heal_parents(Context& context, const std::vector<Network>& networks) {
  Plan plan;
  VNET_ASSIGN(auto records, context.records.parents());
  for (const auto& record : records) {
    VNET_ASSIGN(auto link, context.netlink.find_link(record.interface));
    bool wanted = std::ranges::any_of(networks, [&](const auto& n) { return uses(n, record.interface); });
    if (!link || !wanted || !context.datapath) continue;
    if (link->ifindex == record.ifindex && link->promiscuous && (record.own_mac || link->mac == record.mac) &&
        is_parent_guarded(context, record))
      continue;
    plan.add(fmt::format("attach to {} again", record.interface),
             [&context, record] { return bring_up_parent(context, record.interface, record.passthrough); });
  }
  return plan;
}

}  // namespace vnet
