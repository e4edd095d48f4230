// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/observe/sessions.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>
#include <ctime>

namespace vnet {
namespace {

std::string protocol_name(unsigned protocol) {
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

const char* state_name(unsigned state) {
  constexpr const char* names[] = {"new", "established", "closing", "closed"};
  return state < std::size(names) ? names[state] : "unknown";
}

std::uint32_t now_tick() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return static_cast<std::uint32_t>((static_cast<std::uint64_t>(now.tv_sec) * 1000000000ULL +
                                     static_cast<std::uint64_t>(now.tv_nsec)) >> VNET_TICK_SHIFT);
}

std::uint64_t seconds_since(std::uint32_t tick, std::uint32_t now) {
  auto ticks = static_cast<std::int32_t>(now - tick);
  return ticks <= 0 ? 0 : (static_cast<std::uint64_t>(ticks) << VNET_TICK_SHIFT) / 1000000000ULL;
}

}  // namespace

Address to_address(const vnet_addr& from) {
  Address address;
  if (!from.word_be[0] && !from.word_be[1] && from.word_be[2] == htonl(0xffff)) {
    std::memcpy(address.bytes.data(), &from.word_be[3], 4);
    return address;
  }
  address.family = Family::V6;
  std::memcpy(address.bytes.data(), &from, 16);
  return address;
}

vnet_addr from_address(const Address& from) {
  vnet_addr address{};
  if (from.family == Family::V4) {
    address.word_be[2] = htonl(0xffff);
    std::memcpy(&address.word_be[3], from.bytes.data(), 4);
  } else {
    std::memcpy(&address, from.bytes.data(), 16);
  }
  return address;
}

std::string Endpoint::text(bool with_port) const {
  if (!with_port) return address.text();
  return address.family == Family::V4 ? fmt::format("{}:{}", address.text(), port)
                                      : fmt::format("[{}]:{}", address.text(), port);
}

std::vector<SessionInfo> read_sessions(const SharedMaps& maps) {
  std::vector<SessionInfo> all;
  std::uint32_t now = now_tick();
  maps.sessions.for_each([&](const vnet_flow& key, const vnet_session& session) {
    SessionInfo info;
    info.protocol = protocol_name(key.proto);
    info.state = state_name(session.state);
    info.inside = {to_address(key.src), ntohs(key.sport_be)};
    info.outside = {to_address(key.dst), ntohs(key.dport_be)};
    info.translated = {to_address(session.nat), ntohs(session.nat_port_be)};
    info.inbound = session.flags & VNET_SESSION_F_INBOUND;
    const auto& out = session.leg[VNET_OUT];
    const auto& in = session.leg[VNET_IN];
    info.age_seconds = seconds_since(session.created, now);
    info.idle_seconds = std::min(seconds_since(out.seen, now), seconds_since(in.seen, now));
    info.out_packets = out.packets;
    info.out_bytes = out.bytes;
    info.in_packets = in.packets;
    info.in_bytes = in.bytes;
    info.network_slot = session.network;
    info.port_slot = session.port;
    all.push_back(std::move(info));
  });
  return all;
}

}  // namespace vnet
