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

const Ethernet out_of_host{.src = mac::uplink, .dst = mac::next_hop};

int protocol(L4 kind, int family) { return kind == L4::Udp ? 17 : kind == L4::Tcp ? 6 : family == 4 ? 1 : 58; }

std::uint16_t source_port(const Bytes& frame) {
  std::size_t at = frame[12] == 8 ? 34 : 54;
  return static_cast<std::uint16_t>(frame[at] << 8 | frame[at + 1]);
}

class UplinkEgress : public BothFamilies {
 protected:
  Packet sent(L4 kind, const std::string& guest, std::uint16_t sport, const std::string& flags = "S") {
    return out_of_host / ip(guest, at.remote, 63) / l4(kind, family(), sport, 443, flags);
  }
  Packet translated(L4 kind, std::uint16_t sport, const std::string& flags = "S") {
    return out_of_host / ip(at.host, at.remote, 63) / l4(kind, family(), sport, 443, flags);
  }
  vnet_flow key(L4 kind, const std::string& guest, std::uint16_t sport) {
    return flow(guest, at.remote, protocol(kind, family()), sport, kind == L4::Echo ? 0 : 443);
  }
  vnet_flow answer(L4 kind, std::uint16_t port) {
    return flow(at.remote, at.host, protocol(kind, family()), kind == L4::Echo ? 0 : 443, port);
  }
};
VNET_BOTH_FAMILIES(UplinkEgress);

TEST_P(UplinkEgress, MasqueradesAndKeepsThePortInsideTheSpan) {
  for (L4 kind : {L4::Udp, L4::Tcp, L4::Echo}) {
    Bytes frame = sent(kind, at.guest1, 2000);
    expect(Program::UplinkEgress, frame, Ok, translated(kind, 2000));
    auto made = session(key(kind, at.guest1, 2000));
    ASSERT_TRUE(made);
    EXPECT_EQ(htons(2000), made->nat_port_be);
    EXPECT_EQ(VNET_SESSION_F_MASQUERADE, made->flags);
    EXPECT_EQ(slot::network, made->network);
    EXPECT_EQ(1U, made->leg[VNET_OUT].packets);
    EXPECT_EQ(frame.size(), made->leg[VNET_OUT].bytes);
    EXPECT_TRUE(maps().reverse.get(answer(kind, 2000)));
  }
  EXPECT_EQ(3U, probes(0));
  EXPECT_EQ(3U, traffic(slot::uplink).tx_packets);
  EXPECT_EQ(3U, usage(slot::network));
}

TEST_P(UplinkEgress, MovesAPortIntoTheSpan) {
  set_network([](vnet_network& n) { n.ports[0] = {5000, 5000}, n.ports[1] = {1, 0}; });
  for (L4 kind : {L4::Udp, L4::Tcp}) expect(Program::UplinkEgress, sent(kind, at.guest1, 40000), Ok, translated(kind, 5000));
  EXPECT_EQ(2U, probes(1));
  // The second span is used like the first.
  set_network([](vnet_network& n) { n.ports[0] = {1, 0}, n.ports[1] = {6000, 6000}; });
  expect(Program::UplinkEgress, sent(L4::Udp, at.guest1, 40001), Ok, translated(L4::Udp, 6000));
}

TEST_P(UplinkEgress, StaysInsideTheSpans) {
  set_network([](vnet_network& n) { n.ports[0] = {5000, 5003}, n.ports[1] = {6000, 6003}; });
  std::set<std::uint16_t> seen;
  for (std::uint16_t i = 0; i < 8; ++i) {
    Ran ran = run(Program::UplinkEgress, sent(L4::Udp, at.guest1, static_cast<std::uint16_t>(40000 + i)));
    ASSERT_EQ(Ok, ran.verdict);
    EXPECT_SOUND(ran.packet);
    seen.insert(source_port(ran.packet));
  }
  EXPECT_EQ((std::set<std::uint16_t>{5000, 5001, 5002, 5003, 6000, 6001, 6002, 6003}), seen);
}

TEST_P(UplinkEgress, UsesTheSessionAgain) {
  for (L4 kind : {L4::Udp, L4::Tcp, L4::Echo}) {
    Ran first = run(Program::UplinkEgress, sent(kind, at.guest1, 40000));
    Ran second = run(Program::UplinkEgress, sent(kind, at.guest1, 40000));
    EXPECT_PACKET_EQ(first.packet, second.packet);
    EXPECT_EQ(2U, session(key(kind, at.guest1, 40000))->leg[VNET_OUT].packets);
  }
  EXPECT_EQ(3U, session_count());
  EXPECT_EQ(3U, usage(slot::network));
}

