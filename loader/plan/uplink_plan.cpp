// SPDX-License-Identifier: GPL-2.0-or-later
// Uplinks: where the networks' packets leave the host. Named by <forward dev>, else every interface that
// carries a default route.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "loader/plan/context.h"
#include "loader/plan/uplink_xdp.h"

namespace vnet {
namespace {

struct Wanted {
  LinkInfo link;
  UplinkXdp xdp;
};

bool is_routed(const Network& network) {
  return network.mode == Mode::Nat || network.mode == Mode::Route || network.mode == Mode::Open;
}

Result<std::vector<Wanted>> wanted_uplinks(Context& context, const std::vector<Network>& networks) {
  std::map<int, std::vector<Network>> users;
  for (const auto& network : networks) {
    if (!is_routed(network)) continue;
    if (network.devices.empty()) {
      VNET_ASSIGN(auto defaults, context.netlink.default_route_links());
      for (int index : defaults) users[index].push_back(network);
      continue;
    }
    VNET_ASSIGN(auto link, context.netlink.find_link(network.devices.front()));
    if (link) users[link->ifindex].push_back(network);
  }
  VNET_ASSIGN(auto links, context.netlink.links());
  std::vector<Wanted> wanted;
  auto gateways = gateway_names(networks);
  for (const auto& [index, of_these] : users) {
    VNET_ASSIGN(auto link, context.netlink.find_link(index));
    if (link && link->name != "lo" && !gateways.contains(link->name))
      wanted.push_back({*link, wanted_xdp(*link, links, of_these)});
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

Result<void> bring_up(Context& context, UplinkRecord record, bool ethernet) {
  VNET_ASSIGN(Datapath * datapath, context.need_datapath());
  VNET_TRY(context.records.save(record));
  vnet_device device{.role = VNET_DEVICE_UPLINK, .slot = record.slot};
  note_addresses(context, record.ifindex, device);
  VNET_TRY(datapath->maps().devices.set(static_cast<__u32>(record.ifindex), device));
  VNET_TRY(bring_up_xdp(*datapath, record));
  VNET_TRY(context.records.save(record));
  bool counted = record.xdp.mode != XdpMode::Off && record.xdp_why.empty();
  VNET_TRY(
      datapath->load_uplink(record.interface, {.slot = record.slot,
                                               .ifindex = record.ifindex,
                                               .ethernet = ethernet,
                                               .limits_new_flows = record.xdp.limits_new_flows && !counted}));
  return datapath->attach_uplink(record.interface, record.ifindex);
}

// Or the reason why not; somebody may have taken it away.
bool has_its_xdp(const Datapath& datapath, const UplinkRecord& record) {
  return record.xdp.mode == XdpMode::Off || !record.xdp_why.empty() ||
         datapath.uplink_xdp(record.interface, record.ifindex).how != XdpHow::Not;
}

void take_down(Context& context, const UplinkRecord& record) {
  if (context.datapath) {
    (void)context.datapath->detach_uplink_xdp(record.interface, record.ifindex);
    (void)context.datapath->detach(record.interface, record.ifindex);
    (void)context.datapath->maps().devices.erase(static_cast<__u32>(record.ifindex));
    context.datapath->unload_uplink(record.interface);
    (void)clear_slot(context.datapath->maps(), record.slot);
  }
  (void)context.records.remove_uplink(record.interface);
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

}  // namespace

Result<Plan> plan_uplinks(Context& context, const std::vector<Network>& networks) {
  Plan plan;
  VNET_ASSIGN(auto wanted, wanted_uplinks(context, networks));
  VNET_ASSIGN(auto there, context.records.uplinks());
  auto attached = [&](const Wanted& want) {
    return std::ranges::any_of(there, [&](const UplinkRecord& r) {
      return r.interface == want.link.name && r.ifindex == want.link.ifindex && r.xdp == want.xdp &&
             context.datapath &&
             context.datapath->maps().devices.get(static_cast<__u32>(r.ifindex)).has_value() &&
             has_its_xdp(*context.datapath, r);
    });
  };
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
      plan_addresses(plan, context, link);
      continue;
    }
    std::string xdp =
        want.xdp.mode == XdpMode::Off ? "" : fmt::format(", XDP {}", xdp_mode_name(want.xdp.mode));
    plan.add(
        fmt::format("attach uplink {}{}", link.name, xdp),
        [&context, link, xdp = want.xdp]() -> Result<void> {
          UplinkRecord record{.interface = link.name, .ifindex = link.ifindex, .xdp = xdp};
          VNET_ASSIGN(auto before, context.records.uplink(link.name));
          VNET_ASSIGN(Datapath * datapath, context.need_datapath());
          if (before) {
            record.slot = before->slot;
          } else {
            VNET_ASSIGN(record.slot, context.records.free_slot());
            VNET_TRY(clear_slot(datapath->maps(), record.slot));
          }
          return bring_up(context, record, link.ethernet);
        },
        [&context, name = link.name] {
          if (auto record = context.records.uplink(name); record && *record) take_down(context, **record);
        });
  }
  return plan;
}

}  // namespace vnet
