// SPDX-License-Identifier: GPL-2.0-or-later
// The host's own rules, on the first packet of a connection: its NAT, and what it drops.
#include <fmt/format.h>
#include <net/if.h>

#include <algorithm>

#include "loader/apply/fence.h"
#include "loader/explain/walk.h"
#include "loader/model/drop_reason.h"
#include "maps/reasons.h"

namespace vnet {
namespace {

std::string as_nft_calls(const PacketView& packet) {
  return packet.protocol == "icmp6" ? "ipv6-icmp" : packet.protocol;
}

const char* type_word(const RouteAnswer& route) {
  if (route.error) return "unicast";
  switch (route.type) {
    case RTN_LOCAL:
      return "local";
    case RTN_BROADCAST:
      return "broadcast";
    case RTN_MULTICAST:
      return "multicast";
    default:
      return "unicast";
  }
}

}  // namespace

void Walk::read_rules() {
  rules_ = {};
  auto rules = read_ruleset();
  if (rules)
    rules_ = std::move(*rules);
  else
    told_.notes.push_back("the host's rules are not known: " + rules.error().message);
}

Result<ProbePacket> Walk::probe(int iif, int oif) {
  PacketView packet = view();
  VNET_ASSIGN(auto way, system_->netlink.route_of(
                            {{packet.destination->address.family, {}}, packet.destination->address, 0}));
  return ProbePacket{.in = iif ? link_name(iif) : "",
                     .out = oif ? link_name(oif) : "",
                     .source = packet.source->address,
                     .protocol = as_nft_calls(packet),
                     .port = packet.destination->port,
                     .destination = packet.destination->address,
                     .source_port = packet.source->port,
                     .destination_type = type_word(way),
                     .state = known_ ? "established" : "new",
                     .turned = turned_};
}

void Walk::tell_doubts(const Doubts& doubts) {
  auto note = [&](std::string text) {
    if (!std::ranges::count(told_.notes, text)) told_.notes.push_back(std::move(text));
  };
  for (const Ruling& rule : doubts.unknown)
    note("the host's rules may say otherwise: it cannot be evaluated whether this one matches: " +
         place_of_rule(rule));
  for (const Ruling& rule : doubts.marks)
    note("routing by mark cannot be foreseen: the host's rules mark it: " + place_of_rule(rule));
}

Result<bool> Walk::dropped_by_rules(const char* hook, int iif, int oif) {
  VNET_ASSIGN(auto packet, probe(iif, oif));
  Doubts doubts;
  auto ruling = rules_.dropped(packet, hook, &doubts);
  tell_doubts(doubts);
  for (const Ruling& policy : doubts.passed)
    last().details.push_back("let past the host's policy by a rule of vnet-bpf's, hostFirewall='auto' (" +
                             place(policy) + ")");
  if (!ruling) return false;
  last().verdict = ruling->tells ? "refused" : "dropped";
  last().details.push_back(
      fmt::format("{} by the host's firewall ({})", ruling->tells ? "rejected" : "dropped", place(*ruling)));
  told_.reason = reason_word(VNET_DROP_HOST_FIREWALL);
  told_.meaning = "the host's own rules drop it";
  told_.cause = place_of_rule(*ruling);
  end(ruling->tells ? Fate::Refused : Fate::Dropped, link_name(iif ? iif : oif));
  return true;
}

// Connection tracking asks the rules for a new connection only.
Result<bool> Walk::turned_by_rules(int iif, int oif) {
  const char* hook = iif ? "prerouting" : "output";
  VNET_ASSIGN(bool gone, dropped_by_rules(hook, iif, oif));
  if (gone || known_) return gone;
  VNET_ASSIGN(auto packet, probe(iif, oif));
  Doubts doubts;
  auto to = rules_.translation(packet, hook, &doubts);
  tell_doubts(doubts);
  if (!to) return false;
  if (!to->address && to->how == "redirect") {
    VNET_ASSIGN(to->address, address_at(iif ? iif : static_cast<int>(::if_nametoindex("lo")), std::nullopt));
  }
  if (!to->address && to->port && !to->unknown) to->address = packet.destination;
  if (to->unknown || !to->address) {
    last().verdict = "turned";
    last().details.push_back("the host's NAT turns it, where to cannot be evaluated: " +
                             place_of_rule(to->by));
    end(Fate::Nowhere);
    return true;
  }
  set_end(frame_, ethernet_, End::Destination, *to->address, to->port);
  turned_ = true;
  auto port = view().destination->port;
  last().details.push_back(
      fmt::format("DNAT to {} ({})", Endpoint{*to->address, port}.text(port != 0), place_of_rule(to->by)));
  return false;
}

// Behind FORWARD: what may_leave() at the gateway could not foresee.
Result<bool> Walk::stopped_by_fence(int iif, int oif) {
  const ActiveNetwork* network = network_behind(iif);
  if (!network) return false;
  std::vector<Network> all;
  for (const auto& each : networks_) all.push_back(each.network);
  VNET_ASSIGN(auto rules, fence_rules(*system_, all));
  if (lets_pass(rules, iif, oif)) return false;
  step(hook_word(VNET_HOOK_FORWARD), link_name(iif));
  dropped({network->record.slot, VNET_DROP_NO_WAY_OUT}, false);
  return true;
}

// Of the interface: the one that the next hop is a neighbour of, or else its first.
Result<std::optional<Address>> Walk::address_at(int ifindex, const std::optional<Address>& towards) {
  VNET_ASSIGN(auto known, system_->netlink.addresses(ifindex));
  Family family = view().destination->address.family;
  std::optional<Address> first;
  for (const AddressInfo& each : known) {
    const Address& address = each.prefix.address;
    if (address.family != family || each.tentative || each.scope == RT_SCOPE_LINK) continue;
    if (towards && each.prefix.contains(*towards)) return address;
    if (!first) first = address;
  }
  return first;
}

Result<void> Walk::given_source(int iif, int oif, const std::optional<Address>& hop) {
  if (known_) return {};
  VNET_ASSIGN(auto packet, probe(iif, oif));
  Doubts doubts;
  auto to = rules_.translation(packet, "postrouting", &doubts);
  tell_doubts(doubts);
  if (!to) return {};
  if (to->how == "masquerade" && !to->address) {
    VNET_ASSIGN(to->address, address_at(oif, hop));
  }
  if (!to->address && to->port && !to->unknown) to->address = packet.source;
  if (!to->address) {
    told_.notes.push_back("the host's NAT gives it another source, which cannot be evaluated: " +
                          place_of_rule(to->by));
    return {};
  }
  set_end(frame_, ethernet_, End::Source, *to->address, to->port);
  last().details.push_back(fmt::format(
      "{} as {}: with its connection tracking, which keeps the port where it "
      "is free ({})",
      to->how == "masquerade" ? "masqueraded" : "SNAT", to->address->text(), place_of_rule(to->by)));
  return {};
}

}  // namespace vnet
