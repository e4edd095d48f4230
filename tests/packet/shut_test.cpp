// SPDX-License-Identifier: GPL-2.0-or-later
// Shut by default: what is not understood, or comes by a way that nobody has opened, does not pass.
#include <fmt/format.h>

#include "tests/packet/datapath_fixture.h"

namespace vnet::test {
namespace {

class Shut : public BothFamilies {
 protected:
  Packet datagram(const std::string& source, const std::string& destination, int ttl = 64) {
    return ip(source, destination, ttl) / l4(L4::Udp, family(), 2000, 443);
  }
  // Sources that are nobody's, and look like :: or like an IPv4 address in some words.
  std::vector<std::string> odd_sources() const {
    if (family() == 4) return {"0.0.0.1", "169.254.1.1", "127.0.0.1", "198.51.100.9"};
    return {"::1:0:0:0", "::dead:beef:0:0", "::1", "::7f00:1", "0:0:0:1::",
            "fe80:1::1", "2001:db8:66::9",  "1::", "::1:0:0"};
  }
};

TEST_P(Shut, TakesNobodyWithoutAddressForOneWithout) {
  for (std::uint32_t flags : {flag::nat, flag::route, flag::isolated}) {
    set_flags(flags);
    for (const auto& source : odd_sources())
      for (const auto& to :
           {at.remote, at.multicast, std::string(family() == 4 ? "255.255.255.255" : "fe80::9")})
        for (int ttl : {1, 64})
          expect_drop(Program::GatewayIngress, from_guest1 / datagram(source, to, ttl), slot::network,
                      "spoofed-source");
  }
}

class Shut6 : public Shut {};
INSTANTIATE_TEST_SUITE_P(Ip, Shut6, testing::Values(6));

TEST_P(Shut6, TakesNoMappedAddress) {
  for (auto [from, to] : {std::pair{std::string("::ffff:192.168.122.10"), at.remote},
                          {at.guest1, std::string("::ffff:198.51.100.7")}}) {
    expect_drop(Program::GatewayIngress, from_guest1 / datagram(from, to), slot::network, "malformed");
    expect_drop(Program::UplinkEgress, out_of_host / datagram(from, to), slot::uplink, "no-way-out",
                {.ingress_ifindex = ifindex("virbr0")});
  }
}

TEST_P(Shut, HandsFramesUpOnlyFromItsPorts) {
  Bytes frame = from_guest1 / datagram(at.guest1, at.gateway);
  expect_drop(Program::GatewayIngress, frame, slot::network, "unattached", {.cb = {1}});
  expect_same(Program::GatewayIngress, frame, Ok);
  Bytes arp = Ethernet{.src = mac::guest1, .dst = "ff:ff:ff:ff:ff:ff"} / Arp{};
  expect_drop(Program::GatewayIngress, arp, slot::network, "unattached", {.cb = {1}});
  expect_same(Program::GatewayIngress, arp, Ok);
}

TEST_P(Shut, DeliversToPortsOnlyWhatWasJudged) {
  Bytes frame = to_guest1 / datagram(at.guest2, at.guest1);
  expect_drop(Program::PortEgress, frame, slot::g1, "unattached",
              {.ingress_ifindex = ifindex("g2"), .cb = {1}});
  expect_same(Program::PortEgress, frame, Ok);
  // The bridge's own spanning tree, and not what somebody else claims to be that.
  Bytes bpdu = Ethernet{.src = mac::gateway, .dst = "01:80:c2:00:00:00", .type = 0x0026} / Payload(60);
  expect_same(Program::PortEgress, bpdu, Ok, {.cb = {1}});
  expect_drop(Program::PortEgress, bpdu, slot::g1, "unattached",
              {.ingress_ifindex = ifindex("g2"), .cb = {1}});
}

TEST_P(Shut, NeedsAnEntryForWhoeverIsDeliveredTo) {
  ASSERT_TRUE(maps().ports.erase(ifindex("g2")));
  expect_drop(Program::PortIngress,
              Ethernet{.src = mac::guest1, .dst = mac::guest2} / datagram(at.guest1, at.guest2), slot::g1,
              "unattached");
}

TEST_P(Shut, TakesNothingButIpAndArpToAGateway) {
  for (std::uint16_t type : {0x8847, 0x8864, 0x88cc, 0x1234})
    expect_drop(Program::GatewayIngress,
                Ethernet{.src = mac::guest1, .dst = mac::gateway, .type = type} / Payload(60), slot::network,
                "ethertype");
  expect_same(Program::GatewayIngress,
              Ethernet{.src = mac::guest1, .dst = mac::gateway, .type = 0x8035} / Payload(60), Ok);
}

TEST_P(Shut, JudgesBehindPriorityTagsAtEveryHook) {
  for (std::uint16_t tpid : {0x8100, 0x88a8}) {
    Vlan tag{.id = 0, .priority = 6, .tpid = tpid};
    // From outside: a forged guest's source, and a guest of a hidden network for a target.
    expect_drop(Program::UplinkIngress, into_host / tag / datagram(at.guest1, at.host), slot::uplink,
                "spoofed-source");
    expect_drop(Program::UplinkIngress, into_host / tag / tag / datagram(at.remote, at.guest1), slot::uplink,
                "not-visible");
    expect_drop(Program::UplinkXdp, into_host / tag / datagram(at.guest1, at.host), slot::uplink,
                "spoofed-source");
    expect_drop(Program::UplinkXdp, into_host / tag / tag / datagram(at.remote, at.guest1), slot::uplink,
                "not-visible");
    // Of a VLAN: only what is no guest's affair.
    Vlan vlan{.id = 9, .tpid = tpid};
    expect_drop(Program::UplinkIngress, into_host / vlan / datagram(at.guest1, at.host), slot::uplink,
                "spoofed-source");
    expect_same(Program::UplinkIngress, into_host / vlan / datagram(at.remote, at.host), Ok);
    expect_drop(Program::UplinkEgress, out_of_host / vlan / datagram(at.guest1, at.remote), slot::uplink,
                "vlan-tagged");
    expect_same(Program::UplinkEgress, out_of_host / vlan / datagram(at.host, at.remote), Ok);
  }
}

TEST_P(Shut, LetsSourcesLeaveOnlyFromTheirOwnGateway) {
  Bytes frame = out_of_host / datagram(at.guest1, at.remote, 63);
  for (const char* elsewhere : {"eth0", "virbr1"})
    expect_drop(Program::UplinkEgress, frame, slot::uplink, "spoofed-source",
                {.ingress_ifindex = ifindex(elsewhere)});
  Ran ran = run(Program::UplinkEgress, frame, {.ingress_ifindex = ifindex("virbr0")});
  EXPECT_EQ(Ok, ran.verdict);
}

// Translated by the host's own rules: the administrator's word. Wrapped up untranslated: nobody's.
TEST_P(Shut, LetsHiddenNetworksLeaveAsTheHostOnly) {
  RunContext from_nat{.ingress_ifindex = ifindex("virbr0")};
  expect_same(Program::UplinkEgress, out_of_host / datagram(at.host, at.remote), Ok, from_nat);
  for (std::uint8_t proto : {50, 51, 4, 41, 47}) {
    Packet outer = ip(at.host, at.remote);
    if (family() == 4)
      outer = outer.with<Ipv4>([&](Ipv4& v4) { v4.protocol = proto; });
    else
      outer = outer.with<Ipv6>([&](Ipv6& v6) { v6.next_header = proto; });
    expect_drop(Program::UplinkEgress, out_of_host / outer / Payload(60), slot::uplink, "no-way-out",
                from_nat);
    expect_same(Program::UplinkEgress, out_of_host / outer / Payload(60), Ok);
  }
  expect_drop(Program::UplinkEgress,
              Ethernet{.src = mac::uplink, .dst = mac::next_hop, .type = 0x8847} / Payload(60), slot::uplink,
              "no-way-out", from_nat);
  set_flags(flag::isolated);
  expect_drop(Program::UplinkEgress, out_of_host / datagram(at.host, at.remote), slot::uplink, "no-way-out",
              from_nat);
}

TEST_P(Shut, SendsWhatIsForAGuestNowhereElse) {
  expect_drop(Program::UplinkEgress, out_of_host / datagram(at.host, at.guest1), slot::uplink, "no-way-out");
  expect_drop(Program::UplinkEgress, out_of_host / datagram(at.gateway, at.guest1), slot::uplink,
              "no-way-out");
}

// The kernel deletes the entry with the device; what another one with its number is, nobody knows.
TEST_P(Shut, BelievesNoNumberWithoutItsDevice) {
  ASSERT_TRUE(maps().trusted_devices.erase(ifindex("eth0")));
  Ran ran = run(Program::GatewayIngress, from_guest1 / datagram(at.guest1, at.remote));
  EXPECT_EQ((Drops{{{slot::network, "no-uplink"}, 1}}), ran.drops);
}

VNET_BOTH_FAMILIES(Shut);

}  // namespace
}  // namespace vnet::test
