// SPDX-License-Identifier: GPL-2.0-or-later
// The session table as a person reads it. Packets and bytes count both directions apart.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "loader/model/address.h"

namespace vnet {

struct SharedMaps;

struct Endpoint {
  Address address;
  std::uint16_t port = 0;                  // host byte order; the echo id for ICMP; 0: none
  std::string text(bool with_port) const;  // 192.0.2.1:80, [2001:db8::1]:80
};

struct SessionInfo {
  std::string protocol;  // tcp udp icmp icmp6, else the number
  // new established closing closed; mapping: of a guest's UDP port, for every far end; peer: an address that
  // may answer that port from any other one
  std::string state;
  std::string network;
  std::string interface;                 // the guest's port; "": detached since
  Endpoint inside, outside, translated;  // translated: as the outside sees the inside
  bool inbound = false;                  // opened from outside
  std::uint64_t age_seconds = 0, idle_seconds = 0;
  std::uint64_t timeout_seconds = 0;  // when it has been idle for so long, it ends
  std::uint64_t out_packets = 0, out_bytes = 0, in_packets = 0, in_bytes = 0;
  std::uint16_t network_slot = 0, port_slot = 0;
  bool is_flow() const { return state != "mapping" && state != "peer"; }

  // Both directions, since it began; of two readings: see session_rates().
  double bits_per_second = 0;
};

std::string protocol_word(std::uint8_t protocol);
std::vector<SessionInfo> read_sessions(const SharedMaps& maps);
// Replaces the rates by those since `before`; a session that is new since then keeps its own.
void session_rates(const std::vector<SessionInfo>& before, std::vector<SessionInfo>& now, double seconds);

}  // namespace vnet
