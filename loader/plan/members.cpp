// SPDX-License-Identifier: GPL-2.0-or-later
// Guests' interfaces that libvirt, QEMU's bridge helper or an administrator plug into a network's bridge, and
// take out of it again.
#include <algorithm>

#include "loader/plan/builder.h"

namespace vnet {
namespace {

// On a bridge of the host's own, containers' interfaces are not ours to guard.
bool is_guests(const LinkInfo& link, const Network& network) {
  if (!link.ethernet) return false;
  if (link.kind == "tun") return link.tun_type == "tap";
  return !is_bridged(network) && (link.kind == "veth" || link.kind == "netkit");
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

void put_back(Builder& builder, const PortRecord& record) {
  auto wanted = want_port(builder, {.interface = record.interface, .network = record.network});
  if (!wanted) builder.refuse("port " + record.interface, std::move(wanted).error());
}

void pick_up(Builder& builder, const LinkInfo& link, const std::string& network) {
  const GuestPort* announced = announced_port(builder.snapshot.guest_ports, network, link);
  PortRequest request = announced ? announced->request : PortRequest{.mac = guest_mac(link)};
  request.interface = link.name;
  request.network = network;
  auto wanted = want_port(builder, request);
  if (!wanted && request.mac) {
    request.mac.reset();  // another port has that MAC already: guarded all the same
    wanted = want_port(builder, request);
  }
  if (!wanted) builder.refuse("port " + link.name, std::move(wanted).error());
}

// Of a guest whose network was stopped and started again: its hypervisor does not plug it in a second time.
bool was_left_behind(const Snapshot& snapshot, const LinkInfo& link, const std::string& network) {
  return !link.master && announced_port(snapshot.guest_ports, network, link);
}

enum class Fate { Stays, PutBack, Goes };

Fate fate_of(const Snapshot& snapshot, const PortRecord& port, const LinkInfo* bridge) {
  const LinkInfo* link = snapshot.link(port.interface);
  bool gone = !link || link->ifindex != port.ifindex;
  if (!gone && (!port.parent.empty() || !bridge)) return Fate::Stays;
  bool plugged = !gone && link->master == bridge->ifindex;
  // Where `attach` has plugged it, it is put back: `detach` unplugs. The others follow their owner.
  bool lost = !gone && !link->master && (port.enslaved_by_us || !port.settled);
  bool broken = plugged && (!port.settled || !snapshot.guarded_ports.contains(port.interface));
  if (!port.leaving && (lost || broken)) return Fate::PutBack;
  return port.leaving || !plugged ? Fate::Goes : Fate::Stays;
}

}  // namespace

void follow_ports(Builder& builder) {
  const Snapshot& snapshot = builder.snapshot;
  std::vector<const PortRecord*> back;
  for (const auto& [record, network] : snapshot.active) {
    if (!record.complete || builder.wanted.restart.contains(network.name)) continue;
    const LinkInfo* bridge = snapshot.link(network.bridge);
    for (const auto& port : snapshot.ports) {
      if (port.network != network.name) continue;
      auto fate = fate_of(snapshot, port, bridge);
      if (fate == Fate::Goes) want_no_port(builder, port.interface);
      if (fate == Fate::PutBack) back.push_back(&port);
    }
  }
  // Behind those that go: they may have had the same MAC.
  for (const PortRecord* port : back) put_back(builder, *port);
  for (const auto& [record, network] : snapshot.active) {
    const LinkInfo* bridge = snapshot.link(network.bridge);
    if (!record.complete || !bridge || builder.wanted.restart.contains(network.name)) continue;
    for (const auto& link : snapshot.links)
      if ((link.master == bridge->ifindex || was_left_behind(snapshot, link, network.name)) &&
          is_guests(link, network) && !snapshot.port(link.name))
        pick_up(builder, link, network.name);
  }
  mend_ports(builder, {});
}

}  // namespace vnet
