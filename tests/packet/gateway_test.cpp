// SPDX-License-Identifier: GPL-2.0-or-later
// The gateway's device: what guests may reach through the host, and who may reach them.
#include <netinet/in.h>

#include "loader/apply/entries.h"
#include "tests/packet/datapath_fixture.h"

namespace vnet::test {
namespace {

class Gateway : public BothFamilies {
 protected:
  Packet sent(const std::string& from, const std::string& to) {
    return from_guest1 / ip(from, to) / l4(L4::Udp, family(), 2000, 53);
  }
  // What libvirt's `reject` sends: port unreachable, of the guest's packet only what must be quoted.
  Packet refusal(const Packet& about) {
    Packet reply = to_guest1;
    if (family() == 4)
      reply = reply / Ipv4{.src = at.gateway, .dst = at.guest1, .tos = 0xc0};
    else
      reply = reply / Ipv6{.src = at.gateway, .dst = at.guest1};
    return reply / icmp_error(Problem::Unreachable, family(), about, family() == 4 ? 28 : 48);
  }
  Packet coming(const std::string& from) {
    return to_guest1 / ip(from, at.guest1, 60) / l4(L4::Tcp, family(), 2000, 22);
  }
  RunContext through(const std::string& interface) { return {.ingress_ifindex = ifindex(interface)}; }
};
VNET_BOTH_FAMILIES(Gateway);

// --- from guests

TEST_P(Gateway, LetsGuestsReachTheHostAndTheUplink) {
  for (const std::string& to :
       {at.gateway, at.host, at.next_hop, at.remote, at.remote2, at.guest2, at.unresolved, at.multicast})
    expect_same(Program::GatewayIngress, sent(at.guest1, to), Ok);
  expect_same(Program::GatewayIngress,
              from_guest1 / Arp{.sender_ip = "192.168.122.10", .target_ip = "192.168.122.1"}, Ok);
}

TEST_P(Gateway, LetsGuestsWithoutAddressAsk) {
  if (family() == 4) {
    expect_same(Program::GatewayIngress, sent("0.0.0.0", "255.255.255.255"), Ok);
  } else {
    expect_same(Program::GatewayIngress, sent("::", "ff02::1:ff00:1"), Ok);
    expect_same(Program::GatewayIngress, sent("fe80::1", "ff02::2"), Ok);
    expect_same(Program::GatewayIngress, sent("fe80::1", "fd00:122::1"), Ok);
  }
}

TEST_P(Gateway, DropsOtherSources) {
  for (const std::string& from : {at.other_guest, at.remote, at.host})
    for (const std::string& to : {at.gateway, at.remote, at.other_guest})
      expect_drop(Program::GatewayIngress, sent(from, to), slot::network, "spoofed-source");
  // An ICMP error is its sender's, whatever it quotes.
  expect_drop(
      Program::GatewayIngress,
      from_guest1 / ip(at.remote, at.remote2) /
          icmp_error(Problem::Unreachable, family(), ip(at.remote2, at.guest1) / l4(L4::Udp, family(), 1, 2)),
      slot::network, "spoofed-source");
}

TEST_P(Gateway, RefusesOtherNetworksWithAnAnswer) {
  for (L4 kind : {L4::Udp, L4::Tcp, L4::Echo}) {
    Packet frame = from_guest1 / ip(at.guest1, at.other_guest) / l4(kind, family(), 2000, 53);
    Ran ran = run(Program::GatewayIngress, frame);
    EXPECT_EQ(Redirect, ran.verdict);
    EXPECT_EQ((Drops{{{slot::network, "other-network"}, 1}}), ran.drops);
    EXPECT_PACKET_EQ(refusal(frame), ran.packet);
    EXPECT_SOUND(ran.packet);
  }
}

TEST_P(Gateway, RefusesLongPacketsWithAnAnswer) {
  Packet frame = from_guest1 / ip(at.guest1, at.other_guest) / Udp{.src_port = 2000} / Payload(1400);
  expect(Program::GatewayIngress, frame, Redirect, refusal(frame));
  Packet gso =
      from_guest1 / ip(at.guest1, at.other_guest) / Tcp{.src_port = 2000, .flags = "A"} / Payload(2800);
  expect(Program::GatewayIngress, gso, Redirect, refusal(gso), {.gso_segs = 2, .gso_size = 1400});
}

TEST_P(Gateway, RefusesWhatLeavesByNoUplink) {
  Packet frame = sent(at.guest1, at.nowhere);
  Ran ran = run(Program::GatewayIngress, frame);
  EXPECT_EQ(Redirect, ran.verdict);
  EXPECT_EQ((Drops{{{slot::network, "no-uplink"}, 1}}), ran.drops);
  EXPECT_PACKET_EQ(refusal(frame), ran.packet);
  // <forward dev>: another uplink is none of this network's.
  set_network([&](vnet_network& n) { n.uplink_ifindex = ifindex("other0"); });
  EXPECT_EQ((Drops{{{slot::network, "no-uplink"}, 1}}),
            run(Program::GatewayIngress, sent(at.guest1, at.remote)).drops);
  set_network([&](vnet_network& n) { n.uplink_ifindex = ifindex("eth0"); });
  expect_same(Program::GatewayIngress, sent(at.guest1, at.remote), Ok);
}

TEST_P(Gateway, AnswersAtALimitedRatePerPort) {
  Packet frame = sent(at.guest1, at.other_guest);
  int answered = 0, silent = 0;
  for (int i = 0; i < 60; ++i) {
    int verdict = run(Program::GatewayIngress, frame, {}, slot::g1).verdict;
    answered += verdict == Redirect, silent += verdict == Shot;
  }
  // A burst of 20, and 10 more with each tick that may pass meanwhile.
  EXPECT_GE(answered, 20);
  EXPECT_LE(answered, 40);
  EXPECT_EQ(60, answered + silent);
  EXPECT_EQ(Redirect, run(Program::GatewayIngress, frame, {}, slot::g2).verdict)
      << "another port has its own";
}

TEST_P(Gateway, AnswersNoErrorsAndNoTails) {
  Packet about = ip(at.other_guest, at.guest1) / l4(L4::Udp, family(), 1, 2);
  expect_drop(Program::GatewayIngress,
              from_guest1 / ip(at.guest1, at.other_guest) / icmp_error(Problem::Unreachable, family(), about),
              slot::network, "other-network");
  Packet whole = from_guest1 / ip(at.guest1, at.other_guest) / Udp{} / Payload(2000);
  expect_drop(Program::GatewayIngress, fragments(whole, 900).at(1), slot::network, "other-network");
  // Too short to quote eight bytes of.
  Packet bare = family() == 4 ? Packet(Ipv4{.src = at.guest1, .dst = at.other_guest, .protocol = 47})
                              : Packet(Ipv6{.src = at.guest1, .dst = at.other_guest, .next_header = 47});
  expect_drop(Program::GatewayIngress, from_guest1 / bare, slot::network, "other-network");
}

TEST_P(Gateway, DropsMalformedPackets) {
  Bytes frame = sent(at.guest1, at.remote);
  frame.resize(frame.size() - 3);
  expect_drop(Program::GatewayIngress, frame, slot::network, "malformed");
}

// --- to guests

// The uplink's hook has found it to be for no guest: the host's NAT says that it is for one.
TEST_P(Gateway, LetsInWhatTheHostsNatTurns) {
  auto turned = [&](const Packet& packet, const std::string& from) {
    return run(Program::GatewayEgress, packet, through(from), VNET_TC_INDEX_JUDGED).verdict;
  };
  EXPECT_EQ(Redirect, turned(coming(at.remote), "eth0"));
  EXPECT_EQ(Shot, turned(coming(at.remote), "other0")) << "no hook of ours stands there";
  if (family() == 4) {
    Packet led = to_guest1 /
                 Ipv4{.src = at.remote, .dst = at.guest1, .options = {131, 7, 8, 192, 168, 122, 10, 0}} /
                 l4(L4::Udp, 4, 2000, 53);
    EXPECT_EQ(Shot, turned(led, "eth0")) << "by its sender";
  }
  for (const std::string& to : {at.nowhere, at.multicast, at.other_guest})
    EXPECT_EQ(Shot, turned(to_guest1 / ip(at.remote, to, 63) / l4(L4::Udp, family(), 2000, 53), "eth0"))
        << to << ": routed here, not turned";
  set_flags(flag::isolated);
  EXPECT_EQ(Shot, turned(coming(at.remote), "eth0"));
}

TEST_P(Gateway, LetsInFromAnotherNetworkWhatTheHostsNatTurns) {
  Packet packet = to_guest1 / ip(at.other_guest, at.guest1, 63) / l4(L4::Udp, family(), 2000, 53);
  vnet_flow sent = flow(at.other_guest, at.host, IPPROTO_UDP, 2000, 8053);
  for (std::uint32_t theirs : {flag::route, flag::nat, flag::isolated}) {
    set_other_flags(theirs);
    set_handed_up(flow(at.other_guest, at.guest1, IPPROTO_UDP, 2000, 53));
    EXPECT_EQ(Shot, run(Program::GatewayEgress, packet, through("virbr1")).verdict) << "sent here directly";
    set_handed_up(sent);
    EXPECT_EQ(theirs == flag::isolated ? Shot : Redirect,
              run(Program::GatewayEgress, packet, through("virbr1")).verdict);
  }
}

TEST_P(Gateway, SendsTheHostsPacketsStraightToThePort) {
  for (L4 kind : {L4::Udp, L4::Tcp, L4::Echo}) {
    auto before = traffic(slot::g1);
    Bytes frame = to_guest1 / ip(at.gateway, at.guest1) / l4(kind, family(), 2000, 22);
    expect_same(Program::GatewayEgress, frame, Redirect);
    EXPECT_EQ(before.rx_packets + 1, traffic(slot::g1).rx_packets);
    EXPECT_EQ(before.rx_bytes + frame.size(), traffic(slot::g1).rx_bytes);
  }
  expect_same(Program::GatewayEgress, to_guest1 / Arp{}, Redirect);
  expect_same(Program::GatewayEgress, Ethernet{.src = mac::gateway, .dst = "ff:ff:ff:ff:ff:ff"} / Arp{}, Ok);
  expect_same(Program::GatewayEgress,
              Ethernet{.src = mac::gateway, .dst = mac::stranger} / ip(at.gateway, at.unresolved) /
                  l4(L4::Udp, family(), 1, 2),
              Ok);
}

TEST_P(Gateway, LetsInWhatTheUplinkAdmitted) {
  expect_drop(Program::GatewayEgress, coming(at.remote), slot::network, "not-visible", through("eth0"));
  for (std::uint16_t index : {std::uint16_t{1}, slot::g1, std::uint16_t{0xfffd}})
    EXPECT_EQ(Shot, run(Program::GatewayEgress, coming(at.remote), through("eth0"), index).verdict);
  EXPECT_EQ(Redirect,
            run(Program::GatewayEgress, coming(at.remote), through("eth0"), VNET_TC_INDEX_ADMITTED).verdict);
  // Nobody but an uplink's or another gateway's hook can have admitted it.
  EXPECT_EQ(
      Shot,
      run(Program::GatewayEgress, coming(at.remote), through("other0"), VNET_TC_INDEX_ADMITTED).verdict);
}

// Where the uplink is in a VRF, the stack has seen the packet come in by that.
TEST_P(Gateway, BelievesTheUplinksBehindTheirVrf) {
  auto by_vrf = [&](std::uint16_t index) {
    return run(Program::GatewayEgress, coming(at.remote), through("other0"), index).verdict;
  };
  ASSERT_TRUE(
      write_device(maps(), static_cast<int>(ifindex("other0")), {.role = VNET_DEVICE_VRF}).has_value());
  EXPECT_EQ(Redirect, by_vrf(VNET_TC_INDEX_ADMITTED));
  EXPECT_EQ(Redirect, by_vrf(VNET_TC_INDEX_JUDGED));
  EXPECT_EQ(Shot, by_vrf(0));
  // It is no way out, which a session would have to name.
  set_flags(flag::route);
  EXPECT_EQ(Redirect, by_vrf(VNET_TC_INDEX_JUDGED));
  EXPECT_EQ(0U, session_count());
}

TEST_P(Gateway, KeepsOtherNetworksOut) {
  expect_drop(Program::GatewayEgress, coming(at.other_guest), slot::network, "other-network",
              through("virbr1"));
  expect_drop(Program::GatewayEgress, coming(at.nowhere), slot::network, "not-visible", through("other0"));
  EXPECT_EQ(Redirect, run(Program::GatewayEgress, coming(at.guest2), through("virbr0")).verdict);
}

// The host forwards more than our parser reads.
TEST_P(Gateway, KeepsOutWhatItCannotRead) {
  Packet tail =
      family() == 4
          ? Packet(Ipv4{.src = at.guest1, .dst = at.nowhere, .fragment_offset = 800, .protocol = 17})
          : Ipv6{.src = at.guest1, .dst = at.nowhere} /
                Packet(Ipv6Fragment{.offset = 800, .next_header = 17});
  Packet frame =
      to_guest1 / ip(at.nowhere, at.guest1) / icmp_error(Problem::Unreachable, family(), tail / Payload(40));
  expect_drop(Program::GatewayEgress, frame, slot::network, "not-visible", through("other0"));
  expect_drop(Program::GatewayEgress, frame, slot::network, "other-network", through("virbr1"));
  expect_same(Program::GatewayEgress, frame, Redirect);  // the host's own
}

TEST_P(Gateway, KeepsUnpluggedPortsQuiet) {
  set_port("g1", [](vnet_port& port) { port.flags |= VNET_PORT_F_DOWN; });
  expect_drop(Program::GatewayEgress, coming(at.gateway), slot::network, "link-down");
}

TEST_F(DatapathTest, DhcpRepliesLeaveWithoutAChecksum) {
  for (const std::string& to : {mac::guest1, std::string("ff:ff:ff:ff:ff:ff")}) {
    for (Checksum fill : {Checksum::Full, Checksum::Partial}) {
      auto reply = [&](std::optional<std::uint16_t> checksum) {
        return Ethernet{.src = mac::gateway, .dst = to} /
               Ipv4{.src = "192.168.122.1", .dst = "192.168.122.10"} /
               Udp{.src_port = 67, .dst_port = 68, .fill = fill, .checksum = checksum} / Payload(300);
      };
      expect(Program::GatewayEgress, reply(std::nullopt), to == mac::guest1 ? Redirect : Ok, reply(0));
    }
  }
}

TEST_F(DatapathTest, OthersKeepTheirChecksum) {
  for (auto [from, to] : {std::pair{68, 67}, {67, 69}, {66, 68}, {67, 67}}) {
    expect_same(
        Program::GatewayEgress,
        Ethernet{.src = mac::gateway, .dst = mac::guest1} /
            Ipv4{.src = "192.168.122.1", .dst = "192.168.122.10"} /
            Udp{.src_port = static_cast<std::uint16_t>(from), .dst_port = static_cast<std::uint16_t>(to)} /
            Payload(300),
        Redirect);
  }
}

}  // namespace
}  // namespace vnet::test
