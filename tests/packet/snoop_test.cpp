// SPDX-License-Identifier: GPL-2.0-or-later
// DHCP snooping: what a believed server leases becomes an address of the client's port.
#include <cstring>
#include <ctime>

#include "tests/packet/dhcp_bytes.h"
#include "tests/packet/guard_fixture.h"

namespace vnet::test {
namespace {

void put32(Bytes& out, std::uint32_t value) {
  put(out, {static_cast<std::uint8_t>(value >> 24), static_cast<std::uint8_t>(value >> 16),
            static_cast<std::uint8_t>(value >> 8), static_cast<std::uint8_t>(value)});
}

// A BOOTP reply with DHCP options in the order of the arguments' use by dnsmasq.
Payload dhcp4(int type, const std::string& client, const std::string& yours, std::uint32_t seconds) {
  Bytes out = {2, 1, 6, 0};
  out.resize(16);
  put(out, raw(yours));
  out.resize(28);
  put(out, mac_bytes_of(client));
  out.resize(236);
  put(out,
      {0x63, 0x82, 0x53, 0x63, 53, 1, static_cast<std::uint8_t>(type), 54, 4, 192, 168, 122, 1, 0, 0, 51, 4});
  put32(out, seconds);
  put(out, {1, 4, 255, 255, 255, 0, 255});
  return Payload(out);
}
// A reply with one IA_NA that holds the address, behind the server's DUID.
Payload dhcp6(int type, const std::string& yours, std::uint32_t seconds) {
  Bytes out = {static_cast<std::uint8_t>(type), 1, 2, 3, 0, 2, 0, 4, 9, 9, 9, 9, 0, 3, 0, 40};
  put32(out, 1), put32(out, 0), put32(out, 0);
  put(out, {0, 5, 0, 24});
  put(out, raw(yours));
  put32(out, seconds), put32(out, seconds);
  return Payload(out);
}

class Snoop : public GuardTest {
 protected:
  std::uint16_t server() const { return family() == 4 ? 67 : 547; }
  std::uint16_t client() const { return family() == 4 ? 68 : 546; }
  Packet lease(const std::string& yours, std::uint32_t seconds, int type4 = 5, int type6 = 7) {
    Ethernet link{.src = mac::gateway, .dst = mac::guest1};
    Udp udp{.src_port = server(), .dst_port = client()};
    if (family() == 4) return link / ip(at.gateway, yours) / udp / dhcp4(type4, mac::guest1, yours, seconds);
    return link / ip("fe80::1", "fe80::5054:ff:fe00:10a") / udp / dhcp6(type6, yours, seconds);
  }
  static std::uint32_t ticks(std::uint32_t seconds) {
    return static_cast<std::uint32_t>((seconds * 1'000'000'000ULL) >> VNET_TICK_SHIFT);
  }
  static std::uint32_t now() {
    timespec time{};
    clock_gettime(CLOCK_MONOTONIC, &time);
    return static_cast<std::uint32_t>((static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000ULL) >>
                                      VNET_TICK_SHIFT);
  }
  void from_host(const Packet& packet, std::uint32_t ingress = 0) {
    EXPECT_EQ(Redirect, run(Program::GatewayEgress, packet, {.ingress_ifindex = ingress}).verdict);
  }
};
VNET_BOTH_FAMILIES(Snoop);

TEST_P(Snoop, ALeaseIsAnAddressOfTheClientsPort) {
  guard("g1", clean_traffic);
  Packet use = from_guest1 / ip(at.guest1, at.gateway) / l4(L4::Udp, family(), 9, 53);
  drops(use, "spoofed-source");
  from_host(lease(at.guest1, 3600));
  passes(use);
  auto entry = owned(at.guest1, slot::g1);
  ASSERT_TRUE(entry);
  EXPECT_EQ(VNET_ADDRESS_LEASED, entry->source);
  EXPECT_NEAR(now() + ticks(3600), entry->until, 5);
  EXPECT_EQ(slot::g1, owned(at.guest1, slot::network)->port);
  // A renewal prolongs it, a lease without an end has none.
  from_host(lease(at.guest1, 7200));
  EXPECT_NEAR(now() + ticks(7200), owned(at.guest1, slot::g1)->until, 5);
  from_host(lease(at.guest1, 0xffffffff));
  EXPECT_EQ(0U, owned(at.guest1, slot::g1)->until);
}

TEST_P(Snoop, ABroadcastReplyNamesItsClient) {
  if (family() == 6) GTEST_SKIP() << "DHCPv6 replies are unicast";
  expect_same(Program::GatewayEgress,
              Ethernet{.src = mac::gateway, .dst = "ff:ff:ff:ff:ff:ff"} / ip(at.gateway, "255.255.255.255") /
                  Udp{.src_port = 67, .dst_port = 68, .checksum = 0} / dhcp4(5, mac::guest2, at.guest2, 60),
              Ok);
  EXPECT_TRUE(owned(at.guest2, slot::g2));
}

TEST_P(Snoop, OnlyAnAcknowledgementCounts) {
  for (int type : {2, 6}) from_host(lease(at.guest1, 3600, type, type));
  EXPECT_FALSE(owned(at.guest1, slot::g1));
}

// Anybody can send something that looks like a reply; it is routed, but not believed.
TEST_P(Snoop, OnlyTheHostIsBelieved) {
  guard("g1", VNET_PORT_F_NO_IP_SPOOFING | VNET_PORT_F_NO_IPV6_SPOOFING);
  run(Program::GatewayEgress, lease(at.guest1, 3600), {.ingress_ifindex = ifindex("eth0")});
  run(Program::GatewayEgress, lease(at.guest1, 3600), {.ingress_ifindex = ifindex("virbr0")});
  Packet from_guest = lease(at.guest1, 3600).with<Ethernet>([](Ethernet& link) { link.src = mac::guest2; });
  EXPECT_EQ(Redirect, run(Program::PortIngress, from_guest, on("g2")).verdict);
  EXPECT_FALSE(owned(at.guest1, slot::g1));
  guard("g2", VNET_PORT_F_DHCP_SERVER);
  EXPECT_EQ(Redirect, run(Program::PortIngress, from_guest, on("g2")).verdict);
  EXPECT_TRUE(owned(at.guest1, slot::g1));
}

TEST_P(Snoop, FixedAddressesStayAlone) {
  guard("g1", family() == 4 ? VNET_PORT_F_FIXED4 : VNET_PORT_F_FIXED6);
  from_host(lease(at.guest1, 3600));
  EXPECT_FALSE(owned(at.guest1, slot::g1));
}

TEST_P(Snoop, WhatIsLeasedToAnotherIsNoLongerTheFirsts) {
  own(at.guest1, slot::g2, {.source = VNET_ADDRESS_LEASED});
  from_host(lease(at.guest1, 3600));
  EXPECT_TRUE(owned(at.guest1, slot::g1));
  EXPECT_FALSE(owned(at.guest1, slot::g2));
  // What the administrator gave to another is not touched.
  own(at.guest1, slot::g2, {.source = VNET_ADDRESS_FIXED});
  ASSERT_TRUE(maps().addresses.erase(own_key(at.guest1, slot::g1)));
  from_host(lease(at.guest1, 3600));
  EXPECT_TRUE(owned(at.guest1, slot::g2));
  EXPECT_FALSE(owned(at.guest1, slot::g1));
}

TEST_P(Snoop, ATruncatedReplyIsNotRead) {
  Packet whole = lease(at.guest1, 3600);
  // Up to the last byte of the lease time, the address's lifetime.
  std::size_t complete = family() == 4 ? 257 : 56;
  for (std::size_t cut = 0; cut <= complete; ++cut) {
    from_host(whole.with<Payload>([&](Payload& payload) { payload.bytes.resize(cut); }));
    EXPECT_EQ(cut == complete, owned(at.guest1, slot::g1).has_value()) << cut;
  }
}

}  // namespace
}  // namespace vnet::test
