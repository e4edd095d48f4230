// SPDX-License-Identifier: GPL-2.0-or-later
// Uplinks: wherever the host routes a packet to, it may leave, whatever the rules say: marks, tables, DNAT.
// So every interface that carries a route has our programs, which translate, or drop what may not leave by
// it.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "loader/bpf/map_address.h"
#include "loader/plan/context.h"
#include "loader/plan/entries.h"
#include "loader/plan/guards.h"
#include "loader/plan/uplink_vrfs.h"
#include "loader/plan/uplink_xdp.h"

namespace vnet {
namespace {

struct Wanted {
  LinkInfo link;
  UplinkXdp xdp;
  bool primary = false;
};

bool is_routed(const Network& network) {
  return network.mode == Mode::Nat || network.mode == Mode::Route || network.mode == Mode::Open;
}

// The networks that ask something of an uplink, by its ifindex: those that name it, else of the default
// routes.
Result<std::map<int, std::vector<Network>>> users_of_uplinks(Context& context,
                                                             const std::vector<Network>& networks) {
  std::map<int, std::vector<Network>> users;
  VNET_ASSIGN(auto defaults, context.netlink.default_route_links());
  for (const auto& network : networks) {
    if (!is_routed(network)) continue;
    if (network.devices.empty()) {
      for (int index : defaults) users[index].push_back(network);
      continue;
    }
    VNET_ASSIGN(auto link, context.netlink.find_link(network.devices.front()));
    if (link) users[link->ifindex].push_back(network);
  }
  return users;
}

// An interface that belongs to another one has no routes; those in a VRF have theirs.
bool is_enslaved(const LinkInfo& link, const std::vector<LinkInfo>& links) {
  if (!link.master) return false;
  auto master = std::ranges::find(links, link.master, &LinkInfo::ifindex);
  return master != links.end() && master->kind != "vrf";
}

Result<std::vector<Wanted>> wanted_uplinks(Context& context, const std::vector<Network>& networks) {
  std::vector<Wanted> wanted;
  if (std::ranges::none_of(networks, has_gateway)) return wanted;
  VNET_ASSIGN(auto users, users_of_uplinks(context, networks));
  VNET_ASSIGN(auto links, context.netlink.links());
  VNET_ASSIGN(auto routed, routed_links(context));
  VNET_ASSIGN(auto ports, context.records.ports());
  VNET_ASSIGN(auto records, context.records.uplinks());
  auto gateways = gateway_names(networks);
  VNET_ASSIGN(auto active, active_networks(context));  // one that is being stopped is not among the networks
  for (const auto& one : active)
    if (has_gateway(one.network)) gateways.insert(one.network.bridge);
  for (const auto& link : links) {
    if (link.name == "lo" || gateways.contains(link.name) || is_enslaved(link, links) ||
        std::ranges::find(ports, link.name, &PortRecord::interface) != ports.end())
      continue;
    // One that is down has lost its routes, and gets them back faster than anybody could attach to it.
    bool waits = !link.up && std::ranges::any_of(records, [&](const UplinkRecord& record) {
      return record.interface == link.name && record.ifindex == link.ifindex && record.network.empty();
    });
    if (routed.contains(link.ifindex) || users.contains(link.ifindex) || waits)
      wanted.push_back({.link = link,
                        .xdp = wanted_xdp(link, links, users[link.ifindex]),
                        .primary = !users[link.ifindex].empty()});
  }
  return wanted;
}

// For kernels below 6.7, whose FIB lookup does not tell the source address of a route.
void note_addresses(Context& context, int ifindex, vnet_device& device) {
  device.addr4 = device.addr6 = {};
  auto addresses = context.netlink.addresses(ifindex);
  if (!addresses) return;
  for (const auto& info : *addresses) {
    if (info.scope != RT_SCOPE_UNIVERSE || info.tentative) continue;
    auto& to = info.prefix.address.family == Family::V4 ? device.addr4 : device.addr6;
    if (!to.word_be[3] && !to.word_be[0]) to = from_address(info.prefix.address);
  }
}

// XDP costs nobody his network: where it cannot be, the tc program does the same.
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

Result<void> bring_up(Context& context, UplinkRecord record, const LinkInfo& link) {
  VNET_ASSIGN(Datapath * datapath, context.need_datapath());
  VNET_TRY(context.records.save(record));
  VNET_TRY(bring_up_xdp(*datapath, record));
  VNET_TRY(context.records.save(record));
  bool counted = record.xdp.mode != XdpMode::Off && record.xdp_why.empty();
  VNET_TRY(
      datapath->load_uplink(record.interface, {.slot = record.slot,
                                               .ifindex = record.ifindex,
                                               .ethernet = link.ethernet,
                                               .bridge = link.kind == "bridge",
                                               .limits_new_flows = record.xdp.limits_new_flows && !counted}));
  VNET_TRY(datapath->attach({Role::Uplink, record.interface, record.interface, record.ifindex}));
  vnet_device device{.role = VNET_DEVICE_UPLINK, .slot = record.slot};
  note_addresses(context, record.ifindex, device);
  return write_device(datapath->maps(), record.ifindex, device);
}

// Or the reason why not; somebody may have taken it away.
bool has_its_xdp(const Datapath& datapath, const UplinkRecord& record) {
  return record.xdp.mode == XdpMode::Off || !record.xdp_why.empty() ||
         datapath.uplink_xdp(record.interface, record.ifindex).how != XdpHow::Not;
}

void take_down(Context& context, const UplinkRecord& record) {
  if (context.datapath) {
    erase_device(context.datapath->maps(), record.ifindex);
    (void)context.datapath->detach_uplink_xdp(record.interface, record.ifindex);
    (void)context.datapath->detach(record.interface, record.ifindex);
    context.datapath->unload_uplink(record.interface);
    (void)clear_slot(context.datapath->maps(), record.slot);
  }
  (void)context.records.remove_uplink(record.interface);
}

// It stays attached; only what is said of it changes.
void plan_primary(Plan& plan, Context& context, const UplinkRecord& record, bool primary) {
  if (record.primary == primary) return;
  plan.add(fmt::format("note that {} is {} uplink", record.interface, primary ? "the" : "no longer the"),
           [&context, record = record, primary]() mutable {
             record.primary = primary;
             return context.records.save(record);
           });
}

void plan_addresses(Plan& plan, Context& context, const LinkInfo& link) {
  auto& devices = context.datapath->maps().devices;
  auto device = devices.get(static_cast<__u32>(link.ifindex));
  if (!device) return;
  vnet_device now = *device;
  note_addresses(context, link.ifindex, now);
  if (!std::memcmp(&now, &*device, sizeof(now))) return;
  plan.add(fmt::format("note the addresses of uplink {}", link.name),
           [&context, index = static_cast<__u32>(link.ifindex), now] {
             return context.datapath->maps().devices.set(index, now);
           });
}

// Every interface has routes of its link's own: nothing is routed by those.
bool stays_on_link(const RouteInfo& route) {
  if (!route.destination || route.family == Family::V4) return false;
  const auto& bytes = route.destination->address.bytes;
  return bytes[0] == 0xff || (bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80);
}

}  // namespace

Result<std::set<int>> routed_links(Context& context) {
  VNET_ASSIGN(auto routes, context.netlink.routes());
  std::set<int> links;
  for (const auto& route : routes)
    if (route.oif && route.type == RTN_UNICAST && !stays_on_link(route)) links.insert(route.oif);
  return links;
}

Result<Plan> plan_uplinks(Context& context, const std::vector<Network>& networks) {
  Plan plan;
  VNET_ASSIGN(auto wanted, wanted_uplinks(context, networks));
  VNET_ASSIGN(auto there, context.records.uplinks());
  auto attached = [&](const Wanted& want) {
    return std::ranges::any_of(there, [&](const UplinkRecord& r) {
      return r.interface == want.link.name && r.ifindex == want.link.ifindex && r.xdp == want.xdp &&
             is_uplink_guarded(context, r) && has_its_xdp(*context.datapath, r);
    });
  };
  std::set<int> uplinks;
  for (const auto& want : wanted) uplinks.insert(want.link.ifindex);
  VNET_ASSIGN(auto links, context.netlink.links());
  plan_vrfs_to_forget(plan, context, uplinks, links);
  for (const auto& record : there) {
    if (!record.network.empty()) continue;  // a bridged network's own
    if (std::ranges::any_of(wanted, [&](const Wanted& want) { return want.link.name == record.interface; }))
      continue;
    plan.add(fmt::format("detach uplink {}", record.interface), [&context, record]() -> Result<void> {
      take_down(context, record);
      return {};
    });
  }
  for (const auto& want : wanted) {
    const LinkInfo& link = want.link;
    if (attached(want)) {
      plan_primary(plan, context, *std::ranges::find(there, link.name, &UplinkRecord::interface),
                   want.primary);
      plan_addresses(plan, context, link);
      continue;
    }
    std::string xdp =
        want.xdp.mode == XdpMode::Off ? "" : fmt::format(", XDP {}", xdp_mode_name(want.xdp.mode));
    plan.add(
        fmt::format("attach uplink {}{}", link.name, xdp),
        [&context, link, xdp = want.xdp, primary = want.primary]() -> Result<void> {
          UplinkRecord record{.interface = link.name, .ifindex = link.ifindex, .xdp = xdp};
          record.primary = primary;
          VNET_ASSIGN(auto before, context.records.uplink(link.name));
          VNET_ASSIGN(Datapath * datapath, context.need_datapath());
          if (before) {
            record.slot = before->slot;
          } else {
            VNET_ASSIGN(record.slot, context.take_slot());
            VNET_TRY(clear_slot(datapath->maps(), record.slot));
          }
          return bring_up(context, record, link);
        },
        [&context, name = link.name] {
          if (auto record = context.records.uplink(name); record && *record) take_down(context, **record);
        });
  }
  plan_vrfs_to_note(plan, context, uplinks, links);
  return plan;
}

}  // namespace vnet
