// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/observe/sessions.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <time.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <tuple>

#include "loader/bpf/map_address.h"
#include "loader/bpf/shared_maps.h"

namespace vnet {
namespace {

std::uint32_t tick_now() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  auto ns = static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec);
  return static_cast<std::uint32_t>(ns >> VNET_TICK_SHIFT);
}

// Ticks are written by other CPUs meanwhile: one that is ahead of us has just happened.
std::uint64_t seconds_since(std::uint32_t tick, std::uint32_t now) {
  if (tick >= now) return 0;
  return (static_cast<std::uint64_t>(now - tick) << VNET_TICK_SHIFT) / 1'000'000'000;
}

const char* state_word(std::uint8_t state) {
  switch (state) {
    case VNET_SESSION_NEW:
      return "new";
    case VNET_SESSION_ESTABLISHED:
      return "established";
    case VNET_SESSION_CLOSING:
      return "closing";
    default:
      return "closed";
  }
}

// As bpf/lib/session.h has it.
std::uint64_t timeout_of(const vnet_network& network, std::uint8_t proto, std::uint8_t state) {
  switch (proto) {
    case IPPROTO_TCP:
      if (state == VNET_SESSION_ESTABLISHED) return network.timeouts[VNET_TIMEOUT_TCP];
      return state == VNET_SESSION_CLOSED ? VNET_TCP_CLOSED_SECONDS : VNET_TCP_TRANSITORY_SECONDS;
    case IPPROTO_UDP: {
      auto udp = network.timeouts[VNET_TIMEOUT_UDP];
      return state == VNET_SESSION_ESTABLISHED ? udp : std::min<std::uint32_t>(udp, VNET_UDP_NEW_SECONDS);
    }
    case IPPROTO_ICMP:
    case IPPROTO_ICMPV6:
      return network.timeouts[VNET_TIMEOUT_ICMP];
    default:
      return network.timeouts[VNET_TIMEOUT_OTHER];
  }
}

SessionInfo describe(const vnet_flow& flow, const vnet_session& session, std::uint32_t now) {
  const vnet_leg& out = session.leg[VNET_OUT];
  const vnet_leg& in = session.leg[VNET_IN];
  SessionInfo info;
  info.protocol = protocol_word(flow.proto);
  info.state = flow.kind == VNET_FLOW_MAPPING ? "mapping"
               : flow.kind == VNET_FLOW_PEER  ? "peer"
                                              : state_word(session.state);
  info.inside = {to_address(flow.src), ntohs(flow.sport_be)};
  info.outside = {to_address(flow.dst), ntohs(flow.dport_be)};
  info.translated = {to_address(session.nat), ntohs(session.nat_port_be)};
  info.inbound = session.flags & VNET_SESSION_F_INBOUND;
  info.age_seconds = seconds_since(session.created, now);
  info.idle_seconds = seconds_since(std::max({out.seen, in.seen, session.created}), now);
  info.out_packets = out.packets;
  info.out_bytes = out.bytes;
  info.in_packets = in.packets;
  info.in_bytes = in.bytes;
  info.bits_per_second = static_cast<double>(out.bytes + in.bytes) * 8 /
                         static_cast<double>(std::max<std::uint64_t>(info.age_seconds, 1));
  info.network_slot = session.network;
  info.port_slot = session.port;
  return info;
}

}  // namespace

std::string protocol_word(std::uint8_t protocol) {
  switch (protocol) {
    case IPPROTO_TCP:
      return "tcp";
    case IPPROTO_UDP:
      return "udp";
    case IPPROTO_ICMP:
      return "icmp";
    case IPPROTO_ICMPV6:
      return "icmp6";
    default:
      return std::to_string(protocol);
  }
}

std::string Endpoint::text(bool with_port) const {
  if (!with_port) return address.text();
  return address.family == Family::V6 ? fmt::format("[{}]:{}", address.text(), port)
                                      : fmt::format("{}:{}", address.text(), port);
}

void session_rates(const std::vector<SessionInfo>& before, std::vector<SessionInfo>& now, double seconds) {
  using Key = std::tuple<std::string, Address, std::uint16_t, Address, std::uint16_t>;
  auto key = [](const SessionInfo& s) {
    return Key{s.protocol, s.inside.address, s.inside.port, s.outside.address, s.outside.port};
  };
  auto bytes = [](const SessionInfo& s) { return s.out_bytes + s.in_bytes; };
  std::map<Key, std::uint64_t> old;
  for (const auto& session : before) old[key(session)] = bytes(session);
  for (auto& session : now) {
    auto known = old.find(key(session));
    if (known == old.end() || seconds <= 0 || bytes(session) < known->second) continue;  // another one by now
    session.bits_per_second = static_cast<double>(bytes(session) - known->second) * 8 / seconds;
  }
}

std::vector<SessionInfo> read_sessions(const SharedMaps& maps) {
  std::vector<SessionInfo> all;
  std::uint32_t now = tick_now();
  constexpr std::uint8_t established = VNET_SESSION_ESTABLISHED;
  maps.sessions.for_each([&](const vnet_flow& flow, const vnet_session& session) {
    SessionInfo info = describe(flow, session, now);
    if (auto network = maps.networks.get(session.network))
      info.timeout_seconds = timeout_of(*network, flow.proto, info.is_flow() ? session.state : established);
    all.push_back(std::move(info));
  });
  return all;
}

}  // namespace vnet
