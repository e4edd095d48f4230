// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/hostile/address.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <stdexcept>

namespace vnet::hostile {

Address address(const std::string& text) {
  Address result{.v6 = text.find(':') != std::string::npos};
  if (inet_pton(result.v6 ? AF_INET6 : AF_INET, text.c_str(), result.raw.data()) != 1) {
    throw std::invalid_argument("no address: " + text);
  }
  return result;
}

std::string text(const Address& address) {
  char buffer[INET6_ADDRSTRLEN] = "";
  inet_ntop(address.v6 ? AF_INET6 : AF_INET, address.raw.data(), buffer, sizeof buffer);
  return buffer;
}

Address mapped(const Address& v4) {
  Address result{.v6 = true};
  result.raw[10] = result.raw[11] = 0xff;
  std::copy_n(v4.raw.begin(), 4, result.raw.begin() + 12);
  return result;
}

std::string text(const Mac& mac) {
  return fmt::format("{:02x}:{:02x}:{:02x}:{:02x}:{:02x}:{:02x}", mac[0], mac[1], mac[2], mac[3], mac[4],
                     mac[5]);
}

}  // namespace vnet::hostile
