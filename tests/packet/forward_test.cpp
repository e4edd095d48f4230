// SPDX-License-Identifier: GPL-2.0-or-later
// XDP `forward`: what the tc program would have sent to the guest, to the byte, with the same session and the
// same counters; and everything else is left to it untouched.
#include <arpa/inet.h>

#include <random>

#include "tests/packet/guard_fixture.h"

namespace vnet::test {
namespace {

class Forward : public GuardTest {
 protected:
  void SetUp() override {
    GuardTest::SetUp();
    for (const char* port : {"g1", "g2"}) deliver_to(port);
  }
  void deliver_to(const std::string& port) {
    ASSERT_TRUE(maps().xdp_targets.set(ifindex(port), ifindex(port)));
  }

  // What a run has left behind.
  struct Left {
    int verdict = 0;
    Bytes packet;
    vnet_session session{};
    vnet_traffic uplink{}, port{};
  };
  Left run_on_copy(Program program, const Bytes& frame, const vnet_flow& of) {
    const vnet_session before = session(of).value();
    for (__u32 at : {slot::uplink, slot::g1}) EXPECT_TRUE(maps().traffic.clear(at));
    Ran ran = run(program, frame);
    Left left{ran.verdict, ran.packet, session(of).value(), traffic(slot::uplink), traffic(slot::g1)};
    EXPECT_TRUE(maps().sessions.set(of, before));
    return left;
  }
  static std::vector<std::uint64_t> counted(const vnet_traffic& t) {
    return {t.rx_packets, t.rx_bytes, t.tx_packets, t.tx_bytes};
  }
  static std::vector<std::uint64_t> counted(const vnet_leg& leg) {
    return {leg.packets, leg.bytes, leg.hop.ifindex, leg.hop.mtu, leg.hop.slot, leg.end, leg.ack, leg.limit};
  }

  // Forwards it, and the guest gets exactly what tc would have sent.
  void forwards(const Bytes& frame, const vnet_flow& of, Program program = Program::UplinkForward) {
    SCOPED_TRACE(describe(frame));
    Left xdp = run_on_copy(program, frame, of);
    Left tc = run_on_copy(Program::UplinkIngress, frame, of);
    ASSERT_EQ(Redirect, xdp.verdict);
    ASSERT_EQ(Redirect, tc.verdict);
    EXPECT_PACKET_EQ(tc.packet, xdp.packet);
    EXPECT_EQ(1U, xdp.uplink.forwarded);
    EXPECT_EQ(0U, tc.uplink.forwarded);
    EXPECT_EQ(counted(tc.uplink), counted(xdp.uplink));
    EXPECT_EQ(counted(tc.port), counted(xdp.port));
    EXPECT_EQ(1U, xdp.port.rx_packets);
    EXPECT_EQ(tc.session.state, xdp.session.state);
    EXPECT_EQ(tc.session.flags, xdp.session.flags);
    for (int direction : {VNET_OUT, VNET_IN}) {
      EXPECT_EQ(counted(tc.session.leg[direction]), counted(xdp.session.leg[direction]));
      EXPECT_NEAR(tc.session.leg[direction].seen, xdp.session.leg[direction].seen, 1);
    }
  }
  // Not a byte of the packet, its session or the counters is touched.
  void leaves(const Bytes& frame, Program program = Program::UplinkForward) {
    SCOPED_TRACE(describe(frame));
    for (__u32 at : {slot::uplink, slot::g1}) ASSERT_TRUE(maps().traffic.clear(at));
    auto sessions = all_sessions();
    Ran ran = run(program, frame);
    EXPECT_EQ(Ok, ran.verdict);
    EXPECT_PACKET_EQ(frame, ran.packet);
    EXPECT_EQ(counted(vnet_traffic{}), counted(traffic(slot::uplink)));
    EXPECT_EQ(counted(vnet_traffic{}), counted(traffic(slot::g1)));
    EXPECT_EQ(sessions, all_sessions());
  }
  std::vector<std::vector<std::uint64_t>> all_sessions() {
    std::vector<std::vector<std::uint64_t>> all;
    for (const vnet_flow& of : maps().sessions.keys()) {
      auto value = session(of).value();
      all.push_back({value.state, value.flags, value.leg[VNET_IN].packets, value.leg[VNET_IN].bytes,
                     value.leg[VNET_IN].seen});
    }
    return all;
  }

