// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>

#include <random>

#include "loader/config/network_xml.h"

namespace vnet {
namespace {

// Version 4, as RFC 9562 has it.
std::string random_uuid() {
  std::random_device device;
  std::string digits;
  for (int i = 0; i < 4; ++i) digits += fmt::format("{:08x}", device());
  digits[12] = '4';
  digits[16] = "89ab"[device() % 4];
  for (std::size_t at : {20U, 16U, 12U, 8U}) digits.insert(at, "-");
  return digits;
}

}  // namespace

Network complete(Network network, const std::set<std::string>& taken_bridges) {
  if (network.uuid.empty()) network.uuid = random_uuid();
  if (network.mode == Mode::Bridge || network.mode == Mode::Direct) return network;
  std::string pattern = network.bridge.empty() ? "virbr%d" : network.bridge;
  if (auto at = pattern.find("%d"); at != std::string::npos) {
    for (int number = 0; network.bridge.empty() || network.bridge.find('%') != std::string::npos ||
                         taken_bridges.contains(network.bridge);
         ++number) {
      network.bridge = pattern;
      network.bridge.replace(at, 2, std::to_string(number));
    }
  }
  if (!network.mac) network.mac = Mac::random();
  return network;
}

}  // namespace vnet
