// SPDX-License-Identifier: GPL-2.0-or-later
// What may reach a port, wherever the frame comes from and by whichever way it is handed over.
#include <arpa/inet.h>

#include <algorithm>

#include "tests/packet/guard_fixture.h"

namespace vnet::test {
namespace {

class Inbound : public GuardTest {
 protected:
  void shut(const std::string& interface) { guard(interface, VNET_PORT_F_SHUT); }
  void establish(const std::string& interface, int at_slot) {
    guard(interface, VNET_PORT_F_ESTABLISHED);
    Fd flows(bpf_map_create(BPF_MAP_TYPE_LRU_HASH, "flows", sizeof(vnet_flow), sizeof(__u32),
                            VNET_STARTED_MAX, nullptr));
    ASSERT_TRUE(flows);
    ASSERT_TRUE(maps().outgoing_flows.set(static_cast<__u32>(at_slot), static_cast<__u32>(flows.get())));
  }
  static vnet_allow_key rule(int at_slot, int proto, std::uint16_t port) {
    return {.slot = static_cast<__u16>(at_slot),
            .port_be = htons(port),
            .proto = static_cast<__u8>(proto),
            .pad = {}};
  }
  void allow(int at_slot, int proto, std::uint16_t port) {
    ASSERT_TRUE(maps().allow_rules.set(rule(at_slot, proto, port), {.anywhere = 1}));
  }
  void allow_from(int at_slot, int proto, std::uint16_t port, const std::string& from, unsigned length) {
    ASSERT_TRUE(maps().allow_rules.set(rule(at_slot, proto, port), {.anywhere = 0}));
    ASSERT_TRUE(maps().allow_prefixes.set(
        {.prefixlen = 64 + length, .rule = rule(at_slot, proto, port), .addr = address(from)}, 1));
  }

