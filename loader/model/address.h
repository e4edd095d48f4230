// SPDX-License-Identifier: GPL-2.0-or-later
// IP addresses, prefixes and MAC addresses as plain values.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace vnet {

enum class Family { V4, V6 };

// An IPv4 or IPv6 address, bytes in network order; an IPv4 address uses the first four.
struct Address {
  Family family = Family::V4;
  std::array<std::uint8_t, 16> bytes{};

  static std::optional<Address> parse(std::string_view text);  // nullopt: not an address
  std::string text() const;
  unsigned bits() const { return family == Family::V4 ? 32 : 128; }
  bool is_multicast() const;
  bool is_link_local() const;
  auto operator<=>(const Address&) const = default;
};

// An address with a prefix length. `address` keeps its host bits: a gateway's address is one of these.
struct Prefix {
  Address address;
  unsigned length = 0;

  static std::optional<Prefix> parse(std::string_view text);  // "192.0.2.0/24"; no slash: a host prefix
  std::string text() const;                                   // "192.168.122.1/24"
  Prefix network() const;                                     // host bits cleared
  Address netmask() const;
  static Address netmask(Family family, unsigned length);
  // The length that an IPv4 netmask stands for; nullopt when its bits are not contiguous.
  static std::optional<unsigned> length_of(const Address& netmask);
  Address broadcast() const;  // the last address
  bool contains(const Address& other) const;
  bool overlaps(const Prefix& other) const;
  auto operator<=>(const Prefix&) const = default;
};

struct Mac {
  std::array<std::uint8_t, 6> bytes{};

  static std::optional<Mac> parse(std::string_view text);
  static Mac random();  // 52:54:00:x:y:z, QEMU's and libvirt's prefix
  std::string text() const;
  bool is_multicast() const { return bytes[0] & 1; }
  auto operator<=>(const Mac&) const = default;
};

}  // namespace vnet
