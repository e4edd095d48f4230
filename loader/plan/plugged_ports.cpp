// SPDX-License-Identifier: GPL-2.0-or-later
// Guests' interfaces that libvirt, QEMU's bridge helper or an administrator plug into a network's bridge, and
// take out of it again.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <memory>

#include "loader/plan/context.h"
#include "loader/plan/guards.h"

namespace vnet {
namespace {

// On a bridge of the host's own, containers' interfaces are not ours to guard.
bool is_guests(const LinkInfo& link, const Network& network) {
  if (!link.ethernet) return false;
  if (link.kind == "tun") return link.tun_type == "tap";
  return network.mode != Mode::Bridge && (link.kind == "veth" || link.kind == "netkit");
}

// libvirt gives a tap its guest's MAC with fe for the first byte. Which one that was is known for libvirt's
// and QEMU's own prefix alone, 52:54:00; any other guest's MAC is learned, or named by the hook.
std::optional<Mac> guest_mac(const LinkInfo& link) {
  Mac mac = link.mac;
  if (link.kind != "tun" || mac.bytes[0] != 0xfe || mac.bytes[1] != 0x54 || mac.bytes[2] != 0)
    return std::nullopt;
  mac.bytes[0] = 0x52;
  return mac;
}

// What the tasks of one list share: read when the first of them is planned, behind those that take ports off.
using Known = std::shared_ptr<std::optional<KnownPorts>>;

Result<Plan> plan_attach(Context& context, const PortRequest& request, const Known& known) {
  if (!*known) {
    VNET_ASSIGN(*known, context.records.ports());
  }
  return vnet::plan_attach(context, request, **known);
}

Result<Plan> plan_pick_up(Context& context, const LinkInfo& link, const std::string& network,
                          const Known& known) {
  PortRequest request{.interface = link.name, .network = network, .mac = guest_mac(link)};
  auto plan = plan_attach(context, request, known);
  if (plan || !request.mac) return plan;
  request.mac.reset();  // somebody has that MAC already: guarded all the same
  return plan_attach(context, request, known);
}

Task pick_up(Context& context, const LinkInfo& link, const std::string& network, const Known& known) {
  return {"port " + link.name,
          [&context, link, network, known] { return plan_pick_up(context, link, network, known); }};
}

Task put_back(Context& context, const PortRecord& record, const Known& known) {
  return {"port " + record.interface, [&context, record, known] {
            return plan_attach(context, {.interface = record.interface, .network = record.network}, known);
          }};
}

Task take_off(Context& context, const PortRecord& record) {
  return {"port " + record.interface, [&context, record] { return plan_detach(context, record); }};
}

}  // namespace

Result<std::vector<Task>> port_heal_tasks(Context& context, const std::vector<ActiveNetwork>& active) {
  VNET_ASSIGN(auto ports, context.records.ports());
  std::vector<Task> tasks;
  auto known = std::make_shared<std::optional<KnownPorts>>();
  for (const auto& port : ports) {
    auto of = std::ranges::find(active, port.network, [](const auto& one) { return one.network.name; });
    VNET_ASSIGN(auto link, context.netlink.find_link(port.ifindex));
    bool there = link && link->name == port.interface && of != active.end() && of->record.complete;
    if (port.leaving) {
      tasks.push_back(take_off(context, port));
    } else if (there && (!port.settled || !is_guarded(context, port))) {
      VNET_ASSIGN(auto bridge, context.netlink.find_link(of->network.bridge));
      // Whoever has put it elsewhere meanwhile is asked by `attach`, not overruled here.
      bool plugged = bridge && link->master == bridge->ifindex;
      if (plugged || !port.parent.empty() || (!link->master && !port.settled && bridge))
        tasks.push_back(put_back(context, port, known));
    }
  }
  return tasks;
}

Result<std::vector<Task>> port_tasks(Context& context, const std::vector<ActiveNetwork>& active) {
  VNET_ASSIGN(auto links, context.netlink.links());
  VNET_ASSIGN(auto ports, context.records.ports());
  std::vector<Task> off, on;
  auto known = std::make_shared<std::optional<KnownPorts>>();
  auto link_of = [&](const PortRecord& port) {
    return std::ranges::find_if(links, [&](const LinkInfo& link) {
      return link.name == port.interface && link.ifindex == port.ifindex;
    });
  };
  for (const auto& [record, network] : active) {
    if (!record.complete) continue;
    auto bridge = std::ranges::find(links, network.bridge, &LinkInfo::name);
    for (const auto& port : ports) {
      if (port.network != network.name) continue;
      auto link = link_of(port);
      bool gone = link == links.end();
      if (!gone && (!port.parent.empty() || bridge == links.end())) continue;
      bool plugged = !gone && link->master == bridge->ifindex;
      // Where `attach` has plugged it, it is put back: `detach` unplugs. The others follow their owner.
      bool lost = !gone && !link->master && (port.enslaved_by_us || !port.settled);
      bool broken = plugged && (!port.settled || !is_guarded(context, port));
      if (!port.leaving && (lost || broken))
        on.push_back(put_back(context, port, known));
      else if (port.leaving || !plugged)
        off.push_back(take_off(context, port));
    }
    if (bridge == links.end()) continue;
    for (const auto& link : links)
      if (link.master == bridge->ifindex && is_guests(link, network) &&
          std::ranges::find(ports, link.name, &PortRecord::interface) == ports.end())
        on.push_back(pick_up(context, link, network.name, known));
  }
  std::ranges::move(on, std::back_inserter(off));
  return off;
}

}  // namespace vnet
