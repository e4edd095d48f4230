// SPDX-License-Identifier: GPL-2.0-or-later
// The filters of a port: crafted frames of a guest that is not what it says.
#include "tests/packet/guard_fixture.h"

namespace vnet::test {
namespace {

class Filter : public GuardTest {
 protected:
  void SetUp() override {
    GuardTest::SetUp();
    guard("g1", clean_traffic);
    own(at.guest1, slot::g1);
    own(at.guest2, slot::g2);
  }
  Packet udp(const std::string& source, std::uint16_t sport = 4000, std::uint16_t dport = 53) {
    return from(mac::guest1) / ip(source, at.gateway) / l4(L4::Udp, family(), sport, dport);
  }
  // Neighbour discovery, with the hop limit that shows it has crossed no router.
  static Packet nd(const std::string& source, int type, const Payload& body, int hops = 255) {
    return Ethernet{.src = mac::guest1, .dst = "33:33:00:00:00:01"} / ip(source, "ff02::1", hops) /
           Icmpv6{.type = static_cast<std::uint8_t>(type)} / body;
  }
};
VNET_BOTH_FAMILIES(Filter);

// A guest's own address, and the link-local one that its MAC makes.
const char* const eui64 = "fe80::5054:ff:fe00:10a";
const char* const guest2_eui64 = "fe80::5054:ff:fe00:10b";

// --- sources

TEST_P(Filter, PassesTheGuestsOwnAddressAlone) {
  passes(udp(at.guest1));
  for (const std::string& source : {at.guest2, at.gateway, at.remote, at.unresolved})
    drops(udp(source), "spoofed-source");
  for (L4 kind : {L4::Tcp, L4::Echo})
    drops(from(mac::guest1) / ip(at.guest2, at.remote) / l4(kind, family(), 9, 80), "spoofed-source");
}

TEST_P(Filter, HoldsTowardsOtherGuestsToo) {
  Ethernet to_guest2{.src = mac::guest1, .dst = mac::guest2};
  Packet spoofed = to_guest2 / ip(at.gateway, at.guest2) / l4(L4::Udp, family(), 9, 53);
  drops(spoofed, "spoofed-source");
  EXPECT_EQ(
      Redirect,
      run(Program::PortIngress, to_guest2 / ip(at.guest1, at.guest2) / l4(L4::Udp, family(), 9, 53)).verdict);
  set_port("g1", [](vnet_port& port) { port.flags = VNET_PORT_F_MAC; });
  EXPECT_EQ(Redirect, run(Program::PortIngress, spoofed).verdict) << "without the filter";
}

TEST_P(Filter, ChecksEveryFragmentsSource) {
  for (const std::string& source : {at.guest1, at.guest2}) {
    auto parts = fragments(from(mac::guest1) / ip(source, at.remote) / Udp{} / Payload(2000), 900, 7);
    ASSERT_EQ(3U, parts.size());
    for (const Bytes& part : parts) {
      if (source == at.guest1)
        expect_same(Program::PortIngress, part, Ok);
      else
        expect_drop(Program::PortIngress, part, slot::g1, "spoofed-source");
    }
  }
}

TEST_P(Filter, ChecksTheSourceOfAnErrorNotWhatItQuotes) {
  Packet about = ip(at.remote, at.guest1, 59) / l4(L4::Udp, family(), 443, 2000);
  passes(from(mac::guest1) / ip(at.guest1, at.remote) / icmp_error(Problem::Unreachable, family(), about));
  drops(from(mac::guest1) / ip(at.guest2, at.remote) / icmp_error(Problem::Unreachable, family(), about),
        "spoofed-source");
}

TEST_P(Filter, AnAddressEndsWithItsLease) {
  ASSERT_TRUE(maps().addresses.erase(own_key(at.guest1, slot::g1)));
  drops(udp(at.guest1), "spoofed-source");
  own(at.guest1, slot::g1, {.until = 1, .source = VNET_ADDRESS_LEASED});
  drops(udp(at.guest1), "spoofed-source");
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  own(at.guest1, slot::g1, {.until = static_cast<__u32>(now.tv_sec + 1000), .source = VNET_ADDRESS_LEASED});
  passes(udp(at.guest1));
}

TEST_P(Filter, KeepsToTheFirstMacWhereNoneIsFixed) {
  set_port("g1", [](vnet_port& port) { port.flags &= ~static_cast<__u32>(VNET_PORT_F_MAC); });
  ASSERT_TRUE(maps().fdb.erase({.network = slot::network, .mac = {0x52, 0x54, 0, 0, 1, 0x0a}}));
  passes(udp(at.guest1));
  passes(udp(at.guest1));
  drops(from("02:00:00:00:00:77") / ip(at.guest1, at.gateway) / l4(L4::Udp, family(), 9, 53), "spoofed-mac");
  drops(from(mac::guest2) / ip(at.guest1, at.gateway) / l4(L4::Udp, family(), 9, 53), "spoofed-mac");
}

// --- frames that are neither IP nor ARP, or hide what they are

TEST_P(Filter, DropsTagsBehindWhichItCannotLook) {
  Packet inside = ip(at.guest1, at.gateway) / l4(L4::Udp, family(), 9, 53);
  for (int id : {1, 5, 4095})
    drops(from(mac::guest1) / Vlan{.id = static_cast<std::uint16_t>(id)} / inside, "vlan-tagged");
  drops(from(mac::guest1) / Vlan{.id = 5, .tpid = 0x88a8} / Vlan{.id = 6} / inside, "vlan-tagged");
}

// A priority tag is no VLAN: what is behind it is judged as if it had come without.
TEST_P(Filter, LooksBehindPriorityTags) {
  Packet forged = ip(at.guest2, at.gateway) / l4(L4::Udp, family(), 9, 53);
  for (std::uint16_t tpid : {0x8100, 0x88a8}) {
    Vlan tag{.id = 0, .priority = 5, .tpid = tpid};
    drops(from(mac::guest1) / tag / forged, "spoofed-source");
    drops(from(mac::guest1) / tag / Vlan{.id = 0} / forged, "spoofed-source");
    drops(from(mac::guest1) / tag / Vlan{.id = 7} / forged, "vlan-tagged");
  }
}

TEST_P(Filter, CleanTrafficIsIpAndArp) {
  drops(Ethernet{.src = mac::guest1, .dst = mac::stranger} / Payload(60), "ethertype");
  drops(Ethernet{.src = mac::guest1, .dst = mac::guest2, .type = 0x8863} / Payload(60), "ethertype");
  set_port("g1", [](vnet_port& port) { port.flags &= ~static_cast<__u32>(VNET_PORT_F_CLEAN); });
  passes(Ethernet{.src = mac::guest1, .dst = mac::stranger} / Payload(60));
}

TEST_P(Filter, DropsDhcpServers) {
  std::uint16_t server = family() == 4 ? 67 : 547, client = family() == 4 ? 68 : 546;
  for (std::uint16_t source : {server, std::uint16_t{4000}})
    drops(udp(at.guest1, source, client), "dhcp-server");
  passes(udp(at.guest1, client, server));
  guard("g1", VNET_PORT_F_DHCP_SERVER);
  passes(udp(at.guest1, server, client));
}

TEST_P(Filter, DropsMulticastOnlyWhereAsked) {
  set_port("g1", [](vnet_port& port) { port.flags = VNET_PORT_F_MAC; });
  Packet sent = from(mac::guest1) / ip(at.guest1, at.multicast) / l4(L4::Udp, family(), 9, 5353);
  passes(sent);
  guard("g1", VNET_PORT_F_NO_IP_MULTICAST);
  if (family() == 4)
    drops(sent, "ip-multicast");
  else
    passes(sent);
  passes(udp(at.guest2));
}

TEST_P(Filter, EachFilterAlone) {
  set_port("g1", [](vnet_port& port) { port.flags = VNET_PORT_F_MAC | VNET_PORT_F_NO_IP_SPOOFING; });
  if (family() == 4)
    drops(udp(at.guest2), "spoofed-source");
  else
    passes(udp(at.guest2));
  passes(broadcast() / Arp{.sender_mac = mac::guest2, .sender_ip = "192.168.122.11"});
  set_port("g1", [](vnet_port& port) { port.flags = VNET_PORT_F_MAC | VNET_PORT_F_NO_IPV6_SPOOFING; });
  if (family() == 6)
    drops(udp(at.guest2), "spoofed-source");
  else
    passes(udp(at.guest2));
  set_port("g1", [](vnet_port& port) { port.flags = VNET_PORT_F_MAC | VNET_PORT_F_NO_ARP_SPOOFING; });
  passes(udp(at.guest2));
  drops(broadcast() / Arp{.sender_mac = mac::guest1, .sender_ip = "192.168.122.11"}, "spoofed-arp");
}

// --- IPv4: DHCP, ARP

class Filter4 : public Filter {};
INSTANTIATE_TEST_SUITE_P(Ip, Filter4, testing::Values(4));

TEST_P(Filter4, WithoutAnAddressOnlyDhcpAndGroupReports) {
  auto nobody = [&](const Packet& inside) { return broadcast() / ip("0.0.0.0", "255.255.255.255") / inside; };
  passes(nobody(Udp{.src_port = 68, .dst_port = 67} / Payload(30)));
  passes(broadcast() / Ipv4{.src = "0.0.0.0", .dst = "224.0.0.22", .protocol = 2} / Payload(16));
  drops(nobody(Udp{.src_port = 69, .dst_port = 67} / Payload(300)), "spoofed-source");
  drops(nobody(Udp{.src_port = 68, .dst_port = 53} / Payload(300)), "spoofed-source");
  drops(nobody(Tcp{}), "spoofed-source");
  drops(broadcast() / Ipv4{.src = "0.0.0.0", .dst = "255.255.255.255", .fragment_offset = 8, .protocol = 17} /
            Payload(300),
        "spoofed-source");
}

TEST_P(Filter4, ArpSpeaksForTheGuestOnly) {
  const std::string own_ip = at.guest1;
  auto arp = [&](int operation, const std::string& sender_mac, const std::string& sender_ip) {
    return broadcast() / Arp{.operation = static_cast<std::uint16_t>(operation),
                             .sender_mac = sender_mac,
                             .sender_ip = sender_ip,
                             .target_ip = "192.168.122.1"};
  };
  passes(arp(1, mac::guest1, own_ip));
  passes(arp(2, mac::guest1, own_ip));
  passes(arp(1, mac::guest1, "0.0.0.0"));  // a probe (RFC 5227)
  drops(arp(2, mac::guest1, "0.0.0.0"), "spoofed-arp");
  for (const std::string& ip : {at.guest2, at.gateway, at.remote}) {
    drops(arp(1, mac::guest1, ip), "spoofed-arp");
    drops(arp(2, mac::guest1, ip), "spoofed-arp");
  }
  drops(arp(2, mac::guest2, own_ip), "spoofed-arp");
  drops(arp(1, mac::guest2, "0.0.0.0"), "spoofed-arp");
  Bytes odd = arp(2, mac::guest1, own_ip);
  odd[14 + 4] = 8;  // the size of a hardware address
  expect_drop(Program::PortIngress, odd, slot::g1, "spoofed-arp");
  Bytes cut = arp(2, mac::guest1, own_ip);
  cut.resize(30);
  expect_drop(Program::PortIngress, cut, slot::g1, "malformed");
}

TEST_P(Filter4, RarpAnnouncesTheGuestsMacOnly) {
  auto rarp = [](int operation, const std::string& sender, const std::string& target) {
    return Ethernet{.src = mac::guest1, .dst = "ff:ff:ff:ff:ff:ff", .type = 0x8035} /
           Arp{.operation = static_cast<std::uint16_t>(operation),
               .sender_mac = sender,
               .target_mac = target};
  };
  passes(rarp(3, mac::guest1, mac::guest1));
  drops(rarp(3, mac::guest1, mac::guest2), "ethertype");
  drops(rarp(4, mac::guest1, mac::guest1), "ethertype");
}

TEST_P(Filter4, DropsRouterMessages) {
  for (std::uint8_t type : {5, 9})
    drops(from(mac::guest1) / ip(at.guest1, at.guest2) / Icmp{.type = type} / Payload(28), "router");
  guard("g1", VNET_PORT_F_DHCP_SERVER);
  passes(from(mac::guest1) / ip(at.guest1, at.guest2) / Icmp{.type = 9} / Payload(28));
}

TEST_P(Filter4, OptionsHideNothing) {
  drops(from(mac::guest1) / Ipv4{.src = at.guest1, .dst = at.guest2, .options = {7, 7, 4, 0, 0, 0, 0, 0}} /
            Udp{.src_port = 67, .dst_port = 68} / Payload(300),
        "dhcp-server");
}

// --- IPv6: neighbour discovery, extension headers

class Filter6 : public Filter {};
INSTANTIATE_TEST_SUITE_P(Ip, Filter6, testing::Values(6));

TEST_P(Filter6, LinkLocalIsTheMacsOwn) {
  Packet hello = Udp{.src_port = 546, .dst_port = 547} / Payload(40);
  passes(from(mac::guest1) / ip(eui64, "ff02::1:2") / hello);
  for (const char* source : {guest2_eui64, "fe80::1", "fe80:0:0:1:5054:ff:fe00:10a"})
    drops(from(mac::guest1) / ip(source, "ff02::1:2") / hello, "spoofed-source");
}

TEST_P(Filter6, SolicitsAndAdvertisesItself) {
  passes(nd(at.guest1, 135, neighbor_target(at.gateway, 1, mac::guest1)));
  passes(nd(eui64, 135, neighbor_target(at.gateway, 1, mac::guest1)));
  passes(nd(at.guest1, 136, neighbor_target(at.guest1, 2, mac::guest1)));
  passes(nd(eui64, 136, neighbor_target(eui64, 2, mac::guest1)));
  passes(nd(eui64, 133, Payload(Bytes{1, 1, 0x52, 0x54, 0, 0, 1, 0x0a})));
  passes(nd("::", 133, Payload(Bytes{})));
}

TEST_P(Filter6, NeverForSomebodyElse) {
  for (const std::string& target :
       {at.guest2, at.gateway, std::string(guest2_eui64), std::string("fd00:122::99")})
    drops(nd(eui64, 136, neighbor_target(target, 2, mac::guest1)), "spoofed-nd");
  drops(nd(at.guest1, 136, neighbor_target(at.guest1, 2, mac::guest2)), "spoofed-nd");
  drops(nd(at.guest1, 135, neighbor_target(at.gateway, 1, mac::guest2)), "spoofed-nd");
  drops(nd(at.guest2, 135, neighbor_target(at.gateway, 1, mac::guest1)), "spoofed-source");
  drops(nd(eui64, 133, Payload(Bytes{1, 1, 0x52, 0x54, 0, 0, 1, 0x0b})), "spoofed-nd");
  drops(nd(at.guest1, 136, neighbor_target(at.guest1, 2, mac::guest1), 64), "spoofed-nd");
  // An option of length 0, and one that sticks out.
  drops(nd(at.guest1, 135, Payload(Bytes(32, 0))), "spoofed-nd");
}

TEST_P(Filter6, DuplicateDetectionClaimsLinkLocalAddresses) {
  const std::string chosen = "fe80::1234:5678:9abc:def0";
  Packet use =
      from(mac::guest1) / ip(chosen, "ff02::1:2") / Udp{.src_port = 546, .dst_port = 547} / Payload(40);
  drops(use, "spoofed-source");
  passes(nd("::", 135, neighbor_target(chosen)));
  passes(use);
  passes(nd(chosen, 136, neighbor_target(chosen, 2, mac::guest1)));
  // It is taken: another port's claim is refused, and so is its use.
  guard("g2", clean_traffic);
  auto other = [&](const Packet& packet) {
    return packet.with<Ethernet>([](Ethernet& link) { link.src = mac::guest2; });
  };
  expect_drop(Program::PortIngress, other(nd("::", 135, neighbor_target(chosen))), slot::g2, "spoofed-nd",
              on("g2"));
  expect_drop(Program::PortIngress, other(use), slot::g2, "spoofed-source", on("g2"));
  EXPECT_EQ(slot::g1, owned(chosen, slot::network)->port);
  // Idle for an hour it is anybody's.
  auto idle = owned(chosen, slot::g1).value();
  idle.seen -= 4000;
  ASSERT_TRUE(maps().addresses.set(own_key(chosen, slot::g1), idle));
  expect_same(Program::PortIngress, other(nd("::", 135, neighbor_target(chosen))), Ok, on("g2"));
  expect_same(Program::PortIngress, other(use), Ok, on("g2"));
  drops(use, "spoofed-source");
}

TEST_P(Filter6, ClaimsNothingThatMayNotBeClaimed) {
  for (const std::string& target :
       {std::string(guest2_eui64), std::string("fd00:122::99"), at.gateway, at.guest2, at.remote})
    drops(nd("::", 135, neighbor_target(target)), "spoofed-nd");
  // Where guests give themselves addresses: of the network's own subnet, that are nobody's.
  guard("g1", VNET_PORT_F_AUTOCONF);
  own(at.gateway, 0);
  passes(nd("::", 135, neighbor_target("fd00:122::99")));
  passes(udp("fd00:122::99"));
  for (const std::string& target : {at.gateway, at.guest2, at.other_guest, at.remote})
    drops(nd("::", 135, neighbor_target(target)), "spoofed-nd");
  // With fixed addresses those alone.
  guard("g1", VNET_PORT_F_FIXED6);
  drops(nd("::", 135, neighbor_target("fd00:122::98")), "spoofed-nd");
}

TEST_P(Filter6, KeepsTheClaimsThatAreUsedMost) {
  auto name = [](int i) { return "fe80::1:" + std::to_string(i + 1); };
  auto claim = [&](int i) { passes(nd("::", 135, neighbor_target(name(i)))); };
  for (int i = 0; i < VNET_CLAIMS_MAX; ++i) claim(i);
  auto idle = owned(name(3), slot::g1).value();
  idle.seen -= 10;
  ASSERT_TRUE(maps().addresses.set(own_key(name(3), slot::g1), idle));
  claim(VNET_CLAIMS_MAX);
  EXPECT_FALSE(owned(name(3), slot::g1));
  EXPECT_FALSE(owned(name(3), slot::network));
  EXPECT_TRUE(owned(name(0), slot::g1));
  EXPECT_TRUE(owned(name(VNET_CLAIMS_MAX), slot::g1));
  EXPECT_EQ(2U * (VNET_CLAIMS_MAX + 2), maps().addresses.keys().size());
}

TEST_P(Filter6, FromNobodyOnlyDiscoveryAndGroupReports) {
  passes(group6() / Ipv6{.src = "::", .dst = "ff02::16", .hop_limit = 1} / Ipv6HopByHop{{5, 2, 0, 0}} /
         Icmpv6{.type = 143} / Payload(24));
  drops(group6() / ip("::", "ff02::1") / Udp{}, "spoofed-source");
  drops(group6() / ip("::", "ff02::1", 255) / Icmpv6{.type = 136} / neighbor_target(at.guest1),
        "spoofed-source");
}

TEST_P(Filter6, DropsRouters) {
  Payload advertisement(Bytes(12, 0));
  drops(nd(eui64, 134, advertisement), "router");
  drops(nd(eui64, 137, neighbor_target(at.guest2)), "router");
  // Extension headers and fragment headers do not hide them.
  drops(group6() / Ipv6{.src = eui64, .dst = "ff02::1", .hop_limit = 255} / Ipv6HopByHop{} /
            Icmpv6{.type = 134} / advertisement,
        "router");
  drops(group6() / Ipv6{.src = eui64, .dst = "ff02::1", .hop_limit = 255} /
            Ipv6Fragment{.id = 3, .more = true} / Icmpv6{.type = 134} / Payload(Bytes(20, 0)),
        "router");
  guard("g1", VNET_PORT_F_DHCP_SERVER);
  passes(nd(eui64, 134, advertisement));
}

TEST_P(Filter6, DiscoveryIsNeverFragmented) {
  drops(group6() / Ipv6{.src = eui64, .dst = "ff02::1", .hop_limit = 255} /
            Ipv6Fragment{.id = 3, .more = true} / Icmpv6{.type = 136} /
            neighbor_target(eui64, 2, mac::guest1),
        "spoofed-nd");
}

TEST_P(Filter6, DropsChainsThatHideWhatTheyCarry) {
  Ipv6 header{.src = at.guest1, .dst = at.remote};
  for (std::uint8_t next : {51, 135, 139, 140, 253, 254}) {
    header.next_header = next;
    drops(from(mac::guest1) / header / Payload(Bytes(40, 0)), "hidden");
  }
  header.next_header = 50;  // ESP hides by its nature
  passes(from(mac::guest1) / header / Payload(40));
  Packet piled = from(mac::guest1) / Ipv6{.src = at.guest1, .dst = at.remote};
  for (int i = 0; i < 8; ++i) piled = piled / Ipv6HopByHop{};
  drops(piled / Udp{}, "malformed");
  // The ports are in the second fragment (RFC 7112).
  drops(from(mac::guest1) / Ipv6{.src = at.guest1, .dst = at.remote} / Ipv6Fragment{.id = 3, .more = true} /
            Ipv6HopByHop{{}, 17},
        "malformed");
}

}  // namespace
}  // namespace vnet::test
