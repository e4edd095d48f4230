// SPDX-License-Identifier: GPL-2.0-or-later
// Direct attachment: what guests send, what the wire brings, what the host sends. A group frame's copies are
// only noted by the program in the shadow (bpf/lib/flood.h); each is shown to its port's program here.
#include <fmt/format.h>

#include <algorithm>

#include "loader/bpf/map_address.h"
#include "loader/explain/cause.h"
#include "loader/explain/walk.h"
#include "loader/model/drop_reason.h"

namespace vnet {
namespace {

std::uint32_t mode_of(const vnet_port& port) {
  if (port.flags & VNET_PORT_F_PRIVATE) return VNET_TO_PRIVATE;
  return port.flags & VNET_PORT_F_VEPA ? VNET_TO_VEPA : VNET_TO_BRIDGE;
}

}  // namespace

// A guest's, else whose the host knows.
Result<std::optional<Mac>> Walk::mac_at_parent(const ParentRecord& parent, const Address& address) {
  for (const auto& port : ports_) {
    if (port.parent != parent.interface) continue;
    bool its = std::ranges::find(port.ips, address) != port.ips.end() ||
               system_->datapath->maps().addresses.get({.addr = from_address(address), .slot = port.slot});
    auto entry = shadow_->maps().ports.get(static_cast<__u32>(port.ifindex));
    if (its && entry && entry->flags & VNET_PORT_F_MAC_NAT) return std::nullopt;  // outside: the parent's
    if (its) return port_mac(port);
  }
  return neighbour_mac(parent.ifindex, address);
}

Result<bool> Walk::is_hosts(const Address& address) {
  VNET_ASSIGN(auto route, system_->netlink.route_of({{address.family, {}}, address, 0}));
  return !route.error && route.type == RTN_LOCAL;
}

// A guest's own address as the sender: its frame, sent back by the switch.
Result<void> Walk::from_wire(const Question& question, const ParentRecord& parent) {
  bool by_host = !question.from;
  if (question.from) {
    VNET_ASSIGN(by_host, is_hosts(*question.from));
  }
  if (by_host) return from_parents_host(question, parent);
  VNET_ASSIGN(auto link, system_->netlink.link(parent.interface));
  VNET_ASSIGN(auto sender, mac_at_parent(parent, *question.from));
  VNET_ASSIGN(auto target, mac_at_parent(parent, question.to));
  VNET_ASSIGN(auto route, system_->netlink.route_of({{question.to.family, {}}, question.to, 0}));
  if (question.to.is_multicast() || (!route.error && route.type == RTN_BROADCAST))
    target = group_mac(question.to);
  FrameSpec spec = spec_of(question, *question.from);
  spec.source_mac = sender.value_or(Mac{{2, 0, 0, 0, 0, 1}});
  spec.destination_mac = target.value_or(link.mac);
  if (!target && route.type != RTN_LOCAL && !parent.passthrough)
    told_.notes.push_back(fmt::format("{} is nobody's that is known here: sent to the MAC of {} itself",
                                      question.to.text(), parent.interface));
  VNET_TRY(send(spec, question));
  return at_parent_ingress(parent);
}

Result<void> Walk::from_parents_host(const Question& question, const ParentRecord& parent) {
  VNET_ASSIGN(auto link, system_->netlink.link(parent.interface));
  std::optional<Address> from = question.from;
  VNET_ASSIGN(auto addresses, system_->netlink.addresses(parent.ifindex));
  for (const auto& each : addresses)
    if (!from && each.scope == RT_SCOPE_UNIVERSE && each.prefix.address.family == question.to.family)
      from = each.prefix.address;
  if (!from)
    return invalid(fmt::format("--from: the host has no address of that family at {}: name who sends it",
                               parent.interface));
  VNET_ASSIGN(auto route, system_->netlink.route_of({{question.to.family, {}}, question.to, 0}));
  FrameSpec spec = spec_of(question, *from);
  spec.source_mac = link.mac;
  bool group = question.to.is_multicast() || (!route.error && route.type == RTN_BROADCAST);
  if (group) spec.destination_mac = group_mac(question.to);
  VNET_TRY(send(spec, question));
  if (!group) return at_host(0);
  const UplinkRecord* uplink = uplink_at(parent.ifindex);
  if (!uplink) return at_parent_egress(parent, 0);
  VNET_ASSIGN(auto passed, pass(VNET_HOOK_UPLINK_EGRESS, parent.interface,
                                {.ifindex = static_cast<std::uint32_t>(parent.ifindex)}));
  return passed.ends ? Result<void>{} : at_parent_egress(parent, 0);
}

// The port's program has redirected to another guest of the parent, to the host, or out; a group frame to
// all of them.
Result<void> Walk::at_direct_port(const PortRecord& port, const Passed& passed) {
  constexpr std::uint32_t to_wire = 1;  // MARK_WIRE of bpf/lib/mark.h
  auto found = std::ranges::find(parents_, port.parent, &ParentRecord::interface);
  if (found == parents_.end()) return failed(fmt::format("{} is not in use any more", port.parent));
  const ParentRecord& parent = *found;
  if (passed.cb[2] == to_wire) last().details.push_back("out by " + port.parent);
  if (passed.cb[2] == to_wire && view().source_mac != told_.sent.source_mac)
    last().details.push_back("with the MAC of " + port.parent);
  VNET_TRY(send_copies(parent, passed));
  if (passed.cb[VNET_CB_TO] & VNET_TO_HOST) {
    VNET_TRY(up_from_parent(parent));
    if (told_.fate == Fate::Host) copied_.emplace_back("host");
  }
  VNET_ASSIGN(auto link, system_->netlink.find_link(parent.ifindex));
  if (passed.cb[2] == to_wire) {
    end(Fate::Outside, port.parent);
  } else if (link && view().destination_mac == link->mac) {
    last().details.emplace_back("to the interface's own MAC: up to the host");
    return up_from_parent(parent);
  } else {
    deliver_at_parent(parent);
  }
  return {};
}

void Walk::deliver_at_parent(const ParentRecord& parent) {
  vnet_fdb_key key{.network = parent.slot};
  if (auto mac = view().destination_mac) std::ranges::copy(mac->bytes, key.mac);
  auto guest = shadow_->maps().fdb.get(key);
  auto only = shadow_->maps().flood_ports.get({.parent = static_cast<__u32>(parent.ifindex), .index = 0});
  std::string to = parent.passthrough ? only ? link_name(static_cast<int>(*only)) : ""
                   : guest            ? link_name(static_cast<int>(guest->ifindex))
                                      : "";
  last().details.push_back("straight to " + to);
  end(Fate::Guest, to);
}

Result<void> Walk::at_parent_ingress(const ParentRecord& parent) {
  auto ifindex = static_cast<std::uint32_t>(parent.ifindex);
  vnet_fdb_key sender{.network = parent.slot};
  PacketView packet = view();
  std::ranges::copy(packet.source_mac->bytes, sender.mac);
  VNET_ASSIGN(auto passed, pass(VNET_HOOK_PARENT_INGRESS, parent.interface,
                                {.ifindex = ifindex, .ingress_ifindex = ifindex}));
  // Isolated ports stay apart by way of the switch, too.
  if (auto guest = shadow_->maps().fdb.get(sender); guest && !parent.passthrough) tc_index_ = guest->slot;
  VNET_TRY(send_copies(parent, passed));
  if (passed.ends) return {};
  if (passed.redirected) {
    deliver_at_parent(parent);
    return {};
  }
  VNET_ASSIGN(auto link, system_->netlink.link(parent.interface));
  if (!packet.destination_mac->is_multicast() && packet.destination_mac != link.mac) {
    last().details.emplace_back("neither a guest's MAC nor the interface's own: nobody takes it");
    end(Fate::Nowhere, parent.interface);
    return {};
  }
  return up_from_parent(parent);
}

// What is the host's passes the uplink's program, where the interface is one, too.
Result<void> Walk::up_from_parent(const ParentRecord& parent) {
  tc_index_ = 0;
  if (const UplinkRecord* uplink = uplink_at(parent.ifindex)) return at_uplink_ingress(*uplink);
  return at_host(parent.ifindex);
}

Result<void> Walk::at_parent_egress(const ParentRecord& parent, int iif) {
  VNET_ASSIGN(auto passed, pass(VNET_HOOK_PARENT_EGRESS, parent.interface,
                                {.ifindex = static_cast<std::uint32_t>(parent.ifindex),
                                 .ingress_ifindex = static_cast<std::uint32_t>(iif),
                                 .tc_index = tc_index_}));
  VNET_TRY(send_copies(parent, passed));
  if (passed.ends) return {};
  if (passed.redirected)
    deliver_at_parent(parent);
  else
    end(Fate::Outside, parent.interface);
  return {};
}

Result<void> Walk::send_copies(const ParentRecord& parent, const Passed& passed) {
  for (const auto& port : ports_) {
    if (port.parent != parent.interface) continue;
    auto ifindex = static_cast<__u32>(port.ifindex);
    auto entry = shadow_->maps().ports.get(ifindex);
    if (entry && ifindex != passed.cb[VNET_CB_EXCEPT] && mode_of(*entry) & passed.cb[VNET_CB_TO])
      VNET_TRY(copy_to(port));
  }
  return {};
}

// As bpf/lib/mark.h has it: what is left to do for the program that the frame meets next.
std::array<std::uint32_t, 5> Walk::mark_for(std::uint32_t next) const {
  auto settings = shadow_->maps().settings.get(0);
  std::uint64_t secret = settings ? settings->secret : 0;
  return {static_cast<std::uint32_t>(secret), static_cast<std::uint32_t>(secret >> 32), next};
}

// A clone, judged by the port's own program.
Result<void> Walk::copy_to(const PortRecord& port) {
  constexpr std::uint32_t to_be_judged = 2;  // MARK_JUDGE
  step(hook_word(VNET_HOOK_PORT_EGRESS), port.interface, "delivered");
  VNET_ASSIGN(auto ran, shadow_->run(port.interface, VNET_HOOK_PORT_EGRESS,
                                     {.packet = frame_,
                                      .ifindex = static_cast<std::uint32_t>(port.ifindex),
                                      .tc_index = tc_index_,
                                      .cb = mark_for(to_be_judged)}));
  if (!ran || !ran->drop) {
    copied_.push_back(port.interface);
    return {};
  }
  last().verdict = "dropped";
  last().details.push_back(
      fmt::format("{}: {}", reason_word(ran->drop->reason), reason_meaning(ran->drop->reason)));
  if (std::string cause = cause_of(ran->drop->reason, {nullptr, &port}); !cause.empty())
    last().details.push_back("because of: " + cause);
  return {};
}

// Copies, and what became of the frame itself, make one answer.
void Walk::sum_up_copies() {
  if (copied_.empty()) return;
  told_.reaches = copied_;
  if (told_.fate == Fate::Host) told_.reaches.emplace_back("host");
  if (told_.fate == Fate::Outside) told_.reaches.push_back(told_.interface);
  told_.fate = Fate::Flooded;
}

}  // namespace vnet
