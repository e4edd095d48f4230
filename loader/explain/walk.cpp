// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/explain/walk.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <netinet/in.h>

#include <algorithm>
#include <utility>

#include "loader/bpf/map_address.h"
#include "loader/explain/cause.h"
#include "loader/model/drop_reason.h"
#include "loader/plan/bandwidth.h"

namespace vnet {
namespace {

std::uint8_t protocol_of(const PacketView& packet) {
  if (packet.protocol == "tcp") return IPPROTO_TCP;
  if (packet.protocol == "udp") return IPPROTO_UDP;
  return packet.source->address.family == Family::V4 ? std::uint8_t{IPPROTO_ICMP}
                                                     : std::uint8_t{IPPROTO_ICMPV6};
}

// The port, or what stands for it.
std::uint16_t source_port(const PacketView& packet) {
  return packet.echo_id ? *packet.echo_id : packet.source->port;
}

std::string with_port(const Address& address, std::uint16_t port) {
  return Endpoint{address, port}.text(port != 0);
}

void tell_rewrites(const PacketView& before, const PacketView& after, std::vector<std::string>& details) {
  auto changed = [&](const char* what, const std::string& from, const std::string& to) {
    if (from != to) details.push_back(fmt::format("{} {} becomes {}", what, from, to));
  };
  if (!before.source || !after.source) return;
  changed("source", with_port(before.source->address, source_port(before)),
          with_port(after.source->address, source_port(after)));
  changed("destination", with_port(before.destination->address, before.destination->port),
          with_port(after.destination->address, after.destination->port));
  changed("TTL", std::to_string(before.ttl), std::to_string(after.ttl));
  if (before.destination_mac && after.destination_mac)
    changed("destination MAC", before.destination_mac->text(), after.destination_mac->text());
}

const char* state_word_of(const vnet_session& session) {
  switch (session.state) {
    case VNET_SESSION_NEW:
      return "new";
    case VNET_SESSION_ESTABLISHED:
      return "established";
    default:
      return "closing";
  }
}

std::string session_text(const vnet_flow& key, const vnet_session& session) {
  return fmt::format("{} to {}, as {}", with_port(to_address(key.src), ntohs(key.sport_be)),
                     with_port(to_address(key.dst), ntohs(key.dport_be)),
                     with_port(to_address(session.nat), ntohs(session.nat_port_be)));
}

}  // namespace

ExplainStep& Walk::step(const std::string& where, const std::string& interface, const std::string& verdict) {
  return told_.steps.emplace_back(ExplainStep{where, interface, verdict, {}});
}

void Walk::end(Fate fate, const std::string& interface) {
  told_.fate = fate;
  told_.interface = interface;
  told_.arrives = view();
  auto port = std::ranges::find(ports_, interface, &PortRecord::interface);
  if (fate == Fate::Guest && port != ports_.end()) note_limits(*port, VNET_IN);
}

// How full a bucket is says nothing of the next packet: the copies of the programs pass it by.
void Walk::note_limits(const PortRecord& port, vnet_direction direction) {
  auto network = std::ranges::find_if(
      networks_, [&](const ActiveNetwork& one) { return one.network.name == port.network; });
  if (network == networks_.end()) return;
  auto note = [&](const std::string& whose, const std::optional<Bandwidth>& rate) {
    if (rate)
      told_.notes.push_back(
          fmt::format("what {} above {} kB/s is dropped ({}): this packet is taken to be below", whose,
                      rate->average, reason_word(VNET_DROP_BANDWIDTH)));
  };
  bool sends = direction == VNET_OUT;
  note(port.interface + (sends ? " sends" : " receives"), rate_of(port, network->network, direction));
  note(fmt::format("the guests of network {} {} together", port.network,
                   sends ? "send out" : "receive from outside"),
       shared_rate(network->network, direction));
}

std::optional<Walk::Session> Walk::session_of(const PacketView& packet) const {
  if (!packet.source || !packet.destination || packet.protocol == "arp") return std::nullopt;
  vnet_flow flow{.src = from_address(packet.source->address),
                 .dst = from_address(packet.destination->address),
                 .sport_be = htons(source_port(packet)),
                 .dport_be = htons(packet.destination->port),
                 .proto = protocol_of(packet)};
  if (auto session = shadow_->maps().sessions.get(flow)) return Session{flow, *session};
  auto key = shadow_->maps().rev_nat.get(flow);
  auto session = key ? shadow_->maps().sessions.get(*key) : std::nullopt;
  if (!session) return std::nullopt;
  return Session{*key, *session};
}

// Whose guest's UDP port it is, as the outside sees it.
const ActiveNetwork* Walk::network_of_mapping(const Endpoint& outside) const {
  vnet_flow flow{.src = from_address(outside.address), .dst = from_address(outside.address)};
  flow.dport_be = htons(outside.port);
  flow.proto = IPPROTO_UDP;
  flow.kind = VNET_FLOW_MAPPING;
  auto key = shadow_->maps().rev_nat.get(flow);
  auto session = key ? shadow_->maps().sessions.get(*key) : std::nullopt;
  return session ? network_of(session->network) : nullptr;
}

void Walk::dropped(const DropSeen& drop, bool answered) {
  last().verdict = answered ? "refused" : "dropped";
  told_.reason = reason_word(drop.reason);
  told_.meaning = reason_meaning(drop.reason);
  const PortRecord* port = port_of(drop.slot);
  const ActiveNetwork* network = network_of(drop.slot);
  if (port)
    for (const auto& each : networks_)
      if (each.record.name == port->network) network = &each;
  if (!network && drop.reason == VNET_DROP_NAT_FILTER) network = network_of_mapping(*told_.sent.destination);
  if (!network) network = network_with(told_.sent.destination->address);
  if (!network) network = network_with(told_.sent.source->address);
  told_.cause = cause_of(drop.reason, {network ? &network->record : nullptr, port});
  end(answered ? Fate::Refused : Fate::Dropped, last().interface);
}

Result<Walk::Passed> Walk::pass(unsigned hook, const std::string& interface, RunInput input) {
  input.packet = frame_;
  input.cb = std::exchange(cb_, {});
  step(hook_word(hook), interface);
  PacketView before = view();
  auto known = session_of(before);
  VNET_ASSIGN(auto ran, shadow_->run(interface, hook, input));
  if (!ran) {
    last().verdict = "passed";
    last().details.emplace_back("nothing of ours is attached here; attach or start again");
    return Passed{};
  }
  if (ran->drop) {
    dropped(*ran->drop, ran->verdict == TC_ACT_REDIRECT);
    return Passed{.ends = true, .cb = ran->cb};
  }
  last().verdict = ran->verdict == TC_ACT_REDIRECT ? "redirected" : "passed";
  auto now = session_of(before);
  if (now && !known)
    last().details.push_back("a session is made: " + session_text(now->key, now->value));
  else if (now && (now->value.leg[VNET_OUT].packets != known->value.leg[VNET_OUT].packets ||
                   now->value.leg[VNET_IN].packets != known->value.leg[VNET_IN].packets))
    last().details.push_back(fmt::format("belongs to a session ({}): {}", state_word_of(known->value),
                                         session_text(now->key, now->value)));
  frame_ = std::move(ran->packet);
  if (ran->verdict == TC_ACT_REDIRECT) cb_ = ran->cb;
  tell_rewrites(before, view(), last().details);
  return Passed{.redirected = ran->verdict == TC_ACT_REDIRECT, .cb = ran->cb};
}

Result<void> Walk::at_port_ingress(const ActiveNetwork& network, const PortRecord& port) {
  VNET_ASSIGN(auto passed, pass(VNET_HOOK_PORT_INGRESS, port.interface,
                                {.ifindex = static_cast<std::uint32_t>(port.ifindex)}));
  tc_index_ = port.slot;
  if (passed.ends) return {};
  if (is_direct(network.network)) return at_direct_port(port, passed);
  if (is_bridged(network.network))
    return passed.redirected ? take_shortcut(port.ifindex) : at_bridge(network, port.ifindex);
  // Out of the uplink for a known session, which has made it a hop; else within the network, or up to the
  // host.
  auto session = session_of(told_.sent);
  if (!session || view().ttl == told_.sent.ttl) {
    if (told_.sent.destination_mac == network.network.mac) return up_to_gateway(network);
    switched(network);
    return copy_to_host(network);
  }
  int out = static_cast<int>(session->value.leg[VNET_OUT].hop.ifindex);
  last().details.push_back("leaves by " + link_name(out));
  if (const ActiveNetwork* other = network_behind(out)) {
    // The neighbour may not be known: then the kernel asks, and writes the MACs.
    if (view().destination_mac == network.network.mac) return at_gateway_egress(*other, port.ifindex);
    return enter_network(*other, port.ifindex, true);
  }
  return leave_by(out, link_name(out), port.ifindex);
}

Result<void> Walk::at_gateway_ingress(const ActiveNetwork& network) {
  VNET_ASSIGN(auto link, system_->netlink.link(network.network.bridge));
  auto ifindex = static_cast<std::uint32_t>(link.ifindex);
  PacketView sent = view();
  VNET_ASSIGN(auto passed, pass(VNET_HOOK_GATEWAY_INGRESS, link.name,
                                {.ifindex = ifindex, .ingress_ifindex = ifindex, .tc_index = tc_index_}));
  if (passed.ends) return {};
  // By a port forward, to a guest of whichever network.
  if (passed.redirected) {
    auto session = session_of(sent);
    return deliver(session ? session->value.network : network.record.slot);
  }
  // An answer to a network whose addresses had been translated: the program lets it in there.
  if (sent.destination && view().destination->address != sent.destination->address)
    tc_index_ = VNET_TC_INDEX_ADMITTED;
  return at_host(link.ifindex);
}

Result<void> Walk::at_gateway_egress(const ActiveNetwork& network, int iif) {
  VNET_ASSIGN(auto link, system_->netlink.link(network.network.bridge));
  Address to = view().destination->address;
  VNET_ASSIGN(auto mac, mac_of(network, to));
  if (is_group(network.network, to)) mac = group_mac(to);
  if (!ethernet_) add_ethernet(frame_);
  ethernet_ = true;
  // Also for whom the host does not know: who may not enter is refused before anybody is asked.
  set_macs(frame_, link.mac, mac.value_or(Mac{{2, 0, 0, 0, 0, 1}}));
  return enter_network(network, iif, mac.has_value());
}

// known: the frame has the MAC of its target.
Result<void> Walk::enter_network(const ActiveNetwork& network, int iif, bool known) {
  VNET_ASSIGN(auto link, system_->netlink.link(network.network.bridge));
  VNET_ASSIGN(auto passed, pass(VNET_HOOK_GATEWAY_EGRESS, link.name,
                                {.ifindex = static_cast<std::uint32_t>(link.ifindex),
                                 .ingress_ifindex = static_cast<std::uint32_t>(iif),
                                 .tc_index = tc_index_}));
  if (passed.ends) return {};
  if (!known) {
    last().details.push_back(fmt::format("nobody is known to have {}: the host asks for it first (ARP, ND)",
                                         view().destination->address.text()));
    end(Fate::Nowhere, link.name);
    return {};
  }
  switched(network);
  return {};
}

// Before the socket buffer is made; nothing is told where XDP is off.
Result<bool> Walk::ends_in_xdp(const UplinkRecord& uplink) {
  RunInput input{.packet = frame_, .ifindex = static_cast<std::uint32_t>(uplink.ifindex)};
  VNET_ASSIGN(auto ran, shadow_->run_xdp(uplink.interface, std::move(input)));
  if (!ran) return false;
  step(hook_word(VNET_HOOK_UPLINK_XDP), uplink.interface, "passed");
  if (ran->drop) dropped(*ran->drop, false);
  if (ran->verdict != XDP_REDIRECT) return ran->drop.has_value();
  PacketView before = view();
  auto session = session_of(before);
  last().verdict = "forwarded";
  if (session)
    last().details.push_back("belongs to a session: " + session_text(session->key, session->value));
  frame_ = std::move(ran->packet);
  tell_rewrites(before, view(), last().details);
  VNET_TRY(deliver(session ? session->value.network : std::uint16_t{0}));
  last().details.push_back("by XDP, before the host makes a buffer of it");
  return true;
}

Result<void> Walk::at_uplink_ingress(const UplinkRecord& uplink) {
  PacketView sent = view();
  VNET_ASSIGN(bool gone, ends_in_xdp(uplink));
  if (gone) return {};
  auto ifindex = static_cast<std::uint32_t>(uplink.ifindex);
  VNET_ASSIGN(auto passed, pass(VNET_HOOK_UPLINK_INGRESS, uplink.interface,
                                {.ifindex = ifindex, .ingress_ifindex = ifindex}));
  if (passed.ends) return {};
  auto session = session_of(sent);
  if (passed.redirected) return deliver(session ? session->value.network : std::uint16_t{0});
  // A run does not give it back; what is for no guest is judged so (bpf/uplink.bpf.c).
  if (session)
    tc_index_ = VNET_TC_INDEX_ADMITTED;
  else
    tc_index_ = network_with(sent.destination->address) ? 0 : VNET_TC_INDEX_JUDGED;
  return at_host(uplink.ifindex);
}

Result<void> Walk::at_uplink_egress(const UplinkRecord& uplink, int iif, const std::optional<Address>& hop) {
  VNET_ASSIGN(auto link, system_->netlink.link(uplink.ifindex));
  VNET_TRY(set_next_hop(link, hop));
  VNET_ASSIGN(auto passed, pass(VNET_HOOK_UPLINK_EGRESS, uplink.interface,
                                {.ifindex = static_cast<std::uint32_t>(uplink.ifindex),
                                 .ingress_ifindex = static_cast<std::uint32_t>(iif),
                                 .tc_index = tc_index_}));
  return passed.ends ? Result<void>{} : leave_by(uplink.ifindex, uplink.interface, iif);
}

}  // namespace vnet