  // To guest 1 from guest 2 (by the port), from the host (by the gateway), and as the bridge delivers it.
  void reaches(const Packet& inside) {
    EXPECT_EQ(Redirect,
              run(Program::PortIngress, Ethernet{.src = mac::guest2, .dst = mac::guest1} / inside, on("g2"))
                  .verdict);
    EXPECT_EQ(Redirect, run(Program::GatewayEgress, to_guest1 / inside).verdict);
    expect_same(Program::PortEgress, to_guest1 / inside, Ok);
  }
  void refused(const Packet& inside, const std::string& reason = "inbound") {
    expect_drop(Program::PortIngress, Ethernet{.src = mac::guest2, .dst = mac::guest1} / inside, slot::g2,
                reason, on("g2"));
    expect_drop(Program::GatewayEgress, to_guest1 / inside, slot::network, reason);
    expect_drop(Program::PortEgress, to_guest1 / inside, slot::g1, reason);
  }
  void guest1_sends(const Packet& inside) {
    Ran ran = run(Program::PortIngress, Ethernet{.src = mac::guest1, .dst = mac::guest2} / inside);
    EXPECT_NE(Shot, ran.verdict) << testing::PrintToString(ran.drops);
  }
  Packet to1(L4 kind, std::uint16_t sport, std::uint16_t dport, const std::string& flags = "S") {
    return ip(at.guest2, at.guest1) / l4(kind, family(), sport, dport, flags);
  }
};
VNET_BOTH_FAMILIES(Inbound);

TEST_P(Inbound, AcceptsEverythingByDefault) {
  for (L4 kind : {L4::Udp, L4::Tcp, L4::Echo}) reaches(to1(kind, 2000, 22));
  reaches(Payload(60));
}

TEST_P(Inbound, RefusesWhatTheGuestHasNotStarted) {
  establish("g1", slot::g1);
  for (L4 kind : {L4::Udp, L4::Tcp, L4::Echo}) refused(to1(kind, 2000, 22));
  for (const char* flags : {"A", "SA", "R", "FA"}) refused(to1(L4::Tcp, 2000, 22, flags));
  refused(ip(at.guest2, at.guest1) / l4_answer(L4::Echo, family(), 7, 0));
  refused(Payload(60));
  expect_drop(Program::GatewayEgress, to_guest1 / Vlan{.id = 4} / to1(L4::Udp, 1, 2), slot::network,
              "vlan-tagged");
  EXPECT_EQ(0U, traffic(slot::g1).rx_packets);
}

TEST_P(Inbound, LetsAnswersIn) {
  establish("g1", slot::g1);
  for (L4 kind : {L4::Udp, L4::Tcp, L4::Echo}) {
    guest1_sends(ip(at.guest1, at.guest2) / l4(kind, family(), 3000, 53));
    reaches(ip(at.guest2, at.guest1) / l4_answer(kind, family(), 3000, 53));
  }
  // Of this flow only: another port, another peer, another protocol.
  refused(to1(L4::Udp, 53, 3001));
  refused(to1(L4::Udp, 54, 3000));
  refused(ip(at.gateway, at.guest1) / l4(L4::Udp, family(), 53, 3000));
  refused(to1(L4::Echo, 3000, 0));
}

TEST_P(Inbound, RefusalsAndAnswersStartNothing) {
  establish("g1", slot::g1);
  for (const char* flags : {"SA", "R", "RA"}) {
    guest1_sends(ip(at.guest1, at.guest2) / l4(L4::Tcp, family(), 22, 4000, flags));
    refused(to1(L4::Tcp, 4000, 22, "A"));
  }
  guest1_sends(ip(at.guest1, at.guest2) / l4_answer(L4::Echo, family(), 0, 0));
  refused(to1(L4::Echo, 0, 0));
}

TEST_P(Inbound, LetsErrorsAboutItsFlowsIn) {
  establish("g1", slot::g1);
  auto error = [&](std::uint16_t sport) {
    return ip(at.gateway, at.guest1) /
           icmp_error(Problem::TooBig, family(),
                      ip(at.guest1, at.remote, 60) / l4(L4::Udp, family(), sport, 53));
  };
  refused(error(3000));
  guest1_sends(ip(at.guest1, at.remote) / l4(L4::Udp, family(), 3000, 53));
  reaches(error(3000));
  refused(error(3001));
}

TEST_P(Inbound, AFlowThatIsSilentForLongIsOver) {
  establish("g1", slot::g1);
  guest1_sends(ip(at.guest1, at.guest2) / l4(L4::Udp, family(), 3000, 53));
  __u32 id = maps().outgoing_flows.get(slot::g1).value();
  Map<vnet_flow, __u32> flows{Fd(bpf_map_get_fd_by_id(id))};
  auto key = flow(at.guest1, at.guest2, 17, 3000, 53);
  auto seen = flows.get(key);
  ASSERT_TRUE(seen);
  reaches(to1(L4::Udp, 53, 3000));
  ASSERT_TRUE(flows.set(key, *seen - 400));  // 300 s and a good deal more, in ticks
  refused(to1(L4::Udp, 53, 3000));
}

TEST_P(Inbound, ASessionOlderThanTheSettingGoesOn) {
  open(L4::Tcp, at.guest1, 2000, slot::g1);
  establish("g1", slot::g1);
  EXPECT_EQ(Redirect, run(Program::UplinkIngress, answer(L4::Tcp, at.host, 2000)).verdict);
  shut("g1");
  set_port("g1", [](vnet_port& port) { port.flags &= ~static_cast<__u32>(VNET_PORT_F_ESTABLISHED); });
  expect_drop(Program::UplinkIngress, answer(L4::Tcp, at.host, 2000, "A"), slot::uplink, "inbound");
}

TEST_P(Inbound, DropShutsAnswersOutAsWell) {
  shut("g1");
  guest1_sends(ip(at.guest1, at.guest2) / l4(L4::Udp, family(), 3000, 53));
  refused(to1(L4::Udp, 53, 3000));
}

TEST_P(Inbound, KeepsTheGuestOnTheLink) {
  shut("g1");
  Ethernet all{.src = mac::gateway, .dst = "ff:ff:ff:ff:ff:ff"};
  expect_same(Program::PortEgress, all / Arp{.sender_ip = "192.168.122.1", .target_ip = "192.168.122.10"},
              Ok);
  expect_same(Program::PortEgress, Ethernet{.src = mac::gateway, .dst = "01:80:c2:00:00:00"} / Payload(40),
              Ok);
  // A link protocol is not IP: the group lets nothing in that would be refused elsewhere.
  expect_drop(Program::PortEgress,
              Ethernet{.src = mac::guest2, .dst = "01:80:c2:00:00:0e"} / ip(at.guest2, at.guest1) /
                  l4(L4::Udp, family(), 9, 53),
              slot::g1, "inbound");
  std::uint16_t server = family() == 4 ? 67 : 547, client = family() == 4 ? 68 : 546;
  reaches(ip(at.gateway, at.guest1) / l4(L4::Udp, family(), server, client));
  refused(ip(at.gateway, at.guest1) / l4(L4::Udp, family(), server, 53));
  if (family() == 4) {
    expect_same(Program::PortEgress,
                all / Ipv4{.src = at.gateway, .dst = "224.0.0.1", .ttl = 1, .protocol = 2} / Payload(8), Ok);
    return;
  }
  for (std::uint8_t type : {134, 135, 136}) {
    expect_same(Program::PortEgress,
                to_guest1 / ip("fe80::1", at.guest1, 255) / Icmpv6{.type = type} / Payload(24), Ok);
    refused(ip("fe80::1", at.guest1, 254) / Icmpv6{.type = type} / Payload(24));
  }
  expect_same(Program::PortEgress, all / ip("fe80::1", "ff02::1", 1) / Icmpv6{.type = 130} / Payload(20), Ok);
}

TEST_P(Inbound, AllowsByPort) {
  shut("g1");
  allow(slot::g1, IPPROTO_TCP, 22);
  reaches(to1(L4::Tcp, 2000, 22));
  reaches(to1(L4::Tcp, 2000, 22, "A"));
  reaches(ip(at.remote, at.guest1) / l4(L4::Tcp, family(), 2000, 22));
  refused(to1(L4::Udp, 2000, 22));
  refused(to1(L4::Tcp, 2000, 23));
  refused(to1(L4::Tcp, 22, 2000));
  // An error about what the guest's service has sent belongs to it.
  reaches(
      ip(at.gateway, at.guest1) /
      icmp_error(Problem::TooBig, family(), ip(at.guest1, at.remote) / l4(L4::Tcp, family(), 22, 2000, "A")));
  // Of this port alone.
  shut("g2");
  expect_drop(Program::PortEgress, to_guest2 / ip(at.guest1, at.guest2) / l4(L4::Tcp, family(), 2000, 22),
              slot::g2, "inbound", on("g2"));
}

TEST_P(Inbound, AllowsByPortAndPrefix) {
  establish("g1", slot::g1);
  allow_from(slot::g1, IPPROTO_TCP, 22, at.guest2, family() == 4 ? 96 + 24 : 64);
  reaches(to1(L4::Tcp, 2000, 22));
  reaches(ip(at.gateway, at.guest1) / l4(L4::Tcp, family(), 2000, 22));
  refused(ip(at.remote, at.guest1) / l4(L4::Tcp, family(), 2000, 22));
  refused(to1(L4::Tcp, 2000, 23));
}

TEST_P(Inbound, ManyRulesCostWhatOneCosts) {
  shut("g1");
  allow_from(slot::g1, IPPROTO_TCP, 22, at.guest2, 128);
  Packet frame = to_guest1 / to1(L4::Tcp, 2000, 22);
  auto cost = [&] {
    double least = 1e9;
    for (int i = 0; i < 9; ++i) least = std::min(least, nanoseconds_a_run(Program::PortEgress, frame, 20000));
    return least;
  };
  expect_same(Program::PortEgress, frame, Ok);
  double one = cost();
  for (std::uint16_t port = 1000; port < 9000; ++port) allow(slot::g1, IPPROTO_TCP, port);
  for (int i = 0; i < 250; ++i) allow_from(slot::g1, IPPROTO_TCP, 22, "203.0.113." + std::to_string(i), 128);
  expect_same(Program::PortEgress, frame, Ok);
  EXPECT_LT(cost(), 3 * one + 100) << one << " ns with one rule";
}

TEST_P(Inbound, LaterFragmentsFollowTheirFirst) {
  shut("g1");
  allow(slot::g1, IPPROTO_UDP, 53);
  auto parts = [&](std::uint16_t port, std::uint32_t id) {
    return fragments(to_guest1 / ip(at.guest2, at.guest1) / Udp{.dst_port = port} / Payload(2000), 900, id);
  };
  for (const Bytes& part : parts(53, 7)) expect_same(Program::PortEgress, part, Ok);
  auto refused = parts(54, 8);
  expect_drop(Program::PortEgress, refused[0], slot::g1, "inbound");
  expect_drop(Program::PortEgress, refused[1], slot::g1, "fragment-unknown");
  expect_drop(Program::PortEgress, parts(53, 9)[1], slot::g1, "fragment-unknown");
}

TEST_P(Inbound, HoldsForForwardedPorts) {
  vnet_port_forward_key key{
      .port_be = htons(8080), .proto = IPPROTO_TCP, .family = static_cast<__u8>(family())};
  ASSERT_TRUE(maps().port_forwards.set(
      key, {.to = address(at.guest1), .port_be = htons(80), .network = slot::network}));
  Bytes frame = into_host / ip(at.remote, at.host) / Tcp{.src_port = 5000, .dst_port = 8080};
  establish("g1", slot::g1);
  expect_drop(Program::UplinkIngress, frame, slot::uplink, "inbound");
  allow(slot::g1, IPPROTO_TCP, 80);
  EXPECT_EQ(Redirect, run(Program::UplinkIngress, frame).verdict);
}

// An outsider cannot use up the share of a guest that it may not reach.
TEST_P(Inbound, WhatIsRefusedMakesNoSession) {
  set_flags(flag::route);
  establish("g1", slot::g1);
  Packet frame = to_guest1 / ip(at.remote, at.guest1, 60) / l4(L4::Tcp, family(), 2000, 22);
  RunContext outside{.ingress_ifindex = ifindex("eth0")};
  expect_drop(Program::GatewayEgress, frame, slot::network, "inbound", outside);
  EXPECT_EQ(0U, session_count());
  allow(slot::g1, IPPROTO_TCP, 22);
  set_handed_up(flow(at.remote, at.guest1, IPPROTO_TCP, 2000, 22));
  expect_same(Program::GatewayEgress, frame, Redirect, outside);
  EXPECT_EQ(1U, session_count());
  // Its rule taken back, the connection ends, by the fast way as well.
  ASSERT_TRUE(maps().allow_rules.erase(rule(slot::g1, IPPROTO_TCP, 22)));
  expect_drop(Program::UplinkIngress,
              into_host / ip(at.remote, at.guest1, 60) / l4(L4::Tcp, family(), 2000, 22, "A"), slot::uplink,
              "inbound");
}

// --- isolated ports

TEST_P(Inbound, IsolatedPortsDoNotReachEachOther) {
  for (const char* name : {"g1", "g2"}) guard(name, VNET_PORT_F_ISOLATED);
  ASSERT_TRUE(maps().isolated.set(slot::g1, slot::network));
  ASSERT_TRUE(maps().isolated.set(slot::g2, slot::network));
  Packet inside = to1(L4::Udp, 9, 53);
  Packet direct = Ethernet{.src = mac::guest2, .dst = mac::guest1} / inside;
  expect_drop(Program::PortIngress, direct, slot::g2, "isolated-port", on("g2"));
  // What the bridge floods, and what the host's stack turns round: the sender's slot travels along.
  Ran flooded = run(Program::PortEgress, direct, {}, slot::g2);
  EXPECT_EQ((Drops{{{slot::g1, "isolated-port"}, 1}}), flooded.drops);
  Ran turned =
      run(Program::GatewayEgress, to_guest1 / inside, {.ingress_ifindex = ifindex("virbr0")}, slot::g2);
  EXPECT_EQ((Drops{{{slot::network, "isolated-port"}, 1}}), turned.drops);
  // The host and uplinks reach them, and so does a port that is not isolated.
  EXPECT_EQ(Redirect, run(Program::GatewayEgress, to_guest1 / inside).verdict);
  open(L4::Udp, at.guest1, 2000, slot::g1);
  EXPECT_EQ(Redirect, run(Program::UplinkIngress, answer(L4::Udp, at.host, 2000)).verdict);
  set_port("g2", [](vnet_port& port) { port.flags = VNET_PORT_F_MAC; });
  ASSERT_TRUE(maps().isolated.erase(slot::g2));
  EXPECT_EQ(Redirect, run(Program::PortIngress, direct, on("g2")).verdict);
  EXPECT_EQ(Redirect, run(Program::PortIngress, Ethernet{.src = mac::guest1, .dst = mac::guest2} /
                                                    ip(at.guest1, at.guest2) / l4(L4::Udp, family(), 9, 53))
                          .verdict);
}

}  // namespace
}  // namespace vnet::test
