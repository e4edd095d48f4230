// SPDX-License-Identifier: GPL-2.0-or-later
// Addresses that an administrator gives to a gateway's interface beside its network's definition.
#include "loader/bpf/map_address.h"
#include "loader/observe/sessions.h"
#include "tests/e2e/run_fixture.h"

namespace vnet::test {
namespace {

using testing::HasSubstr;

class AddedAddress : public RunTest {
 protected:
  static constexpr const char* outside_addresses[] = {"203.0.113.1", "2001:db8:113::1"};

  // The guest g1 in the further subnets, whose gateway is .1.
  void start_with_guest(const std::string& v4 = "10.9.0", const std::string& v6 = "fd00:9") {
    start_lab();
    add("g1", 11);
    attach("g1", 11);
    guest("g1").must(
        fmt::format("ip addr flush dev eth0 scope global; ip addr add {0}.5/24 dev eth0; ip addr add "
                    "{1}::5/64 dev eth0 nodad; ip route replace default via {0}.1; "
                    "ip -6 route replace default via {1}::1",
                    v4, v6));
  }
  void change(const char* verb) {
    host().must(fmt::format("ip addr {0} 10.9.0.1/24 dev virbr0; ip addr {0} fd00:9::1/64 dev virbr0{1}",
                            verb, verb == std::string("add") ? " nodad" : ""));
  }
  bool gets_out(const std::string& to, int seconds = 1) {
    return wait_until([&] { return guest("g1").pings(to, 1); }, std::chrono::seconds(seconds));
  }
  nlohmann::json added() { return ground().vnet_json({"show", "lab"})["added_addresses"]; }
  bool is_labs(const std::string& ip) {
    auto address = Address::parse(ip);
    auto subnet = maps().subnets.get({.prefixlen = 128, .addr = from_address(*address)});
    return subnet.has_value();
  }
};

TEST_F(AddedAddress, RunFollowsThemWithinASecond) {
  start_with_guest();
  run();
  for (const char* to : outside_addresses) EXPECT_FALSE(gets_out(to)) << to;
  for (int round = 0; round < 2; ++round) {
    change("add");
    EXPECT_TRUE(
        wait_until([&] { return is_labs("10.9.0.5") && is_labs("fd00:9::5"); }, std::chrono::seconds(2)))
        << log();
    // Outside knows no way to them: they are masqueraded.
    for (const char* to : outside_addresses) EXPECT_TRUE(gets_out(to, 5)) << to << all_drops("g1");
    EXPECT_EQ(2U, added().size()) << added();
    EXPECT_TRUE(added().at(0)["refused"].is_null());
    EXPECT_THAT(vnet({"show", "lab"}).out, HasSubstr("Added address:  10.9.0.1/24\n"));
    EXPECT_THAT(log(), HasSubstr("addresses added to virbr0: 10.9.0.1/24, fd00:9::1/64"));
    change("del");
    EXPECT_TRUE(
        wait_until([&] { return !is_labs("10.9.0.5") && !is_labs("fd00:9::5"); }, std::chrono::seconds(2)))
        << log();
    EXPECT_EQ(0U, added().size());
    EXPECT_TRUE(is_labs(ip4(11)) && is_labs(ip6(11))) << "the definition's stay";
  }
}

TEST_F(AddedAddress, EveryCommandFollowsThem) {
  start_with_guest();
  change("add");
  EXPECT_FALSE(gets_out("203.0.113.1"));
  EXPECT_THAT(vnet({"set", "g1", "--link", "up", "--dry-run"}).out, HasSubstr("10.9.0.1/24"));
  set("g1", {"--link", "up"});
  for (const char* to : outside_addresses) EXPECT_TRUE(gets_out(to, 5)) << to << all_drops("g1");
  // Once is enough.
  EXPECT_THAT(vnet({"set", "g1", "--link", "up", "--dry-run"}).out, testing::Not(HasSubstr("10.9.0.1")));
  vnet({"stop", "lab"});
  vnet({"start", "lab"});
  EXPECT_FALSE(is_labs("10.9.0.5"));
  EXPECT_EQ(0U, added().size());
}

// What the gateway answers to is nobody else's, also inside of a subnet of the definition.
TEST_F(AddedAddress, TheyAreTheGatewaysAlone) {
  start_lab();
  add("g1", 11);
  attach("g1", 11);
  host().must("ip addr add 192.168.122.2/24 dev virbr0; ip addr add fd00:122::2/64 dev virbr0 nodad");
  set("g1", {"--link", "up"});
  RawPort raw(guest("g1"), "eth0");
  auto send = [&] {
    Ethernet link{.src = mac_of(11), .dst = gateway_mac};
    raw.send(link / Ipv4{.src = ip4(2), .dst = "203.0.113.1"} / Udp{});
    raw.send(link / Ipv6{.src = ip6(2), .dst = "2001:db8:113::1"} / Udp{});
  };
  send();
  EXPECT_TRUE(wait_until([&] { return dropped("spoofed-source") == 2; })) << all_drops("g1");
  host().must("ip addr del 192.168.122.2/24 dev virbr0; ip addr del fd00:122::2/64 dev virbr0");
  set("g1", {"--link", "up"});
  send();
  EXPECT_TRUE(wait_until([&] { return ground().vnet_json({"flows"}).size() == 2; }));
  EXPECT_EQ(2U, dropped("spoofed-source"));
  EXPECT_TRUE(is_labs(ip4(11)) && is_labs(ip6(11)));
}

TEST_F(AddedAddress, WhatIsAnotherNetworksOrInterfacesStaysIts) {
  start_with_guest("10.8.0", "fd00:8");
  vnet({"up", file("two.xml",
                   "<network><name>two</name><bridge name='virbr2'/><ip address='10.8.0.1' prefix='24'/>"
                   "<ip family='ipv6' address='fd00:8::1' prefix='64'/></network>")});
  // The same subnet, a part of it, one that it is a part of; an uplink's; everything.
  host().must(
      "for a in 10.8.0.1/24 10.8.0.129/25 10.8.1.1/16 203.0.113.77/24 10.7.0.1/0 fd00:8::1/64 fd00:8::99/48; "
      "do "
      "ip addr add $a dev virbr0 nodad 2>/dev/null || ip addr add $a dev virbr0; done");
  set("g1", {"--link", "up"});
  EXPECT_EQ(7U, added().size()) << added();
  for (const auto& one : added()) EXPECT_FALSE(one["refused"].is_null()) << one;
  EXPECT_THAT(vnet({"show", "lab"}).out,
              HasSubstr("10.8.0.1/24 (not its guests' subnet: network two has 10.8.0.0/24)"));
  auto before = dropped("spoofed-source");
  EXPECT_FALSE(gets_out("10.8.0.1"));
  EXPECT_GT(dropped("spoofed-source"), before);
  // Who has it first keeps it.
  for (const char* interface : {"virbr0", "virbr2"}) {
    host().must(std::string("ip addr add 10.9.0.1/24 dev ") + interface);
    set("g1", {"--link", "up"});
  }
  for (const auto& one : added()) EXPECT_EQ(one["address"] == "10.9.0.1/24", one["refused"].is_null()) << one;
  EXPECT_EQ("network lab has 10.9.0.0/24",
            ground().vnet_json({"show", "two"})["added_addresses"].at(0)["refused"]);
  // Going, they take nothing of the other's with them; and what is free then is ours.
  host().must("ip addr flush dev virbr0; ip addr add 192.168.122.1/24 dev virbr0");
  set("g1", {"--link", "up"});
  EXPECT_TRUE(is_labs("10.8.0.5") && is_labs("fd00:8::5"));
  host().must("ip addr add 10.8.0.1/24 dev virbr0; ip addr add fd00:8::1/64 dev virbr0 nodad");
  vnet({"stop", "two"});
  set("g1", {"--link", "up"});
  for (const char* to : outside_addresses) EXPECT_TRUE(gets_out(to, 5)) << to << all_drops("g1");
}

}  // namespace
}  // namespace vnet::test
