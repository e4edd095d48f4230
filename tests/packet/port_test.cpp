// SPDX-License-Identifier: GPL-2.0-or-later
// A guest's port: who it may be, and the short way for what is known.
#include <arpa/inet.h>

#include <cstring>

#include "tests/packet/datapath_fixture.h"

namespace vnet::test {
namespace {

class Port : public BothFamilies {
 protected:
  Packet sent(L4 kind, const std::string& guest, std::uint16_t sport, const std::string& flags = "S",
              int ttl = 64) {
    return from_guest1 / ip(guest, at.remote, ttl) / l4(kind, family(), sport, 443, flags);
  }
  RunContext on(const std::string& interface) { return {.ifindex = ifindex(interface)}; }
  std::uint32_t learned(int at_slot) {
    return maps().quota_usage.get(static_cast<__u32>(at_slot)).value().learned;
  }
  std::optional<vnet_fdb_entry> known(std::uint8_t last) {
    vnet_fdb_key key{.network = slot::network, .mac = {2, 0, 0, 0, 0, last}};
    return maps().fdb.get(key);
  }
  Packet hello(int last) {
    return Ethernet{
               .src = "02:00:00:00:00:" + std::string(last < 16 ? "0" : "1") + "0123456789abcdef"[last % 16],
               .dst = mac::gateway} /
           ip(at.guest1, at.gateway) / l4(L4::Udp, family(), 9, 53);
  }
  void let_learn(const std::string& interface) {
    set_port(interface, [](vnet_port& port) { port.flags = 0; });
  }
};
VNET_BOTH_FAMILIES(Port);

// --- who the guest may be

TEST_P(Port, DropsOtherMacs) {
  for (const std::string& source :
       {mac::guest2, mac::gateway, mac::stranger, std::string("01:00:5e:00:00:01")}) {
    expect_drop(Program::PortIngress,
                Ethernet{.src = source, .dst = mac::gateway} / ip(at.guest1, at.remote) /
                    l4(L4::Udp, family(), 9, 53),
                slot::g1, "spoofed-mac");
    expect_drop(Program::PortIngress, Ethernet{.src = source, .dst = "ff:ff:ff:ff:ff:ff"} / Arp{}, slot::g1,
                "spoofed-mac");
  }
  EXPECT_EQ(0U, traffic(slot::g1).tx_packets);
}

TEST_P(Port, LearnsMacsUpToALimit) {
  let_learn("g1");
  for (int i = 0; i < VNET_LEARN_MAX + 2; ++i) expect_same(Program::PortIngress, hello(i), Ok);
  EXPECT_EQ(static_cast<unsigned>(VNET_LEARN_MAX), learned(slot::g1));
  EXPECT_TRUE(known(VNET_LEARN_MAX - 1));
  EXPECT_FALSE(known(VNET_LEARN_MAX));
  EXPECT_EQ(ifindex("g1"), known(0)->ifindex);
  // Again and again the same one costs nothing.
  for (int i = 0; i < 3; ++i) expect_same(Program::PortIngress, hello(0), Ok);
  EXPECT_EQ(static_cast<unsigned>(VNET_LEARN_MAX), learned(slot::g1));
}

TEST_P(Port, FollowsALearnedMacThatMoves) {
  let_learn("g1"), let_learn("g2");
  for (int i = 0; i < 2 * VNET_LEARN_MAX + 4; ++i) {
    expect_same(Program::PortIngress, hello(1), Ok, on(i % 2 ? "g2" : "g1"));
    EXPECT_EQ(ifindex(i % 2 ? "g2" : "g1"), known(1)->ifindex) << "move " << i;
  }
  EXPECT_EQ(0U, learned(slot::g1)) << "what has moved away is not counted";
  EXPECT_EQ(1U, learned(slot::g2));
}

TEST_P(Port, NeverLearnsWhatIsNotTheGuests) {
  let_learn("g1");
  for (const std::string& source : {mac::guest2, mac::gateway, std::string("03:00:00:00:00:01")})
    expect_drop(Program::PortIngress, Ethernet{.src = source, .dst = mac::stranger} / Payload(50), slot::g1,
                "spoofed-mac");
  EXPECT_EQ(0U, learned(slot::g1));
}

TEST_P(Port, DropsTheHostsLinkProtocols) {
  for (int last : {0, 2, 14, 15}) {
    std::string group = std::string("01:80:c2:00:00:0") + "0123456789abcdef"[last];
    expect_drop(Program::PortIngress, Ethernet{.src = mac::guest1, .dst = group} / Payload(40), slot::g1,
                "bpdu");
  }
  expect_same(Program::PortIngress, Ethernet{.src = mac::guest1, .dst = "01:80:c2:00:00:10"} / Payload(40),
              Ok);
}

// <vnet:link-protocols forward>: bit n for 01:80:c2:00:00:0n, and no other.
TEST_P(Port, PassesOnWhatTheNetworkNames) {
  set_network([](vnet_network& n) { n.link_protocols = 1 << 14 | 1 << 3; });
  auto to = [](int last, std::uint16_t type) {
    std::string group = std::string("01:80:c2:00:00:0") + "0123456789abcdef"[last];
    return Ethernet{.src = mac::guest1, .dst = group, .type = type} / Payload(40);
  };
  for (int last = 0; last < 16; ++last) {
    if (last == 3 || last == 14)
      expect_same(Program::PortIngress, to(last, 0x88cc), Ok);
    else
      expect_drop(Program::PortIngress, to(last, 0x88cc), slot::g1, "bpdu");
  }
  // Up to the host's own daemon goes what is one, and nothing that the stack would unpack.
  expect_same(Program::GatewayIngress, to(14, 0x88cc), Ok);
  expect_same(Program::GatewayIngress, to(3, 0x888e), Ok);
  expect_drop(Program::GatewayIngress, to(14, 0x8847), slot::network, "ethertype");
  expect_drop(Program::GatewayIngress,
              Ethernet{.src = mac::guest1, .dst = "01:80:c2:00:00:0e"} / ip(at.remote, at.gateway) /
                  l4(L4::Udp, family(), 9, 53),
              slot::network, "spoofed-source");
  for (std::uint32_t closed : {VNET_NETWORK_F_HOST_SERVICES, VNET_NETWORK_F_HOST_CLOSED}) {
    set_flags(flag::nat | closed);
    expect_drop(Program::GatewayIngress, to(14, 0x88cc), slot::network, "ethertype");
  }
}

// On a bridge of the host's own its group_fwd_mask decides.
TEST_P(Port, OnABridgeOfTheHostsItIsTheBridgesToPassOn) {
  set_flags(flag::bridged);
  Packet lldp = Ethernet{.src = mac::guest1, .dst = "01:80:c2:00:00:0e"} / Payload(40);
  expect_drop(Program::PortIngress, lldp, slot::g1, "bpdu");
  set_network([](vnet_network& n) { n.link_protocols = 1 << 14; });
  expect_same(Program::PortIngress, lldp, Ok);
}

TEST_P(Port, DropsOnUnknownAndUnpluggedPorts) {
  expect_drop(Program::PortIngress, sent(L4::Udp, at.guest1, 9), slot::network, "unattached", on("h1"));
  expect_drop(Program::PortEgress, sent(L4::Udp, at.guest1, 9), slot::network, "unattached", on("h1"));
  set_port("g1", [](vnet_port& port) { port.flags |= VNET_PORT_F_DOWN; });
  expect_drop(Program::PortIngress, sent(L4::Udp, at.guest1, 9), slot::g1, "link-down");
  expect_drop(Program::PortEgress, to_guest1 / ip(at.gateway, at.guest1) / l4(L4::Udp, family(), 9, 53),
              slot::g1, "link-down");
  expect_drop(Program::PortIngress, Ethernet{.src = mac::guest2, .dst = mac::guest1} / Payload(40), slot::g2,
              "link-down", on("g2"));
}

TEST_P(Port, CountsWhatTheBridgeDelivers) {
  Bytes frame = to_guest1 / ip(at.gateway, at.guest1) / l4(L4::Udp, family(), 9, 53);
  expect_same(Program::PortEgress, frame, Ok);
  EXPECT_EQ(1U, traffic(slot::g1).rx_packets);
  EXPECT_EQ(frame.size(), traffic(slot::g1).rx_bytes);
  std::uint64_t secret = maps().settings.get(0)->secret;
  expect_same(Program::PortEgress, frame, Ok,
              {.cb = {static_cast<std::uint32_t>(secret), static_cast<std::uint32_t>(secret >> 32)}});
  EXPECT_EQ(1U, traffic(slot::g1).rx_packets) << "a redirected frame has been counted before";
}

// --- inside the network

TEST_P(Port, SendsUnicastStraightToTheOtherPort) {
  for (const Packet& inside :
       {ip(at.guest1, at.guest2, 1) / l4(L4::Tcp, family(), 2000, 22), Packet(Payload(60))}) {
    Bytes frame = Ethernet{.src = mac::guest1, .dst = mac::guest2} / inside;
    auto before = traffic(slot::g2);
    expect_same(Program::PortIngress, frame, Redirect);
    EXPECT_EQ(before.rx_packets + 1, traffic(slot::g2).rx_packets);
  }
  EXPECT_EQ(2U, traffic(slot::g1).tx_packets);
}

TEST_P(Port, FloodsAndHandsUpTheRest) {
  expect_same(Program::PortIngress, Ethernet{.src = mac::guest1, .dst = mac::stranger} / Payload(60), Ok);
  expect_drop(Program::PortIngress, Ethernet{.src = mac::guest1, .dst = mac::guest1} / Payload(60), slot::g1,
              "reflected");
  expect_same(Program::PortIngress, Ethernet{.src = mac::guest1, .dst = "ff:ff:ff:ff:ff:ff"} / Arp{}, Ok);
  expect_same(Program::PortIngress, Ethernet{.src = mac::guest1, .dst = "33:33:00:00:00:01"} / Payload(60),
              Ok);
  expect_drop(Program::PortIngress,
              from_guest1 / Vlan{.id = 5} / ip(at.guest1, at.remote) / l4(L4::Udp, family(), 9, 53), slot::g1,
              "vlan-tagged");
  expect_same(Program::PortIngress,
              from_guest1 / Arp{.sender_ip = "192.168.122.10", .target_ip = "192.168.122.1"}, Ok);
}

// --- out of the network

TEST_P(Port, SendsKnownFlowsStraightOut) {
  for (L4 kind : {L4::Udp, L4::Tcp, L4::Echo}) {
    open(kind, at.guest2, 2000, slot::g2);
    std::uint16_t port = open(kind, at.guest1, 2000, slot::g1);
    EXPECT_NE(2000, port);
    Bytes frame = sent(kind, at.guest1, 2000);
    expect(Program::PortIngress, frame, Redirect, outgoing_translated(kind, port));
    auto known = session(key(kind, at.guest1, 2000));
    EXPECT_EQ(2U, known->leg[VNET_OUT].packets);
    EXPECT_EQ(ifindex("eth0"), known->leg[VNET_OUT].hop.ifindex);
    EXPECT_EQ(1400, known->leg[VNET_OUT].hop.mtu);
  }
  EXPECT_EQ(3U, traffic(slot::g1).tx_packets);
}

TEST_P(Port, LeavesNewFlowsToTheStack) {
  for (L4 kind : {L4::Udp, L4::Tcp, L4::Echo})
    expect_same(Program::PortIngress, sent(kind, at.guest1, 2000), Ok);
  expect_same(Program::PortIngress, from_guest1 / ip(at.guest1, at.gateway) / l4(L4::Udp, family(), 9, 53),
              Ok);
  EXPECT_EQ(0U, session_count());
}

TEST_P(Port, LeavesToTheStackWhatItHasToAnswer) {
  open(L4::Udp, at.guest1, 2000, slot::g1);
  expect_same(Program::PortIngress, sent(L4::Udp, at.guest1, 2000, "", 1), Ok);
  Packet options = family() == 4
                       ? Packet(Ipv4{.src = at.guest1, .dst = at.remote, .options = {7, 7, 4, 0, 0, 0, 0, 0}})
                       : Ipv6{.src = at.guest1, .dst = at.remote} / Packet(Ipv6HopByHop{});
  expect_same(Program::PortIngress, from_guest1 / options / l4(L4::Udp, family(), 2000, 443), Ok);
  int most = 1400 - (family() == 4 ? 28 : 48);
  auto big = [&](int bytes) {
    return from_guest1 / ip(at.guest1, at.remote) / Udp{.src_port = 2000, .dst_port = 443} / Payload(bytes);
  };
  expect_same(Program::PortIngress, big(most + 1), Ok);
  EXPECT_EQ(1U, session(key(L4::Udp, at.guest1, 2000))->leg[VNET_OUT].packets);
  EXPECT_EQ(Redirect, run(Program::PortIngress, big(most)).verdict);
}

TEST_P(Port, LooksAtGsoPacketsAsTheSegmentsTheyBecome) {
  open(L4::Tcp, at.guest1, 2000, slot::g1);
  Packet big = from_guest1 / ip(at.guest1, at.remote) /
               Tcp{.src_port = 2000, .dst_port = 443, .flags = "A", .options = {1, 1, 1, 1}} / Payload(3000);
  auto most = static_cast<std::uint32_t>(1400 - (family() == 4 ? 44 : 64));
  EXPECT_EQ(Ok, run(Program::PortIngress, big, {.gso_segs = 3, .gso_size = most + 1}).verdict);
  Ran ran = run(Program::PortIngress, big, {.gso_segs = 3, .gso_size = most});
  EXPECT_EQ(Redirect, ran.verdict);
  EXPECT_SOUND(ran.packet);
}

TEST_P(Port, LeavesAUdpChecksumOfZero) {
  if (family() == 6) GTEST_SKIP() << "IPv6 has none";
  open(L4::Udp, at.guest1, 2000, slot::g1);
  auto none = [&](const std::string& from, const Ethernet& link, int ttl) {
    return link / ip(from, at.remote, ttl) / Udp{.src_port = 2000, .dst_port = 443, .checksum = 0} /
           Payload(3);
  };
  expect(Program::PortIngress, none(at.guest1, from_guest1, 64), Redirect, none(at.host, out_of_host, 63));
}

TEST_P(Port, LeavesAnotherPortsSessionToTheStack) {
  open(L4::Udp, at.guest2, 2000, slot::g2);
  expect_same(Program::PortIngress, sent(L4::Udp, at.guest2, 2000), Ok);
  // Where nobody knows the port, as behind a bridge of the guest's, every port of the network may.
  open(L4::Udp, at.guest2, 3000);
  EXPECT_EQ(Redirect, run(Program::PortIngress, sent(L4::Udp, at.guest2, 3000)).verdict);
}

TEST_P(Port, FragmentsFollowTheirFirst) {
  Packet whole =
      from_guest1 / ip(at.guest1, at.remote) / Udp{.src_port = 2000, .dst_port = 443} / Payload(2000);
  Packet wanted =
      out_of_host / ip(at.host, at.remote, 63) / Udp{.src_port = 2000, .dst_port = 443} / Payload(2000);
  auto in = fragments(whole, 900, 77), out = fragments(wanted, 900, 77);
  expect_same(Program::PortIngress, in[1], Ok);
  // The first took the stack: the others do, too, although the session is there meanwhile.
  expect_same(Program::PortIngress, in[0], Ok);
  open(L4::Udp, at.guest1, 2000, slot::g1);
  for (std::size_t i : {1U, 2U}) expect_same(Program::PortIngress, in[i], Ok);
  for (std::size_t i = 0; i < in.size(); ++i) expect(Program::PortIngress, in[i], Redirect, out[i]);
}

TEST_P(Port, TranslatesAGuestsErrors) {
  for (L4 kind : {L4::Udp, L4::Tcp, L4::Echo}) {
    open(kind, at.guest2, 2000, slot::g2);
    std::uint16_t port = open(kind, at.guest1, 2000, slot::g1);
    auto error = [&](const Ethernet& link, const std::string& from, int ttl,
                     std::uint16_t at_port) -> Packet {
      return link / ip(from, at.remote, ttl) /
             icmp_error(Problem::Unreachable, family(),
                        ip(at.remote, from, 59) / l4_answer(kind, family(), at_port, 443));
    };
    expect(Program::PortIngress, error(from_guest1, at.guest1, 64, 2000), Redirect,
           error(out_of_host, at.host, 63, port));
  }
}

// An error may quote a session of its sender's and be sent to anybody: that is for the host's rules.
TEST_P(Port, LeavesErrorsToThirdPartiesToTheStack) {
  open(L4::Udp, at.guest1, 2000, slot::g1);
  Packet about = ip(at.remote, at.guest1, 59) / l4(L4::Udp, family(), 443, 2000);
  for (const std::string& to : {at.remote2, at.other_guest, at.gateway})
    expect_same(Program::PortIngress,
                from_guest1 / ip(at.guest1, to) / icmp_error(Problem::Unreachable, family(), about), Ok);
}

TEST_P(Port, FollowsTcp) {
  open(L4::Tcp, at.guest1, 2000, slot::g1);
  auto state = [&] { return session(key(L4::Tcp, at.guest1, 2000))->state; };
  auto segment = [](const char* flags, std::uint32_t seq, std::uint32_t ack) {
    return [=](Tcp& tcp) { tcp.flags = flags, tcp.seq = seq, tcp.ack = ack; };
  };
  auto send = [&](const char* flags, std::uint32_t seq, std::uint32_t ack) {
    Packet packet = sent(L4::Tcp, at.guest1, 2000).with<Tcp>(segment(flags, seq, ack));
    EXPECT_EQ(Redirect, run(Program::PortIngress, packet).verdict);
  };
  auto come = [&](const char* flags, std::uint32_t seq, std::uint32_t ack) {
    Packet packet = answer(L4::Tcp, at.host, 2000).with<Tcp>(segment(flags, seq, ack));
    EXPECT_EQ(Redirect, run(Program::UplinkIngress, packet).verdict);
  };
  send("S", 100, 0);
  EXPECT_EQ(VNET_SESSION_NEW, state());
  send("A", 101, 501);
  EXPECT_EQ(VNET_SESSION_NEW, state()) << "the opener alone establishes nothing";
  come("SA", 500, 101), send("A", 101, 501);
  EXPECT_EQ(VNET_SESSION_ESTABLISHED, state());
  send("FA", 101, 501);
  EXPECT_EQ(VNET_SESSION_CLOSING, state());
  send("FA", 101, 501);
  EXPECT_EQ(VNET_SESSION_CLOSING, state()) << "a repeated FIN is one FIN";
  come("FA", 501, 102), send("A", 102, 502);
  EXPECT_EQ(VNET_SESSION_CLOSED, state());
  send("S", 300, 0);
  EXPECT_EQ(VNET_SESSION_NEW, state());
  come("SA", 700, 301);
  EXPECT_EQ(VNET_SESSION_NEW, state());
  send("A", 301, 701);
  EXPECT_EQ(VNET_SESSION_ESTABLISHED, state());
  send("RA", 301, 701);
  EXPECT_EQ(VNET_SESSION_CLOSED, state());
}

TEST_P(Port, DropsMalformedPacketsToTheGateway) {
  Bytes frame = sent(L4::Tcp, at.guest1, 2000);
  frame.resize(frame.size() - 3);
  expect_drop(Program::PortIngress, frame, slot::g1, "malformed");
}

// --- hostFirewall='bypass'

TEST_P(Port, BypassAdmitsAtOnce) {
  set_flags(flag::nat | VNET_NETWORK_F_BYPASS);
  for (L4 kind : {L4::Udp, L4::Tcp, L4::Echo}) {
    expect(Program::PortIngress, sent(kind, at.guest1, 2000), Redirect, outgoing_translated(kind, 2000));
    auto made = session(key(kind, at.guest1, 2000));
    ASSERT_TRUE(made);
    EXPECT_EQ(slot::g1, made->port);
    EXPECT_EQ(VNET_SESSION_F_MASQUERADE | VNET_SESSION_F_PLAIN, made->flags);
  }
  EXPECT_EQ(3U, usage(slot::g1));
}

TEST_P(Port, BypassAdmitsOnlyWhatBeginsInTheNetwork) {
  set_flags(flag::nat | VNET_NETWORK_F_BYPASS);
  for (const char* flags : {"A", "SA", "R", "FA"})
    expect_same(Program::PortIngress, sent(L4::Tcp, at.guest1, 2000, flags), Ok);
  expect_same(Program::PortIngress,
              from_guest1 / ip(at.guest1, at.remote) / l4_answer(L4::Echo, family(), 7, 0), Ok);
  for (const std::string& source : {at.other_guest, at.remote2, at.host})
    expect_same(Program::PortIngress, sent(L4::Udp, source, 2000), Ok);
  for (const std::string& to : {at.other_guest, at.nowhere, at.gateway, at.host})
    expect_same(Program::PortIngress, from_guest1 / ip(at.guest1, to) / l4(L4::Udp, family(), 9, 53), Ok);
  EXPECT_EQ(0U, session_count());
}

TEST_P(Port, BypassKeepsToTheQuota) {
  set_flags(flag::nat | VNET_NETWORK_F_BYPASS);
  set_network([](vnet_network& n) { n.max_sessions_per_port = 1; });
  EXPECT_EQ(Redirect, run(Program::PortIngress, sent(L4::Udp, at.guest1, 2000)).verdict);
  expect_drop(Program::PortIngress, sent(L4::Udp, at.guest1, 2001), slot::g1, "port-quota");
  EXPECT_EQ(1U, usage(slot::network));
}

}  // namespace
}  // namespace vnet::test
