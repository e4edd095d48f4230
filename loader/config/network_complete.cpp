// SPDX-License-Identifier: GPL-2.0-or-later
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>

#include "loader/config/network_xml.h"

namespace vnet {
namespace {

std::string random_uuid() {
  std::array<std::uint8_t, 16> bytes;
  if (getentropy(bytes.data(), bytes.size()) != 0) std::abort();  // only without a kernel random source
  bytes[6] = (bytes[6] & 0x0f) | 0x40;                            // version 4: random
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    char digits[3];
    std::snprintf(digits, sizeof(digits), "%02x", bytes[i]);
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += digits;
  }
  return text;
}

std::string free_bridge(const std::string& pattern, const std::vector<std::string>& taken) {
  const auto at = pattern.find("%d");
  for (unsigned number = 0;; ++number) {
    const auto name = pattern.substr(0, at) + std::to_string(number) + pattern.substr(at + 2);
    if (std::ranges::find(taken, name) == taken.end()) return name;
  }
}

}  // namespace

Network complete(Network network, const std::vector<std::string>& taken_bridges) {
  if (network.uuid.empty()) network.uuid = random_uuid();
  // The administrator's bridge, or none: nothing of the host side is ours to choose.
  if (!mode_spec(network.mode).has_gateway) return network;
  if (network.bridge.empty()) network.bridge = "virbr%d";
  if (network.bridge.contains("%d")) network.bridge = free_bridge(network.bridge, taken_bridges);
  if (!network.mac) network.mac = Mac::random();
  return network;
}

}  // namespace vnet
