// SPDX-License-Identifier: GPL-2.0-or-later
// Port forwards: who may use them, what is asked before a session is made, and guests that use them
// themselves.
#include <arpa/inet.h>

#include "tests/packet/guard_fixture.h"

namespace vnet::test {
namespace {

struct Spec {
  int proto = IPPROTO_TCP;
  std::string listen;
  std::uint16_t port = 8080, first = 8080;
  int from_length = -1;
  std::string from;
};

class PortForward : public GuardTest {
 protected:
  void forward(const Spec& spec, const std::string& to, std::uint16_t to_port = 80,
               std::uint16_t network = slot::network) {
    vnet_port_forward_key key{.listen = spec.listen.empty() ? vnet_addr{} : address(spec.listen),
                              .port_be = htons(spec.port),
                              .proto = static_cast<__u8>(spec.proto),
                              .family = static_cast<__u8>(family())};
    vnet_port_forward value{.to = address(to), .port_be = htons(to_port), .network = network};
    value.first_be = htons(spec.first);
    value.flags = static_cast<__u16>((spec.listen.empty() ? VNET_FORWARD_F_ANY : 0) |
                                     (spec.from_length >= 0 ? VNET_FORWARD_F_FROM : 0));
    ASSERT_TRUE(maps().port_forwards.set(key, value));
    if (spec.from_length < 0) return;
    auto rule = key;
    rule.port_be = value.first_be;
    ASSERT_TRUE(maps().forward_sources.set(
        {.prefixlen = static_cast<__u32>(sizeof(rule) * 8 + spec.from_length + (family() == 4 ? 96 : 0)),
         .rule = rule,
         .addr = address(spec.from)},
        1));
  }
  Packet request(const std::string& to, L4 kind = L4::Tcp, std::uint16_t port = 8080) {
    return into_host / ip(at.remote, to, 60) / l4(kind, family(), 5555, port);
  }
  // The session of a request, as guest1 sees it.
  vnet_flow requested(const std::string& by = "") {
    return flow(at.guest1, by.empty() ? at.remote : by, IPPROTO_TCP, 80, 5555);
  }
  // An open port of virbr0, where a guest that is not known may be.
  void have_a_port() {
    ASSERT_TRUE(maps().flood_ports.set({.parent = ifindex("virbr0"), .index = 0}, ifindex("g1")));
  }
  void expect_nothing(const Packet& frame, const std::string& reason) {
    expect_drop(Program::UplinkIngress, frame, slot::uplink, reason);
    EXPECT_EQ(0U, session_count());
  }
};
VNET_BOTH_FAMILIES(PortForward);

TEST_P(PortForward, IsOfOneAddressWhereItNamesOne) {
  forward({.listen = at.host}, at.guest1);
  EXPECT_EQ(Redirect, run(Program::UplinkIngress, request(at.host)).verdict);
  EXPECT_EQ(VNET_SESSION_F_INBOUND | VNET_SESSION_F_PLAIN, session(requested())->flags);
  maps().port_forwards.erase({.listen = address(at.host),
                              .port_be = htons(8080),
                              .proto = IPPROTO_TCP,
                              .family = static_cast<__u8>(family())});
  forward({.listen = at.gateway}, at.guest1);
  expect_same(Program::UplinkIngress, into_host / ip(at.remote2, at.host) / l4(L4::Tcp, family(), 1, 8080),
              Ok);
}

TEST_P(PortForward, MapsARangeOneToOne) {
  for (std::uint16_t port = 8000; port < 8003; ++port)
    forward({.port = port, .first = 8000}, at.guest1, static_cast<std::uint16_t>(port - 8000 + 80));
  expect(Program::UplinkIngress, request(at.host, L4::Tcp, 8002), Redirect,
         to_guest1 / ip(at.remote, at.guest1, 59) / l4(L4::Tcp, family(), 5555, 82));
}

TEST_P(PortForward, IsForWhomItNames) {
  const int length = family() == 4 ? 24 : 48;
  forward({.port = 8001, .first = 8000, .from_length = length, .from = at.remote}, at.guest1);
  EXPECT_EQ(Redirect, run(Program::UplinkIngress, request(at.host, L4::Tcp, 8001)).verdict);
  Packet stranger = into_host / ip(at.next_hop, at.host) / l4(L4::Tcp, family(), 5555, 8001);
  expect_drop(Program::UplinkIngress, stranger, slot::uplink, "forward-from");
  EXPECT_EQ(1U, session_count());
}

TEST_P(PortForward, IsForWhomItNamesAtItsAddress) {
  const int length = family() == 4 ? 32 : 128;
  forward({.listen = at.host, .from_length = length, .from = at.remote}, at.guest1);
  EXPECT_EQ(Redirect, run(Program::UplinkIngress, request(at.host)).verdict);
  expect_drop(Program::UplinkIngress, into_host / ip(at.remote2, at.host) / l4(L4::Tcp, family(), 1, 8080),
              slot::uplink, "forward-from");
}

// Every address of the host, but none of what it only forwards.
TEST_P(PortForward, LeavesGuestsOwnPortsToThem) {
  set_flags(flag::route | VNET_NETWORK_F_BYPASS);
  forward({}, at.guest1);
  expect(Program::UplinkIngress, request(at.guest2), Redirect,
         to_guest2 / ip(at.remote, at.guest2, 59) / l4(L4::Tcp, family(), 5555, 8080));
  expect_same(Program::UplinkIngress, request(at.nowhere), Ok);
  EXPECT_FALSE(session(requested()));
}

// What hosts of one link say to each other there is no outside's.
TEST_P(PortForward, IsAtNoLinkLocalAddress) {
  forward({}, at.guest1);
  const std::string local = family() == 4 ? "169.254.3.2" : "fe80::5054:ff:fe00:302";
  expect_same(Program::UplinkIngress, request(local), Ok);
  if (family() == 4) return;  // it is no address of this host
  forward({.listen = local}, at.guest1);
  EXPECT_EQ(Redirect, run(Program::UplinkIngress, request(local)).verdict);
}

// Replies that leave by another interface than the request has come in: as the stack decides.
TEST_P(PortForward, TakesTheStackWhereRepliesDo) {
  forward({}, at.guest1);
  Packet frame = into_host / ip(at.nowhere, at.host, 60) / l4(L4::Tcp, family(), 5555, 8080);
  expect(Program::UplinkIngress, frame, Ok,
         into_host / ip(at.nowhere, at.guest1, 60) / l4(L4::Tcp, family(), 5555, 80));
  EXPECT_EQ(VNET_SESSION_F_INBOUND | VNET_SESSION_F_STACK, session(requested(at.nowhere))->flags);
}

TEST_P(PortForward, MakesNoSessionForWhatIsNoGuest) {
  have_a_port();
  forward({}, at.host);
  expect_nothing(request(at.host), "no-guest");
}

TEST_P(PortForward, MakesNoSessionOfWhatThePortRefuses) {
  forward({}, at.guest1);
  guard("g1", VNET_PORT_F_SHUT);
  expect_nothing(request(at.host), "inbound");
  ASSERT_TRUE(maps().allow_rules.set({.slot = slot::g1, .port_be = htons(80), .proto = 6, .pad = {}},
                                     {.anywhere = 1}));
  EXPECT_EQ(Redirect, run(Program::UplinkIngress, request(at.host)).verdict);
  EXPECT_EQ(1U, session_count());
}

TEST_P(PortForward, MakesNoSessionForAPortThatIsUnplugged) {
  forward({}, at.guest1);
  set_port("g1", [](vnet_port& port) { port.flags |= VNET_PORT_F_DOWN; });
  expect_nothing(request(at.host), "link-down");
}

TEST_P(PortForward, MakesNoSessionForANetworkWithoutGuests) {
  forward({}, at.unresolved);
  expect_nothing(request(at.host), "no-guest");
  have_a_port();
  set_port("g1", [](vnet_port& port) { port.flags |= VNET_PORT_F_DOWN; });
  expect_nothing(request(at.host), "no-guest");
}

// Nobody knows of the guest: it must be asked for, but a flood does not fill the table with that.
TEST_P(PortForward, MakesFewSessionsForAGuestThatNobodyKnows) {
  forward({}, at.unresolved);
  have_a_port();
  for (std::uint16_t port = 1; port <= 100; ++port)
    EXPECT_EQ(Redirect, run(Program::UplinkIngress,
                            into_host / ip(at.remote, at.host) / l4(L4::Tcp, family(), port, 8080))
                            .verdict);
  EXPECT_EQ(std::size_t{VNET_HALF_OPEN_UNHEARD}, session_count());
  EXPECT_EQ(unsigned{VNET_HALF_OPEN_UNHEARD}, inbound(slot::network));
}

// Its port is known by its address: only its MAC must be asked for.
TEST_P(PortForward, MakesSessionsForAGuestWhoseAddressIsKnown) {
  forward({}, at.unresolved);
  have_a_port();
  own(at.unresolved, slot::g1);
  constexpr std::uint16_t many = 4 * VNET_HALF_OPEN_UNHEARD;
  for (std::uint16_t port = 1; port <= many; ++port)
    run(Program::UplinkIngress, into_host / ip(at.remote, at.host) / l4(L4::Tcp, family(), port, 8080));
  EXPECT_EQ(std::size_t{many}, session_count());
}

TEST_P(PortForward, LeavesTheNetworksServicesToTheHost) {
  forward({.proto = IPPROTO_UDP, .port = 53, .first = 53}, at.guest2, 53);
  Packet question = from_guest1 / ip(at.guest1, at.gateway) / l4(L4::Udp, family(), 5555, 53);
  expect_same(Program::GatewayIngress, question, Ok);
  EXPECT_EQ(0U, session_count());
  EXPECT_EQ(Redirect,
            run(Program::UplinkIngress, into_host / ip(at.remote, at.host) / l4(L4::Udp, family(), 5555, 53))
                .verdict);
}

// A guest, and the very guest itself: it gets the gateway's address on the way.
TEST_P(PortForward, TurnsRoundToItsOwnNetwork) {
  forward({}, at.guest1);
  for (bool itself : {false, true}) {
    const auto& from = itself ? at.guest1 : at.guest2;
    const auto port = static_cast<std::uint16_t>(itself ? 5556 : 5555);
    const auto of = static_cast<std::uint16_t>(itself ? slot::g1 : slot::g2);
    Ethernet sent = itself ? from_guest1 : from_guest2, got = itself ? to_guest1 : to_guest2;
    Ran there =
        run(Program::GatewayIngress, sent / ip(from, at.host) / l4(L4::Tcp, family(), port, 8080), {}, of);
    EXPECT_EQ(Redirect, there.verdict) << testing::PrintToString(there.drops);
    EXPECT_PACKET_EQ(to_guest1 / ip(at.gateway, at.guest1) / l4(L4::Tcp, family(), port, 80), there.packet);
    EXPECT_SOUND(there.packet);
    // To the gateway's port program it is one for the gateway's.
    Packet answer = from_guest1 / ip(at.guest1, at.gateway) / l4(L4::Tcp, family(), 80, port, "SA");
    EXPECT_EQ(Ok, run(Program::PortIngress, answer).verdict);
    Ran back = run(Program::GatewayIngress, answer, {}, slot::g1);
    EXPECT_EQ(Redirect, back.verdict) << testing::PrintToString(back.drops);
    EXPECT_PACKET_EQ(got / ip(at.host, from) / l4(L4::Tcp, family(), 8080, port, "SA"), back.packet);
    EXPECT_SOUND(back.packet);
  }
  EXPECT_EQ(4U, session_count());
}

// An error about either direction goes the way of its connection, and quotes what its receiver has sent.
TEST_P(PortForward, TurnsErrorsRound) {
  forward({.proto = IPPROTO_UDP}, at.guest1);
  auto datagram = [&](const std::string& from, const std::string& to, std::uint16_t sport,
                      std::uint16_t dport) -> Packet {
    return ip(from, to) / l4(L4::Udp, family(), sport, dport);
  };
  EXPECT_EQ(Redirect,
            run(Program::GatewayIngress, from_guest2 / datagram(at.guest2, at.host, 5555, 8080), {}, slot::g2)
                .verdict);
  for (Problem problem : {Problem::Unreachable, Problem::TooBig}) {
    Packet refuses = from_guest1 / ip(at.guest1, at.gateway) /
                     icmp_error(problem, family(), datagram(at.gateway, at.guest1, 5555, 80));
    EXPECT_EQ(Ok, run(Program::PortIngress, refuses).verdict);
    Ran back = run(Program::GatewayIngress, refuses, {}, slot::g1);
    EXPECT_EQ(Redirect, back.verdict) << testing::PrintToString(back.drops);
    EXPECT_PACKET_EQ(to_guest2 / ip(at.host, at.guest2) /
                         icmp_error(problem, family(), datagram(at.guest2, at.host, 5555, 8080)),
                     back.packet);
    EXPECT_SOUND(back.packet);
  }
  Packet answer = from_guest1 / datagram(at.guest1, at.gateway, 80, 5555);
  EXPECT_EQ(Redirect, run(Program::GatewayIngress, answer, {}, slot::g1).verdict);
  Packet too_big = from_guest2 / ip(at.guest2, at.host) /
                   icmp_error(Problem::TooBig, family(), datagram(at.host, at.guest2, 8080, 5555));
  Ran there = run(Program::GatewayIngress, too_big, {}, slot::g2);
  EXPECT_EQ(Redirect, there.verdict) << testing::PrintToString(there.drops);
  EXPECT_PACKET_EQ(to_guest1 / ip(at.gateway, at.guest1) /
                       icmp_error(Problem::TooBig, family(), datagram(at.guest1, at.gateway, 80, 5555)),
                   there.packet);
  EXPECT_SOUND(there.packet);
  // Nobody else's to send, nor one about what was never sent.
  Ran forged = run(Program::GatewayIngress, too_big, {}, slot::g1);
  EXPECT_EQ(Shot, forged.verdict);
}

TEST_P(PortForward, CarriesFragments) {
  forward({.proto = IPPROTO_UDP}, at.guest1);
  auto datagram = [](const Packet& head, std::uint16_t sport, std::uint16_t dport) -> Packet {
    return head / Udp{.src_port = sport, .dst_port = dport} / Payload(2000);
  };
  auto in = fragments(datagram(into_host / ip(at.remote, at.host, 60), 5555, 8080), 900, 81),
       out = fragments(datagram(to_guest1 / ip(at.remote, at.guest1, 59), 5555, 80), 900, 81);
  ASSERT_EQ(3U, in.size());
  for (std::size_t i = 0; i < in.size(); ++i) expect(Program::UplinkIngress, in[i], Redirect, out[i]);
  // A hairpin, and back.
  in = fragments(datagram(from_guest2 / ip(at.guest2, at.host), 5556, 8080), 900, 82);
  out = fragments(datagram(to_guest1 / ip(at.gateway, at.guest1), 5556, 80), 900, 82);
  auto answer = fragments(datagram(from_guest1 / ip(at.guest1, at.gateway), 80, 5556), 900, 83),
       answered = fragments(datagram(to_guest2 / ip(at.host, at.guest2), 8080, 5556), 900, 83);
  for (std::size_t i = 0; i < in.size(); ++i) {
    EXPECT_EQ(Ok, run(Program::PortIngress, in[i], {.ifindex = ifindex("g2")}).verdict);
    Ran ran = run(Program::GatewayIngress, in[i], {}, slot::g2);
    EXPECT_EQ(Redirect, ran.verdict) << i << testing::PrintToString(ran.drops);
    EXPECT_PACKET_EQ(out[i], ran.packet);
  }
  for (std::size_t i = 0; i < answer.size(); ++i) {
    EXPECT_EQ(Ok, run(Program::PortIngress, answer[i]).verdict);
    Ran ran = run(Program::GatewayIngress, answer[i], {}, slot::g1);
    EXPECT_EQ(Redirect, ran.verdict) << i << testing::PrintToString(ran.drops);
    EXPECT_PACKET_EQ(answered[i], ran.packet);
  }
}

TEST_P(PortForward, TellsItsOwnNetworksGuestOfARefusal) {
  forward({}, at.guest1);
  guard("g1", VNET_PORT_F_SHUT);
  Ran ran = run(Program::GatewayIngress,
                from_guest2 / ip(at.guest2, at.host) / l4(L4::Tcp, family(), 5555, 8080), {}, slot::g2);
  EXPECT_EQ(1U, (ran.drops[{slot::network, "inbound"}])) << testing::PrintToString(ran.drops);
  EXPECT_EQ(0U, session_count());
}

// The guest's port is asked about the source that it would see.
TEST_P(PortForward, IsJudgedByTheGatewaysAddressInItsOwnNetwork) {
  forward({}, at.guest1);
  guard("g1", VNET_PORT_F_SHUT);
  auto allow = [&](const std::string& from) {
    vnet_allow_key rule{.slot = slot::g1, .port_be = htons(80), .proto = IPPROTO_TCP, .pad = {}};
    ASSERT_TRUE(maps().allow_rules.set(rule, {.anywhere = 0}));
    ASSERT_TRUE(maps().allow_prefixes.set({.prefixlen = 64 + 128, .rule = rule, .addr = address(from)}, 1));
  };
  Packet asks = from_guest2 / ip(at.guest2, at.host) / l4(L4::Tcp, family(), 5555, 8080);
  allow(at.guest2);
  EXPECT_EQ(1U, (run(Program::GatewayIngress, asks, {}, slot::g2).drops[{slot::network, "inbound"}]));
  allow(at.gateway);
  Ran ran = run(Program::GatewayIngress, asks, {}, slot::g2);
  EXPECT_EQ(Redirect, ran.verdict) << testing::PrintToString(ran.drops);
  EXPECT_EQ(2U, session_count());
}

// Nobody goes on with another port's connection, nor is one begun by what opens none.
TEST_P(PortForward, KeepsATurnedConnectionToItsPort) {
  forward({}, at.guest1);
  auto segment = [&](const std::string& flags) -> Packet {
    return from_guest2 / ip(at.guest2, at.host) / l4(L4::Tcp, family(), 5555, 8080, flags);
  };
  for (const char* flags : {"A", "SA", "R"}) {
    expect_same(Program::GatewayIngress, segment(flags), Ok);
    EXPECT_EQ(0U, session_count());
  }
  ASSERT_EQ(Redirect, run(Program::GatewayIngress, segment("S"), {}, slot::g2).verdict);
  Ran other = run(Program::GatewayIngress, segment("A"), {}, slot::g1);
  EXPECT_EQ(1U, (other.drops[{slot::network, "spoofed-source"}])) << testing::PrintToString(other.drops);
  EXPECT_EQ(Redirect, run(Program::GatewayIngress, segment("A"), {}, slot::g2).verdict);
}

// The other network's guest sees who it is.
TEST_P(PortForward, LeadsIntoAnotherNetwork) {
  forward({}, at.other_guest, 80, slot::other);
  Ran ran = run(Program::GatewayIngress,
                from_guest1 / ip(at.guest1, at.host) / l4(L4::Tcp, family(), 5555, 8080), {}, slot::g1);
  // Its neighbour is known and its MAC at no port: a network without a guest.
  EXPECT_EQ(1U, (ran.drops[{slot::network, "no-guest"}])) << testing::PrintToString(ran.drops);
  ASSERT_TRUE(maps().flood_ports.set({.parent = ifindex("virbr1"), .index = 0}, ifindex("g2")));
  ran = run(Program::GatewayIngress, from_guest1 / ip(at.guest1, at.host) / l4(L4::Tcp, family(), 5555, 8080),
            {}, slot::g1);
  EXPECT_EQ(Redirect, ran.verdict) << testing::PrintToString(ran.drops);
  auto made = session(flow(at.other_guest, at.guest1, 6, 80, 5555));
  ASSERT_TRUE(made);
  EXPECT_EQ(slot::other, made->network);
  EXPECT_EQ(VNET_SESSION_F_INBOUND | VNET_SESSION_F_PLAIN, made->flags);
  EXPECT_EQ(ifindex("virbr0"), made->leg[VNET_OUT].hop.ifindex);
  EXPECT_PACKET_EQ(Ethernet({.src = mac::other_gateway, .dst = mac::stranger}) /
                       ip(at.guest1, at.other_guest, 63) / l4(L4::Tcp, family(), 5555, 80),
                   ran.packet);
  // One that ends here is the stack's to answer.
  expect(Program::GatewayIngress,
         from_guest1 / ip(at.guest1, at.host, 1) / l4(L4::Tcp, family(), 5555, 8080, "A"), Ok,
         from_guest1 / ip(at.guest1, at.other_guest, 1) / l4(L4::Tcp, family(), 5555, 80, "A"));
  // Datagrams are all alike: the second one belongs to what the first has begun.
  forward({.proto = IPPROTO_UDP}, at.other_guest, 80, slot::other);
  for (int i = 0; i < 2; ++i) {
    ran = run(Program::GatewayIngress,
              from_guest1 / ip(at.guest1, at.host) / l4(L4::Udp, family(), 5555, 8080), {}, slot::g1);
    EXPECT_EQ(Redirect, ran.verdict) << testing::PrintToString(ran.drops);
  }
  EXPECT_EQ(2U, session_count());
}

TEST_P(PortForward, IsNotForIsolatedNetworks) {
  set_flags(flag::isolated);
  forward({}, at.other_guest, 80, slot::other);
  expect_same(Program::GatewayIngress,
              from_guest1 / ip(at.guest1, at.host) / l4(L4::Tcp, family(), 5555, 8080), Ok);
  EXPECT_EQ(0U, session_count());
}

TEST_P(PortForward, CarriesSctp) {
  forward({.proto = IPPROTO_SCTP}, at.guest1, 8080);
  Bytes chunk(20, 0);
  Packet init = into_host / ip(at.remote, at.host) / Payload(chunk);
  Bytes frame = init;
  const std::size_t l4_at = family() == 4 ? 34 : 54;
  frame[family() == 4 ? 23 : 20] = IPPROTO_SCTP;
  frame[l4_at] = 0x15, frame[l4_at + 1] = 0xb3, frame[l4_at + 2] = 0x1f, frame[l4_at + 3] = 0x90;
  if (family() == 4) {  // the header's checksum
    frame[24] = frame[25] = 0;
    std::uint32_t sum = 0;
    for (std::size_t i = 14; i < 34; i += 2) sum += static_cast<std::uint32_t>(frame[i] << 8 | frame[i + 1]);
    while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
    frame[24] = static_cast<std::uint8_t>(~sum >> 8), frame[25] = static_cast<std::uint8_t>(~sum);
  }
  EXPECT_EQ(Redirect, run(Program::UplinkIngress, frame).verdict);
  EXPECT_TRUE(session(flow(at.guest1, at.remote, IPPROTO_SCTP, 8080, 5555)));
}

}  // namespace
}  // namespace vnet::test
