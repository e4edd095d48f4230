// SPDX-License-Identifier: GPL-2.0-or-later
// When a flow may be fast: only what the host's own rules neither translate nor lead elsewhere.
#include <arpa/inet.h>

#include "tests/packet/datapath_fixture.h"

namespace vnet::test {
namespace {

class HostNat : public BothFamilies {
 protected:
  // The guest's packet as it comes to the uplink, and the session's marks then.
  std::uint8_t flags_of_new(std::uint16_t sport, RunContext context = {}) {
    EXPECT_EQ(Ok, run(Program::UplinkEgress, outgoing(L4::Udp, at.guest1, sport), context).verdict);
    auto made = session(key(L4::Udp, at.guest1, sport));
    return made ? made->flags & (VNET_SESSION_F_PLAIN | VNET_SESSION_F_STACK) : 0xff;
  }
  Packet sent(std::uint16_t sport) {
    return from_guest1 / ip(at.guest1, at.remote) / l4(L4::Udp, family(), sport, 443);
  }
  int verdict_in(std::uint16_t port) {
    return run(Program::UplinkIngress, answer(L4::Udp, at.host, port)).verdict;
  }
};
VNET_BOTH_FAMILIES(HostNat);

TEST_P(HostNat, LetsPassTheStackWhatItHasLeftAlone) {
  EXPECT_EQ(Ok, run(Program::GatewayIngress, sent(2000)).verdict);
  EXPECT_EQ(VNET_SESSION_F_PLAIN, flags_of_new(2000));
  EXPECT_EQ(Redirect, verdict_in(2000));
}

// Sent to the gateway's address, it has another destination now: answers need the stack to turn them back.
TEST_P(HostNat, LeavesToTheStackWhatItHasTurned) {
  EXPECT_EQ(Ok, run(Program::GatewayIngress,
                    from_guest1 / ip(at.guest1, at.gateway) / l4(L4::Udp, family(), 2000, 443))
                    .verdict);
  EXPECT_EQ(0, flags_of_new(2000));
  EXPECT_EQ(Ok, verdict_in(2000));
}

// It had to wait for the next hop's MAC, and another packet has passed since.
TEST_P(HostNat, LearnsFromTheGuestsNextPacket) {
  EXPECT_EQ(0, flags_of_new(2000));
  EXPECT_EQ(Ok, verdict_in(2000));
  EXPECT_EQ(Redirect, run(Program::PortIngress, sent(2000)).verdict);
  EXPECT_EQ(VNET_SESSION_F_PLAIN, session(key(L4::Udp, at.guest1, 2000))->flags & VNET_SESSION_F_PLAIN);
  EXPECT_EQ(Redirect, verdict_in(2000));
}

TEST_P(HostNat, LeavesToTheStackWhatItLeadsAnotherWay) {
  set_handed_up(key(L4::Udp, at.guest1, 2000));
  Packet other_hop = Ethernet{.src = mac::uplink, .dst = mac::stranger} / ip(at.guest1, at.remote, 63) /
                     l4(L4::Udp, family(), 2000, 443);
  EXPECT_EQ(Ok, run(Program::UplinkEgress, other_hop).verdict);
  EXPECT_TRUE(session(key(L4::Udp, at.guest1, 2000))->flags & VNET_SESSION_F_STACK);
  EXPECT_EQ(Ok, verdict_in(2000));
  expect_same(Program::PortIngress, sent(2000), Ok);
}

// A datagram of the host's that comes to the same flow later: its answers are the host's.
TEST_P(HostNat, YieldsAPortToTheHost) {
  open(L4::Udp, at.guest1, 40000);
  open(L4::Tcp, at.guest1, 2000);
  expect_same(Program::UplinkEgress, outgoing_translated(L4::Udp, 40000), Ok);
  EXPECT_FALSE(session(key(L4::Udp, at.guest1, 40000)));
  expect_same(Program::UplinkEgress, outgoing_translated(L4::Tcp, 2000), Ok);
  EXPECT_TRUE(session(key(L4::Tcp, at.guest1, 2000))) << "a connection is broken for nobody";
  // What an interface above has translated already comes from a gateway of ours.
  open(L4::Udp, at.guest1, 40000);
  run(Program::UplinkEgress, outgoing_translated(L4::Udp, 40000), {.ingress_ifindex = ifindex("virbr0")});
  EXPECT_TRUE(session(key(L4::Udp, at.guest1, 40000)));
}

TEST_P(HostNat, KeepsADatagramsPortAnywhereAndAConnectionsWhereTheHostHasNone) {
  EXPECT_EQ(40000, open(L4::Udp, at.guest1, 40000));
  EXPECT_NE(40000, open(L4::Tcp, at.guest1, 40000)) << "in the host's ephemeral range";
  EXPECT_EQ(2000, open(L4::Tcp, at.guest1, 2000));
}

TEST_P(HostNat, GivesAllFlowsOfAPortTheSameOtherOne) {
  open(L4::Udp, at.guest1, 5000);
  std::uint16_t port = open(L4::Udp, at.guest2, 5000);
  EXPECT_NE(5000, port);
  auto outside_of = [&](const std::string& to) {
    vnet_flow flow = test::flow(at.guest2, to, IPPROTO_UDP, 5000, 443);
    run(Program::UplinkEgress, out_of_host / ip(at.guest2, to, 63) / l4(L4::Udp, family(), 5000, 443));
    auto made = session(flow);
    return made ? ntohs(made->nat_port_be) : 0;
  };
  EXPECT_EQ(port, outside_of(at.remote2));
  EXPECT_EQ(port, outside_of(at.next_hop));
}

// --- what others begin

class Beginners : public HostNat {
 protected:
  void SetUp() override {
    HostNat::SetUp();
    for (std::uint8_t proto : {IPPROTO_TCP, IPPROTO_UDP})
      ASSERT_TRUE(maps().port_forwards.set(
          {.port_be = htons(8080), .proto = proto, .family = static_cast<__u8>(family())},
          {.to = address(at.guest1), .port_be = htons(80), .network = slot::network}));
  }
  vnet_flow of(int proto, std::uint16_t port) { return flow(at.guest1, at.remote, proto, 80, port); }
  void come(L4 kind, std::uint16_t port, const std::string& flags = "S") {
    run(Program::UplinkIngress,
        into_host / ip(at.remote, at.host, 60) / l4(kind, family(), port, 8080, flags));
  }
  void answer_to(L4 kind, std::uint16_t port) {
    run(Program::PortIngress, from_guest1 / ip(at.guest1, at.remote) / l4(kind, family(), 80, port, "SA"));
  }
};
VNET_BOTH_FAMILIES(Beginners);

TEST_P(Beginners, EstablishByWhatOnlyTheRealOneKnows) {
  come(L4::Tcp, 5000), answer_to(L4::Tcp, 5000);
  auto state = [&] { return session(of(IPPROTO_TCP, 5000))->state; };
  for (std::uint32_t wrong : {0U, 0x01020304U, 0x01020304U + 0x20000U}) {
    Packet guess = into_host / ip(at.remote, at.host, 60) /
                   Tcp{.src_port = 5000, .dst_port = 8080, .flags = "A", .ack = wrong};
    run(Program::UplinkIngress, guess);
    EXPECT_EQ(VNET_SESSION_NEW, state()) << wrong;
  }
  Packet end = into_host / ip(at.remote, at.host, 60) /
               Tcp{.src_port = 5000, .dst_port = 8080, .flags = "FA", .ack = 77};
  run(Program::UplinkIngress, end);
  EXPECT_EQ(VNET_SESSION_NEW, state()) << "nor does it end what has not begun";
  come(L4::Tcp, 5000, "A");
  EXPECT_EQ(VNET_SESSION_ESTABLISHED, state());
}

TEST_P(Beginners, OfDatagramsComeBackOnceAnswered) {
  come(L4::Udp, 5000), come(L4::Udp, 5000), answer_to(L4::Udp, 5000);
  EXPECT_EQ(VNET_SESSION_NEW, session(of(IPPROTO_UDP, 5000))->state);
  come(L4::Udp, 5000);
  EXPECT_EQ(VNET_SESSION_ESTABLISHED, session(of(IPPROTO_UDP, 5000))->state);
}

TEST_P(Beginners, PushOutEachOtherAndNobodyElse) {
  set_network([](vnet_network& n) { n.max_sessions = n.max_sessions_per_port = 3000; });
  come(L4::Tcp, 1000), answer_to(L4::Tcp, 1000), come(L4::Tcp, 1000, "A");
  for (int i = 0; i < VNET_HALF_OPEN + 100; ++i) come(L4::Tcp, static_cast<std::uint16_t>(2000 + i));
  EXPECT_EQ(VNET_SESSION_ESTABLISHED, session(of(IPPROTO_TCP, 1000))->state);
  EXPECT_FALSE(session(of(IPPROTO_TCP, 2000))) << "the oldest goes";
  EXPECT_TRUE(session(of(IPPROTO_TCP, 2000 + VNET_HALF_OPEN + 99)));
  EXPECT_EQ(VNET_HALF_OPEN + 1U, inbound(slot::network));
  EXPECT_EQ(0U, usage(slot::network)) << "none of the guests' share";
  open(L4::Udp, at.guest1, 2000);
}

// --- SCTP

std::uint32_t crc32c(const Bytes& bytes) {
  std::uint32_t crc = ~0U;
  for (std::uint8_t byte : bytes) {
    crc ^= byte;
    for (int i = 0; i < 8; ++i) crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78U : 0U);
  }
  return ~crc;
}

// An association's packet of so many bytes, its checksum as the sender makes it (little-endian on the wire).
Packet sctp(std::uint16_t sport, std::uint16_t dport, int bytes) {
  Bytes raw(static_cast<std::size_t>(12 + bytes));
  for (std::size_t i = 12; i < raw.size(); ++i) raw[i] = static_cast<std::uint8_t>(i * 7);
  raw[0] = sport >> 8, raw[1] = sport & 0xff, raw[2] = dport >> 8, raw[3] = dport & 0xff;
  std::uint32_t crc = crc32c(raw);
  for (std::size_t i = 0; i < 4; ++i) raw[8 + i] = static_cast<std::uint8_t>(crc >> (8 * i));
  return Payload(std::move(raw));
}

TEST_P(HostNat, SctpHasPortsOfItsOwn) {
  auto link = [&](const std::string& from, const std::string& to) -> Packet {
    if (family() == 4) return out_of_host / Ipv4{.src = from, .dst = to, .ttl = 63, .protocol = IPPROTO_SCTP};
    return out_of_host / Ipv6{.src = from, .dst = to, .hop_limit = 63, .next_header = IPPROTO_SCTP};
  };
  for (int bytes : {0, 1, 16, 17, 255, 1000}) {
    SetUp();
    expect(Program::UplinkEgress, link(at.guest1, at.remote) / sctp(5000, 36412, bytes), Ok,
           link(at.host, at.remote) / sctp(5000, 36412, bytes));
    // The second one's peer, port and all are the same: only then another port, and a new checksum.
    Ran second = run(Program::UplinkEgress, link(at.guest2, at.remote) / sctp(5000, 36412, bytes));
    ASSERT_EQ(Ok, second.verdict);
    auto made = session(flow(at.guest2, at.remote, IPPROTO_SCTP, 5000, 36412));
    ASSERT_TRUE(made);
    std::uint16_t port = ntohs(made->nat_port_be);
    EXPECT_NE(5000, port);
    EXPECT_PACKET_EQ(Bytes(link(at.host, at.remote) / sctp(port, 36412, bytes)), second.packet);
    // And back.
    Packet from = link(at.remote, at.host), to = link(at.remote, at.guest2);
    EXPECT_PACKET_EQ(Bytes(to / sctp(36412, 5000, bytes)),
                     run(Program::UplinkIngress, from / sctp(36412, port, bytes)).packet);
  }
}

}  // namespace
}  // namespace vnet::test
