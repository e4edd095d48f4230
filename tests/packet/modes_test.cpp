// SPDX-License-Identifier: GPL-2.0-or-later
// What a network's mode lets through, hook by hook. NAT has its own files.
#include <arpa/inet.h>

#include "tests/packet/datapath_fixture.h"
#include "tests/support/shell.h"

namespace vnet::test {
namespace {

class Modes : public BothFamilies {
 protected:
  Packet leaving(const std::string& to, L4 kind = L4::Tcp, const std::string& flags = "S") {
    return from_guest1 / ip(at.guest1, to) / l4(kind, family(), 2000, 443, flags);
  }
  Packet entering(const std::string& from, L4 kind = L4::Tcp, const std::string& flags = "S") {
    return to_guest1 / ip(from, at.guest1, 60) / l4(kind, family(), 443, 2000, flags);
  }
  Packet from_outside(const std::string& from, L4 kind = L4::Tcp, const std::string& flags = "S") {
    return into_host / ip(from, at.guest1, 60) / l4(kind, family(), 443, 2000, flags);
  }
  // The guest's side of the session that entering() makes.
  vnet_flow inbound_key(const std::string& from, L4 kind) {
    return kind == L4::Echo ? flow(at.guest1, from, protocol(kind, family()), 0, 443)
                            : flow(at.guest1, from, protocol(kind, family()), 2000, 443);
  }
  RunContext through(const std::string& interface) { return {.ingress_ifindex = ifindex(interface)}; }

