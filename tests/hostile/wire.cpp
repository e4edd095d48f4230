// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/hostile/wire.h"

#include <algorithm>

namespace vnet::hostile {
namespace {

std::uint32_t sum(const std::uint8_t* bytes, std::size_t size, std::uint32_t so_far = 0) {
  for (std::size_t i = 0; i < size; ++i) so_far += i % 2 ? bytes[i] : bytes[i] * 256U;
  return so_far;
}

unsigned folded(std::uint32_t sum) {
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return ~sum & 0xffff;
}

}  // namespace

void put16(Bytes& bytes, unsigned value) {
  bytes.push_back(static_cast<std::uint8_t>(value >> 8));
  bytes.push_back(static_cast<std::uint8_t>(value));
}

void put(Bytes& bytes, const Bytes& more) {
  bytes.insert(bytes.end(), more.begin(), more.end());
}

void put(Bytes& bytes, const Address& address) {
  bytes.insert(bytes.end(), address.raw.begin(), address.raw.begin() + static_cast<long>(address.size()));
}

void put(Bytes& bytes, const Mac& mac) {
  bytes.insert(bytes.end(), mac.begin(), mac.end());
}

void set16(Bytes& bytes, std::size_t at, unsigned value) {
  bytes[at] = static_cast<std::uint8_t>(value >> 8);
  bytes[at + 1] = static_cast<std::uint8_t>(value);
}

Bytes ip_packet(const Ip& ip, const Bytes& payload) {
  Bytes result;
  result.reserve(64 + payload.size());
  if (ip.src.v6) {
    result = {0x60, 0, 0, 0};
    put16(result, static_cast<unsigned>(payload.size()));
    result.push_back(ip.protocol);
    result.push_back(ip.hops);
  } else {
    std::size_t header = 20 + ip.options.size();
    result = {static_cast<std::uint8_t>(0x40 + header / 4), 0};
    put16(result, static_cast<unsigned>(header + payload.size()));
    put16(result, ip.id);
    put16(result, ip.fragment);
    result.push_back(ip.hops);
    result.push_back(ip.protocol);
    put16(result, 0);
  }
  put(result, ip.src);
  put(result, ip.dst);
  if (!ip.src.v6) {
    put(result, ip.options);
    set16(result, 10, folded(sum(result.data(), result.size())));
  }
  put(result, payload);
  return result;
}

void finish(Bytes& l4, unsigned protocol, const Address& src, const Address& dst) {
  std::size_t at = protocol == 6 ? 16 : protocol == 17 ? 6 : protocol == 1 || protocol == 58 ? 2 : 0;
  if (at == 0 || at + 2 > l4.size()) return;
  std::uint32_t pseudo = 0;
  if (protocol != 1) {
    pseudo = sum(src.raw.data(), src.size(), protocol + static_cast<std::uint32_t>(l4.size()));
    pseudo = sum(dst.raw.data(), dst.size(), pseudo);
  }
  set16(l4, at, 0);
  unsigned value = folded(sum(l4.data(), l4.size(), pseudo));
  set16(l4, at, value == 0 && protocol == 17 ? 0xffff : value);
}

}  // namespace vnet::hostile
