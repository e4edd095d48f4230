// SPDX-License-Identifier: GPL-2.0-or-later
// The parts of a DHCP message.
#pragma once

#include <cstring>
#include <string>

#include "tests/packet/datapath_fixture.h"

namespace vnet::test {

inline void put(Bytes& out, const Bytes& more) {
  out.insert(out.end(), more.begin(), more.end());
}
inline Bytes mac_bytes_of(const std::string& text) {
  Bytes out;
  for (std::size_t i = 0; i < text.size(); i += 3)
    out.push_back(static_cast<std::uint8_t>(std::stoul(text.substr(i, 2), nullptr, 16)));
  return out;
}
inline Bytes raw(const std::string& ip) {
  vnet_addr addr = address(ip);
  Bytes bytes(16);
  std::memcpy(bytes.data(), &addr, 16);
  return ip.contains(':') ? bytes : Bytes(bytes.begin() + 12, bytes.end());
}

}  // namespace vnet::test
