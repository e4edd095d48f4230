// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/model/address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <random>

namespace vnet {
namespace {

bool bit(const Address& address, unsigned index) { return address.bytes[index / 8] >> (7 - index % 8) & 1; }

void set_bit(Address& address, unsigned index, bool value) {
  auto mask = static_cast<std::uint8_t>(0x80 >> (index % 8));
  if (value) address.bytes[index / 8] |= mask;
  else address.bytes[index / 8] &= static_cast<std::uint8_t>(~mask);
}

}  // namespace

std::optional<Address> Address::parse(std::string_view text) {
  std::string terminated(text);
  if (terminated.size() != text.size() || terminated.find('\0') != std::string::npos) return std::nullopt;
  Address address;
  if (inet_pton(AF_INET, terminated.c_str(), address.bytes.data()) == 1) return address;
  address.family = Family::V6;
  if (inet_pton(AF_INET6, terminated.c_str(), address.bytes.data()) == 1) return address;
  return std::nullopt;
}

std::string Address::text() const {
  char text[INET6_ADDRSTRLEN];
  return inet_ntop(family == Family::V4 ? AF_INET : AF_INET6, bytes.data(), text, sizeof(text));
}

bool Address::is_multicast() const { return family == Family::V4 ? bytes[0] >> 4 == 0xe : bytes[0] == 0xff; }

bool Address::is_link_local() const {
  return family == Family::V4 ? bytes[0] == 169 && bytes[1] == 254 : bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80;
}

std::optional<Prefix> Prefix::parse(std::string_view text) {
  auto slash = text.find('/');
  auto address = Address::parse(text.substr(0, slash));
  if (!address) return std::nullopt;
  Prefix prefix{*address, address->bits()};
  if (slash == std::string_view::npos) return prefix;
  auto length = text.substr(slash + 1);
  auto [end, error] = std::from_chars(length.data(), length.data() + length.size(), prefix.length);
  if (error != std::errc() || end != length.data() + length.size() || prefix.length > address->bits())
    return std::nullopt;
  return prefix;
}

std::string Prefix::text() const { return address.text() + "/" + std::to_string(length); }

Prefix Prefix::network() const {
  Prefix result = *this;
  for (unsigned i = length; i < address.bits(); ++i) set_bit(result.address, i, false);
  return result;
}

Address Prefix::netmask() const {
  Address mask{.family = address.family};
  for (unsigned i = 0; i < length; ++i) set_bit(mask, i, true);
  return mask;
}

Address Prefix::broadcast() const {
  Address last = address;
  for (unsigned i = length; i < address.bits(); ++i) set_bit(last, i, true);
  return last;
}

bool Prefix::contains(const Address& other) const {
  if (other.family != address.family) return false;
  for (unsigned i = 0; i < length; ++i)
    if (bit(address, i) != bit(other, i)) return false;
  return true;
}

bool Prefix::overlaps(const Prefix& other) const {
  return length <= other.length ? contains(other.address) : other.contains(address);
}

std::optional<Mac> Mac::parse(std::string_view text) {
  Mac mac;
  unsigned count = 0;
  while (!text.empty()) {
    auto colon = text.find(':');
    auto part = text.substr(0, colon);
    unsigned value = 0;
    auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), value, 16);
    if (part.empty() || part.size() > 2 || error != std::errc() || end != part.data() + part.size() || count == 6)
      return std::nullopt;
    mac.bytes[count++] = static_cast<std::uint8_t>(value);
    if (colon == std::string_view::npos) break;
    text.remove_prefix(colon + 1);
    if (text.empty()) return std::nullopt;
  }
  return count == 6 ? std::optional(mac) : std::nullopt;
}

Mac Mac::random() {
  std::random_device device;
  unsigned bits = device();
  return {{0x52, 0x54, 0x00, static_cast<std::uint8_t>(bits), static_cast<std::uint8_t>(bits >> 8),
           static_cast<std::uint8_t>(bits >> 16)}};
}

std::string Mac::text() const {
  char text[18];
  std::snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", bytes[0], bytes[1], bytes[2], bytes[3], bytes[4],
                bytes[5]);
  return text;
}

}  // namespace vnet
