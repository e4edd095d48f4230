// SPDX-License-Identifier: GPL-2.0-or-later
// What is announced of a network, and what FRR has to be told for that.
#include "loader/plan/announce.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "loader/config/network_xml.h"
#include "loader/services/frr_config.h"

namespace vnet {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

Network network_of(const std::string& mode, const std::string& announce) {
  auto network =
      parse_network("<network><name>lab</name><metadata><v:network xmlns:v='urn:vnet-bpf:network:1'>" +
                        announce + "</v:network></metadata><forward mode='" + mode +
                        "'/><bridge name='virbr9'/><ip address='10.9.0.1' prefix='24'/>"
                        "<ip family='ipv6' address='fd00:9::1' prefix='64'/></network>",
                    "a test");
  EXPECT_TRUE(network) << network.error().message;
  return network.value_or(Network{});
}

std::vector<std::string> texts(const std::vector<Announcement>& all) {
  std::vector<std::string> words;
  for (const auto& one : all)
    words.push_back(one.prefix.text() + (one.is_host() ? " " + one.port : "") +
                    (one.asked ? "" : " not asked"));
  return words;
}

const std::vector<GuestAddress> guests{
    {"g1", *Address::parse("10.9.0.11")}, {"g1", *Address::parse("fd00:9::11")},
    {"g1", *Address::parse("fe80::11")},  {"g1", *Address::parse("10.9.0.1")},
    {"g2", *Address::parse("10.9.0.11")}, {"g2", *Address::parse("192.0.2.7")}};

TEST(Announce, SubnetsAndGuestsAddressesWhereAsked) {
  EXPECT_THAT(texts(announcements(network_of("route", "<v:announce/>"), {}, guests)),
              ElementsAre("10.9.0.0/24", "fd00:9::/64"));
  EXPECT_THAT(texts(announcements(network_of("open", "<v:announce hosts='yes'/>"), {}, guests)),
              ElementsAre("10.9.0.0/24", "10.9.0.11/32 g1", "fd00:9::/64", "fd00:9::11/128 g1"));
  EXPECT_THAT(texts(announcements(network_of("route", ""), {}, guests)),
              ElementsAre("10.9.0.0/24 not asked", "fd00:9::/64 not asked"));
}

TEST(Announce, NothingOfAHiddenNetwork) {
  EXPECT_THAT(announcements(network_of("nat", ""), {}, guests), IsEmpty());
  auto turned = network_of("route", "<v:announce hosts='yes'/>");
  turned.mode = Mode::Isolated;
  EXPECT_THAT(announcements(turned, {}, guests), IsEmpty());
}

TEST(Announce, AddressesAddedByHandUnlessRefused) {
  const std::vector<AddedAddress> added{{*Prefix::parse("10.8.0.1/24"), ""},
                                        {*Prefix::parse("10.7.0.1/24"), "another network's"}};
  EXPECT_THAT(texts(announcements(network_of("route", "<v:announce/>"), added, {})),
              ElementsAre("10.8.0.0/24", "10.9.0.0/24", "fd00:9::/64"));
}

constexpr const char* bgp_text = R"(frr version 8.4.4
!
router bgp 65001
 bgp router-id 1.1.1.1
 !
 address-family ipv4 unicast
  network 192.0.2.0/24
  network 10.9.0.0/24 route-map vnet-bpf
  network 10.7.0.0/24 route-map vnet-bpf
  network 10.6.0.0/24 route-map other
 exit-address-family
 !
 address-family ipv6 unicast
  network fd00:9::/64 route-map vnet-bpf
 exit-address-family
 !
 address-family l2vpn evpn
  advertise-all-vni
 exit-address-family
!
exit
!
router bgp 65009 vrf red
 !
 address-family ipv4 unicast
  network 10.5.0.0/24 route-map vnet-bpf
 exit-address-family
!
exit
!
route-map vnet-bpf permit 10
exit
!
)";
constexpr const char* static_text = R"(hostname x
ip route 0.0.0.0/0 192.0.2.1
ip route 10.9.0.11/32 virbr9 tag 1986946420
ip route 10.9.0.12/32 virbr9 tag 5
ipv6 route fd00:9::11/128 virbr9 tag 1986946420
)";

FrrConfig read_both() {
  FrrConfig config;
  read_bgp_config(bgp_text, config);
  read_static_config(static_text, config);
  return config;
}

