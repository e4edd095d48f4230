// SPDX-License-Identifier: GPL-2.0-or-later
// UDP mapped independently of the far end (RFC 4787): which port the outside sees, who may send to it, and
// how long; and what a TFTP server answers from another port. Session timeouts of a network.
#include <arpa/inet.h>

#include "tests/packet/guard_fixture.h"

namespace vnet::test {
namespace {

constexpr std::uint32_t one_mapping = VNET_NETWORK_F_ONE_MAPPING,
                        from_anybody = one_mapping | VNET_NETWORK_F_FROM_ANYBODY,
                        from_peers = one_mapping | VNET_NETWORK_F_FROM_PEERS;

class IndependentMapping : public GuardTest {
 protected:
  void map_as(std::uint32_t flags) {
    set_network([&](vnet_network& n) { n.flags |= flags; });
  }
  // A guest's datagram, as it stands before the uplink's egress hook; the port that the outside sees.
  std::uint16_t send(const std::string& guest, std::uint16_t sport, const std::string& to,
                     std::uint16_t dport = 3478, std::uint16_t of = slot::g1) {
    Packet sent = out_of_host / ip(guest, to, 63) / l4(L4::Udp, family(), sport, dport);
    Ran ran = run(Program::UplinkEgress, sent, {}, of);
    EXPECT_EQ(Ok, ran.verdict) << testing::PrintToString(ran.drops);
    auto made = session(flow(guest, to, IPPROTO_UDP, sport, dport));
    return made ? ntohs(made->nat_port_be) : 0;
  }
  Packet from_outside(const std::string& from, std::uint16_t sport, std::uint16_t to) {
    return into_host / ip(from, at.host, 60) / l4(L4::Udp, family(), sport, to);
  }
  Packet arrives(const std::string& from, std::uint16_t sport, std::uint16_t port, int ttl = 59) {
    return to_guest1 / ip(from, at.guest1, ttl) / l4(L4::Udp, family(), sport, port);
  }
  std::optional<vnet_session> mapping_of(const std::string& guest, std::uint16_t sport) {
    vnet_flow key = flow(guest, at.host, IPPROTO_UDP, sport, 0);
    key.kind = VNET_FLOW_MAPPING;
    return session(key);
  }
};
VNET_BOTH_FAMILIES(IndependentMapping);

TEST_P(IndependentMapping, IsTheSameForEveryFarEnd) {
  map_as(one_mapping);
  // Both guests use the same port, and the second asks whom the first has not.
  EXPECT_EQ(5000, send(at.guest1, 5000, at.remote));
  std::uint16_t second = send(at.guest2, 5000, at.remote2, 3478, slot::g2);
  EXPECT_NE(5000, second);
  EXPECT_EQ(0, second % 2) << "an even port stays even";
  EXPECT_EQ(second, send(at.guest2, 5000, at.remote, 3478, slot::g2));
  EXPECT_EQ(second, send(at.guest2, 5000, at.next_hop, 53, slot::g2));
  EXPECT_EQ(5000, send(at.guest1, 5000, at.remote2));
  EXPECT_EQ(5000, send(at.guest1, 5000, at.remote2, 99));
  EXPECT_TRUE(mapping_of(at.guest1, 5000));
}

TEST_P(IndependentMapping, KeepsAwayFromTheHostsEphemeralPorts) {
  map_as(one_mapping);
  std::uint16_t given = send(at.guest1, 40001, at.remote);
  EXPECT_TRUE(given < 32768 || given >= 61000) << given;
  EXPECT_EQ(1, given % 2);
  EXPECT_EQ(given, send(at.guest1, 40001, at.remote2));
}

TEST_P(IndependentMapping, IsNoOtherSessionsPort) {
  map_as(one_mapping);
  ASSERT_EQ(5000, send(at.guest1, 5000, at.remote));
  // Of a network that maps by far end: nothing of guest 1 goes to remote2, and its port is taken all the
  // same.
  set_network([](vnet_network& n) { n.flags &= ~one_mapping; });
  EXPECT_NE(5000, send(at.guest2, 5000, at.remote2, 3478, slot::g2));
  map_as(one_mapping);
  EXPECT_EQ(5000, send(at.guest1, 5000, at.remote2));
}

TEST_P(IndependentMapping, IsNoForwardedPortButItsOwnGuests) {
  map_as(one_mapping);
  const auto forward = [&](const std::string& to) {
    ASSERT_TRUE(maps().port_forwards.set(
        {.listen = {}, .port_be = htons(5000), .proto = IPPROTO_UDP, .family = static_cast<__u8>(family())},
        {.to = address(to),
         .port_be = htons(5000),
         .network = slot::network,
         .first_be = htons(5000),
         .flags = VNET_FORWARD_F_ANY}));
  };
  forward(at.guest2);
  EXPECT_NE(5000, send(at.guest1, 5000, at.remote));
  EXPECT_EQ(5000, send(at.guest2, 5000, at.remote, 3478, slot::g2));
}

TEST_P(IndependentMapping, LetsInWhomTheFilteringSays) {
  struct Case {
    std::uint32_t flags;
    bool stranger, same_address;
  };
  std::uint16_t port = 5000;
  for (const auto& one :
       {Case{one_mapping, false, false}, {from_peers, false, true}, {from_anybody, true, true}}) {
    SCOPED_TRACE(one.flags);
    set_flags(flag::nat);
    map_as(one.flags);
    ++port;
    ASSERT_EQ(port, send(at.guest1, port, at.remote));
    EXPECT_EQ(Ok, run(Program::UplinkIngress, from_outside(at.remote, 3478, port)).verdict) << "the answer";
    const auto expect_let = [&](const std::string& from, bool let) {
      SCOPED_TRACE(from);
      auto before = session_count();
      Ran ran = run(Program::UplinkIngress, from_outside(from, 9999, port));
      EXPECT_EQ(let ? before + 1 : before, session_count());
      EXPECT_EQ(let ? Ok : Shot, ran.verdict) << testing::PrintToString(ran.drops);
      if (!let) {
        EXPECT_EQ((Drops{{{slot::uplink, "nat-filter"}, 1}}), ran.drops);
      }
      if (let) {
        EXPECT_PACKET_EQ(into_host / ip(from, at.guest1, 60) / l4(L4::Udp, family(), 9999, port), ran.packet);
      }
      EXPECT_SOUND(ran.packet);
    };
    expect_let(at.remote2, one.stranger);
    expect_let(at.remote, one.same_address);
  }
}

// hostFirewall='honor': the FORWARD rules judge it first, and what the guest answers makes it fast.
TEST_P(IndependentMapping, ANewFlowFromOutsideGoesByTheStackFirst) {
  map_as(from_anybody);
  ASSERT_EQ(5000, send(at.guest1, 5000, at.remote));
  EXPECT_EQ(Ok, run(Program::UplinkIngress, from_outside(at.remote2, 9, 5000)).verdict);
  auto made = session(flow(at.guest1, at.remote2, IPPROTO_UDP, 5000, 9));
  ASSERT_TRUE(made);
  EXPECT_EQ(VNET_SESSION_F_INBOUND,
            made->flags & (VNET_SESSION_F_INBOUND | VNET_SESSION_F_PLAIN | VNET_SESSION_F_STACK));
  EXPECT_EQ(1U, inbound(slot::g1)) << "of the guest's share";
  Packet answer = from_guest1 / ip(at.guest1, at.remote2) / l4(L4::Udp, family(), 5000, 9);
  expect(Program::PortIngress, answer, Redirect,
         out_of_host / ip(at.host, at.remote2, 63) / l4(L4::Udp, family(), 5000, 9), {});
  expect(Program::UplinkIngress, from_outside(at.remote2, 9, 5000), Redirect, arrives(at.remote2, 9, 5000));
}

TEST_P(IndependentMapping, WithBypassItIsFastAtOnce) {
  map_as(from_anybody | VNET_NETWORK_F_BYPASS);
  ASSERT_EQ(5000, send(at.guest1, 5000, at.remote));
  expect(Program::UplinkIngress, from_outside(at.remote2, 9, 5000), Redirect, arrives(at.remote2, 9, 5000));
}

TEST_P(IndependentMapping, MakesNoSessionOfWhatThePortRefuses) {
  map_as(from_anybody);
  ASSERT_EQ(5000, send(at.guest1, 5000, at.remote));
  guard("g1", VNET_PORT_F_ESTABLISHED);
  auto before = session_count();
  expect_drop(Program::UplinkIngress, from_outside(at.remote2, 9, 5000), slot::uplink, "inbound");
  EXPECT_EQ(before, session_count());
}

TEST_P(IndependentMapping, CountsForItsGuest) {
  map_as(from_peers);
  set_network([](vnet_network& n) { n.max_sessions_per_port = 4; });
  EXPECT_EQ(5000, send(at.guest1, 5000, at.remote));
  EXPECT_EQ(3U, usage(slot::g1)) << "the mapping, the session, the peer";
  EXPECT_EQ(5000, send(at.guest1, 5000, at.remote, 99));
  EXPECT_EQ(4U, usage(slot::g1)) << "the same peer";
  Packet sent = out_of_host / ip(at.guest1, at.remote2, 63) / l4(L4::Udp, family(), 5000, 1);
  EXPECT_EQ(Shot, run(Program::UplinkEgress, sent, {}, slot::g1).verdict);
  EXPECT_EQ(4U, usage(slot::g1));
}

// One guest has all ports; its neighbour gets one all the same.
TEST_P(IndependentMapping, IsTakenFromWhoHasFarMore) {
  map_as(one_mapping);
  set_network([](vnet_network& n) {
    n.max_sessions = n.max_sessions_per_port = 100'000;
    n.ports[0] = {2000, 2009};
    n.ports[1] = {1, 0};
  });
  for (std::uint16_t port = 2000; port < 2010; ++port) ASSERT_EQ(port, send(at.guest1, port, at.remote));
  Packet sent = out_of_host / ip(at.guest2, at.remote, 63) / l4(L4::Udp, family(), 2000, 3478);
  EXPECT_EQ((Drops{{{slot::uplink, "ports-exhausted"}, 1}}),
            run(Program::UplinkEgress, sent, {}, slot::g2).drops);
  vnet_quota_usage many{.sessions = 5000};
  ASSERT_TRUE(maps().quota_usage.set(slot::g1, many));
  EXPECT_NE(0, send(at.guest2, 2000, at.remote, 3478, slot::g2));
}

TEST_P(IndependentMapping, ItsPortMayBeTheHostsNatsForAnother) {
  map_as(from_anybody);
  ASSERT_EQ(5000, send(at.guest1, 5000, at.remote));
  // A container's, say: forwarded, and not from a gateway of ours.
  Packet foreign = out_of_host / ip(at.host, at.remote2, 63) / l4(L4::Udp, family(), 5000, 53);
  EXPECT_EQ(Ok, run(Program::UplinkEgress, foreign, {.ingress_ifindex = ifindex("other0")}).verdict);
  expect_same(Program::UplinkIngress, from_outside(at.remote2, 53, 5000), Ok);
  EXPECT_FALSE(session(flow(at.guest1, at.remote2, IPPROTO_UDP, 5000, 53)));
}

TEST_P(IndependentMapping, TurnsRoundToAnotherGuestsMapping) {
  map_as(from_anybody);
  ASSERT_EQ(5000, send(at.guest1, 5000, at.remote));
  std::uint16_t second = send(at.guest2, 5000, at.remote, 3478, slot::g2);
  Ran there = run(Program::GatewayIngress,
                  from_guest2 / ip(at.guest2, at.host) / l4(L4::Udp, family(), 5000, 5000), {}, slot::g2);
  EXPECT_EQ(Redirect, there.verdict) << testing::PrintToString(there.drops);
  // REQ-9: it comes from the sender's own mapping.
  EXPECT_PACKET_EQ(to_guest1 / ip(at.host, at.guest1) / l4(L4::Udp, family(), second, 5000), there.packet);
  EXPECT_SOUND(there.packet);
  Ran back = run(Program::GatewayIngress,
                 from_guest1 / ip(at.guest1, at.host) / l4(L4::Udp, family(), 5000, second), {}, slot::g1);
  EXPECT_EQ(Redirect, back.verdict) << testing::PrintToString(back.drops);
  EXPECT_PACKET_EQ(to_guest2 / ip(at.host, at.guest2) / l4(L4::Udp, family(), 5000, 5000), back.packet);
}

// Each knows of the other's mapping, and sends: the first one's is not let in, and opens its own side.
TEST_P(IndependentMapping, TwoGuestsPunchHoles) {
  map_as(from_peers);
  ASSERT_EQ(5000, send(at.guest1, 5000, at.remote));
  std::uint16_t second = send(at.guest2, 6000, at.remote, 3478, slot::g2);
  const auto to_first = from_guest2 / ip(at.guest2, at.host) / l4(L4::Udp, family(), 6000, 5000);
  const auto to_second = from_guest1 / ip(at.guest1, at.host) / l4(L4::Udp, family(), 5000, second);
  EXPECT_EQ((Drops{{{slot::network, "nat-filter"}, 1}}),
            run(Program::GatewayIngress, to_first, {}, slot::g2).drops);
  Ran ran = run(Program::GatewayIngress, to_second, {}, slot::g1);
  EXPECT_EQ(Redirect, ran.verdict) << testing::PrintToString(ran.drops);
  EXPECT_PACKET_EQ(to_guest2 / ip(at.host, at.guest2) / l4(L4::Udp, family(), 5000, 6000), ran.packet);
  ran = run(Program::GatewayIngress, to_first, {}, slot::g2);
  EXPECT_EQ(Redirect, ran.verdict) << testing::PrintToString(ran.drops);
  EXPECT_PACKET_EQ(to_guest1 / ip(at.host, at.guest1) / l4(L4::Udp, family(), second, 5000), ran.packet);
}

// RFC 1350: the answer comes from a port of its own. Whatever the network's mapping is.
TEST_P(IndependentMapping, ATftpServerAnswersFromAnotherPort) {
  std::uint16_t port = send(at.guest1, 2000, at.remote, 69);
  expect(Program::UplinkIngress, from_outside(at.remote, 45678, port), Redirect,
         arrives(at.remote, 45678, 2000));
  Packet answer = from_guest1 / ip(at.guest1, at.remote) / l4(L4::Udp, family(), 2000, 45678);
  expect(Program::PortIngress, answer, Redirect,
         out_of_host / ip(at.host, at.remote, 63) / l4(L4::Udp, family(), port, 45678), {});
  // From nobody else, and to no other port of the guest's.
  std::uint16_t another = send(at.guest1, 2001, at.remote, 53);
  expect_same(Program::UplinkIngress, from_outside(at.remote2, 45678, port), Ok);
  expect_same(Program::UplinkIngress, from_outside(at.remote, 45678, another), Ok);
}

}  // namespace
}  // namespace vnet::test
