// SPDX-License-Identifier: GPL-2.0-or-later
// Ports with filters: what their maps hold, and what is looked up in them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "tests/packet/datapath_fixture.h"

namespace vnet::test {

inline constexpr std::uint32_t clean_traffic = VNET_PORT_F_NO_MAC_SPOOFING | VNET_PORT_F_NO_IP_SPOOFING |
                                               VNET_PORT_F_NO_ARP_SPOOFING | VNET_PORT_F_NO_IPV6_SPOOFING |
                                               VNET_PORT_F_CLEAN;

class GuardTest : public BothFamilies {
 protected:
  void guard(const std::string& interface, std::uint32_t flags) {
    set_port(interface, [&](vnet_port& port) { port.flags |= flags; });
  }
  static vnet_address_key own_key(const std::string& ip, int at_slot) {
    return {.addr = address(ip), .slot = static_cast<__u16>(at_slot), .pad = 0};
  }
  // As the loader writes an address of a port.
  void own(const std::string& ip, int at_slot, vnet_address value = {}) {
    value.port = static_cast<__u16>(at_slot);
    ASSERT_TRUE(maps().addresses.set(own_key(ip, at_slot), value));
    ASSERT_TRUE(maps().addresses.set(own_key(ip, slot::network), value));
  }
  std::optional<vnet_address> owned(const std::string& ip, int at_slot) {
    return maps().addresses.get(own_key(ip, at_slot));
  }
  RunContext on(const std::string& interface) { return {.ifindex = ifindex(interface)}; }
  Packet from(const std::string& source_mac) const {
    return Ethernet{.src = source_mac, .dst = mac::gateway};
  }
  Packet broadcast() const { return Ethernet{.src = mac::guest1, .dst = "ff:ff:ff:ff:ff:ff"}; }
  Packet group6() const { return Ethernet{.src = mac::guest1, .dst = "33:33:00:00:00:01"}; }
  void drops(const Packet& packet, const std::string& reason) {
    expect_drop(Program::PortIngress, packet, slot::g1, reason);
  }
  void passes(const Packet& packet) { expect_same(Program::PortIngress, packet, Ok); }
};

}  // namespace vnet::test
