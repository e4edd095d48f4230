// SPDX-License-Identifier: GPL-2.0-or-later
// A port whose guest may send from any MAC: what is learned, what it may not take, what still fences it.
#include <fmt/format.h>

#include <array>

#include "tests/packet/guard_fixture.h"

namespace vnet::test {
namespace {

class AnyMac : public GuardTest {
 protected:
  static constexpr std::uint32_t fence = VNET_PORT_F_NO_IP_SPOOFING | VNET_PORT_F_NO_ARP_SPOOFING |
                                         VNET_PORT_F_NO_IPV6_SPOOFING | VNET_PORT_F_CLEAN |
                                         VNET_PORT_F_FIXED4 | VNET_PORT_F_FIXED6;

  void SetUp() override {
    GuardTest::SetUp();
    set("g1", 0), set("g2", 0);
  }
  // What `--mac any` writes: no VNET_PORT_F_MAC; and the MAC that the fixture has fixed is nobody's.
  void set(const std::string& interface, std::uint32_t flags) {
    set_port(interface, [&](vnet_port& port) { port.flags = flags; });
    ASSERT_TRUE(maps().fdb.erase(key(interface == "g1" ? 0x0a : 0x0b, {0x52, 0x54, 0, 0, 1})));
  }
  static vnet_fdb_key key(int last, std::array<__u8, 5> first = {2, 0, 0, 0, 0}) {
    vnet_fdb_key made{.network = slot::network};
    std::copy(first.begin(), first.end(), made.mac);
    made.mac[5] = static_cast<__u8>(last);
    return made;
  }
  static std::string virtual_mac(int last) { return fmt::format("02:00:00:00:00:{:02x}", last); }
  // The MAC's frame to somebody whom nobody knows, at that port.
  Ran says(int last, const std::string& interface) {
    return run(Program::PortIngress, Ethernet{.src = virtual_mac(last), .dst = mac::gateway} / Arp{},
               on(interface));
  }
  std::string place(int last) {
    auto known = maps().fdb.get(key(last));
    return !known ? "" : known->ifindex == ifindex("g1") ? "g1" : "g2";
  }
  std::uint32_t learned(int at_slot) {
    return maps().quota_usage.get(static_cast<__u32>(at_slot)).value().learned;
  }
};
VNET_BOTH_FAMILIES(AnyMac);

TEST_P(AnyMac, WithoutRoomAMacThatHasMovedIsFloodedAndNotSentBack) {
  for (int i = 0; i < VNET_LEARN_MAX; ++i) says(i, "g2");
  says(99, "g1");
  EXPECT_EQ("g1", place(99));
  EXPECT_EQ(Ok, says(99, "g2").verdict);
  EXPECT_EQ("", place(99)) << "it is not at g1 any more";
  EXPECT_EQ(0U, learned(slot::g1));
  EXPECT_EQ(static_cast<unsigned>(VNET_LEARN_MAX), learned(slot::g2));
}

TEST_P(AnyMac, WhatAGuardedPortWasSeenWithIsNobodyElses) {
  set("g1", VNET_PORT_F_NO_MAC_SPOOFING);
  says(1, "g1");
  EXPECT_EQ((Drops{{{slot::g2, "spoofed-mac"}, 1}}), says(1, "g2").drops);
  EXPECT_EQ("g1", place(1));
  EXPECT_EQ(Ok, says(2, "g2").verdict);
  EXPECT_EQ((Drops{{{slot::g1, "spoofed-mac"}, 1}}), says(2, "g1").drops);
}

TEST_P(AnyMac, ItsAddressesAreFencedAllTheSame) {
  set("g1", fence);
  own(at.guest1, slot::g1);
  own(at.guest2, slot::g2);
  for (int last : {1, 2}) {
    passes(from(virtual_mac(last)) / ip(at.guest1, at.gateway) / l4(L4::Udp, family(), 9, 53));
    drops(from(virtual_mac(last)) / ip(at.guest2, at.gateway) / l4(L4::Udp, family(), 9, 53),
          "spoofed-source");
  }
}

TEST_P(AnyMac, ArpAndNeighbourDiscoverySpeakOfTheFramesOwnMac) {
  set("g1", fence);
  own("192.168.122.10", slot::g1);
  own("fd00:122::10", slot::g1);
  auto arp = [&](const std::string& sender) {
    return Ethernet{.src = virtual_mac(1), .dst = "ff:ff:ff:ff:ff:ff"} /
           Arp{.operation = 2, .sender_mac = sender, .sender_ip = "192.168.122.10"};
  };
  auto advertisement = [&](const std::string& source, const std::string& about) {
    return Ethernet{.src = virtual_mac(1), .dst = "33:33:00:00:00:01"} / ip(source, "ff02::1", 255) /
           Icmpv6{.type = 136} / neighbor_target("fd00:122::10", 2, about);
  };
  passes(arp(virtual_mac(1)));
  drops(arp(virtual_mac(2)), "spoofed-arp");
  passes(advertisement("fd00:122::10", virtual_mac(1)));
  drops(advertisement("fd00:122::10", virtual_mac(2)), "spoofed-nd");
  // The link-local address that this MAC makes, and the one that another makes.
  passes(advertisement("fe80::ff:fe00:1", virtual_mac(1)));
  drops(advertisement("fe80::ff:fe00:2", virtual_mac(1)), "spoofed-source");
}

}  // namespace
}  // namespace vnet::test
