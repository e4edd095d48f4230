// SPDX-License-Identifier: GPL-2.0-or-later
// Packets as text, from whatever bytes there are.
#include "loader/observe/packet_view.h"

#include <gtest/gtest.h>

#include "loader/explain/frame.h"
#include "tests/support/oracle.h"
#include "tests/support/packet.h"

namespace vnet::test {
namespace {

std::string text(const Packet& packet) {
  return view_packet(packet.bytes(), true).text();
}

TEST(PacketView, WhatPeopleWantToKnow) {
  Ethernet eth;
  EXPECT_EQ("tcp 192.168.122.10:4711 > 203.0.113.1:80 [SA]",
            text(eth / Ipv4{} / Tcp{.src_port = 4711, .flags = "SA"}));
  EXPECT_EQ("udp [fd00:122::10]:1 > [2001:db8:113::1]:2",
            text(eth / Ipv6{} / Udp{.src_port = 1, .dst_port = 2}));
  EXPECT_EQ("icmp 192.168.122.10 > 203.0.113.1 type 8 code 0", text(eth / Ipv4{} / Icmp{}));
  EXPECT_EQ("icmp6 fd00:122::10 > 2001:db8:113::1 type 135 code 0", text(eth / Ipv6{} / Icmpv6{.type = 135}));
  EXPECT_EQ("47 192.168.122.10 > 203.0.113.1", text(eth / Ipv4{.protocol = 47} / Payload(8)));
  EXPECT_EQ("udp 192.168.122.10:40000 > 203.0.113.1:53 vlan 7", text(eth / Vlan{.id = 7} / Ipv4{} / Udp{}));
  EXPECT_EQ("arp 10.0.0.1 > 10.0.0.2", text(eth / Arp{.sender_ip = "10.0.0.1", .target_ip = "10.0.0.2"}));
  EXPECT_EQ("0x88cc 02:00:00:00:00:01 > 02:00:00:00:00:02", text(Ethernet{.type = 0x88cc} / Payload(4)));
}

TEST(PacketView, OptionsExtensionsAndFragments) {
  Ethernet eth;
  EXPECT_EQ("udp 192.168.122.10:40000 > 203.0.113.1:53", text(eth / Ipv4{.options = {1, 1, 1, 0}} / Udp{}));
  EXPECT_EQ("udp [fd00:122::10]:40000 > [2001:db8:113::1]:53", text(eth / Ipv6{} / Ipv6HopByHop{} / Udp{}));
  auto parts = fragments(eth / Ipv4{} / Udp{} / Payload(3000), 1500);
  EXPECT_EQ("udp 192.168.122.10:40000 > 203.0.113.1:53", view_packet(parts[0], true).text());
  EXPECT_EQ("udp 192.168.122.10 > 203.0.113.1 later fragment", view_packet(parts[1], true).text());
  parts = fragments(eth / Ipv6{} / Udp{} / Payload(3000), 1500);
  EXPECT_EQ("udp fd00:122::10 > 2001:db8:113::1 later fragment", view_packet(parts[1], true).text());
}

TEST(PacketView, WithoutEthernetAndEchoIds) {
  Bytes ip = (Ethernet{} / Ipv6{} / Icmpv6{.type = 129, .id = 77}).inside(1).bytes();
  auto view = view_packet(ip, false);
  EXPECT_FALSE(view.source_mac);
  EXPECT_EQ(77, view.echo_id);
  EXPECT_EQ(std::nullopt,
            view_packet((Ethernet{} / Ipv4{} / Icmp{.type = 3, .id = 5}).bytes(), true).echo_id);
}

// However little has been captured, nothing is read that is not there (the sanitizers look).
TEST(PacketView, EveryPrefixOfAPacket) {
  for (const Packet& packet :
       {Ethernet{} / Ipv4{.options = {1, 1, 1, 0}} / Tcp{}, Ethernet{} / Vlan{} / Ipv6{} / Udp{},
        Ethernet{} / Ipv6{} / Ipv6HopByHop{} / Ipv6Fragment{} / Icmpv6{}, Ethernet{} / Arp{}}) {
    Bytes all = packet.bytes();
    for (std::size_t size = 0; size <= all.size(); ++size) {
      std::vector<std::uint8_t> part(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(size));
      EXPECT_FALSE(view_packet(part, true).text().empty());
      view_packet(part, false);
    }
  }
}

TEST(ExplainFrame, IsSoundAndAsAsked) {
  for (const char* protocol : {"tcp", "udp", "icmp"})
    for (auto [from, to] : {std::pair{"192.168.122.10", "203.0.113.1"}, {"fd00:122::10", "2001:db8:113::1"}})
      for (std::uint16_t port = 1; port < 2000; ++port) {  // sums of all kinds
        Frame frame = make_frame({.source_mac = *Mac::parse("02:00:00:00:00:01"),
                                  .destination_mac = *Mac::parse("02:00:00:00:00:02"),
                                  .source = *Address::parse(from),
                                  .destination = *Address::parse(to),
                                  .protocol = protocol,
                                  .source_port = port,
                                  .destination_port = 53});
        ASSERT_TRUE(is_sound(frame));
        auto view = view_packet(frame, true);
        EXPECT_EQ(from, view.source->address.text());
        EXPECT_EQ(to, view.destination->address.text());
        EXPECT_EQ(port, view.echo_id.value_or(view.source->port));
        EXPECT_EQ(std::string(protocol) == "icmp" ? 0 : 53, view.destination->port);
        decrement_ttl(frame, true);
        EXPECT_EQ(63, view_packet(frame, true).ttl);
        ASSERT_TRUE(is_sound(frame));
      }
}

TEST(ExplainFrame, GroupMacs) {
  EXPECT_EQ("01:00:5e:01:02:03", group_mac(*Address::parse("239.129.2.3")).text());
  EXPECT_EQ("33:33:00:00:12:34", group_mac(*Address::parse("ff0e::1234")).text());
  EXPECT_EQ("ff:ff:ff:ff:ff:ff", group_mac(*Address::parse("192.168.122.255")).text());
}

}  // namespace
}  // namespace vnet::test
