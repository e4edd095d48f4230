// SPDX-License-Identifier: GPL-2.0-or-later
// <vnet:macNat>: g1 and g2 on eth0, which may send from its own MAC alone. What leaves by the wire has that
// MAC everywhere; what comes to it goes to the guest whose address it is for.
#include <arpa/inet.h>

#include <cstring>
#include <tuple>

#include "tests/packet/dhcp_bytes.h"

namespace vnet::test {
namespace {

const std::string card = mac::uplink, lan_host = mac::next_hop, everybody = "ff:ff:ff:ff:ff:ff";

struct Lan {
  std::string guest1, guest2, host, peer;
};
const Lan lan4{"203.0.113.11", "203.0.113.12", "203.0.113.2", "203.0.113.1"},
    lan6{"2001:db8:113::11", "2001:db8:113::12", "2001:db8:113::2", "2001:db8:113::1"};

class MacNatTest : public DatapathTest {
 protected:
  void SetUp() override {
    DatapathTest::SetUp();
    __u32 index = 0;
    for (auto [name, at] : {std::pair{"g1", slot::g1}, std::pair{"g2", slot::g2}}) {
      set_port(name, [&](vnet_port& port) { port.flags = VNET_PORT_F_MAC | VNET_PORT_F_MAC_NAT; });
      vnet_fdb_key key{.network = slot::parent};
      std::memcpy(key.mac, maps().ports.get(ifindex(name))->mac, 6);
      ASSERT_TRUE(maps().fdb.set(key, {.ifindex = ifindex(name), .slot = at, .is_static = 1}));
      ASSERT_TRUE(maps().flood_ports.set({.parent = ifindex("eth0"), .index = index++}, ifindex(name)));
      ASSERT_TRUE(maps().mac_nat_rings.set(at, {}));
    }
    for (const auto& host : {lan4.host, lan6.host}) ASSERT_TRUE(maps().host_addresses.set(address(host), 1));
  }
  Ran send(const Packet& frame, const std::string& port = "g1") {
    Ran ran = run(Program::DirectIngress, frame, {.ifindex = ifindex(port)});
    EXPECT_SOUND(ran.packet);
    return ran;
  }
  void expect_sent(const Packet& frame, const Packet& out) {
    Ran ran = send(frame);
    EXPECT_EQ(Redirect, ran.verdict) << testing::PrintToString(ran.drops);
    EXPECT_PACKET_EQ(out, ran.packet);
  }
  void expect_refused(const Packet& frame, const std::string& port = "g1") {
    Ran ran = send(frame, port);
    EXPECT_EQ((Drops{{{port == "g1" ? slot::g1 : slot::g2, "mac-nat"}, 1}}), ran.drops);
  }
  void expect_arrives(const Packet& frame, const Packet& out) {
    auto before = traffic(slot::g1).rx_packets;
    Ran ran = run(Program::ParentIngress, frame);
    EXPECT_EQ(Redirect, ran.verdict) << testing::PrintToString(ran.drops);
    EXPECT_PACKET_EQ(out, ran.packet);
    EXPECT_SOUND(ran.packet);
    EXPECT_EQ(before + 1, traffic(slot::g1).rx_packets);
  }
  void expect_hosts(const Packet& frame) {
    Ran ran = run(Program::ParentIngress, frame);
    EXPECT_EQ(Ok, ran.verdict) << testing::PrintToString(ran.drops);
    EXPECT_PACKET_EQ(frame, ran.packet);
  }
  static Packet datagram(const std::string& from_mac, const std::string& to_mac, const std::string& from,
                         const std::string& to) {
    return Ethernet{.src = from_mac, .dst = to_mac} / ip(from, to) /
           l4(L4::Udp, from.contains(':') ? 6 : 4, 1000, 2000);
  }
};

TEST_F(MacNatTest, IpHasTheCardsMacAndComesBack) {
  for (const auto& lan : {lan4, lan6}) {
    expect_hosts(datagram(lan_host, card, lan.peer, lan.guest1));  // nobody knows of it yet
    expect_sent(datagram(mac::guest1, lan_host, lan.guest1, lan.peer),
                datagram(card, lan_host, lan.guest1, lan.peer));
    expect_arrives(datagram(lan_host, card, lan.peer, lan.guest1),
                   datagram(lan_host, mac::guest1, lan.peer, lan.guest1));
    expect_hosts(datagram(lan_host, card, lan.peer, lan.host));
    expect_hosts(datagram(lan_host, card, lan.peer, lan.guest2));
  }
}

TEST_F(MacNatTest, AmongThemselvesAndWithTheHostGuestsKeepTheirMacs) {
  Packet to_guest = datagram(mac::guest1, mac::guest2, lan4.guest1, lan4.guest2),
         to_host = datagram(mac::guest1, card, lan4.guest1, lan4.host);
  expect_sent(to_guest, to_guest);
  expect_sent(to_host, to_host);
}

TEST_F(MacNatTest, ArpTellsTheCardsMac) {
  const auto arp = [](const Ethernet& ethernet, int operation, const std::string& sender,
                      const std::string& sender_ip, const std::string& target, const std::string& target_ip) {
    return ethernet / Arp{.operation = static_cast<std::uint16_t>(operation),
                          .sender_mac = sender,
                          .sender_ip = sender_ip,
                          .target_mac = target,
                          .target_ip = target_ip};
  };
  const std::string none = "00:00:00:00:00:00";
  // Is the address free (RFC 5227)? Nothing is its guest's yet.
  expect_sent(arp({mac::guest1, everybody, {}}, 1, mac::guest1, "0.0.0.0", none, lan4.guest1),
              arp({card, everybody, {}}, 1, card, "0.0.0.0", none, lan4.guest1));
  expect_hosts(arp({lan_host, card, {}}, 1, lan_host, lan4.peer, card, lan4.guest1));
  expect_sent(arp({mac::guest1, everybody, {}}, 1, mac::guest1, lan4.guest1, none, lan4.peer),
              arp({card, everybody, {}}, 1, card, lan4.guest1, none, lan4.peer));
  expect_arrives(arp({lan_host, card, {}}, 2, lan_host, lan4.peer, card, lan4.guest1),
                 arp({lan_host, mac::guest1, {}}, 2, lan_host, lan4.peer, mac::guest1, lan4.guest1));
  expect_arrives(arp({lan_host, card, {}}, 1, lan_host, lan4.peer, none, lan4.guest1),
                 arp({lan_host, mac::guest1, {}}, 1, lan_host, lan4.peer, none, lan4.guest1));
  expect_sent(arp({mac::guest1, lan_host, {}}, 2, mac::guest1, lan4.guest1, lan_host, lan4.peer),
              arp({card, lan_host, {}}, 2, card, lan4.guest1, lan_host, lan4.peer));
  expect_hosts(arp({lan_host, card, {}}, 2, lan_host, lan4.peer, card, lan4.host));
}

TEST_F(MacNatTest, NeighbourDiscoveryTellsTheCardsMac) {
  const auto nd = [](const std::string& source_mac, const std::string& to_mac, const std::string& from,
                     const std::string& to, int type, const Payload& body) {
    return Ethernet{.src = source_mac, .dst = to_mac} / Ipv6{.src = from, .dst = to, .hop_limit = 255} /
           Icmpv6{.type = static_cast<std::uint8_t>(type)} / body;
  };
  const std::string group = "33:33:ff:00:00:01", solicited = "ff02::1:ff00:1";
  for (const auto& [type, option] : {std::pair{135, 1}, std::pair{136, 2}})
    expect_sent(nd(mac::guest1, group, lan6.guest1, solicited, type,
                   neighbor_target(lan6.guest1, option, mac::guest1)),
                nd(card, group, lan6.guest1, solicited, type, neighbor_target(lan6.guest1, option, card)));
  // Another's MAC is not ours to change; duplicate address detection tells none.
  expect_sent(
      nd(mac::guest1, group, lan6.guest1, solicited, 136, neighbor_target(lan6.guest1, 2, mac::stranger)),
      nd(card, group, lan6.guest1, solicited, 136, neighbor_target(lan6.guest1, 2, mac::stranger)));
  expect_sent(nd(mac::guest1, group, "::", solicited, 135, neighbor_target("fe80::1:2")),
              nd(card, group, "::", solicited, 135, neighbor_target("fe80::1:2")));
  expect_arrives(
      nd(lan_host, card, lan6.peer, lan6.guest1, 136, neighbor_target(lan6.peer, 2, lan_host)),
      nd(lan_host, mac::guest1, lan6.peer, lan6.guest1, 136, neighbor_target(lan6.peer, 2, lan_host)));
  // A router solicitation: its options begin earlier.
  const auto solicit = [](const std::string& with) {
    Bytes option{1, 1};
    put(option, mac_bytes_of(with));
    return Payload(option);
  };
  expect_sent(nd(mac::guest1, "33:33:00:00:00:02", "fe80::1:2", "ff02::2", 133, solicit(mac::guest1)),
              nd(card, "33:33:00:00:00:02", "fe80::1:2", "ff02::2", 133, solicit(card)));
  // Options that do not add up could hide one.
  EXPECT_EQ((Drops{{{slot::g1, "malformed"}, 1}}),
            send(nd(mac::guest1, group, lan6.guest1, solicited, 136, neighbor_target(lan6.guest1))
                     .with<Icmpv6>([](Icmpv6&) {}) /
                 Payload(Bytes{2, 2, 0, 0, 0, 0, 0, 0}))
                .drops);
}

Bytes dhcp(int operation, bool broadcast, const std::string& client, const std::string& chaddr) {
  Bytes out{static_cast<std::uint8_t>(operation),
            1,
            6,
            0,
            1,
            2,
            3,
            4,
            0,
            0,
            static_cast<std::uint8_t>(broadcast ? 0x80 : 0),
            0};
  put(out, raw(client));
  out.resize(28);
  put(out, mac_bytes_of(chaddr));
  out.resize(240);
  return out;
}

TEST_F(MacNatTest, DhcpIsAskedToBroadcastAndChaddrStays) {
  const auto ask = [](const std::string& source, const std::string& from, bool broadcast,
                      std::optional<std::uint16_t> checksum) {
    return Ethernet{.src = source, .dst = everybody} / ip(from, "255.255.255.255") /
           Udp{.src_port = 68, .dst_port = 67, .checksum = checksum} /
           Payload(dhcp(1, broadcast, from, mac::guest1));
  };
  expect_sent(ask(mac::guest1, "0.0.0.0", false, {}), ask(card, "0.0.0.0", true, {}));
  expect_sent(ask(mac::guest1, "0.0.0.0", false, 0), ask(card, "0.0.0.0", true, 0));
  expect_sent(ask(mac::guest1, "0.0.0.0", true, {}), ask(card, "0.0.0.0", true, {}));
  expect_sent(ask(mac::guest1, lan4.guest1, false, {}), ask(card, lan4.guest1, false, {}));
}

TEST_F(MacNatTest, ADhcpAnswerToAnAddressThatNobodyHasYetGoesByChaddr) {
  const auto answer = [](const std::string& to_mac, const std::string& chaddr) {
    return Ethernet{.src = lan_host, .dst = to_mac} / ip(lan4.peer, "203.0.113.99") /
           Udp{.src_port = 67, .dst_port = 68} / Payload(dhcp(2, false, "0.0.0.0", chaddr));
  };
  expect_hosts(answer(card, mac::guest1));  // before any guest has had an address here, nobody looks
  send(datagram(mac::guest2, lan_host, lan4.guest2, lan4.peer), "g2");
  expect_arrives(answer(card, mac::guest1), answer(mac::guest1, mac::guest1));
  expect_hosts(answer(card, mac::stranger));
}

TEST_F(MacNatTest, AnAddressIsWhoseItWasFirst) {
  expect_sent(datagram(mac::guest1, lan_host, lan4.guest1, lan4.peer),
              datagram(card, lan_host, lan4.guest1, lan4.peer));
  expect_refused(datagram(mac::guest2, lan_host, lan4.guest1, lan4.peer), "g2");
  for (const auto& lan : {lan4, lan6}) expect_refused(datagram(mac::guest1, lan_host, lan.host, lan.peer));
  vnet_address_key key{.addr = address(lan4.guest1), .slot = slot::parent, .pad = 0};
  auto silent = maps().mac_nat.get(key).value();
  silent.seen -= 301;
  ASSERT_TRUE(maps().mac_nat.set(key, silent));
  EXPECT_EQ(Redirect, send(datagram(mac::guest2, lan_host, lan4.guest1, lan4.peer), "g2").verdict);
  EXPECT_EQ(slot::g2, maps().mac_nat.get(key)->slot);
}

TEST_F(MacNatTest, APortHasSoManyAddresses) {
  for (int i = 0; i < VNET_MAC_NAT_OF_PORT + 5; ++i)
    EXPECT_EQ(
        Redirect,
        send(datagram(mac::guest1, lan_host, "203.0.113." + std::to_string(50 + i), lan4.peer)).verdict);
  EXPECT_EQ(std::size_t{VNET_MAC_NAT_OF_PORT}, maps().mac_nat.keys().size());
  expect_hosts(datagram(lan_host, card, lan4.peer, "203.0.113.50"));
  EXPECT_EQ(Redirect,
            run(Program::ParentIngress, datagram(lan_host, card, lan4.peer, "203.0.113.60")).verdict);
}

TEST_F(MacNatTest, WhatCannotComeBackDoesNotLeave) {
  expect_refused(Ethernet{.src = mac::guest1, .dst = everybody, .type = 0x8864} / Payload(46));
  expect_refused(Ethernet{.src = mac::guest1, .dst = lan_host} / Vlan{.id = 5} / ip(lan4.guest1, lan4.peer) /
                 l4(L4::Udp, 4, 1, 2));
}

TEST_F(MacNatTest, WithoutItNothingIsRewritten) {
  set_port("g1", [](vnet_port& port) { port.flags &= ~VNET_PORT_F_MAC_NAT; });
  Packet frame = datagram(mac::guest1, lan_host, lan4.guest1, lan4.peer);
  expect_sent(frame, frame);
  EXPECT_TRUE(maps().mac_nat.keys().empty());
}

}  // namespace
}  // namespace vnet::test
