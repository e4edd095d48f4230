// SPDX-License-Identifier: GPL-2.0-or-later
// Networks announced by BGP, with FRR's own daemons on two hosts and on the router above them.
#include "tests/e2e/announce_fixture.h"

namespace vnet::test {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::Pair;
using testing::UnorderedElementsAre;

TEST_F(AnnounceTest, GuestsOfTwoHostsReachEachOtherAndTheOutside) {
  a().up(announced_xml(9));
  b().up(announced_xml(10));
  a().plug("g1", 9, 11);
  b().plug("g2", 10, 12);
  for (const char* prefix : {"10.9.0.0/24", "fd00:9::/64"}) EXPECT_TRUE(has_route(prefix, "eth0")) << prefix;
  for (const char* prefix : {"10.10.0.0/24", "fd00:10::/64"})
    EXPECT_TRUE(has_route(prefix, "ethb")) << prefix;
  for (const char* address : {"10.10.0.12", "fd00:10::12", "198.51.100.1", "2001:db8:51::1"})
    EXPECT_TRUE(a().guest("g1").pings(address)) << address;
  for (const char* address : {"10.9.0.11", "fd00:9::11"}) {
    EXPECT_TRUE(b().guest("g2").pings(address)) << address;
    EXPECT_TRUE(router().pings(address)) << address;
  }
  EXPECT_THAT(a().announced(),
              UnorderedElementsAre(Pair("10.9.0.0/24", "announced"), Pair("fd00:9::/64", "announced")));
  EXPECT_TRUE(a().findings("announce").empty()) << a().findings("announce").dump(1);

  a().vnet({"stop", "lab"});
  for (const char* prefix : {"10.9.0.0/24", "fd00:9::/64"}) EXPECT_TRUE(has_none(prefix)) << route(prefix);
  EXPECT_THAT(a().frr->bgp_config(), Not(HasSubstr("vnet-bpf")));
  EXPECT_TRUE(has_route("10.10.0.0/24", "ethb"));
}

// Not the network without <announce>, not NAT's, not the host's own; and the administrator's stays.
TEST_F(AnnounceTest, AnnouncesNothingThatWasNotAskedFor) {
  a().frr->configure({"ip route 192.0.2.0/24 blackhole", "router bgp 65001", "address-family ipv4 unicast",
                      "network 192.0.2.0/24"});
  a().up(announced_xml(9));
  a().plug("g1", 9, 11);
  a().up(announced_xml(20, "", "quiet"));
  a().up(announced_xml(21, "", "hidden", "nat"));
  EXPECT_TRUE(has_route("10.9.0.0/24", "eth0"));
  EXPECT_TRUE(has_route("192.0.2.0/24", "eth0"));
  for (const char* prefix : {"10.20.0.0/24", "fd00:20::/64", "10.21.0.0/24", "fd00:21::/64"})
    EXPECT_EQ("", route(prefix));
  EXPECT_THAT(a().announced(),
              UnorderedElementsAre(Pair("10.9.0.0/24", "announced"), Pair("fd00:9::/64", "announced"),
                                   Pair("10.20.0.0/24", "not-asked"), Pair("fd00:20::/64", "not-asked")));
  EXPECT_THAT(a().vnet({"announce", "--frr"}).out, HasSubstr("nothing to do"));

  // Changed while it runs: no longer asked for.
  a().vnet({"apply", "lab", a().file("network.xml", announced_xml(9, ""))});
  EXPECT_TRUE(has_none("10.9.0.0/24"));
  EXPECT_TRUE(has_none("fd00:9::/64"));
  EXPECT_TRUE(has_route("192.0.2.0/24", "eth0"));
  EXPECT_THAT(a().frr->bgp_config(), HasSubstr("network 192.0.2.0/24"));
  EXPECT_THAT(a().frr->bgp_config(), Not(HasSubstr("vnet-bpf")));
}

TEST_F(AnnounceTest, AMovedGuestIsFollowed) {
  for (auto* host : {&a(), &b()}) {
    host->up(announced_xml(9, "<vnet:announce hosts='yes'/>"));
    host->run();
  }
  a().plug("g1", 9, 11, "52:54:00:00:09:11");
  EXPECT_TRUE(has_route("10.9.0.11", "eth0"));
  EXPECT_TRUE(has_route("fd00:9::11", "eth0"));
  EXPECT_TRUE(router().pings("10.9.0.11"));

  a().vnet({"detach", "g1"});
  a().ns().must("ip link del g1");
  b().plug("g1", 9, 11, "52:54:00:00:09:11");
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_TRUE(has_route("10.9.0.11", "ethb"));
  EXPECT_TRUE(has_route("fd00:9::11", "ethb"));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(10));
  EXPECT_TRUE(router().pings("10.9.0.11"));
  EXPECT_TRUE(router().pings("fd00:9::11"));
  EXPECT_THAT(a().frr->bgp_config(), Not(HasSubstr("10.9.0.11")));
}