  int judged(Program program, const Packet& frame, const char* interface = nullptr) {
    return run(program, frame, interface ? through(interface) : RunContext{}).verdict;
  }
  Drops refused(Program program, const Packet& frame, const char* interface = nullptr) {
    return run(program, frame, interface ? through(interface) : RunContext{}).drops;
  }
};
VNET_BOTH_FAMILIES(Modes);

Drops one(int at_slot, const std::string& reason) {
  return {{{at_slot, reason}, 1}};
}

// --- isolated

TEST_P(Modes, IsolatedGuestsReachTheHostOnly) {
  set_flags(flag::isolated);
  for (const std::string& to : {at.gateway, at.host, at.guest2, at.multicast})
    expect_same(Program::GatewayIngress, leaving(to), Ok);
  for (std::uint32_t other : {flag::nat, flag::route, flag::open, flag::isolated}) {
    set_other_flags(other);
    EXPECT_EQ(one(slot::network, "isolated"), refused(Program::GatewayIngress, leaving(at.other_guest)));
  }
  for (const std::string& to : {at.remote, at.next_hop, at.nowhere})
    EXPECT_EQ(one(slot::network, "isolated"), refused(Program::GatewayIngress, leaving(to)));
}

// Linux routes IPv4's link-local on: a cloud's metadata service is there.
TEST_P(Modes, IsolatedGuestsDoNotReachLinkLocalBeyondTheHost) {
  if (family() == 6) GTEST_SKIP() << "IPv6 link-local is never routed on";
  set_flags(flag::isolated);
  expect_drop(Program::GatewayIngress, leaving("169.254.169.254"), slot::network, "isolated");
}

// The FIB helper answers "unsupported" and names no interface: the stack would send it out all the same.
TEST_P(Modes, AnEncapsulatingRouteLeadsOut) {
  std::string there = family() == 4 ? "198.18.9.1" : "2001:db8:18::1";
  if (sh("ip route get " + there).out.find("encap") == std::string::npos)
    GTEST_SKIP() << "the kernel has no encapsulating routes (LWTUNNEL)";
  set_flags(flag::isolated);
  EXPECT_EQ(one(slot::network, "isolated"), refused(Program::GatewayIngress, leaving(there)));
  set_flags(flag::nat);
  EXPECT_EQ(one(slot::network, "no-uplink"), refused(Program::GatewayIngress, leaving(there)));
  set_flags(flag::route);
  expect_same(Program::GatewayIngress, leaving(there), Ok);
  set_network([&](vnet_network& n) { n.uplink_ifindex = ifindex("eth0"); });
  EXPECT_EQ(one(slot::network, "no-uplink"), refused(Program::GatewayIngress, leaving(there)));
}

TEST_P(Modes, NothingOfAnIsolatedNetworkLeavesByTheUplink) {
  set_flags(flag::isolated);
  for (L4 kind : {L4::Udp, L4::Tcp, L4::Echo})
    expect_drop(Program::UplinkEgress, outgoing(kind, at.guest1, 2000), slot::uplink, "isolated");
  expect_drop(Program::UplinkEgress, outgoing(L4::Tcp, at.guest1, 2000, "A"), slot::uplink, "isolated");
  EXPECT_EQ(0U, session_count());
}

TEST_P(Modes, NothingEntersAnIsolatedNetworkButTheHosts) {
  set_flags(flag::isolated);
  expect_drop(Program::UplinkIngress, from_outside(at.remote), slot::uplink, "not-visible");
  expect_drop(Program::GatewayEgress, entering(at.remote), slot::network, "not-visible", through("eth0"));
  expect_drop(Program::GatewayEgress, entering(at.nowhere), slot::network, "not-visible", through("other0"));
  for (std::uint32_t other : {flag::nat, flag::route, flag::open, flag::isolated}) {
    set_other_flags(other);
    expect_drop(Program::GatewayEgress, entering(at.other_guest), slot::network, "other-network",
                through("virbr1"));
  }
  expect_same(Program::GatewayEgress, entering(at.gateway), Redirect);
}

// --- <vnet:host access>

TEST_P(Modes, TheHostMayOfferItsServicesOnly) {
  for (std::uint32_t mode : {flag::nat, flag::route, flag::isolated}) {
    set_flags(mode | VNET_NETWORK_F_HOST_SERVICES);
    auto to_port = [&](L4 kind, std::uint16_t port) {
      return from_guest1 / ip(at.guest1, at.gateway) / l4(kind, family(), 2000, port);
    };
    expect_same(Program::GatewayIngress, to_port(L4::Udp, 53), Ok);
    expect_same(Program::GatewayIngress, to_port(L4::Tcp, 53), Ok);
    expect_same(Program::GatewayIngress, to_port(L4::Udp, family() == 4 ? 67 : 547), Ok);
    expect_same(Program::GatewayIngress, to_port(L4::Echo, 0), Ok);
    for (L4 kind : {L4::Udp, L4::Tcp})
      EXPECT_EQ(one(slot::network, "host-closed"), refused(Program::GatewayIngress, to_port(kind, 22)));
    EXPECT_EQ(one(slot::network, "host-closed"),
              refused(Program::GatewayIngress,
                      from_guest1 / ip(at.guest1, at.host) / l4(L4::Tcp, family(), 1, 22)));
    // What leaves the host is not the host's.
    if (mode != flag::isolated) expect_same(Program::GatewayIngress, leaving(at.remote), Ok);
  }
}

TEST_P(Modes, TheHostMayBeClosed) {
  set_flags(flag::isolated | VNET_NETWORK_F_HOST_CLOSED);
  for (auto [kind, port] :
       {std::pair{L4::Udp, 53}, {L4::Tcp, 53}, {L4::Udp, 67}, {L4::Tcp, 22}, {L4::Echo, 0}})
    EXPECT_EQ(
        one(slot::network, "host-closed"),
        refused(Program::GatewayIngress, from_guest1 / ip(at.guest1, at.gateway) /
                                             l4(kind, family(), 2000, static_cast<std::uint16_t>(port))));
  // Answers to the host's own, and what keeps the link alive.
  expect_same(Program::GatewayIngress,
              from_guest1 / ip(at.guest1, at.gateway) / l4_answer(L4::Echo, family(), 7, 0), Ok);
  expect_same(Program::GatewayIngress, from_guest1 / Arp{.sender_ip = "192.168.122.10"}, Ok);
  if (family() == 6)
    expect_same(Program::GatewayIngress,
                from_guest1 / ip(at.guest1, at.gateway, 255) / Icmpv6{.type = 135} / Payload(20), Ok);
}

// --- routed

TEST_P(Modes, RoutedGuestsLeaveWithTheirOwnAddress) {
  for (std::uint32_t mode : {flag::route, flag::open}) {
    set_flags(mode);
    for (const std::string& to : {at.gateway, at.remote, at.nowhere})
      expect_same(Program::GatewayIngress, leaving(to), Ok);
    for (L4 kind : {L4::Udp, L4::Tcp, L4::Echo}) {
      expect_same(Program::UplinkEgress, outgoing(kind, at.guest1, 2000), Ok);
      auto made = session(key(kind, at.guest1, 2000));
      ASSERT_TRUE(made);
      EXPECT_EQ(htons(2000), made->nat_port_be);
    }
    // In the middle of something: the stack knows better, and nothing is hidden.
    expect_same(Program::UplinkEgress, outgoing(L4::Tcp, at.guest1, 2001, "SA"), Ok);
    expect_same(Program::UplinkEgress, outgoing(L4::Tcp, at.guest1, 2001, "R"), Ok);
    EXPECT_FALSE(session(key(L4::Tcp, at.guest1, 2001)));
  }
}

TEST_P(Modes, AFullTableStopsNoRoutedPacket) {
  set_flags(flag::route);
  set_network([](vnet_network& n) { n.max_sessions = 0; });
  expect_same(Program::UplinkEgress, outgoing(L4::Udp, at.guest1, 2000), Ok);
  expect_same(Program::GatewayEgress, entering(at.remote), Redirect, through("eth0"));
  EXPECT_EQ(0U, session_count());
}

TEST_P(Modes, RoutedSourcesMustBeTheNetworks) {
  set_flags(flag::route);
  for (const std::string& from : {at.remote, at.other_guest, at.host})
    expect_drop(Program::GatewayIngress, from_guest1 / ip(from, at.remote2) / l4(L4::Udp, family(), 1, 2),
                slot::network, "spoofed-source");
  set_flags(flag::open);
  expect_same(Program::GatewayIngress, from_guest1 / ip(at.remote, at.remote2) / l4(L4::Udp, family(), 1, 2),
              Ok);
  expect_drop(Program::GatewayIngress,
              from_guest1 / ip(at.other_guest, at.remote2) / l4(L4::Udp, family(), 1, 2), slot::network,
              "spoofed-source");
}

TEST_P(Modes, TheOutsideReachesRoutedGuests) {
  for (std::uint32_t mode : {flag::route, flag::open}) {
    set_flags(mode);
    for (L4 kind : {L4::Udp, L4::Tcp, L4::Echo}) {
      expect_same(Program::UplinkIngress, from_outside(at.remote, kind), Ok);
      EXPECT_FALSE(session(inbound_key(at.remote, kind))) << "the host's firewall comes first";
      expect_same(Program::GatewayEgress, entering(at.remote, kind), Redirect, through("eth0"));
      auto made = session(inbound_key(at.remote, kind));
      ASSERT_TRUE(made);
      EXPECT_EQ(slot::g1, made->port);
      // From now on the fast way, both ways, untranslated.
      expect(Program::UplinkIngress, from_outside(at.remote, kind), Redirect,
             to_guest1 / ip(at.remote, at.guest1, 59) / l4(kind, family(), 443, 2000));
      Packet back = from_guest1 / ip(at.guest1, at.remote) / l4_answer(kind, family(), 443, 2000);
      Packet sent = out_of_host / ip(at.guest1, at.remote, 63) / l4_answer(kind, family(), 443, 2000);
      Ran ran = run(Program::PortIngress, back);
      EXPECT_EQ(Redirect, ran.verdict);
      EXPECT_PACKET_EQ(sent, ran.packet);
    }
    // By an interface that is no uplink: the stack's way, which stays.
    expect_same(Program::GatewayEgress, entering(at.nowhere), Redirect, through("other0"));
    EXPECT_FALSE(session(inbound_key(at.nowhere, L4::Tcp)));
    SetUp();
  }
}

TEST_P(Modes, AnAnswerOrAResetOpensNothing) {
  set_flags(flag::route);
  for (const char* flags : {"SA", "R", "A", "FA"})
    expect_same(Program::GatewayEgress, entering(at.remote, L4::Tcp, flags), Redirect, through("eth0"));
  EXPECT_EQ(0U, session_count());
}

TEST_P(Modes, BypassAdmitsAtTheUplink) {
  set_flags(flag::route | VNET_NETWORK_F_BYPASS);
  for (L4 kind : {L4::Udp, L4::Tcp, L4::Echo})
    expect(Program::UplinkIngress, from_outside(at.remote, kind), Redirect,
           to_guest1 / ip(at.remote, at.guest1, 59) / l4(kind, family(), 443, 2000));
  EXPECT_EQ(3U, session_count());
}

TEST_P(Modes, NobodyOutsideIsARoutedGuest) {
  set_flags(flag::route);
  expect_drop(Program::UplinkIngress, from_outside(at.guest2), slot::uplink, "spoofed-source");
  set_flags(flag::open);
  expect_same(Program::UplinkIngress, from_outside(at.guest2), Ok);
}

TEST_P(Modes, RoutedDeviceIsHonouredBothWays) {
  set_flags(flag::route);
  set_network([&](vnet_network& n) { n.uplink_ifindex = ifindex("other0"); });
  EXPECT_EQ(one(slot::network, "no-uplink"), refused(Program::GatewayIngress, leaving(at.remote)));
  expect_drop(Program::UplinkEgress, outgoing(L4::Tcp, at.guest1, 2000), slot::uplink, "no-uplink");
  expect_drop(Program::UplinkIngress, from_outside(at.remote), slot::uplink, "no-uplink");
  expect_drop(Program::GatewayEgress, entering(at.remote), slot::network, "no-uplink", through("eth0"));
  set_network([&](vnet_network& n) { n.uplink_ifindex = ifindex("eth0"); });
  expect_same(Program::GatewayIngress, leaving(at.remote), Ok);
  expect_same(Program::UplinkIngress, from_outside(at.remote), Ok);
  expect_same(Program::GatewayEgress, entering(at.remote), Redirect, through("eth0"));
}

// --- between networks

TEST_P(Modes, OnlyVisibleNetworksAreEntered) {
  for (std::uint32_t ours : {flag::nat, flag::route, flag::open}) {
    set_flags(ours);
    for (std::uint32_t theirs : {flag::nat, flag::isolated}) {
      set_other_flags(theirs);
      EXPECT_EQ(one(slot::network, "other-network"),
                refused(Program::GatewayIngress, leaving(at.other_guest)));
    }
    for (std::uint32_t theirs : {flag::route, flag::open}) {
      set_other_flags(theirs);
      expect_same(Program::GatewayIngress, leaving(at.other_guest), Ok);
    }
  }
}

TEST_P(Modes, VisibleNetworksMeetAsTheyAre) {
  for (std::uint32_t ours : {flag::route, flag::open})
    for (std::uint32_t theirs : {flag::route, flag::open}) {
      set_flags(ours), set_other_flags(theirs);
      expect_same(Program::GatewayEgress, entering(at.other_guest), Redirect, through("virbr1"));
    }
  set_other_flags(flag::isolated);
  expect_drop(Program::GatewayEgress, entering(at.other_guest), slot::network, "other-network",
              through("virbr1"));
}

TEST_P(Modes, AnswersFindBackIntoAHiddenNetwork) {
  set_flags(flag::route), set_other_flags(flag::nat);
  for (L4 kind : {L4::Udp, L4::Tcp, L4::Echo}) {
    Packet request = to_guest1 / ip(at.other_guest, at.guest1, 60) / l4(kind, family(), 5000, 2000);
    expect(Program::GatewayEgress, request, Redirect,
           to_guest1 / ip(at.gateway, at.guest1, 60) / l4(kind, family(), 5000, 2000), through("virbr1"));
    // An error about the request, for as long as it is not answered.
    Packet about = ip(at.gateway, at.guest1, 60) / l4(kind, family(), 5000, 2000);
    Packet about_before = ip(at.other_guest, at.guest1, 60) / l4(kind, family(), 5000, 2000);
    expect(Program::GatewayIngress,
           from_guest1 / ip(at.guest1, at.gateway) / icmp_error(Problem::Unreachable, family(), about), Ok,
           from_guest1 / ip(at.guest1, at.other_guest) /
               icmp_error(Problem::Unreachable, family(), about_before));
    Packet answer = from_guest1 / ip(at.guest1, at.gateway) / l4_answer(kind, family(), 5000, 2000);
    expect(Program::GatewayIngress, answer, Ok,
           from_guest1 / ip(at.guest1, at.other_guest) / l4_answer(kind, family(), 5000, 2000));
  }
  EXPECT_EQ(3U, session_count());
  // The rest of what is sent to the gateway is the host's.
  expect_same(Program::GatewayIngress, leaving(at.gateway), Ok);
}

TEST_P(Modes, AHiddenNetworksDeviceIsNoOtherNetwork) {
  set_flags(flag::route), set_other_flags(flag::nat);
  vnet_network other = maps().networks.get(slot::other).value();
  other.uplink_ifindex = ifindex("eth0");
  ASSERT_TRUE(maps().networks.set(slot::other, other));
  expect_drop(Program::GatewayEgress, entering(at.other_guest), slot::network, "no-uplink",
              through("virbr1"));
}

// Redirected by a port's program: judged there already.
TEST_F(DatapathTest, TheSecondPassOfTheGatewayIsFree) {
  set_flags(flag::isolated);
  Packet frame =
      Ethernet{.src = mac::gateway, .dst = mac::guest1} / ip("198.51.100.7", "192.168.122.10") / Udp{};
  RunContext context{.ingress_ifindex = ifindex("eth0")};
  EXPECT_EQ(Shot, run(Program::GatewayEgress, frame, context).verdict);
  std::uint64_t secret = maps().settings.get(0)->secret;
  context.cb = {static_cast<std::uint32_t>(secret), static_cast<std::uint32_t>(secret >> 32)};
  EXPECT_EQ(Redirect, run(Program::GatewayEgress, frame, context).verdict);
}

}  // namespace
}  // namespace vnet::test
