// SPDX-License-Identifier: GPL-2.0-or-later
// Ports of direct attachment: which parent they hang on, and plugging them there.
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "loader/plan/direct.h"

namespace vnet {

Result<std::string> choose_parent(Context& context, const Network& network, const PortRecord& record,
                                  const std::vector<PortRecord>& ports) {
  bool alone = network.direct_mode == DirectMode::Passthrough;
  bool any = false;
  auto most = std::numeric_limits<std::ptrdiff_t>::max();
  std::string best;
  for (const auto& device : network.devices) {
    VNET_ASSIGN(auto link, context.netlink.find_link(device));
    VNET_ASSIGN(auto parent, context.records.parent(device));
    if (!link || !parent) continue;  // it has vanished
    any = true;
    if (device == record.parent) return device;
    auto there = std::ranges::count_if(ports, [&](const PortRecord& port) {
      return port.parent == device && port.interface != record.interface;
    });
    if (there >= most || (alone && there)) continue;
    most = there;
    best = device;
  }
  if (!best.empty()) return best;
  if (any)
    return failed(fmt::format(
        "network {} passes each interface through to one guest, and {} {}; detach a guest, or add an "
        "<interface dev='...'/>",
        network.name, fmt::join(network.devices, ", "),
        network.devices.size() > 1 ? "have theirs" : "has its own"));
  return not_found(fmt::format("network {}: of its interfaces ({}) none is there", network.name,
                               fmt::join(network.devices, ", ")));
}

Result<void> check_direct_port(Context& context, const Network& network, const PortRecord& record) {
  if (network.direct_mode == DirectMode::Passthrough) {
    if (record.mac) return {};
    return invalid(fmt::format("network {}: passthrough gives {} the guest's MAC; name it with --mac",
                               network.name, record.parent));
  }
  VNET_ASSIGN(auto parent, context.records.parent(record.parent));
  if (parent && record.mac == parent->mac)
    return failed(fmt::format("{} has the MAC {} already", record.parent, record.mac->text()));
  return {};
}

std::uint32_t direct_flags(const Network& network) {
  if (network.mode != Mode::Direct) return 0;
  if (network.direct_mode == DirectMode::Vepa) return VNET_PORT_F_VEPA;
  return network.direct_mode == DirectMode::Private ? VNET_PORT_F_PRIVATE : 0;
}

Result<std::uint16_t> segment_of(Context& context, const PortRecord& record, std::uint16_t network) {
  if (record.parent.empty()) return network;
  VNET_ASSIGN(auto parent, context.records.parent(record.parent));
  if (!parent)
    return failed(fmt::format("{} is not attached; start network {} again", record.parent, record.network));
  return parent->slot;
}

Result<void> lend_mac(Context& context, const std::string& interface, const std::optional<Mac>& mac) {
  VNET_ASSIGN(auto parent, context.records.parent(interface));
  VNET_ASSIGN(auto link, context.netlink.find_link(interface));
  if (!parent || !parent->passthrough) return {};
  bool there = link && link->ifindex == parent->ifindex;
  if (mac) {
    if (!there) return not_found("there is no interface " + interface);
    if (!parent->own_mac) parent->own_mac = link->mac;
    VNET_TRY(context.records.save(*parent));
    return link->mac == *mac ? Result<void>{} : context.netlink.set_mac(link->ifindex, *mac);
  }
  if (there && parent->own_mac && link->mac != *parent->own_mac)
    VNET_TRY(context.netlink.set_mac(link->ifindex, *parent->own_mac));
  parent->own_mac = std::nullopt;
  return context.records.save(*parent);
}

void plan_plug_direct(Plan& plan, Context& context, const Network& network, const PortRecord& record,
                      const LinkInfo& link) {
  if (network.direct_mode == DirectMode::Passthrough)
    plan.add(
        fmt::format("give {} the MAC {}", record.parent, record.mac->text()),
        [&context, record] { return lend_mac(context, record.parent, record.mac); },
        [&context, record] { (void)lend_mac(context, record.parent, std::nullopt); });
  plan.add(
      fmt::format("plug {} into {}", record.interface, record.parent),
      [&context, record = record]() mutable -> Result<void> {
        VNET_ASSIGN(auto parent, context.records.parent(record.parent));
        if (!parent) return not_found(fmt::format("{} is gone", record.parent));
        // What the guest may send is what the wire takes; its own interface is told by the hypervisor.
        VNET_ASSIGN(auto wire, context.netlink.link(record.parent));
        VNET_TRY(context.netlink.set_mtu(record.ifindex, wire.mtu));
        VNET_TRY(write_members(context, *parent));
        VNET_TRY(record.plugged ? context.netlink.set_up(record.ifindex)
                                : context.netlink.set_down(record.ifindex));
        record.settled = true;
        return context.records.save(record);
      },
      [&context, record, mtu = link.mtu] {
        (void)context.netlink.set_mtu(record.ifindex, mtu);
        if (auto parent = context.records.parent(record.parent); parent && *parent)
          (void)write_members(context, **parent, record.interface);
      });
}

void plan_unplug_direct(Plan& plan, Context& context, const PortRecord& record) {
  plan.add(fmt::format("take {} off {}", record.interface, record.parent),
           [&context, record]() -> Result<void> {
             VNET_ASSIGN(auto parent, context.records.parent(record.parent));
             if (!parent || !context.datapath) return {};
             VNET_TRY(write_members(context, *parent, record.interface));
             return lend_mac(context, record.parent, std::nullopt);
           });
}

}  // namespace vnet
