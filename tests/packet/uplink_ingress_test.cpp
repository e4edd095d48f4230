// SPDX-License-Identifier: GPL-2.0-or-later
// What comes in from outside: answers find their guest, nothing else finds one.
#include <arpa/inet.h>

#include "tests/packet/datapath_fixture.h"

namespace vnet::test {
namespace {

class UplinkIngress : public BothFamilies {
 protected:
  // Two guests use the same tuple, so that the second one's port is another outside.
  std::uint16_t open_second(L4 kind) {
    open(kind, at.guest1, 2000, slot::g1);
    std::uint16_t port = open(kind, at.guest2, 2000, slot::g2);
    EXPECT_NE(2000, port);
    return port;
  }
};
VNET_BOTH_FAMILIES(UplinkIngress);

TEST_P(UplinkIngress, SendsAnswersStraightToTheirPort) {
  for (L4 kind : {L4::Udp, L4::Tcp, L4::Echo}) {
    std::uint16_t port = open_second(kind);
    auto uplink_before = traffic(slot::uplink), g2_before = traffic(slot::g2);
    Bytes frame = answer(kind, at.host, port);
    expect(Program::UplinkIngress, frame, Redirect,
           to_guest2 / ip(at.remote, at.guest2, 59) / l4_answer(kind, family(), 2000, 443));
    auto known = session(key(kind, at.guest2, 2000));
    EXPECT_EQ(ifindex("g2"), known->leg[VNET_IN].hop.ifindex);
    EXPECT_EQ(1U, known->leg[VNET_IN].packets);
    EXPECT_EQ(frame.size(), known->leg[VNET_IN].bytes);
    EXPECT_EQ(kind == L4::Tcp ? VNET_SESSION_NEW : VNET_SESSION_ESTABLISHED, known->state);
    EXPECT_EQ(uplink_before.rx_packets + 1, traffic(slot::uplink).rx_packets);
    EXPECT_EQ(g2_before.rx_packets + 1, traffic(slot::g2).rx_packets);
  }
  EXPECT_EQ(0U, traffic(slot::g1).rx_packets);
}

// Not by the stack, whose firewall may have forgotten the connection: the kernel resolves at the gateway.
TEST_P(UplinkIngress, LetsTheGatewayResolveAGuestsMac) {
  for (L4 kind : {L4::Udp, L4::Tcp, L4::Echo}) {
    std::uint16_t port = open(kind, at.unresolved, 2000);
    expect(Program::UplinkIngress, answer(kind, at.host, port), Redirect,
           into_host / ip(at.remote, at.unresolved, 59) / l4_answer(kind, family(), 2000, 443));
  }
}

// A guest may have more MACs than are learned.
TEST_P(UplinkIngress, LeavesToTheGatewayWhoHasTheMac) {
  std::uint16_t port = open(L4::Udp, at.guest1, 2000);
  for (const auto& known : maps().fdb.keys()) ASSERT_TRUE(maps().fdb.erase(known));
  expect(Program::UplinkIngress, answer(L4::Udp, at.host, port), Redirect,
         to_guest1 / ip(at.remote, at.guest1, 59) / l4_answer(L4::Udp, family(), 2000, 443));
  EXPECT_EQ(ifindex("virbr0"), session(key(L4::Udp, at.guest1, 2000))->leg[VNET_IN].hop.ifindex);
}

TEST_P(UplinkIngress, AdmitsToTheStackWhatItHasToAnswer) {
  for (L4 kind : {L4::Udp, L4::Tcp, L4::Echo}) {
    // The stack says that the time is exceeded.
    std::uint16_t port = open(kind, at.guest1, 3000);
    expect(Program::UplinkIngress, answer(kind, at.host, port, "SA", 1), Ok,
           into_host / ip(at.remote, at.guest1, 1) / l4_answer(kind, family(), 3000, 443));
  }
}

TEST_P(UplinkIngress, AdmitsToTheStackWhatIsTooBig) {
  open(L4::Udp, at.guest1, 2000);
  auto big = [&](const std::string& to, int bytes) {
    return into_host / ip(at.remote, to, 60) / Udp{.src_port = 443, .dst_port = 2000} / Payload(bytes);
  };
  int most = 1500 - (family() == 4 ? 28 : 48);
  expect(Program::UplinkIngress, big(at.host, most + 1), Ok, big(at.guest1, most + 1));
  EXPECT_EQ(Redirect, run(Program::UplinkIngress, big(at.host, most)).verdict);
}

TEST_P(UplinkIngress, LooksAtGsoPacketsAsTheSegmentsTheyBecome) {
  open(L4::Tcp, at.guest1, 2000);
  Packet big = into_host / ip(at.remote, at.host, 60) / Tcp{.src_port = 443, .dst_port = 2000, .flags = "A"} /
               Payload(3000);
  auto most = static_cast<std::uint32_t>(1500 - (family() == 4 ? 40 : 60));
  EXPECT_EQ(Redirect, run(Program::UplinkIngress, big, {.gso_segs = 3, .gso_size = most}).verdict);
  EXPECT_EQ(Ok, run(Program::UplinkIngress, big, {.gso_segs = 3, .gso_size = most + 1}).verdict);
}

TEST_P(UplinkIngress, AdmitsOptionsToTheStack) {
  open(L4::Udp, at.guest1, 2000);
  auto with_options = [&](const std::string& to) -> Packet {
    if (family() == 4)
      return into_host / Ipv4{.src = at.remote, .dst = to, .options = {7, 7, 4, 0, 0, 0, 0, 0}} /
             Udp{.src_port = 443, .dst_port = 2000} / Payload(9);
    return into_host / Ipv6{.src = at.remote, .dst = to} / Ipv6HopByHop{} /
           Udp{.src_port = 443, .dst_port = 2000} / Payload(9);
  };
  expect(Program::UplinkIngress, with_options(at.host), Ok, with_options(at.guest1));
}

TEST_P(UplinkIngress, LeavesTheHostsOwnAlone) {
  for (L4 kind : {L4::Udp, L4::Tcp, L4::Echo}) {
    expect_same(Program::UplinkIngress, into_host / ip(at.remote, at.host) / l4(kind, family(), 2000, 22),
                Ok);
    expect_same(Program::UplinkIngress, answer(kind, at.host, 2000), Ok);
  }
  expect_same(Program::UplinkIngress, into_host / Arp{.sender_ip = "203.0.113.1", .target_ip = "203.0.113.2"},
              Ok);
  expect_same(
      Program::UplinkIngress,
      into_host / ip(at.remote, at.host) /
          icmp_error(Problem::Unreachable, family(), ip(at.host, at.remote) / l4(L4::Udp, family(), 9, 443)),
      Ok);
  EXPECT_EQ(0U, session_count());
}

TEST_P(UplinkIngress, HidesGuestsFromOutside) {
  for (L4 kind : {L4::Udp, L4::Tcp, L4::Echo}) {
    expect_drop(Program::UplinkIngress, into_host / ip(at.remote, at.guest1) / l4(kind, family(), 2000, 22),
                slot::uplink, "not-visible");
    // Not even behind a session: from outside a guest has the host's address only.
    open(kind, at.guest1, 2000);
    expect_drop(Program::UplinkIngress, answer(kind, at.guest1, 2000), slot::uplink, "not-visible");
  }
  expect_drop(Program::UplinkIngress,
              into_host / ip(at.remote, at.guest1) /
                  icmp_error(Problem::Unreachable, family(),
                             ip(at.guest1, at.remote) / l4(L4::Udp, family(), 9, 443)),
              slot::uplink, "not-visible");
}

TEST_P(UplinkIngress, DropsErrorsAboutSessionsFromGuestsAddresses) {
  std::uint16_t port = open(L4::Udp, at.guest1, 2000);
  for (const std::string& source : {at.guest2, at.other_guest})
    expect_drop(
        Program::UplinkIngress,
        into_host / ip(source, at.host) /
            icmp_error(Problem::TooBig, family(), ip(at.host, at.remote) / l4(L4::Udp, family(), port, 443)),
        slot::uplink, "spoofed-source");
}

TEST_P(UplinkIngress, DropsGuestsAddressesFromOutside) {
  for (const std::string& source : {at.guest1, at.other_guest})
    expect_drop(Program::UplinkIngress, into_host / ip(source, at.host) / l4(L4::Tcp, family(), 2000, 22),
                slot::uplink, "spoofed-source");
}

TEST_P(UplinkIngress, AnswersMustMatchTheWholeTuple) {
  std::uint16_t port = open(L4::Udp, at.guest1, 2000);
  expect_same(Program::UplinkIngress, into_host / ip(at.remote2, at.host) / l4(L4::Udp, family(), 443, port),
              Ok);
  expect_same(Program::UplinkIngress, into_host / ip(at.remote, at.host) / l4(L4::Udp, family(), 444, port),
              Ok);
  expect_same(Program::UplinkIngress, into_host / ip(at.remote, at.host) / l4(L4::Tcp, family(), 443, port),
              Ok);
}

TEST_P(UplinkIngress, TranslatesErrorsAndWhatTheyQuote) {
  for (L4 kind : {L4::Udp, L4::Tcp, L4::Echo}) {
    std::uint16_t port = open_second(kind);
    Packet sent = ip(at.guest2, at.remote, 1) / l4(kind, family(), 2000, 443);
    Packet seen = ip(at.host, at.remote, 1) / l4(kind, family(), port, 443);
    for (Problem problem : {Problem::Unreachable, Problem::TooBig, Problem::TimeExceeded}) {
      for (std::size_t limit : {std::size_t{548}, std::size_t{family() == 4 ? 28U : 48U}}) {
        expect(Program::UplinkIngress,
               into_host / ip(at.next_hop, at.host, 60) / icmp_error(problem, family(), seen, limit),
               Redirect,
               to_guest2 / ip(at.next_hop, at.guest2, 59) / icmp_error(problem, family(), sent, limit));
      }
    }
    EXPECT_EQ(VNET_SESSION_NEW, session(key(kind, at.guest2, 2000))->state) << "an error changes no session";
  }
}

TEST_P(UplinkIngress, TranslatesErrorsAboutAKeptPort) {
  for (L4 kind : {L4::Udp, L4::Tcp, L4::Echo}) {
    ASSERT_EQ(2000, open(kind, at.guest1, 2000));
    expect(
        Program::UplinkIngress,
        into_host / ip(at.next_hop, at.host, 60) /
            icmp_error(Problem::TooBig, family(), ip(at.host, at.remote, 1) / l4(kind, family(), 2000, 443)),
        Redirect,
        to_guest1 / ip(at.next_hop, at.guest1, 59) /
            icmp_error(Problem::TooBig, family(),
                       ip(at.guest1, at.remote, 1) / l4(kind, family(), 2000, 443)));
  }
}

TEST_P(UplinkIngress, LeavesAQuotedUdpChecksumOfZero) {
  if (family() == 6) GTEST_SKIP() << "IPv6 has none";
  std::uint16_t port = open_second(L4::Udp);
  auto about = [&](const std::string& from, std::uint16_t sport) {
    return ip(from, at.remote, 1) / Udp{.src_port = sport, .dst_port = 443, .checksum = 0} / Payload(5);
  };
  expect(
      Program::UplinkIngress,
      into_host / ip(at.next_hop, at.host, 60) / icmp_error(Problem::TimeExceeded, 4, about(at.host, port)),
      Redirect,
      to_guest2 / ip(at.next_hop, at.guest2, 59) /
          icmp_error(Problem::TimeExceeded, 4, about(at.guest2, 2000)));
}

// The quotation ends where the packet does, not where the frame does.
TEST_P(UplinkIngress, ReadsNoQuotationPastThePacketsEnd) {
  std::uint16_t port = open_second(L4::Udp);
  Bytes frame =
      into_host / ip(at.next_hop, at.host, 60) /
      icmp_error(Problem::Unreachable, family(), ip(at.host, at.remote) / l4(L4::Udp, family(), port, 443),
                 family() == 4 ? 24 : 44);
  frame.resize(frame.size() + 8, 0x55);
  Ran ran = run(Program::UplinkIngress, frame);
  EXPECT_EQ(Ok, ran.verdict);
  EXPECT_PACKET_EQ(frame, ran.packet);
}

TEST_P(UplinkIngress, FragmentsFollowTheirFirst) {
  open(L4::Udp, at.guest1, 2000);
  Packet whole =
      into_host / ip(at.remote, at.host, 60) / Udp{.src_port = 443, .dst_port = 2000} / Payload(2000);
  Packet wanted =
      to_guest1 / ip(at.remote, at.guest1, 59) / Udp{.src_port = 443, .dst_port = 2000} / Payload(2000);
  auto in = fragments(whole, 900, 77), out = fragments(wanted, 900, 77);
  ASSERT_EQ(3U, in.size());
  expect_same(Program::UplinkIngress, in[1], Ok);  // the host's, for all that is known
  EXPECT_EQ(1U, maps().frag_queue.keys().size()) << "and a copy, which comes in again behind the first";
  for (std::size_t i = 0; i < in.size(); ++i) expect(Program::UplinkIngress, in[i], Redirect, out[i]);
}

// A host that collects fragments (connection tracking) must get all of a datagram or none.
TEST_P(UplinkIngress, FragmentsTakeTheWayOfTheirFirst) {
  open(L4::Udp, at.guest1, 2000);
  Packet whole =
      into_host / ip(at.remote, at.host, 1) / Udp{.src_port = 443, .dst_port = 2000} / Payload(2000);
  auto first = fragments(whole, 900, 78).at(0);
  EXPECT_EQ(Ok, run(Program::UplinkIngress, first).verdict);
  Packet later =
      into_host / ip(at.remote, at.host, 60) / Udp{.src_port = 443, .dst_port = 2000} / Payload(2000);
  Packet wanted =
      into_host / ip(at.remote, at.guest1, 60) / Udp{.src_port = 443, .dst_port = 2000} / Payload(2000);
  for (std::size_t i : {1U, 2U})
    expect(Program::UplinkIngress, fragments(later, 900, 78)[i], Ok, fragments(wanted, 900, 78)[i]);
}

TEST_P(UplinkIngress, HoldsSoManyFragmentsOfAPacketAndNoMore) {
  open(L4::Udp, at.guest1, 2000);
  auto whole =
      into_host / ip(at.remote, at.host, 60) / Udp{.src_port = 443, .dst_port = 2000} / Payload(9000);
  auto in = fragments(whole, 600, 79);
  ASSERT_LT(VNET_HELD_OF_ONE + 2U, in.size());
  for (std::size_t i = in.size() - 1; i > 0; --i) expect_same(Program::UplinkIngress, in[i], Ok);
  EXPECT_EQ(static_cast<std::size_t>(VNET_HELD_OF_ONE), maps().frag_queue.keys().size());
  EXPECT_EQ(Redirect, run(Program::UplinkIngress, in[0]).verdict);
  EXPECT_EQ(0U, maps().frag_queue.keys().size());
}

TEST_P(UplinkIngress, AdmitsPortForwards) {
  for (L4 kind : {L4::Udp, L4::Tcp}) {
    auto proto = static_cast<__u8>(protocol(kind, family()));
    vnet_port_forward to{.to = address(at.guest1), .port_be = htons(80), .network = slot::network};
    ASSERT_TRUE(maps().port_forwards.set(
        {.port_be = htons(8080), .proto = proto, .family = static_cast<__u8>(family())}, to));
    Packet request = into_host / ip(at.remote, at.host, 60) / l4(kind, family(), 5555, 8080);
    expect(Program::UplinkIngress, request, Redirect,
           to_guest1 / ip(at.remote, at.guest1, 59) / l4(kind, family(), 5555, 80));
    auto made = session(flow(at.guest1, at.remote, proto, 80, 5555));
    ASSERT_TRUE(made);
    EXPECT_EQ(VNET_SESSION_F_INBOUND | VNET_SESSION_F_PLAIN, made->flags);
    EXPECT_EQ(VNET_SESSION_NEW, made->state);
    // The answer goes the same way back.
    expect(Program::UplinkEgress,
           out_of_host / ip(at.guest1, at.remote, 63) / l4(kind, family(), 80, 5555, "SA"), Ok,
           out_of_host / ip(at.host, at.remote, 63) / l4(kind, family(), 8080, 5555, "SA"));
    auto state = [&] { return session(flow(at.guest1, at.remote, proto, 80, 5555))->state; };
    EXPECT_EQ(VNET_SESSION_NEW, state()) << "its sender may be forged";
    run(Program::UplinkIngress, into_host / ip(at.remote, at.host, 60) / l4(kind, family(), 5555, 8080, "A"));
    EXPECT_EQ(VNET_SESSION_ESTABLISHED, state());
    // Other ports, other addresses, and what opens no connection: none of the forward's.
    expect_same(Program::UplinkIngress, into_host / ip(at.remote, at.host) / l4(kind, family(), 5555, 8081),
                Ok);
    expect_same(Program::UplinkIngress,
                into_host / ip(at.remote, at.remote2) / l4(kind, family(), 5555, 8080), Ok);
  }
  for (const char* flags : {"A", "SA", "R", "SR"})
    expect_same(Program::UplinkIngress,
                into_host / ip(at.remote, at.host) / l4(L4::Tcp, family(), 5556, 8080, flags), Ok);
  EXPECT_EQ(2U, session_count());
}

TEST_P(UplinkIngress, CountsForwardsAgainstTheNetworksLimit) {
  set_network([](vnet_network& n) { n.max_sessions = 0; });
  vnet_port_forward to{.to = address(at.guest1), .port_be = htons(80), .network = slot::network};
  ASSERT_TRUE(maps().port_forwards.set(
      {.port_be = htons(8080), .proto = 17, .family = static_cast<__u8>(family())}, to));
  expect_drop(Program::UplinkIngress, into_host / ip(at.remote, at.host) / l4(L4::Udp, family(), 5555, 8080),
              slot::uplink, "session-limit");
}

TEST_P(UplinkIngress, DropsWhatAnUnpluggedGuestWouldGet) {
  open(L4::Udp, at.guest1, 2000, slot::g1);
  set_port("g1", [](vnet_port& port) { port.flags |= VNET_PORT_F_DOWN; });
  expect_drop(Program::UplinkIngress, answer(L4::Udp, at.host, 2000), slot::uplink, "link-down");
}

TEST_P(UplinkIngress, DropsMalformedPacketsToGuests) {
  Bytes frame = into_host / ip(at.remote, at.guest1) / l4(L4::Tcp, family(), 2000, 22);
  frame.resize(frame.size() - 3);
  expect_drop(Program::UplinkIngress, frame, slot::uplink, "not-visible");
  set_flags(flag::route);
  expect_drop(Program::UplinkIngress, frame, slot::uplink, "malformed");
  Bytes own = into_host / ip(at.remote, at.host) / l4(L4::Tcp, family(), 2000, 22);
  own.resize(own.size() - 3);
  EXPECT_EQ(Ok, run(Program::UplinkIngress, own).verdict) << "the host judges its own";
}

}  // namespace
}  // namespace vnet::test