TEST_F(AnnounceTest, AnAnycastAddressHasAPathToEachHost) {
  for (auto* host : {&a(), &b()}) {
    host->up(announced_xml(9, "<vnet:announce hosts='yes'/>"));
    host->plug("any", 9, 53);
  }
  EXPECT_TRUE(has_route("10.9.0.53", "eth0"));
  EXPECT_TRUE(has_route("10.9.0.53", "ethb")) << route("10.9.0.53");
  b().vnet({"set", "any", "--link", "down"});
  EXPECT_TRUE(soon([&] { return route("10.9.0.53").find("ethb") == std::string::npos; }))
      << route("10.9.0.53");
  EXPECT_TRUE(router().pings("10.9.0.53"));
}

TEST_F(AnnounceTest, WhatFrrLosesIsGivenAgain) {
  a().up(announced_xml(9));
  a().plug("g1", 9, 11);
  EXPECT_TRUE(has_route("10.9.0.0/24", "eth0"));
  a().frr->kill("bgpd");
  EXPECT_TRUE(has_none("10.9.0.0/24"));
  EXPECT_EQ("refused", a().announced()["10.9.0.0/24"]);
  ASSERT_EQ(1U, a().findings("announce").size());
  EXPECT_THAT(a().findings("announce")[0]["what"], HasSubstr("bgpd is not there"));
  EXPECT_EQ(1, a().ground.vnet({"announce", "--frr"}).status);

  a().frr->start("bgpd");
  EXPECT_EQ("missing", a().announced()["10.9.0.0/24"]);
  ASSERT_EQ(1U, a().findings("announce").size());
  EXPECT_EQ("vnet-bpf announce --frr", a().findings("announce")[0]["fix"]);
  EXPECT_THAT(a().vnet({"announce", "--frr", "--dry-run"}).out, HasSubstr("network 10.9.0.0/24 route-map"));
  EXPECT_EQ("missing", a().announced()["10.9.0.0/24"]);
  a().vnet({"announce", "--frr"});
  EXPECT_TRUE(has_route("10.9.0.0/24", "eth0"));

  // By itself while `run` runs.
  a().run();
  a().frr->kill("bgpd");
  EXPECT_TRUE(has_none("10.9.0.0/24"));
  a().frr->start("bgpd");
  EXPECT_TRUE(has_route("10.9.0.0/24", "eth0"));
}

// Somebody's `write memory`, or a command that was killed in between.
TEST_F(AnnounceTest, StaleOnesAreTakenBack) {
  a().up(announced_xml(9));
  a().plug("g1", 9, 11);
  a().frr->configure({"ip route 10.9.0.99/32 virbr9 tag 1986946420", "ip route 10.9.0.98/32 virbr9 tag 7",
                      "router bgp 65001", "address-family ipv4 unicast",
                      "network 10.66.0.0/24 route-map vnet-bpf", "network 10.9.0.99/32 route-map vnet-bpf"});
  EXPECT_EQ("stale", a().announced()["10.66.0.0/24"]);
  EXPECT_EQ("stale", a().announced()["10.9.0.99/32"]);
  ASSERT_EQ(1U, a().findings("announce").size());
  a().vnet({"announce", "--frr"});
  EXPECT_EQ(0U, a().announced().count("10.66.0.0/24"));
  EXPECT_TRUE(a().findings("announce").empty());
  EXPECT_THAT(a().frr->bgp_config(), Not(HasSubstr("10.9.0.99")));
  EXPECT_THAT(a().frr->bgp_config(), HasSubstr("10.9.0.98/32 virbr9 tag 7"));
}

TEST_F(AnnounceTest, AnotherAsIsRefused) {
  a().up(announced_xml(9, "<vnet:announce bgp='65010'/>"));
  a().plug("g1", 9, 11);
  auto given = a().ground.vnet({"announce", "--frr"});
  EXPECT_EQ(1, given.status);
  EXPECT_THAT(given.err, HasSubstr("it names bgp='65010', and FRR's AS is 65001"));
  EXPECT_EQ("refused", a().announced()["10.9.0.0/24"]);
  EXPECT_EQ("", route("10.9.0.0/24"));
  a().vnet({"apply", "lab", a().file("network.xml", announced_xml(9, "<vnet:announce bgp='65001'/>"))});
  EXPECT_TRUE(has_route("10.9.0.0/24", "eth0"));
}

// BGP's own hold time is three minutes.
TEST_F(AnnounceTest, BfdFindsAHostThatIsGone) {
  for (auto* host : {&a(), &b()}) host->up(announced_xml(9, "<vnet:announce hosts='yes'/>"));
  a().plug("any", 9, 53);
  b().plug("any", 9, 53);
  EXPECT_TRUE(has_route("10.9.0.53", "ethb"));
  for (const char* daemon : {"bgpd", "bfdd", "zebra"}) b().frr->signal(daemon, SIGSTOP);
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_TRUE(soon([&] { return route("10.9.0.53").find("ethb") == std::string::npos; }))
      << route("10.9.0.53");
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
  EXPECT_NE(std::string::npos, route("10.9.0.53").find("eth0"));
}

}  // namespace
}  // namespace vnet::test
