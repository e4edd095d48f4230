// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/hostile/layout.h"

#include <fmt/format.h>

#include <algorithm>

namespace vnet::hostile {
namespace {

Mac mac_of(int network, int number) {
  return {0x52, 0x54, 0x00, 0x88, static_cast<std::uint8_t>(network), static_cast<std::uint8_t>(number)};
}

std::array<Place, place_count> all_places() {
  std::array<Place, place_count> all{Place{.name = "outside",
                                           .network = nullptr,
                                           .host_mac = mac_of(0xf0, 2),
                                           .machine_mac = mac_of(0xf0, 1),
                                           .host = {address("203.0.113.2"), address("2001:db8:113::2")},
                                           .machine = {address("203.0.113.1"), address("2001:db8:113::1")}},
                                     Place{.name = "lan",
                                           .network = nullptr,
                                           .host_mac = mac_of(0xf1, 2),
                                           .machine_mac = mac_of(0xf1, 1),
                                           .host = {address("198.18.5.2"), address("2001:db8:5::2")},
                                           .machine = {address("198.18.5.1"), address("2001:db8:5::1")}}};
  for (std::size_t i = 0; i < networks.size(); ++i) {
    const Network& network = networks[i];
    all[2 + i] = {.name = network.name,
                  .network = &network,
                  .host_mac = mac_of(network.number, gateway),
                  .machine_mac = mac_of(network.number, neighbour),
                  .host = {network.host(gateway, false), network.host(gateway, true)},
                  .machine = {network.host(neighbour, false), network.host(neighbour, true)}};
  }
  return all;
}

}  // namespace

Address Network::host(int number_in_it, bool v6) const {
  Address result{.v6 = v6};
  if (v6) {
    result.raw = {0xfd, 0, 0, 0x88, 0, static_cast<std::uint8_t>(number)};
    // As text it reads as in IPv4: ::11 is hexadecimal.
    result.raw[15] = static_cast<std::uint8_t>(number_in_it / 10 * 16 + number_in_it % 10);
  } else {
    result.raw = {10, 88, static_cast<std::uint8_t>(number), static_cast<std::uint8_t>(number_in_it)};
  }
  return result;
}

bool Network::has(const Address& address) const {
  return address.starts_like(host(gateway, address.v6), address.v6 ? 8 : 3);
}

bool in_a_network(const Address& address, const Network* left_out) {
  return std::ranges::any_of(
      networks, [&](const Network& network) { return &network != left_out && network.has(address); });
}

Mac Guest::mac() const {
  return mac_of(network->number, number());
}

Guest guest(std::size_t index) {
  return {.network = &networks[index / 2], .tap = index % 2 == 1};
}

const Place& place(std::size_t index) {
  static const std::array<Place, place_count> all = all_places();
  return all[index];
}

bool is_hosts(const Address& address) {
  for (std::size_t i = 0; i < place_count; ++i)
    if (place(i).host[address.v6] == address) return true;
  return false;
}

}  // namespace vnet::hostile
