// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/apply/sessions.h"

#include <arpa/inet.h>

#include <algorithm>
#include <functional>

#include "loader/apply/forwards.h"
#include "loader/bpf/map_address.h"
#include "loader/plan/subnets.h"

namespace vnet {
namespace {

using IsOver = std::function<bool(const vnet_flow&, const vnet_session&)>;

Result<void> give_back(SharedMaps& maps, std::uint16_t slot, const vnet_session& session) {
  auto usage = maps.quota_usage.get(slot);
  if (!usage) return {};
  auto& count = session.flags & VNET_SESSION_F_INBOUND ? usage->inbound : usage->sessions;
  if (!count) return {};
  --count;
  return maps.quota_usage.set(slot, *usage);
}

Result<void> end_sessions(SharedMaps& maps, const IsOver& is_over) {
  std::vector<std::pair<vnet_flow, vnet_session>> gone;
  maps.sessions.for_each([&](const vnet_flow& key, const vnet_session& session) {
    if (is_over(key, session)) gone.emplace_back(key, session);
  });
  for (const auto& [key, session] : gone) {
    VNET_TRY(maps.sessions.erase(key));
    if (session.mapped & VNET_MAPPED_FTP) VNET_TRY(maps.seq_shifts.erase(key));
    VNET_TRY(maps.rev_nat.erase(answer_key(key, session)));
    VNET_TRY(give_back(maps, session.network, session));
    if (session.port) VNET_TRY(give_back(maps, session.port, session));
  }
  return {};
}

bool has(const vnet_port_span& span, unsigned port) {
  return port >= span.first && port <= span.last;
}

// As bpf/lib/masquerade.h chooses it.
bool may_have_port(const vnet_network& entry, std::uint8_t proto, unsigned port) {
  bool elsewhere = has(entry.ports[0], port) || has(entry.ports[1], port);
  if (proto == IPPROTO_UDP) return elsewhere || has(entry.keep, port);
  return proto != IPPROTO_TCP || elsewhere;
}

bool is_in_pool(const vnet_network& entry, const vnet_addr& nat) {
  std::uint32_t number = ntohl(nat.word_be[3]);
  return number >= entry.nat_first && number <= entry.nat_last;
}

class Legality {
 public:
  Legality(const Network& network, const vnet_network& entry) : network_(network), entry_(entry) {}

  bool holds(const vnet_flow& key, const vnet_session& session) const {
    Address guest = to_address(key.src);
    bool translated = to_address(session.nat) != guest || session.nat_port_be != key.sport_be;
    if (key.kind == VNET_FLOW_MAPPING && !(entry_.flags & VNET_NETWORK_F_ONE_MAPPING)) return false;
    // TFTP's peers, too, which the guest's next request brings back.
    if (key.kind == VNET_FLOW_PEER && !(entry_.flags & VNET_NETWORK_F_FROM_PEERS)) return false;
    if (session.mapped & VNET_MAPPED_IN) return true;
    if (has_lost_its_forward(network_.settings.port_forwards, key, session)) return false;
    // By a gateway: of another network's guest, or a hairpin.
    if (session.flags & VNET_SESSION_F_HAIRPIN) return true;
    if (session.flags & VNET_SESSION_F_INBOUND && translated) return true;
    unsigned way = session.leg[VNET_OUT].hop.ifindex;
    if (entry_.uplink_ifindex && way && way != entry_.uplink_ifindex) return false;
    if (session.flags & VNET_SESSION_F_INBOUND) return true;
    bool v4 = guest.family == Family::V4;
    if (!(entry_.flags & (v4 ? VNET_NETWORK_F_MASQUERADE4 : VNET_NETWORK_F_MASQUERADE6))) return !translated;
    bool to_route = session.flags & VNET_SESSION_F_MASQUERADE;
    bool address = v4 && entry_.nat_first ? !to_route && is_in_pool(entry_, session.nat) : to_route;
    return address && may_have_port(entry_, key.proto, ntohs(session.nat_port_be));
  }

 private:
  const Network& network_;
  const vnet_network& entry_;
};

// Ports that guests' further flows would be given again.
Result<void> forget_mappings(SharedMaps& maps, const Network& network, const vnet_network& entry) {
  auto subnets = prefixes_of(network);
  for (const auto& key : maps.mappings.keys()) {
    Address guest = to_address(key.guest);
    auto mapping = maps.mappings.get(key);
    bool ours = std::ranges::any_of(subnets, [&](const Prefix& subnet) { return subnet.contains(guest); });
    if (ours && mapping && !may_have_port(entry, key.proto, ntohs(mapping->port_be)))
      VNET_TRY(maps.mappings.erase(key));
  }
  return {};
}

}  // namespace

Result<void> forget_sessions(SharedMaps& maps, std::uint16_t slot) {
  return end_sessions(maps, [slot](const vnet_flow&, const vnet_session& session) {
    return session.network == slot || session.port == slot;
  });
}

Result<void> end_illegal_sessions(Datapath& datapath, const Network& network, std::uint16_t slot) {
  SharedMaps& maps = datapath.maps();
  auto entry = maps.networks.get(slot);
  if (!entry || !has_gateway(network)) return {};
  VNET_TRY(forget_mappings(maps, network, *entry));
  Legality legality(network, *entry);
  std::vector<vnet_flow> over;
  maps.sessions.for_each([&](const vnet_flow& key, const vnet_session& session) {
    if (session.network == slot && !legality.holds(key, session)) over.push_back(key);
  });
  // By a program: what they count is counted by others meanwhile.
  return datapath.end_sessions(over);
}

}  // namespace vnet
