// SPDX-License-Identifier: GPL-2.0-or-later
// What the host stack sends out of an uplink: masquerade bindings are made here, and nothing of a guest's
// leaves untranslated.
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <set>

#include "tests/packet/datapath_fixture.h"

namespace vnet::test {
namespace {

std::uint16_t source_port(const Bytes& frame) {
  std::size_t at = frame[12] == 8 ? 34 : 54;
  return static_cast<std::uint16_t>(frame[at] << 8 | frame[at + 1]);
}

class UplinkEgress : public BothFamilies {
 protected:
  // Behind a SYN of that port: the next number.
  Packet reset(std::uint16_t sport) {
    return outgoing(L4::Tcp, at.guest1, sport, "R").with<Tcp>([](Tcp& tcp) { ++tcp.seq; });
  }
};
VNET_BOTH_FAMILIES(UplinkEgress);

TEST_P(UplinkEgress, MasqueradesAndKeepsThePortInsideTheSpan) {
  for (L4 kind : {L4::Udp, L4::Tcp, L4::Echo}) {
    Bytes frame = outgoing(kind, at.guest1, 2000);
    expect(Program::UplinkEgress, frame, Ok, outgoing_translated(kind, 2000));
    auto made = session(key(kind, at.guest1, 2000));
    ASSERT_TRUE(made);
    EXPECT_EQ(htons(2000), made->nat_port_be);
    EXPECT_EQ(VNET_SESSION_F_MASQUERADE, made->flags);
    EXPECT_EQ(slot::network, made->network);
    EXPECT_EQ(1U, made->leg[VNET_OUT].packets);
    EXPECT_EQ(frame.size(), made->leg[VNET_OUT].bytes);
    EXPECT_TRUE(maps().rev_nat.get(reverse_key(kind, 2000)));
  }
  EXPECT_EQ(3U, probes(0));
  EXPECT_EQ(3U, traffic(slot::uplink).tx_packets);
  EXPECT_EQ(3U, usage(slot::network));
}

TEST_P(UplinkEgress, MovesAPortIntoTheSpan) {
  set_network([](vnet_network& n) { n.ports[0] = {5000, 5000}, n.ports[1] = {1, 0}, n.keep = n.ports[0]; });
  for (L4 kind : {L4::Udp, L4::Tcp})
    expect(Program::UplinkEgress, outgoing(kind, at.guest1, 40000), Ok, outgoing_translated(kind, 5000));
  EXPECT_EQ(2U, probes(1));
  // The second span is used like the first.
  set_network([](vnet_network& n) { n.ports[0] = {1, 0}, n.ports[1] = {6000, 6000}, n.keep = {1, 0}; });
  expect(Program::UplinkEgress, outgoing(L4::Udp, at.guest1, 40001), Ok, outgoing_translated(L4::Udp, 6000));
}

TEST_P(UplinkEgress, StaysInsideTheSpans) {
  set_network([](vnet_network& n) { n.ports[0] = {5000, 5003}, n.ports[1] = {6000, 6003}, n.keep = {1, 0}; });
  std::set<std::uint16_t> seen;
  for (std::uint16_t i = 0; i < 8; ++i) {
    Ran ran = run(Program::UplinkEgress, outgoing(L4::Udp, at.guest1, static_cast<std::uint16_t>(40000 + i)));
    ASSERT_EQ(Ok, ran.verdict);
    EXPECT_SOUND(ran.packet);
    seen.insert(source_port(ran.packet));
  }
  EXPECT_EQ((std::set<std::uint16_t>{5000, 5001, 5002, 5003, 6000, 6001, 6002, 6003}), seen);
}

TEST_P(UplinkEgress, UsesTheSessionAgain) {
  for (L4 kind : {L4::Udp, L4::Tcp, L4::Echo}) {
    Ran first = run(Program::UplinkEgress, outgoing(kind, at.guest1, 40000));
    Ran second = run(Program::UplinkEgress, outgoing(kind, at.guest1, 40000));
    EXPECT_PACKET_EQ(first.packet, second.packet);
    EXPECT_EQ(2U, session(key(kind, at.guest1, 40000))->leg[VNET_OUT].packets);
  }
  EXPECT_EQ(3U, session_count());
  EXPECT_EQ(3U, usage(slot::network));
}

TEST_P(UplinkEgress, GivesTwoGuestsDifferentPorts) {
  for (L4 kind : {L4::Udp, L4::Tcp, L4::Echo}) {
    expect(Program::UplinkEgress, outgoing(kind, at.guest1, 2000), Ok, outgoing_translated(kind, 2000));
    Ran second = run(Program::UplinkEgress, outgoing(kind, at.guest2, 2000));
    EXPECT_EQ(Ok, second.verdict);
    EXPECT_SOUND(second.packet);
    auto made = session(key(kind, at.guest2, 2000));
    ASSERT_TRUE(made);
    std::uint16_t port = ntohs(made->nat_port_be);
    EXPECT_NE(2000, port);
    EXPECT_PACKET_EQ(outgoing_translated(kind, port), second.packet);
    EXPECT_TRUE(maps().rev_nat.get(reverse_key(kind, port)));
  }
}

TEST_P(UplinkEgress, DropsWhenTheSpanIsExhausted) {
  set_network([](vnet_network& n) { n.ports[0] = {5000, 5001}, n.ports[1] = {1, 0}, n.keep = n.ports[0]; });
  for (std::uint16_t port : {40000, 40001})
    EXPECT_EQ(Ok, run(Program::UplinkEgress, outgoing(L4::Udp, at.guest1, port)).verdict);
  expect_drop(Program::UplinkEgress, outgoing(L4::Udp, at.guest1, 40002), slot::uplink, "ports-exhausted");
  EXPECT_EQ(1U, probes(VNET_PROBE_MAX));
  EXPECT_EQ(2U, usage(slot::network)) << "what was reserved for the failed one is given back";
  // Another destination is another tuple: the ports are free there.
  EXPECT_EQ(Ok, run(Program::UplinkEgress,
                    out_of_host / ip(at.guest1, at.remote2) / l4(L4::Udp, family(), 40002, 443))
                    .verdict);
}

TEST_P(UplinkEgress, AvoidsPortsOfTheHostsSockets) {
  set_network([](vnet_network& n) { n.ports[0] = {5000, 5001}, n.ports[1] = {1, 0}, n.keep = n.ports[0]; });
  for (L4 kind : {L4::Udp, L4::Tcp}) {
    int fd = socket(family() == 4 ? AF_INET : AF_INET6, kind == L4::Udp ? SOCK_DGRAM : SOCK_STREAM, 0);
    sockaddr_in v4{.sin_family = AF_INET, .sin_port = htons(5000)};
    sockaddr_in6 v6{.sin6_family = AF_INET6, .sin6_port = htons(5000)};
    ASSERT_EQ(0, family() == 4 ? bind(fd, reinterpret_cast<sockaddr*>(&v4), sizeof v4)
                               : bind(fd, reinterpret_cast<sockaddr*>(&v6), sizeof v6));
    if (kind == L4::Tcp) {
      ASSERT_EQ(0, listen(fd, 1));
    }
    expect(Program::UplinkEgress, outgoing(kind, at.guest1, 5000), Ok, outgoing_translated(kind, 5001));
    close(fd);
  }
}

TEST_P(UplinkEgress, DropsWhatBeginsNothing) {
  for (const char* flags : {"R", "RA", "SA"})
    expect_drop(Program::UplinkEgress, outgoing(L4::Tcp, at.guest1, 2000, flags), slot::uplink, "no-session");
  expect_drop(Program::UplinkEgress,
              out_of_host / ip(at.guest1, at.remote) / l4_answer(L4::Echo, family(), 77, 0), slot::uplink,
              "no-session");
  EXPECT_EQ(0U, session_count());
  EXPECT_EQ(0U, usage(slot::network));
}

TEST_P(UplinkEgress, DropsMulticastOfGuests) {
  Packet to_group = out_of_host / ip(at.guest1, at.multicast) / l4(L4::Udp, family(), 2000, 5353);
  expect_drop(Program::UplinkEgress, to_group, slot::uplink, "not-routable");
  expect_same(Program::UplinkEgress,
              out_of_host / ip(at.host, at.multicast) / l4(L4::Udp, family(), 2000, 5353), Ok);
}

TEST_P(UplinkEgress, LetsTheHostsOwnTrafficPass) {
  for (L4 kind : {L4::Udp, L4::Tcp, L4::Echo})
    expect_same(Program::UplinkEgress, out_of_host / ip(at.host, at.remote) / l4(kind, family(), 2000, 443),
                Ok);
  EXPECT_EQ(0U, session_count());
}

TEST_P(UplinkEgress, LetsArpAndOtherProtocolsPass) {
  expect_same(Program::UplinkEgress,
              out_of_host / Arp{.sender_ip = "203.0.113.2", .target_ip = "203.0.113.1"}, Ok);
  expect_same(Program::UplinkEgress, out_of_host / Payload(50), Ok);
}

TEST_P(UplinkEgress, LeavesAddressesAloneWithoutMasquerade) {
  set_network([](vnet_network& n) { n.flags = 0; });
  for (L4 kind : {L4::Udp, L4::Tcp, L4::Echo}) {
    expect_same(Program::UplinkEgress, outgoing(kind, at.guest1, 40000), Ok);
    auto made = session(key(kind, at.guest1, 40000));
    ASSERT_TRUE(made);
    EXPECT_EQ(0, made->flags);
    EXPECT_EQ(htons(40000), made->nat_port_be);
  }
}

TEST_P(UplinkEgress, MasqueradesTheFamilyThatIsAskedFor) {
  set_network([&](vnet_network& n) {
    n.flags = family() == 4 ? VNET_NETWORK_F_MASQUERADE6 : VNET_NETWORK_F_MASQUERADE4;
  });
  expect_same(Program::UplinkEgress, outgoing(L4::Udp, at.guest1, 2000), Ok);
}

TEST_P(UplinkEgress, TakesAddressesOutOfThePool) {
  set_network(
      [](vnet_network& n) { n.nat_first = 0xcb007150, n.nat_last = 0xcb007153; });  // 203.0.113.80 to .83
  std::set<std::uint32_t> seen;
  for (int i = 0; i < 32; ++i) {
    std::string remote = (family() == 4 ? "192.0.2." : "2001:db8:51::") + std::to_string(i + 1);
    Bytes frame = out_of_host / ip(at.guest1, remote) / l4(L4::Udp, family(), 2000, 53);
    Ran first = run(Program::UplinkEgress, frame);
    EXPECT_EQ(Ok, first.verdict);
    EXPECT_SOUND(first.packet);
    EXPECT_PACKET_EQ(first.packet, run(Program::UplinkEgress, frame).packet);
    auto made = session(flow(at.guest1, remote, 17, 2000, 53));
    ASSERT_TRUE(made);
    if (family() == 6) {
      EXPECT_EQ(VNET_SESSION_F_MASQUERADE, made->flags) << "the pool is IPv4's";
    } else {
      EXPECT_EQ(0, made->flags);
      seen.insert(ntohl(made->nat.word_be[3]));
    }
  }
  if (family() == 4) {
    EXPECT_EQ((std::set<std::uint32_t>{0xcb007150, 0xcb007151, 0xcb007152, 0xcb007153}), seen);
  }
  EXPECT_EQ(32U, session_count());
}

// A rule for guests (ip rule iif) sends out of this uplink what the host itself would send elsewhere.
TEST_P(UplinkEgress, TakesTheAddressOfThisUplink) {
  for (const std::string& to : {at.other_guest, at.nowhere})
    expect(Program::UplinkEgress, out_of_host / ip(at.guest1, to) / l4(L4::Udp, family(), 2000, 443), Ok,
           out_of_host / ip(at.host, to) / l4(L4::Udp, family(), 2000, 443));
}

TEST_P(UplinkEgress, TranslatesOtherProtocolsByAddressOnly) {
  auto gre = [&](const std::string& from, const std::string& to) -> Packet {
    Packet outer = ip(from, to);
    if (family() == 4)
      outer = outer.with<Ipv4>([](Ipv4& v4) { v4.protocol = 47; });
    else
      outer = outer.with<Ipv6>([](Ipv6& v6) { v6.next_header = 47; });
    return out_of_host / outer / Payload(40);
  };
  expect(Program::UplinkEgress, gre(at.guest1, at.remote), Ok, gre(at.host, at.remote));
  // Nothing tells two guests' tunnels to one far end apart.
  expect_drop(Program::UplinkEgress, gre(at.guest2, at.remote), slot::uplink, "ports-exhausted");
  expect(Program::UplinkEgress, gre(at.guest2, at.remote2), Ok, gre(at.host, at.remote2));
}

TEST_P(UplinkEgress, FragmentsFollowTheirFirst) {
  Packet whole =
      out_of_host / ip(at.guest1, at.remote) / Udp{.src_port = 2000, .dst_port = 443} / Payload(2000);
  Packet wanted =
      out_of_host / ip(at.host, at.remote) / Udp{.src_port = 2000, .dst_port = 443} / Payload(2000);
  auto in = fragments(whole, 900, 77), out = fragments(wanted, 900, 77);
  ASSERT_EQ(3U, in.size());
  // Those that overtake it need no ports to be translated.
  for (std::size_t i = 1; i < in.size(); ++i) expect(Program::UplinkEgress, in[i], Ok, out[i]);
  EXPECT_EQ(0U, session_count());
  // The first one's checksum is the whole datagram's: the difference of the addresses is all that changes.
  for (std::size_t i = 0; i < in.size(); ++i) expect(Program::UplinkEgress, in[i], Ok, out[i]);
  EXPECT_EQ(1U, session_count());
  EXPECT_EQ(3U, session(key(L4::Udp, at.guest1, 2000))->leg[VNET_OUT].packets);
}

TEST_P(UplinkEgress, TranslatesWhatTheHostsErrorsQuote) {
  for (L4 kind : {L4::Udp, L4::Tcp, L4::Echo}) {
    open(kind, at.guest1, 2000);
    std::uint16_t port = open(kind, at.guest2, 2000);
    for (Problem problem : {Problem::Unreachable, Problem::TooBig, Problem::TimeExceeded}) {
      auto error = [&](const std::string& from, const std::string& to, std::uint16_t at_port) -> Packet {
        return out_of_host / ip(from, at.remote) /
               icmp_error(problem, family(), ip(at.remote, to, 1) / l4_answer(kind, family(), at_port, 443));
      };
      expect(Program::UplinkEgress, error(at.host, at.guest2, 2000), Ok, error(at.host, at.host, port));
      // A guest's own error changes on the outside, too.
      expect(Program::UplinkEgress, error(at.guest2, at.guest2, 2000), Ok, error(at.host, at.host, port));
    }
  }
  EXPECT_EQ(6U, session_count());
}

TEST_P(UplinkEgress, LetsTheHostsErrorsAboutItselfPass) {
  Packet about = ip(at.remote, at.host) / l4(L4::Udp, family(), 443, 9);
  expect_same(Program::UplinkEgress,
              out_of_host / ip(at.host, at.remote) / icmp_error(Problem::Unreachable, family(), about), Ok);
}

TEST_P(UplinkEgress, DropsGuestsErrorsAboutNothing) {
  Packet about = ip(at.remote, at.guest1) / l4(L4::Udp, family(), 443, 9);
  expect_drop(Program::UplinkEgress,
              out_of_host / ip(at.guest1, at.remote) / icmp_error(Problem::Unreachable, family(), about),
              slot::uplink, "no-session");
}

// A neighbour's session is not a guest's to end or to slow down, whatever address it uses.
TEST_P(UplinkEgress, DropsErrorsAboutANeighboursSession) {
  open(L4::Udp, at.guest1, 2000, slot::g1);
  auto error = [&](const std::string& source) {
    return out_of_host / ip(source, at.remote, 63) /
           icmp_error(Problem::Unreachable, family(),
                      ip(at.remote, at.guest1) / l4_answer(L4::Udp, family(), 2000, 443));
  };
  for (const std::string& source : {at.guest2, at.guest1}) {
    Ran ran = run(Program::UplinkEgress, error(source), {}, slot::g2);
    EXPECT_EQ(Shot, ran.verdict) << source;
    EXPECT_EQ((Drops{{{slot::uplink, "spoofed-source"}, 1}}), ran.drops) << source;
  }
  EXPECT_EQ(Ok, run(Program::UplinkEgress, error(at.guest1), {}, slot::g1).verdict);
  // A router behind the guest's port may, too.
  EXPECT_EQ(Ok, run(Program::UplinkEgress, error(at.unresolved), {}, slot::g1).verdict);
}

// All ports towards one server may be one guest's only for as long as nobody else needs one.
TEST_P(UplinkEgress, ANeighboursFlowsGoOnWhenOneGuestHasAllPorts) {
  set_network([](vnet_network& n) {
    n.ports[0] = {5000, 7999}, n.ports[1] = {1, 0}, n.keep = n.ports[0];
    n.max_sessions = n.max_sessions_per_port = 100000;
  });
  unsigned held = 0, went_on = 0;
  for (unsigned i = 0; i < 3200; ++i)
    held += run(Program::UplinkEgress, outgoing(L4::Udp, at.guest1, static_cast<std::uint16_t>(10000 + i)),
                {}, slot::g1)
                .verdict == Ok;
  EXPECT_EQ(3000U, held);
  for (std::uint16_t i = 0; i < 40; ++i)
    went_on += run(Program::UplinkEgress, outgoing(L4::Udp, at.guest2, static_cast<std::uint16_t>(40000 + i)),
                   {}, slot::g2)
                   .verdict == Ok;
  EXPECT_EQ(40U, went_on);
  EXPECT_EQ(40U, usage(slot::g2));
  EXPECT_EQ(2960U, usage(slot::g1));
  // The one that has them all takes nothing from who has few.
  EXPECT_EQ(Shot, run(Program::UplinkEgress, outgoing(L4::Udp, at.guest1, 50000), {}, slot::g1).verdict);
  EXPECT_EQ(40U, usage(slot::g2));
}

TEST_P(UplinkEgress, KeepsToThePortsQuota) {
  set_network([](vnet_network& n) { n.max_sessions_per_port = 2; });
  for (std::uint16_t port : {2000, 2001})
    EXPECT_EQ(Ok, run(Program::UplinkEgress, outgoing(L4::Udp, at.guest1, port), {}, slot::g1).verdict);
  Ran third = run(Program::UplinkEgress, outgoing(L4::Udp, at.guest1, 2002), {}, slot::g1);
  EXPECT_EQ(Shot, third.verdict);
  EXPECT_EQ((Drops{{{slot::uplink, "port-quota"}, 1}}), third.drops);
  EXPECT_EQ(2U, usage(slot::g1));
  EXPECT_EQ(slot::g1, session(key(L4::Udp, at.guest1, 2000))->port);
  // The other guest has its own; and what is known goes on.
  EXPECT_EQ(Ok, run(Program::UplinkEgress, outgoing(L4::Udp, at.guest2, 2002), {}, slot::g2).verdict);
  EXPECT_EQ(Ok, run(Program::UplinkEgress, outgoing(L4::Udp, at.guest1, 2000), {}, slot::g1).verdict);
}

TEST_P(UplinkEgress, KeepsToTheNetworksLimit) {
  set_network([](vnet_network& n) { n.max_sessions = 2; });
  for (std::uint16_t port : {2000, 2001}) open(L4::Udp, at.guest1, port);
  expect_drop(Program::UplinkEgress, outgoing(L4::Udp, at.guest2, 2002), slot::uplink, "session-limit");
  EXPECT_EQ(2U, usage(slot::network));
}

TEST_P(UplinkEgress, KeepsToTheNetworksUplink) {
  set_network([&](vnet_network& n) { n.uplink_ifindex = ifindex("other0"); });
  expect_drop(Program::UplinkEgress, outgoing(L4::Udp, at.guest1, 2000), slot::uplink, "no-uplink");
}

TEST_P(UplinkEgress, TakesOverTheClosedConnectionsPort) {
  set_network([](vnet_network& n) { n.ports[0] = {5000, 5000}, n.ports[1] = {1, 0}, n.keep = n.ports[0]; });
  open(L4::Tcp, at.guest1, 40000);
  expect_drop(Program::UplinkEgress, outgoing(L4::Tcp, at.guest2, 40000), slot::uplink, "ports-exhausted");
  EXPECT_EQ(Ok, run(Program::UplinkEgress, reset(40000)).verdict);
  EXPECT_EQ(VNET_SESSION_CLOSED, session(key(L4::Tcp, at.guest1, 40000))->state);
  expect(Program::UplinkEgress, outgoing(L4::Tcp, at.guest2, 40000), Ok, outgoing_translated(L4::Tcp, 5000));
  EXPECT_FALSE(session(key(L4::Tcp, at.guest1, 40000)));
  EXPECT_EQ(1U, usage(slot::network));
}

// The far end remembers a closed connection (TIME-WAIT): its port rests while there are others.
TEST_P(UplinkEgress, LetsTheClosedConnectionsPortRest) {
  set_network([](vnet_network& n) { n.ports[0] = {5000, 5001}, n.ports[1] = {1, 0}, n.keep = n.ports[0]; });
  open(L4::Tcp, at.guest1, 40000);
  std::uint16_t first = ntohs(session(key(L4::Tcp, at.guest1, 40000))->nat_port_be);
  EXPECT_EQ(Ok, run(Program::UplinkEgress, reset(40000)).verdict);
  expect(Program::UplinkEgress, outgoing(L4::Tcp, at.guest2, 40000), Ok,
         outgoing_translated(L4::Tcp, first == 5000 ? 5001 : 5000));
  EXPECT_TRUE(session(key(L4::Tcp, at.guest1, 40000)));
}

TEST_P(UplinkEgress, GoesOnFromPortToPort) {
  set_network([](vnet_network& n) { n.ports[0] = {5000, 5999}, n.ports[1] = {1, 0}, n.keep = n.ports[0]; });
  auto port_of = [&](std::uint16_t source) {
    return source_port(run(Program::UplinkEgress, outgoing(L4::Tcp, at.guest1, source)).packet);
  };
  std::uint16_t port = port_of(40000);
  for (std::uint16_t source = 40001; source < 40010; ++source) {
    port = port == 5999 ? 5000 : static_cast<std::uint16_t>(port + 1);
    EXPECT_EQ(port, port_of(source));
  }
}

TEST_P(UplinkEgress, GivesASessionsShareBackOnce) {
  open(L4::Udp, at.guest1, 2000, slot::g1);
  // NAT is switched off under the session: a new one takes its place.
  set_network([](vnet_network& n) { n.flags = 0; });
  expect_same(Program::UplinkEgress, outgoing(L4::Udp, at.guest1, 2000), Ok);
  EXPECT_EQ(1U, session_count());
  EXPECT_EQ(1U, maps().rev_nat.keys().size());
  EXPECT_EQ(1U, usage(slot::network));
  EXPECT_EQ(0U, usage(slot::g1));
}

// A frame that our own programs have redirected: it carries the secret.
TEST_P(UplinkEgress, PassesItsOwnSecondPass) {
  std::uint64_t secret = maps().settings.get(0)->secret;
  RunContext marked{.cb = {static_cast<std::uint32_t>(secret), static_cast<std::uint32_t>(secret >> 32)}};
  expect_same(Program::UplinkEgress, outgoing(L4::Udp, at.guest1, 2000), Ok, marked);
  EXPECT_EQ(1U, traffic(slot::uplink).tx_packets);
  EXPECT_EQ(0U, session_count());
  for (int word : {0, 1}) {
    RunContext forged = marked;
    forged.cb[static_cast<std::size_t>(word)] ^= 1;
    expect(Program::UplinkEgress, outgoing(L4::Udp, at.guest1, 2000), Ok, outgoing_translated(L4::Udp, 2000),
           forged);
  }
}

// Not even what cannot be read: a leak guard fails closed.
TEST_P(UplinkEgress, DropsGuestsMalformedPackets) {
  Bytes frame = outgoing(L4::Tcp, at.guest1, 2000);
  for (std::uint8_t first : {0x05, 0x44, 0xf5, 0x75}) {
    Bytes damaged = frame;
    damaged[14] = first;
    expect_drop(Program::UplinkEgress, damaged, slot::uplink, "malformed");
  }
  Bytes cut = frame;
  cut.resize(frame.size() - 3);
  expect_drop(Program::UplinkEgress, cut, slot::uplink, "malformed");
}

}  // namespace
}  // namespace vnet::test
