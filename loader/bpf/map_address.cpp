// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/bpf/map_address.h"

#include <algorithm>
#include <cstring>

namespace vnet {
namespace {

constexpr std::uint8_t mapped_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

}  // namespace

Address to_address(const vnet_addr& address) {
  Address result;
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(&address);
  if (std::memcmp(bytes, mapped_prefix, sizeof(mapped_prefix)) == 0) {
    std::copy_n(bytes + sizeof(mapped_prefix), 4, result.bytes.begin());
  } else {
    result.family = Family::V6;
    std::copy_n(bytes, 16, result.bytes.begin());
  }
  return result;
}

vnet_addr from_address(const Address& address) {
  vnet_addr result{};
  auto* bytes = reinterpret_cast<std::uint8_t*>(&result);
  if (address.family == Family::V6) {
    std::copy_n(address.bytes.begin(), 16, bytes);
  } else {
    std::memcpy(bytes, mapped_prefix, sizeof(mapped_prefix));
    std::copy_n(address.bytes.begin(), 4, bytes + sizeof(mapped_prefix));
  }
  return result;
}

}  // namespace vnet