  // A session of g1 to the remote host, masqueraded; the answer's flow.
  vnet_flow opened(L4 kind) {
    port_ = open(kind, at.guest1, 2000, slot::g1);
    return key(kind, at.guest1, 2000);
  }
  Packet to_guest(L4 kind, const std::string& flags = "A", int ttl = 60) {
    return answer(kind, at.host, port_, flags, ttl);
  }
  Packet datagram(int bytes) {
    return into_host / ip(at.remote, at.host, 60) / Udp{.src_port = 443, .dst_port = port_} / Payload(bytes);
  }
  Packet segment(const std::string& flags, int bytes = 0) {
    Packet bare = into_host / ip(at.remote, at.host, 60) /
                  Tcp{.src_port = 443, .dst_port = port_, .flags = flags, .ack = 0x01020305};
    return bytes ? bare / Payload(bytes) : bare;
  }
  int headers() const { return family() == 4 ? 20 + 8 : 40 + 8; }

  std::uint16_t port_ = 0;
};
VNET_BOTH_FAMILIES(Forward);

TEST_P(Forward, GivesAnswersToTheirGuest) {
  for (L4 kind : {L4::Udp, L4::Tcp, L4::Echo}) {
    SetUp();
    vnet_flow of = opened(kind);
    Packet out = to_guest1 / ip(at.remote, at.guest1, 59) / l4_answer(kind, family(), 2000, 443, "A");
    expect(Program::UplinkForward, to_guest(kind), Redirect, out);
    EXPECT_EQ(VNET_SESSION_ESTABLISHED, session(of)->state);
    forwards(to_guest(kind), of);
  }
}

TEST_P(Forward, CarriesPayloadsOfEverySizeThatItTakes) {
  vnet_flow of = opened(L4::Udp);
  for (int bytes : {0, 1, 2, 3, 17, 18, 19, 20, 63, 64, 65, 150, 255 - headers(), 256 - headers()}) {
    forwards(datagram(bytes), of);
    forwards(datagram(bytes), of, Program::UplinkForwardDistrusting);
  }
  leaves(datagram(256 - headers() + 1));
  leaves(datagram(1000));
}

TEST_P(Forward, FollowsTcp) {
  vnet_flow of = opened(L4::Tcp);
  EXPECT_EQ(VNET_SESSION_NEW, session(of)->state);
  forwards(segment("SA"), of);
  ASSERT_EQ(Redirect, run(Program::UplinkForward, segment("SA")).verdict);
  EXPECT_TRUE(session(of)->flags & VNET_SESSION_F_ANSWERED);
  forwards(segment("A"), of);
  forwards(Packet(into_host / ip(at.remote, at.host, 60) /
                  Tcp{.src_port = 443, .dst_port = port_, .flags = "A", .options = Bytes(40, 1)}),
           of);
  leaves(segment("A", 1));  // data: to be merged
  leaves(segment("PA", 10));
  leaves(segment("FA"));  // nothing overtakes the data before it
  leaves(segment("FA", 10));
  leaves(segment("R"));
  leaves(segment("RA"));
}

TEST_P(Forward, RoutedPacketsAreNotTranslated) {
  set_flags(flag::route);
  ASSERT_EQ(2000, open(L4::Udp, at.guest1, 2000, slot::g1));
  Packet in = into_host / ip(at.remote, at.guest1, 60) / Udp{.src_port = 443, .dst_port = 2000} / Payload(9);
  expect(Program::UplinkForward, in, Redirect,
         to_guest1 / ip(at.remote, at.guest1, 59) / Udp{.src_port = 443, .dst_port = 2000} / Payload(9));
  forwards(in, key(L4::Udp, at.guest1, 2000));
}

TEST_P(Forward, PassesAnotherGuestsAnswersToIt) {
  opened(L4::Udp);
  std::uint16_t port = open(L4::Udp, at.guest2, 2000, slot::g2);
  expect(Program::UplinkForward, answer(L4::Udp, at.host, port), Redirect,
         to_guest2 / ip(at.remote, at.guest2, 59) / l4_answer(L4::Udp, family(), 2000, 443));
}

TEST_P(Forward, LeavesAMissingUdpChecksumAlone) {
  vnet_flow of = opened(L4::Udp);
  Packet none = into_host / ip(at.remote, at.host, 60) /
                Udp{.src_port = 443, .dst_port = port_, .checksum = std::uint16_t{0}} / Payload(9);
  if (family() == 6) {
    leaves(none, Program::UplinkForwardDistrusting);
    return;
  }
  for (Program program : {Program::UplinkForward, Program::UplinkForwardDistrusting}) {
    forwards(none, of, program);
    Ran ran = run(program, none);
    EXPECT_EQ((Bytes{0, 0}), Bytes(ran.packet.begin() + 40, ran.packet.begin() + 42));
  }
}

// One of 65536 checksums becomes 0, which UDP writes as ffff. The sum over two bytes of payload that are the
// checksum without them is all ones.
TEST_P(Forward, NeverWritesAUdpChecksumOfZero) {
  vnet_flow of = opened(L4::Udp);
  const long at_sum = family() == 4 ? 40 : 60;
  auto with = [&](const Bytes& payload) {
    return into_host / ip(at.remote, at.host, 60) / Udp{.src_port = 443, .dst_port = port_} /
           Payload(payload);
  };
  auto sum_of = [&](const Bytes& frame) { return Bytes(frame.begin() + at_sum, frame.begin() + at_sum + 2); };
  Bytes completing = sum_of(run(Program::UplinkForward, with({0, 0})).packet);
  Ran ran = run(Program::UplinkForward, with(completing));
  ASSERT_EQ(Redirect, ran.verdict);
  EXPECT_EQ((Bytes{0xff, 0xff}), sum_of(ran.packet));
  EXPECT_SOUND(ran.packet);
  forwards(with(completing), of);
}

// A sender on this machine leaves the sum of the pseudo header alone there, which XDP cannot tell from a
// whole one.
TEST_P(Forward, LeavesWhatDoesNotAddUpWhereItMayNot) {
  vnet_flow udp = opened(L4::Udp);
  Packet partial = into_host / ip(at.remote, at.host, 60) /
                   Udp{.src_port = 443, .dst_port = port_, .fill = Checksum::Partial} / Payload(33);
  leaves(partial, Program::UplinkForwardDistrusting);
  EXPECT_EQ(Redirect, run(Program::UplinkForward, partial).verdict) << "a card's are whole";
  forwards(datagram(33), udp, Program::UplinkForwardDistrusting);
  SetUp();
  vnet_flow tcp = opened(L4::Tcp);
  leaves(Packet(into_host / ip(at.remote, at.host, 60) /
                Tcp{.src_port = 443, .dst_port = port_, .flags = "A", .fill = Checksum::Partial}),
         Program::UplinkForwardDistrusting);
  forwards(segment("A"), tcp, Program::UplinkForwardDistrusting);
  SetUp();
  vnet_flow echo = opened(L4::Echo);
  forwards(to_guest(L4::Echo), echo, Program::UplinkForwardDistrusting);
  Bytes damaged = to_guest(L4::Echo);
  damaged.back() ^= 1;
  leaves(damaged, Program::UplinkForwardDistrusting);
}

TEST_P(Forward, LeavesWhatBelongsToNobody) {
  opened(L4::Udp);
  leaves(answer(L4::Udp, at.host, static_cast<std::uint16_t>(port_ + 1)));
  leaves(into_host / ip(at.remote2, at.host, 60) / l4_answer(L4::Udp, family(), port_, 443));
  leaves(into_host / ip(at.remote, at.host, 60) / l4(L4::Tcp, family(), 443, 22));
  leaves(into_host / Arp{.sender_ip = "203.0.113.1", .target_ip = "203.0.113.2"});
}

TEST_P(Forward, LeavesErrors) {
  opened(L4::Udp);
  for (Problem problem : {Problem::Unreachable, Problem::TooBig, Problem::TimeExceeded})
    leaves(into_host / ip(at.next_hop, at.host) /
           icmp_error(problem, family(), ip(at.host, at.remote) / l4(L4::Udp, family(), port_, 443)));
}

TEST_P(Forward, LeavesWhatTheHostMustAnswer) {
  opened(L4::Udp);
  leaves(to_guest(L4::Udp, "A", 1));
  // Nobody knows the guest's MAC.
  std::uint16_t port = open(L4::Udp, at.unresolved, 2000, slot::g1);
  leaves(answer(L4::Udp, at.host, port));
}

TEST_P(Forward, LeavesOptionsAndFragments) {
  opened(L4::Udp);
  Udp udp{.src_port = 443, .dst_port = port_};
  if (family() == 4) {
    leaves(into_host / Ipv4{.src = at.remote, .dst = at.host, .options = {1, 1, 1, 0}} / udp);
  } else {
    leaves(into_host / Ipv6{.src = at.remote, .dst = at.host} / Ipv6HopByHop{} / udp);
    leaves(into_host / Ipv6{.src = at.remote, .dst = at.host} / Ipv6Fragment{.id = 3} / udp / Payload(9));
  }
  for (const Bytes& fragment : fragments(datagram(180), 150)) leaves(fragment);
}

TEST_P(Forward, LeavesFramesOfOthers) {
  opened(L4::Udp);
  for (const char* other :
       {"ff:ff:ff:ff:ff:ff", "33:33:00:00:00:01", "52:54:00:00:03:03", "53:54:00:00:03:02"})
    leaves(Ethernet{.src = mac::next_hop, .dst = other} / ip(at.remote, at.host, 60) /
           l4_answer(L4::Udp, family(), port_, 443));
  Bytes tagged = to_guest(L4::Udp);
  const Bytes tag{0x81, 0x00, 0x00, 0x05};
  tagged.insert(tagged.begin() + 12, tag.begin(), tag.end());
  EXPECT_EQ(Ok, run(Program::UplinkForward, tagged).verdict);
}

// Padding is nobody's; but so much of it is no small frame.
TEST_P(Forward, TakesAsMuchPaddingAsACardSends) {
  vnet_flow of = opened(L4::Udp);
  Bytes padded = datagram(0);
  padded.resize(std::max<std::size_t>(60, padded.size() + 6), 0x55);
  forwards(padded, of);
  forwards(padded, of, Program::UplinkForwardDistrusting);
  padded.resize(14 + 256, 0x55);
  forwards(padded, of);
  padded.resize(14 + 257, 0x55);
  leaves(padded);
}

TEST_P(Forward, LeavesWhatThePortCannotTake) {
  opened(L4::Udp);
  ASSERT_TRUE(maps().xdp_targets.erase(ifindex("g1")));
  leaves(to_guest(L4::Udp));
  deliver_to("g1");
  EXPECT_EQ(Redirect, run(Program::UplinkForward, to_guest(L4::Udp)).verdict);
  guard("g1", VNET_PORT_F_DOWN);
  leaves(to_guest(L4::Udp));
  ASSERT_TRUE(maps().ports.erase(ifindex("g1")));
  leaves(to_guest(L4::Udp));
}

// tc drops it, and counts it.
TEST_P(Forward, LeavesWhatThePortDoesNotLetIn) {
  opened(L4::Udp);
  guard("g1", VNET_PORT_F_SHUT);
  leaves(to_guest(L4::Udp));
  expect_drop(Program::UplinkIngress, to_guest(L4::Udp), slot::uplink, "inbound");
  ASSERT_TRUE(maps().allow_rules.set(
      {.slot = slot::g1, .port_be = htons(2000), .proto = IPPROTO_UDP, .pad = {}}, {.anywhere = 1}));
  forwards(to_guest(L4::Udp), key(L4::Udp, at.guest1, 2000));
}

TEST_P(Forward, GivesAnswersToAGuestThatTakesNothingElse) {
  for (L4 kind : {L4::Udp, L4::Tcp, L4::Echo}) {
    SetUp();
    vnet_flow of = opened(kind);
    guard("g1", VNET_PORT_F_ESTABLISHED);
    forwards(to_guest(kind), of);
  }
}

TEST_P(Forward, FiltersFirst) {
  opened(L4::Udp);
  ASSERT_TRUE(maps().blocked.set({.prefixlen = 128, .addr = address(at.remote)}, 0));
  maps().settings.set(0, [&] {
    vnet_settings s = maps().settings.get(0).value();
    s.blocks = 1;
    return s;
  }());
  expect_drop(Program::UplinkForward, to_guest(L4::Udp), slot::uplink, "blocked");
}

// Connections from outside: to a routed guest, and by <portForward>.
TEST_P(Forward, GivesAGuestWhatItsPeerOutsideBegan) {
  set_flags(flag::route | VNET_NETWORK_F_BYPASS);
  for (L4 kind : {L4::Udp, L4::Tcp, L4::Echo}) {
    Packet in = into_host / ip(at.remote, at.guest1, 60) / l4(kind, family(), 3000, 80);
    leaves(in);  // tc makes the session
    ASSERT_EQ(Redirect, run(Program::UplinkIngress, in).verdict);
    vnet_flow of = flow(at.guest1, at.remote, protocol(kind, family()), kind == L4::Echo ? 0 : 80, 3000);
    ASSERT_TRUE(session(of));
    forwards(in, of);
  }
}

TEST_P(Forward, TranslatesForwardedPorts) {
  vnet_port_forward to{.to = address(at.guest1), .port_be = htons(80), .network = slot::network};
  ASSERT_TRUE(maps().port_forwards.set(
      {.port_be = htons(8080), .proto = 6, .family = static_cast<__u8>(family())}, to));
  Packet in = into_host / ip(at.remote, at.host, 60) / l4(L4::Tcp, family(), 3000, 8080);
  leaves(in);
  ASSERT_EQ(Redirect, run(Program::UplinkIngress, in).verdict);
  vnet_flow of = flow(at.guest1, at.remote, IPPROTO_TCP, 80, 3000);
  Packet ack = into_host / ip(at.remote, at.host, 60) / l4(L4::Tcp, family(), 3000, 8080, "A");
  expect(Program::UplinkForward, ack, Redirect,
         to_guest1 / ip(at.remote, at.guest1, 59) / l4(L4::Tcp, family(), 3000, 80, "A"));
  forwards(ack, of);
}

// Whatever damage a frame has: if it is forwarded at all, then as tc would have done.
TEST_P(Forward, NeverDoesWhatTcWouldNot) {
  std::minstd_rand random(11);
  std::size_t forwarded = 0, left = 0;
  for (L4 kind : {L4::Udp, L4::Tcp, L4::Echo}) {
    SetUp();
    vnet_flow of = opened(kind);
    Packet good = to_guest(kind) / Payload(kind == L4::Tcp ? 0 : 40);
    for (int i = 0; i < 1500; ++i) {
      Bytes frame = good;
      for (unsigned n = 1 + random() % 2; n > 0; --n)
        frame[random() % frame.size()] = static_cast<std::uint8_t>(random());
      Program program = i % 2 ? Program::UplinkForward : Program::UplinkForwardDistrusting;
      Left xdp = run_on_copy(program, frame, of);
      if (xdp.verdict != Redirect) {
        ++left;
        continue;
      }
      ++forwarded;
      Left tc = run_on_copy(Program::UplinkIngress, frame, of);
      ASSERT_EQ(Redirect, tc.verdict) << describe(frame);
      ASSERT_EQ(tc.packet, xdp.packet) << describe(frame);
      ASSERT_EQ(counted(tc.port), counted(xdp.port)) << describe(frame);
      if (program == Program::UplinkForwardDistrusting) {
        for (const auto& complaint : complaints(xdp.packet))
          ASSERT_EQ(std::string::npos, complaint.find("checksum of TCP")) << describe(frame);
      }
    }
  }
  EXPECT_GT(forwarded, 500U);
  EXPECT_GT(left, 500U);
}

}  // namespace
}  // namespace vnet::test
