// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/model/address.h"

#include <arpa/inet.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstdio>
#include <cstdlib>

namespace vnet {

std::optional<Address> Address::parse(std::string_view text) {
  char buffer[INET6_ADDRSTRLEN + 1] = {};
  if (text.size() >= sizeof(buffer) || text.contains('\0')) return std::nullopt;
  std::ranges::copy(text, buffer);

  Address address;
  address.family = text.contains(':') ? Family::V6 : Family::V4;
  const int af = address.family == Family::V4 ? AF_INET : AF_INET6;
  if (inet_pton(af, buffer, address.bytes.data()) != 1) return std::nullopt;
  return address;
}

std::string Address::text() const {
  char buffer[INET6_ADDRSTRLEN] = {};
  inet_ntop(family == Family::V4 ? AF_INET : AF_INET6, bytes.data(), buffer, sizeof(buffer));
  return buffer;
}

bool Address::is_multicast() const {
  return family == Family::V4 ? (bytes[0] & 0xf0) == 0xe0 : bytes[0] == 0xff;
}

bool Address::is_link_local() const {
  return family == Family::V4 ? bytes[0] == 169 && bytes[1] == 254
                              : bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80;
}

std::optional<Prefix> Prefix::parse(std::string_view text) {
  const auto slash = text.find('/');
  const auto address = Address::parse(text.substr(0, slash));
  if (!address) return std::nullopt;
  if (slash == std::string_view::npos) return Prefix{*address, address->bits()};

  const auto digits = text.substr(slash + 1);
  unsigned length = 0;
  const auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
  if (code != std::errc() || end != digits.data() + digits.size() || length > address->bits())
    return std::nullopt;
  return Prefix{*address, length};
}

std::string Prefix::text() const {
  return address.text() + "/" + std::to_string(length);
}

Address Prefix::netmask(Family family, unsigned length) {
  Address mask{family, {}};
  for (unsigned i = 0; i < std::min(length, mask.bits()); ++i) mask.bytes[i / 8] |= 0x80 >> (i % 8);
  return mask;
}

Address Prefix::netmask() const {
  return netmask(address.family, length);
}

std::optional<unsigned> Prefix::length_of(const Address& netmask) {
  unsigned length = 0;
  for (auto byte : netmask.bytes) length += std::popcount(byte);
  if (Prefix::netmask(netmask.family, length) != netmask) return std::nullopt;
  return length;
}

Prefix Prefix::network() const {
  const auto mask = netmask();
  Prefix result = *this;
  for (std::size_t i = 0; i < mask.bytes.size(); ++i) result.address.bytes[i] &= mask.bytes[i];
  return result;
}

Address Prefix::broadcast() const {
  const auto mask = netmask();
  Address last = address;
  for (std::size_t i = 0; i < last.bits() / 8; ++i)
    last.bytes[i] |= static_cast<std::uint8_t>(~mask.bytes[i]);
  return last;
}

bool Prefix::contains(const Address& other) const {
  return other.family == address.family && Prefix{other, length}.network() == network();
}

bool Prefix::overlaps(const Prefix& other) const {
  return length <= other.length ? contains(other.address) : other.contains(address);
}

std::optional<Mac> Mac::parse(std::string_view text) {
  Mac mac;
  std::size_t at = 0;
  for (std::size_t i = 0; i < mac.bytes.size(); ++i) {
    if (i > 0 && (at >= text.size() || text[at++] != ':')) return std::nullopt;
    const auto digits = text.substr(at, std::min<std::size_t>(2, text.size() - at));
    const auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), mac.bytes[i], 16);
    if (code != std::errc()) return std::nullopt;
    at += end - digits.data();
  }
  if (at != text.size()) return std::nullopt;
  return mac;
}

Mac Mac::random() {
  Mac mac{{0x52, 0x54, 0x00, 0, 0, 0}};
  if (getentropy(&mac.bytes[3], 3) != 0) std::abort();  // only without a kernel random source
  return mac;
}

std::string Mac::text() const {
  char buffer[18];
  std::snprintf(buffer, sizeof(buffer), "%02x:%02x:%02x:%02x:%02x:%02x", bytes[0], bytes[1], bytes[2],
                bytes[3], bytes[4], bytes[5]);
  return buffer;
}

}  // namespace vnet
