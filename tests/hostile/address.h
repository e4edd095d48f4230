// SPDX-License-Identifier: GPL-2.0-or-later
// Addresses as they stand in packets: a million frames leave no time for text.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>

namespace vnet::hostile {

using Mac = std::array<std::uint8_t, 6>;

struct Address {
  bool v6 = false;
  std::array<std::uint8_t, 16> raw{};  // IPv4: the first four

  std::size_t size() const { return v6 ? 16 : 4; }
  bool operator==(const Address&) const = default;
  bool starts_like(const Address& other, std::size_t bytes) const {
    return v6 == other.v6 &&
           std::equal(raw.begin(), raw.begin() + static_cast<long>(bytes), other.raw.begin());
  }
};

// Throws std::invalid_argument for text that is no address.
Address address(const std::string& text);
std::string text(const Address& address);

// ::ffff:a.b.c.d
Address mapped(const Address& v4);

std::string text(const Mac& mac);

}  // namespace vnet::hostile
