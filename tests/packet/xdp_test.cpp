// SPDX-License-Identifier: GPL-2.0-or-later
// XDP at the uplink: what may not come in ends there, everything else reaches the tc program untouched.
#include <arpa/inet.h>

#include <random>

#include "loader/bpf/block_list.h"
#include "tests/packet/guard_fixture.h"

namespace vnet::test {
namespace {

class UplinkXdp : public GuardTest {
 protected:
  void passes(const Bytes& packet) { expect_same(Program::UplinkXdp, packet, Ok); }
  void drops_it(const Bytes& packet, const std::string& reason) {
    expect_drop(Program::UplinkXdp, packet, slot::uplink, reason);
  }
  Packet from_outside(const std::string& to, L4 kind, std::uint16_t sport = 2000,
                      const std::string& flags = "S") {
    return into_host / ip(at.remote, to) / l4(kind, family(), sport, 80, flags);
  }
  void block(const std::string& prefix, unsigned length) {
    ASSERT_TRUE(maps().blocked.set({.prefixlen = length, .addr = address(prefix)}, 0));
    ASSERT_TRUE(BlockList::switch_on(maps(), true));
  }
};
VNET_BOTH_FAMILIES(UplinkXdp);

TEST_P(UplinkXdp, LeavesTheHostsOwnAlone) {
  for (L4 kind : {L4::Udp, L4::Tcp, L4::Echo}) {
    passes(from_outside(at.host, kind));
    passes(from_outside(at.multicast, kind));
    passes(from_outside(at.remote2, kind));  // the host may be a router for others, too
  }
  passes(into_host / Arp{.sender_ip = "203.0.113.1", .target_ip = "203.0.113.2"});
  passes(into_host / ip(at.remote, at.host) /
         icmp_error(Problem::TooBig, family(), ip(at.host, at.remote) / l4(L4::Udp, family(), 9, 443)));
}

TEST_P(UplinkXdp, PassesAnswersAndErrorsOfSessions) {
  for (L4 kind : {L4::Udp, L4::Tcp, L4::Echo}) {
    std::uint16_t port = open(kind, at.guest1, 2000, slot::g1);
    passes(answer(kind, at.host, port));
    passes(into_host / ip(at.next_hop, at.host) /
           icmp_error(Problem::TimeExceeded, family(),
                      ip(at.host, at.remote, 1) / l4(kind, family(), port, 443)));
  }
}

TEST_P(UplinkXdp, HidesGuestsFromOutside) {
  for (std::uint32_t mode : {flag::nat, flag::isolated}) {
    set_flags(mode);
    for (L4 kind : {L4::Udp, L4::Tcp, L4::Echo}) drops_it(from_outside(at.guest1, kind), "not-visible");
    drops_it(into_host / ip(at.remote, at.guest1) /
                 icmp_error(Problem::Unreachable, family(),
                            ip(at.guest1, at.remote) / l4(L4::Udp, family(), 9, 443)),
             "not-visible");
    Packet big = into_host / ip(at.remote, at.guest1) / Udp{} / Payload(2000);
    for (const auto& fragment : fragments(big, 900, 7)) {
      Ran ran = run(Program::UplinkXdp, fragment);
      EXPECT_EQ(Shot, ran.verdict);
    }
  }
}

// IPv6 of a NAT network without <nat ipv6>: routed, answers only.
TEST_P(UplinkXdp, PassesAnswersToUntranslatedGuests) {
  if (family() == 4) GTEST_SKIP() << "IPv4 of a NAT network is always translated";
  set_flags(flag::nat_v4_only);
  ASSERT_EQ(2000, open(L4::Udp, at.guest1, 2000, slot::g1));
  passes(answer(L4::Udp, at.guest1, 2000));
  drops_it(answer(L4::Udp, at.guest1, 2001), "not-visible");
  passes(into_host / ip(at.next_hop, at.guest1) /
         icmp_error(Problem::TooBig, 6, ip(at.guest1, at.remote) / l4(L4::Udp, 6, 2000, 443)));
  Packet big = into_host / ip(at.remote, at.guest1) / Udp{.src_port = 443, .dst_port = 2000} / Payload(2000);
  for (const auto& fragment : fragments(big, 900, 7)) passes(fragment);
}

TEST_P(UplinkXdp, DropsGuestsAddressesFromOutside) {
  for (const std::string& source : {at.guest1, at.other_guest})
    for (const std::string& to : {at.host, at.remote2, at.multicast})
      drops_it(into_host / ip(source, to) / l4(L4::Tcp, family(), 2000, 22), "spoofed-source");
  set_flags(flag::open);
  passes(into_host / ip(at.guest1, at.host) / l4(L4::Tcp, family(), 2000, 22));
}

TEST_P(UplinkXdp, LetsAnybodyBeginWithAVisibleNetwork) {
  for (std::uint32_t mode : {flag::route, flag::open}) {
    set_flags(mode);
    for (L4 kind : {L4::Udp, L4::Tcp, L4::Echo}) {
      passes(from_outside(at.guest1, kind));
      passes(from_outside(at.unresolved, kind));
    }
    set_network([&](vnet_network& n) { n.uplink_ifindex = ifindex("other0"); });
    drops_it(from_outside(at.guest1, L4::Udp), "no-uplink");
    set_network([&](vnet_network& n) { n.uplink_ifindex = ifindex("eth0"); });
    passes(from_outside(at.guest1, L4::Udp));
  }
}

TEST_P(UplinkXdp, AsksTheGuestsOwnPolicy) {
  set_flags(flag::route);
  guard("g1", VNET_PORT_F_SHUT);
  ASSERT_TRUE(maps().allow_rules.set({.slot = slot::g1, .port_be = htons(80), .proto = 6, .pad = {}},
                                     {.anywhere = 1}));
  passes(from_outside(at.guest1, L4::Tcp));
  drops_it(from_outside(at.guest1, L4::Udp), "inbound");
  drops_it(from_outside(at.guest1, L4::Echo), "inbound");
  passes(from_outside(at.guest2, L4::Udp));
  // Later fragments have no ports: the tc program has seen their first.
  Packet big = into_host / ip(at.remote, at.guest1) / Udp{} / Payload(2000);
  auto pieces = fragments(big, 900, 7);
  EXPECT_EQ(Shot, run(Program::UplinkXdp, pieces[0]).verdict);
  EXPECT_EQ(Ok, run(Program::UplinkXdp, pieces[1]).verdict);
}

TEST_P(UplinkXdp, LetsAnswersIntoAGuestThatTakesNothingElse) {
  set_flags(flag::route);
  guard("g1", VNET_PORT_F_ESTABLISHED);
  drops_it(answer(L4::Tcp, at.guest1, 2000), "inbound");
  ASSERT_EQ(2000, open(L4::Tcp, at.guest1, 2000, slot::g1));
  passes(answer(L4::Tcp, at.guest1, 2000));
  passes(into_host / ip(at.next_hop, at.guest1) /
         icmp_error(Problem::TooBig, family(), ip(at.guest1, at.remote) / l4(L4::Tcp, family(), 2000, 443)));
}

// The list holds with and without XDP: the tc program asks it, too.
TEST_P(UplinkXdp, BlocksWhoeverIsOnTheList) {
  ASSERT_EQ(2000, open(L4::Udp, at.guest1, 2000, slot::g1));
  block(at.remote, 128);
  for (Program program : {Program::UplinkXdp, Program::UplinkIngress}) {
    for (const Packet& packet : {from_outside(at.host, L4::Tcp), from_outside(at.guest1, L4::Tcp),
                                 Packet(answer(L4::Udp, at.host, 2000))})
      expect_drop(program, packet, slot::uplink, "blocked");
    // Who it is about does not matter, who sends it does.
    EXPECT_EQ(
        Ok, run(Program::UplinkXdp, into_host / ip(at.next_hop, at.host) /
                                        icmp_error(Problem::TooBig, family(),
                                                   ip(at.host, at.remote) / l4(L4::Udp, family(), 2000, 443)))
                .verdict);
    expect_drop(program,
                into_host / ip(at.remote, at.host) /
                    icmp_error(Problem::TooBig, family(),
                               ip(at.host, at.next_hop) / l4(L4::Udp, family(), 2000, 443)),
                slot::uplink, "blocked");
    expect_same(program, into_host / ip(at.remote2, at.host) / l4(L4::Tcp, family(), 2000, 22), Ok);
    expect_same(program, into_host / Arp{.sender_ip = "203.0.113.1", .target_ip = "203.0.113.2"}, Ok);
  }
  ASSERT_TRUE(BlockList::switch_on(maps(), false));
  passes(from_outside(at.host, L4::Tcp));
}

TEST_P(UplinkXdp, BlocksByTheWidestPrefixThatMatches) {
  block(family() == 4 ? "198.51.0.0" : "2001:db8::", family() == 4 ? 96 + 16 : 32);
  drops_it(from_outside(at.host, L4::Udp), "blocked");
  passes(into_host / ip(family() == 4 ? "192.0.2.8" : "2002::8", at.host) / l4(L4::Udp, family(), 2000, 22));
}

// Each source has its share; what belongs to a session, and the host's own, costs nothing.
TEST_P(UplinkXdp, LimitsTheNewFlowsOfASource) {
  for (Program program : {Program::UplinkXdp, Program::UplinkIngress}) {
    for (const auto& key : maps().new_flow_rates.keys()) ASSERT_TRUE(maps().new_flow_rates.erase(key));
    set_flags(flag::route);
    set_network([](vnet_network& n) { n.new_flows = 3; });
    for (std::uint16_t i = 0; i < 3; ++i)
      expect_same(program, from_outside(at.guest1, L4::Tcp, 3000 + i), Ok);
    expect_drop(program, from_outside(at.guest1, L4::Tcp, 3003), slot::uplink, "new-flows");
    expect_drop(program, from_outside(at.guest2, L4::Udp, 3003), slot::uplink, "new-flows");
    Packet other = into_host / ip(at.remote2, at.guest1) / l4(L4::Tcp, family(), 3003, 80);
    expect_same(program, other, Ok);
    expect_same(program, from_outside(at.host, L4::Tcp, 3004), Ok);
    expect_same(program, from_outside(at.guest1, L4::Tcp, 3005, "A"), Ok);  // begins nothing
  }
  ASSERT_EQ(2000, open(L4::Udp, at.guest1, 2000, slot::g1));
  passes(answer(L4::Udp, at.guest1, 2000));
}

TEST_P(UplinkXdp, LimitsTheNewFlowsToForwardedPorts) {
  set_network([](vnet_network& n) { n.new_flows = 2; });
  vnet_port_forward to{.to = address(at.guest1), .port_be = htons(80), .network = slot::network};
  ASSERT_TRUE(maps().port_forwards.set(
      {.port_be = htons(8080), .proto = 6, .family = static_cast<__u8>(family())}, to));
  auto request = [&](std::uint16_t sport, std::uint16_t dport) -> Packet {
    return into_host / ip(at.remote, at.host, 60) / l4(L4::Tcp, family(), sport, dport);
  };
  passes(request(3000, 8080)), passes(request(3001, 8080));
  drops_it(request(3002, 8080), "new-flows");
  passes(request(3002, 8081));
}

TEST_P(UplinkXdp, CountsASourceByItsIpv6Network) {
  if (family() == 4) GTEST_SKIP() << "one IPv4 address is one source";
  set_flags(flag::route);
  set_network([](vnet_network& n) { n.new_flows = 1; });
  auto from = [&](const std::string& source) -> Packet {
    return into_host / ip(source, at.guest1) / l4(L4::Udp, 6, 2000, 80);
  };
  passes(from("2001:db8:51:1::1"));
  drops_it(from("2001:db8:51:1::2"), "new-flows");
  passes(from("2001:db8:51:2::2"));
}

TEST_P(UplinkXdp, DropsMalformedPacketsToGuests) {
  Bytes frame = from_outside(at.guest1, L4::Tcp);
  frame.resize(frame.size() - 3);
  drops_it(frame, "not-visible");
  set_flags(flag::route);
  drops_it(frame, "malformed");
  Bytes own = from_outside(at.host, L4::Tcp);
  own.resize(own.size() - 3);
  EXPECT_EQ(Ok, run(Program::UplinkXdp, own).verdict);
}

// A tag that the card has left in: another network's frames.
TEST_P(UplinkXdp, LeavesTaggedFramesAlone) {
  Bytes frame = from_outside(at.guest1, L4::Tcp);
  const Bytes tag{0x81, 0x00, 0x00, 0x05};
  frame.insert(frame.begin() + 12, tag.begin(), tag.end());
  Ran ran = run(Program::UplinkXdp, frame);
  EXPECT_EQ(Ok, ran.verdict);
}

// What XDP drops, tc would have dropped for the same reason: it is only sooner. Frames that are damaged at
// random, in every mode.
TEST_P(UplinkXdp, DropsNothingThatTcWouldNot) {
  std::minstd_rand random(7);
  std::size_t dropped = 0;
  for (std::uint32_t mode : {flag::nat, flag::nat_v4_only, flag::route, flag::open, flag::isolated}) {
    SetUp();
    set_flags(mode);
    block(at.remote2, 128);
    if (mode != flag::isolated) open(L4::Udp, at.guest1, 2000, slot::g1);
    std::vector<Packet> packets;
    for (const std::string& from : {at.remote, at.remote2, at.guest2, at.other_guest})
      for (const std::string& to : {at.host, at.guest1, at.other_guest, at.unresolved})
        for (L4 kind : {L4::Udp, L4::Tcp, L4::Echo}) {
          packets.push_back(into_host / ip(from, to) / l4_answer(kind, family(), 2000, 443));
          packets.push_back(
              into_host / ip(from, to) /
              icmp_error(Problem::TooBig, family(), ip(to, at.remote) / l4(kind, family(), 2000, 443)));
        }
    for (const Packet& packet : packets) {
      for (int i = 0; i < 12; ++i) {
        Bytes frame = packet;
        if (i > 0) frame[14 + random() % (frame.size() - 14)] ^= static_cast<std::uint8_t>(random());
        Ran xdp = run(Program::UplinkXdp, frame);
        if (xdp.verdict != Shot) continue;
        ++dropped;
        Ran tc = run(Program::UplinkIngress, frame);
        ASSERT_EQ(Shot, tc.verdict) << testing::PrintToString(xdp.drops) << describe(frame);
        ASSERT_EQ(xdp.drops, tc.drops) << describe(frame);
      }
    }
  }
  EXPECT_GT(dropped, 1000U);
}

}  // namespace
}  // namespace vnet::test
