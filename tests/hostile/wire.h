// SPDX-License-Identifier: GPL-2.0-or-later
// Headers put together byte by byte: nothing here refuses what must not be.
#pragma once

#include <cstdint>

#include "tests/hostile/address.h"
#include "tests/hostile/token.h"

namespace vnet::hostile {

void put16(Bytes& bytes, unsigned value);
void put(Bytes& bytes, const Bytes& more);
void put(Bytes& bytes, const Address& address);
void put(Bytes& bytes, const Mac& mac);
void set16(Bytes& bytes, std::size_t at, unsigned value);

struct Ip {
  Address src, dst;
  std::uint8_t hops = 64;
  std::uint8_t protocol = 17;  // of what follows the header
  Bytes options;               // IPv4, a multiple of four
  std::uint16_t id = 0;
  std::uint16_t fragment = 0;  // IPv4: flags and offset as in the header
};

// The header and the payload behind it.
Bytes ip_packet(const Ip& ip, const Bytes& payload);

// Fills in the checksum of TCP, UDP, ICMP or ICMPv6.
void finish(Bytes& l4, unsigned protocol, const Address& src, const Address& dst);

}  // namespace vnet::hostile