TEST_P(UplinkEgress, GivesTwoGuestsDifferentPorts) {
  for (L4 kind : {L4::Udp, L4::Tcp, L4::Echo}) {
    expect(Program::UplinkEgress, sent(kind, at.guest1, 2000), Ok, translated(kind, 2000));
    Ran second = run(Program::UplinkEgress, sent(kind, at.guest2, 2000));
    EXPECT_EQ(Ok, second.verdict);
    EXPECT_SOUND(second.packet);
    auto made = session(key(kind, at.guest2, 2000));
    ASSERT_TRUE(made);
    std::uint16_t port = ntohs(made->nat_port_be);
    EXPECT_NE(2000, port);
    EXPECT_PACKET_EQ(translated(kind, port), second.packet);
    EXPECT_TRUE(maps().reverse.get(answer(kind, port)));
  }
}

TEST_P(UplinkEgress, DropsWhenTheSpanIsExhausted) {
  set_network([](vnet_network& n) { n.ports[0] = {5000, 5001}, n.ports[1] = {1, 0}; });
  for (std::uint16_t port : {40000, 40001}) EXPECT_EQ(Ok, run(Program::UplinkEgress, sent(L4::Udp, at.guest1, port)).verdict);
  expect_drop(Program::UplinkEgress, sent(L4::Udp, at.guest1, 40002), slot::uplink, "ports-exhausted");
  EXPECT_EQ(1U, probes(VNET_PROBE_MAX));
  EXPECT_EQ(2U, usage(slot::network)) << "what was reserved for the failed one is given back";
  // Another destination is another tuple: the ports are free there.
  EXPECT_EQ(Ok, run(Program::UplinkEgress, out_of_host / ip(at.guest1, at.remote2) / l4(L4::Udp, family(), 40002, 443)).verdict);
}

TEST_P(UplinkEgress, AvoidsPortsOfTheHostsSockets) {
  set_network([](vnet_network& n) { n.ports[0] = {5000, 5001}, n.ports[1] = {1, 0}; });
  for (L4 kind : {L4::Udp, L4::Tcp}) {
    int fd = socket(family() == 4 ? AF_INET : AF_INET6, kind == L4::Udp ? SOCK_DGRAM : SOCK_STREAM, 0);
    sockaddr_in v4{.sin_family = AF_INET, .sin_port = htons(5000)};
    sockaddr_in6 v6{.sin6_family = AF_INET6, .sin6_port = htons(5000)};
    ASSERT_EQ(0, family() == 4 ? bind(fd, reinterpret_cast<sockaddr*>(&v4), sizeof v4)
                               : bind(fd, reinterpret_cast<sockaddr*>(&v6), sizeof v6));
    if (kind == L4::Tcp) {
      ASSERT_EQ(0, listen(fd, 1));
    }
    expect(Program::UplinkEgress, sent(kind, at.guest1, 5000), Ok, translated(kind, 5001));
    close(fd);
  }
}

TEST_P(UplinkEgress, DropsWhatBeginsNothing) {
  for (const char* flags : {"R", "RA", "SA"})
    expect_drop(Program::UplinkEgress, sent(L4::Tcp, at.guest1, 2000, flags), slot::uplink, "no-session");
  expect_drop(Program::UplinkEgress, out_of_host / ip(at.guest1, at.remote) / l4_answer(L4::Echo, family(), 77, 0),
              slot::uplink, "no-session");
  EXPECT_EQ(0U, session_count());
  EXPECT_EQ(0U, usage(slot::network));
}

TEST_P(UplinkEgress, DropsMulticastOfGuests) {
  Packet to_group = out_of_host / ip(at.guest1, at.multicast) / l4(L4::Udp, family(), 2000, 5353);
  expect_drop(Program::UplinkEgress, to_group, slot::uplink, "not-routable");
  expect_same(Program::UplinkEgress, out_of_host / ip(at.host, at.multicast) / l4(L4::Udp, family(), 2000, 5353), Ok);
}

TEST_P(UplinkEgress, LetsTheHostsOwnTrafficPass) {
  for (L4 kind : {L4::Udp, L4::Tcp, L4::Echo})
    expect_same(Program::UplinkEgress, out_of_host / ip(at.host, at.remote) / l4(kind, family(), 2000, 443), Ok);
  EXPECT_EQ(0U, session_count());
}

TEST_P(UplinkEgress, LetsArpAndOtherProtocolsPass) {
  expect_same(Program::UplinkEgress, out_of_host / Arp{.sender_ip = "203.0.113.2", .target_ip = "203.0.113.1"}, Ok);
  expect_same(Program::UplinkEgress, out_of_host / Payload(50), Ok);
}

}  // namespace
}  // namespace vnet::test