TEST(FrrConfig, OnlyWhatHasOurMarkIsOurs) {
  auto config = read_both();
  EXPECT_EQ(65001U, config.as);
  EXPECT_TRUE(config.route_map);
  EXPECT_TRUE(config.bare_route_map);
  EXPECT_THAT(config.networks, ElementsAre(*Prefix::parse("10.7.0.0/24"), *Prefix::parse("10.9.0.0/24"),
                                           *Prefix::parse("fd00:9::/64")));
  EXPECT_THAT(config.foreign, ElementsAre(*Prefix::parse("10.6.0.0/24"), *Prefix::parse("192.0.2.0/24")));
  EXPECT_THAT(config.routes, ElementsAre(FrrHostRoute{*Prefix::parse("10.9.0.11/32"), "virbr9"},
                                         FrrHostRoute{*Prefix::parse("fd00:9::11/128"), "virbr9"}));
}

TEST(FrrConfig, CommandsAreTheDifference) {
  const auto now = read_both();
  const auto asked = announcements(network_of("route", "<v:announce hosts='yes'/>"), {},
                                   {{"g1", *Address::parse("10.9.0.13")}});
  const auto wanted = wanted_config(now, asked);
  EXPECT_THAT(static_commands(now, wanted), ElementsAre("no ip route 10.9.0.11/32 virbr9 tag 1986946420",
                                                        "no ipv6 route fd00:9::11/128 virbr9 tag 1986946420",
                                                        "ip route 10.9.0.13/32 virbr9 tag 1986946420"));
  EXPECT_THAT(bgp_commands(now, wanted),
              ElementsAre("router bgp 65001", "address-family ipv4 unicast",
                          "no network 10.7.0.0/24 route-map vnet-bpf",
                          "network 10.9.0.13/32 route-map vnet-bpf", "exit-address-family", "exit"));
  EXPECT_THAT(bgp_commands(wanted, wanted), IsEmpty());
  EXPECT_THAT(static_commands(wanted, wanted), IsEmpty());
}

TEST(FrrConfig, NothingThatWasNotAskedFor) {
  const auto wanted = wanted_config(read_both(), announcements(network_of("route", ""), {}, guests));
  EXPECT_THAT(wanted.networks, IsEmpty());
  EXPECT_THAT(wanted.routes, IsEmpty());
}

TEST(FrrConfig, NothingOfAnotherAsAndWithoutAny) {
  auto config = read_both();
  const auto other = announcements(network_of("route", "<v:announce bgp='65010'/>"), {}, {});
  EXPECT_THAT(wanted_config(config, other).networks, IsEmpty());
  EXPECT_THAT(why_not(config, other[0]), testing::HasSubstr("FRR's AS is 65001"));
  const auto any = announcements(network_of("route", "<v:announce/>"), {}, {});
  config.as.reset();
  EXPECT_THAT(wanted_config(config, any).networks, IsEmpty());
  EXPECT_THAT(why_not(config, any[0]), testing::HasSubstr("no `router bgp`"));
}

TEST(FrrConfig, TheRouteMapGoesWithTheLastUnlessSomebodyAddedToIt) {
  auto config = read_both();
  EXPECT_THAT(bgp_commands(config, wanted_config(config, {})), testing::Contains("no route-map vnet-bpf"));
  FrrConfig added;
  read_bgp_config("router bgp 65001\n!\nroute-map vnet-bpf permit 10\n set community 1:2\nexit\n", added);
  EXPECT_FALSE(added.bare_route_map);
  EXPECT_THAT(bgp_commands(added, wanted_config(added, {})), IsEmpty());
  FrrConfig fresh;
  read_bgp_config("router bgp 65001\n!\nexit\n", fresh);
  const auto asked = announcements(network_of("route", "<v:announce/>"), {}, {});
  EXPECT_THAT(bgp_commands(fresh, wanted_config(fresh, asked)),
              testing::Contains("route-map vnet-bpf permit 10"));
}

// What the administrator announces is not announced twice, nor taken back.
TEST(FrrConfig, TheAdministratorsNetworksStayTheirs) {
  FrrConfig config;
  read_bgp_config(
      "router bgp 65001\n !\n address-family ipv4 unicast\n  network 10.9.0.0/24\n exit-address-family\n",
      config);
  const auto wanted = wanted_config(config, announcements(network_of("route", "<v:announce/>"), {}, {}));
  EXPECT_THAT(wanted.networks, ElementsAre(*Prefix::parse("fd00:9::/64")));
}

}  // namespace
}  // namespace vnet
