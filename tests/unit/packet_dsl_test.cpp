// SPDX-License-Identifier: GPL-2.0-or-later
// The tests' own tools: packets against bytes written by hand, and the oracle against packets and damage.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/describe.h"
#include "tests/support/oracle.h"
#include "tests/support/packet.h"

namespace vnet::test {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

// An IPv4 header whose checksum is worked out in many a textbook: 0xb861.
TEST(PacketDsl, BuildsTheTextbookUdpHeader) {
  Bytes expected = {0x02, 0,    0,    0,    0,    2,    0x02, 0,    0,    0,    0,    1,
                    0x08, 0x00,                                                              // Ethernet
                    0x45, 0x00, 0x00, 0x73, 0x00, 0x00, 0x40, 0x00, 0x40, 0x11, 0xb8, 0x61,  // IPv4
                    0xc0, 0xa8, 0x00, 0x01, 0xc0, 0xa8, 0x00, 0xc7};
  Bytes built = Ethernet{} / Ipv4{.src = "192.168.0.1", .dst = "192.168.0.199", .dont_fragment = true} /
                Udp{.dst_port = 53} / Payload(0x73 - 28);
  built.resize(expected.size());
  EXPECT_PACKET_EQ(expected, built);
}

TEST(PacketDsl, BuildsAnEchoRequestByteForByte) {
  Bytes expected = {0x52, 0x54, 0, 0, 0, 2, 0x52, 0x54, 0, 0, 0, 1, 0x81, 0x00, 0x60, 0x05, 0x08, 0x00, 0x45,
                    0, 0, 0x1e, 0x00, 0x07, 0, 0, 1, 1, 0xa5, 0xd6, 10, 0, 0, 1, 10, 0, 0, 2,
                    // 0x0800 + 0x1234 + 0x0001 + 0x6869 = 0x829e
                    8, 0, 0x7d, 0x61, 0x12, 0x34, 0, 1, 'h', 'i'};
  // 0x4500 + 0x001e + 0x0007 + 0x0101 + 0x0a00 + 0x0001 + 0x0a00 + 0x0002 = 0x5a29
  EXPECT_PACKET_EQ(expected, (Ethernet{.src = "52:54:00:00:00:01", .dst = "52:54:00:00:00:02"} /
                              Vlan{.id = 5, .priority = 3} /
                              Ipv4{.src = "10.0.0.1", .dst = "10.0.0.2", .ttl = 1, .id = 7} /
                              Icmp{.id = 0x1234, .seq = 1} / Payload("hi")));
}

TEST(PacketDsl, LeavesThePseudoHeaderSumWhenPartial) {
  Bytes frame =
      Ethernet{} / Ipv4{.src = "10.0.0.1", .dst = "10.0.0.2"} / Udp{.fill = Checksum::Partial} / Payload("x");
  // 0x0a00 + 0x0001 + 0x0a00 + 0x0002 + 17 + 9
  EXPECT_EQ(0x14, frame[40]);
  EXPECT_EQ(0x1d, frame[41]);
  EXPECT_THAT(complaints(frame, L4Sum::Partial), IsEmpty());
  EXPECT_THAT(complaints(frame), testing::ElementsAre(HasSubstr("UDP checksum")));
}

TEST(PacketDsl, WritesAnAllOnesUdpChecksumForZero) {
  // The payload makes everything else add up to 0xffff.
  Packet zero = Ethernet{} / Ipv4{.src = "0.0.0.0", .dst = "0.0.0.0"} / Udp{.src_port = 0, .dst_port = 0} /
                Payload(Bytes{0xff, 0xff - 17 - 10 - 10});
  Bytes frame = zero;
  EXPECT_EQ(0xff, frame[40]);
  EXPECT_EQ(0xff, frame[41]);
  EXPECT_SOUND(frame);
}

TEST(PacketDsl, RefusesWhatIsNoAddress) {
  EXPECT_THROW((Ethernet{.src = "02:00:00:00:00"} / Ipv4{}).bytes(), std::invalid_argument);
  EXPECT_THROW((Ethernet{} / Ipv4{.src = "fd00::1"}).bytes(), std::invalid_argument);
}

TEST(PacketDsl, ChangesOneLayerAndFixesTheRest) {
  Packet sent = Ethernet{} / Ipv4{} / Tcp{.dst_port = 443, .flags = "S"};
  Packet translated = sent.with<Ipv4>([](Ipv4& ip) { ip.src = "203.0.113.2", ip.ttl = 63; });
  EXPECT_PACKET_EQ((Ethernet{} / Ipv4{.src = "203.0.113.2", .ttl = 63} / Tcp{.dst_port = 443}), translated);
  EXPECT_SOUND(translated);
}

std::vector<Packet> samples() {
  Packet v4 = Ethernet{} / Ipv4{};
  Packet v6 = Ethernet{} / Ipv6{};
  return {
      v4 / Tcp{.flags = "PA", .seq = 0xdeadbeef, .ack = 7, .options = {2, 4, 5, 0xb4}} / Payload(101),
      v4 / Udp{} / Payload("odd"),
      v4 / Udp{.checksum = 0} / Payload(20),
      v4 / Icmp{.id = 9} / Payload(56),
      Ethernet{} / Vlan{.id = 9, .tpid = 0x88a8} / Vlan{.id = 5} / Ipv4{.options = {7, 3, 4}} / Tcp{},
      v4 / Icmp{.type = 3, .code = 1} / quoted(v4 / Udp{} / Payload(11)),
      v4 / Icmp{.type = 3, .code = 4, .mtu = 1400} / quoted(v4 / Tcp{} / Payload(1400)),
      v4 / Icmp{.type = 11} / quoted(v4 / Tcp{.flags = "A"} / Payload(3), 28),
      v4 / Icmp{.type = 3, .code = 1} / quoted(v4 / Icmp{.id = 77}),
      Ethernet{} / Ipv4{.more_fragments = true} / Udp{.length = 2000} / Payload(1472),
      Ethernet{} / Ipv4{.fragment_offset = 1480, .protocol = 17} / Payload(33),
      v6 / Tcp{.flags = "SA"} / Payload(5),
      v6 / Udp{} / Payload(1),
      v6 / Icmpv6{.id = 3, .seq = 4} / Payload("ping"),
      v6 / Ipv6HopByHop{.options = {5, 2, 0, 0}} / Icmpv6{.type = 143},
      v6 / Ipv6HopByHop{} / Ipv6Fragment{.id = 1} / Udp{} / Payload(9),
      v6 / Icmpv6{.type = 2, .mtu = 1280} / quoted(v6 / Udp{} / Payload(40)),
      v6 / Icmpv6{.type = 135} / neighbor_target("fd00:122::1", 1, "02:00:00:00:00:01"),
      Ethernet{.dst = "ff:ff:ff:ff:ff:ff"} / Arp{.sender_ip = "10.0.0.1", .target_ip = "10.0.0.2"},
  };
}

TEST(Oracle, AgreesWithTheDsl) {
  for (const Packet& packet : samples()) EXPECT_SOUND(packet) << describe(packet);
}

TEST(Oracle, SeesEveryFlippedBitOfAnIpv4Packet) {
  for (const Packet& packet :
       {Ethernet{} / Ipv4{} / Tcp{} / Payload(5), Ethernet{} / Ipv4{} / Udp{} / Payload(4),
        Ethernet{} / Ipv4{} / Icmp{} / Payload(7)}) {
    Bytes frame = packet;
    for (std::size_t bit = 14 * 8; bit < frame.size() * 8; ++bit) {
      Bytes damaged = frame;
      damaged[bit / 8] ^= static_cast<std::uint8_t>(1 << bit % 8);
      EXPECT_THAT(complaints(damaged), Not(IsEmpty())) << "bit " << bit << " of\n" << describe(frame);
    }
  }
}

TEST(Oracle, SeesEveryFlippedBitOfAnIpv6Payload) {
  for (const Packet& packet :
       {Ethernet{} / Ipv6{} / Tcp{} / Payload(5), Ethernet{} / Ipv6{} / Udp{} / Payload(4),
        Ethernet{} / Ipv6{} / Icmpv6{} / Payload(7)}) {
    Bytes frame = packet;
    for (std::size_t bit = (14 + 8) * 8; bit < frame.size() * 8;
         ++bit) {  // IPv6 guards nothing before the addresses
      Bytes damaged = frame;
      damaged[bit / 8] ^= static_cast<std::uint8_t>(1 << bit % 8);
      EXPECT_THAT(complaints(damaged), Not(IsEmpty())) << "bit " << bit << " of\n" << describe(frame);
    }
  }
}

// A translator that repairs the outer checksum but forgets the ones inside is caught.
TEST(Oracle, LooksInsideQuotedPackets) {
  for (std::size_t limit : {28, 548}) {
    Bytes inner = Ethernet{} / Ipv4{} / Udp{} / Payload("unreachable");
    inner[14 + 15] ^= 1;  // an address changed without its checksums
    Packet error = Ethernet{} / Ipv4{} / Icmp{.type = 3, .code = 3} / quoted(inner, limit);
    EXPECT_THAT(complaints(error), testing::Contains(HasSubstr("quoted in ICMP: IPv4 header checksum")));
    EXPECT_EQ(limit == 548 ? 2U : 1U, complaints(error).size());
  }
  Packet v6 = Ethernet{} / Ipv6{} / Icmpv6{.type = 1} / quoted(Ethernet{} / Ipv6{} / Udp{.checksum = 0x1234});
  EXPECT_THAT(complaints(v6), testing::ElementsAre(HasSubstr("quoted in ICMPv6: UDP checksum")));
}

TEST(Oracle, NamesWrongLengths) {
  EXPECT_THAT(complaints(Ethernet{} / Ipv4{.length = 80} / Udp{}),
              testing::Contains(HasSubstr("IPv4 says 80 bytes")));
  EXPECT_THAT(complaints(Ethernet{} / Ipv6{.length = 9} / Udp{} / Payload(100)), Not(IsEmpty()));
  EXPECT_THAT(complaints(Ethernet{} / Ipv4{} / Udp{.length = 12} / Payload("x")),
              testing::Contains(HasSubstr("UDP length is 12")));
  EXPECT_THAT(complaints(Ethernet{} / Ipv6{} / Udp{.checksum = 0}),
              testing::ElementsAre(HasSubstr("without")));
}

TEST(Fragments, CarryTheWholeDatagram) {
  for (const Packet& datagram :
       {Ethernet{} / Ipv4{} / Udp{} / Payload(3000), Ethernet{} / Ipv6{} / Udp{} / Payload(3000)}) {
    std::vector<Bytes> frames = fragments(datagram, 1500, 7);
    ASSERT_EQ(3U, frames.size());
    for (const Bytes& frame : frames) {
      EXPECT_LE(frame.size(), 1514U);
      EXPECT_SOUND(frame) << describe(frame);
    }
    Bytes whole = datagram;
    EXPECT_EQ(whole.back(), frames.back().back());
  }
}

TEST(Describe, ReadsLayerByLayer) {
  Bytes frame = Ethernet{} / Ipv4{.dont_fragment = true} / Icmp{.type = 3, .code = 1} /
                quoted(Ethernet{} / Ipv4{} / Tcp{.flags = "SA"});
  EXPECT_THAT(describe_layers(frame),
              testing::ElementsAre(HasSubstr("Ethernet 02:00:00:00:00:01 > 02:00:00:00:00:02"),
                                   HasSubstr("Ipv4 192.168.122.10 > 203.0.113.1 ttl 64 id 0 DF"),
                                   HasSubstr("Icmp type 3 code 1"), HasSubstr("quoted Ipv4"),
                                   HasSubstr("quoted Tcp 40000 > 80 SA seq 0")));
}

TEST(Describe, MarksTheLayerThatDiffers) {
  Bytes expected = Ethernet{} / Ipv4{} / Tcp{};
  Bytes actual = Ethernet{} / Ipv4{.ttl = 63} / Tcp{};
  std::string text = compare_packets("expected", "actual", expected, actual).message();
  EXPECT_THAT(text, HasSubstr("\n  - Ipv4 192.168.122.10 > 203.0.113.1 ttl 64"));
  EXPECT_THAT(text, HasSubstr("\n  + Ipv4 192.168.122.10 > 203.0.113.1 ttl 63"));
  EXPECT_THAT(text, HasSubstr("\n    Tcp 40000 > 80 S"));
}

}  // namespace
}  // namespace vnet::test
