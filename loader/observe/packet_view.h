// SPDX-License-Identifier: GPL-2.0-or-later
// The headers of a packet, for people: what of them there is, nothing is trusted. Meant for display; the
// programs in bpf/ have their own parser.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "loader/model/address.h"
#include "loader/observe/sessions.h"

namespace vnet {

struct PacketView {
  std::optional<Mac> source_mac, destination_mac;
  std::optional<std::uint16_t> vlan;
  std::uint16_t ethertype = 0;  // behind the tags; 0: not there
  std::string protocol;         // tcp udp icmp icmp6 arp, else ip protocol's number, or ethertype as 0x88cc
  std::optional<Endpoint> source, destination;  // ports 0: none, or not in this fragment
  std::uint8_t ttl = 0;
  bool later_fragment = false;
  std::string tcp_flags;  // "S", "SA", ...
  std::optional<std::uint8_t> icmp_type, icmp_code;
  std::optional<std::uint16_t> echo_id;  // of an echo request or reply

  // tcp 192.0.2.1:4711 > 192.0.2.2:80 [S]
  std::string text() const;
};

// ethernet: the bytes begin with an Ethernet header, else with the IP packet.
PacketView view_packet(std::span<const std::uint8_t> bytes, bool ethernet);

}  // namespace vnet
