// SPDX-License-Identifier: GPL-2.0-or-later
// What each verb does in each mode: desired() and diff(), without a kernel.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "loader/config/network_xml.h"
#include "loader/plan/bandwidth.h"
#include "loader/plan/port_rules.h"
#include "tests/support/network_samples.h"
#include "tests/support/simulated_host.h"

namespace vnet {
namespace {

using test::SimulatedHost;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class PlanTest : public testing::Test {
 protected:
  std::vector<std::string> texts(const Intent& intent) {
    auto plan = make_plan(host_.snapshot, intent);
    if (!plan) return {plan.error().message};
    std::vector<std::string> all;
    for (const auto& step : plan->steps) all.push_back(text(step.change));
    return all;
  }
  void start(const std::string& mode) {
    host_.define(test::network_samples().at(mode));
    auto done = host_.run(Start{mode});
    ASSERT_TRUE(done) << done.error().message;
  }
  void attach(const std::string& interface, const std::string& network) {
    auto done = host_.run(Attach{{{.interface = interface, .network = network}}});
    ASSERT_TRUE(done) << done.error().message;
  }
  void define_without_mac(const std::string& mode) { host_.define(test::network_samples().at(mode)); }

  SimulatedHost host_;
};

TEST_F(PlanTest, StartsNat) {
  define_without_mac("nat");
  EXPECT_THAT(
      texts(Start{"nat"}),
      ElementsAre("load the datapath", HasSubstr("create bridge virbr0 ("),
                  "attach to virbr0: gateway of nat", "attach uplink eth0, XDP filter",
                  "put up the fence at FORWARD", "give virbr0 the addresses 10.1.0.1/24 and set it up",
                  "set sysctl net.ipv4.ip_forward=1", "start dnsmasq on virbr0", "note that nat is active"));
}

TEST_F(PlanTest, StartsRoutedWithBothFamilies) {
  define_without_mac("route");
  EXPECT_THAT(texts(Start{"route"}),
              ElementsAre("load the datapath", HasSubstr("create bridge virbr0 ("),
                          "attach to virbr0: gateway of route", "attach uplink eth0, XDP filter",
                          "put up the fence at FORWARD",
                          "give virbr0 the addresses 10.2.0.1/24, fd00:2::1/64 and set it up",
                          "set sysctl net.ipv4.ip_forward=1", "set sysctl net.ipv6.conf.all.forwarding=1",
                          "start dnsmasq on virbr0", "note that route is active"));
}

TEST_F(PlanTest, AnIsolatedNetworkIsNotForwardedForAndItsUplinkWantsNoXdp) {
  define_without_mac("isolated");
  EXPECT_THAT(
      texts(Start{"isolated"}),
      ElementsAre("load the datapath", HasSubstr("create bridge virbr0 ("),
                  "attach to virbr0: gateway of isolated", "attach uplink eth0",
                  "put up the fence at FORWARD", "give virbr0 the addresses 10.4.0.1/24 and set it up",
                  "start dnsmasq on virbr0", "note that isolated is active"));
}

TEST_F(PlanTest, StartsBridged) {
  define_without_mac("bridge");
  EXPECT_THAT(texts(Start{"bridge"}),
              ElementsAre("load the datapath", "load the programs of bridge for bridge br0",
                          "attach to eth3: the way out of br0", "note that bridge is active"));
}

TEST_F(PlanTest, StartsDirect) {
  define_without_mac("direct");
  EXPECT_THAT(texts(Start{"direct"}),
              ElementsAre("load the datapath", "attach to eth1: the way out of direct",
                          "enter direct into the datapath", "note that direct is active"));
}

TEST_F(PlanTest, StopsWhatItHasStarted) {
  start("nat");
  attach("g1", "nat");
  EXPECT_THAT(texts(Stop{"nat"}),
              ElementsAre("note that nat is stopping", "take g1 down", "take g1 out of its bridge",
                          "take the guard off g1", "stop dnsmasq on virbr0", "delete bridge virbr0",
                          "unload the programs of nat", "detach uplink eth0",
                          "take down the fence at FORWARD", "forget nat"));
}

TEST_F(PlanTest, StopsBridgedAndDirect) {
  start("bridge");
  EXPECT_THAT(texts(Stop{"bridge"}), ElementsAre("note that bridge is stopping", "detach eth3",
                                                 "unload the programs of bridge", "forget bridge"));
  start("direct");
  EXPECT_THAT(texts(Stop{"direct"}), ElementsAre("note that direct is stopping", "detach from eth1",
                                                 "remove direct from the datapath", "forget direct"));
}

// Docker, or a VPN, may have come to rely on it.
TEST_F(PlanTest, ForwardingStaysOn) {
  for (const char* name : {"nat", "open"}) start(name);
  for (const char* name : {"nat", "open"}) {
    EXPECT_THAT(texts(Stop{name}), testing::Not(testing::Contains(HasSubstr("sysctl"))));
    ASSERT_TRUE(host_.run(Stop{name}));
  }
  EXPECT_EQ("1", host_.snapshot.sysctl("net.ipv4.ip_forward"));
}

TEST_F(PlanTest, AttachesInEachModeGuardFirst) {
  for (const auto& [mode, xml] : test::network_samples()) {
    SCOPED_TRACE(mode);
    host_ = SimulatedHost();
    start(mode);
    auto steps = texts(Attach{{{.interface = "g1", .network = mode}}});
    ASSERT_FALSE(steps.empty());
    EXPECT_EQ("guard g1 as port of " + mode, steps.front());
    EXPECT_THAT(steps.back(), HasSubstr("plug g1 into "));
    attach("g1", mode);
    EXPECT_THAT(texts(Attach{{{.interface = "g1", .network = mode}}}), IsEmpty()) << "the second time";
    EXPECT_THAT(texts(SetPort{{.interface = "g1", .isolated = true}}), ElementsAre("change port g1"));
    auto detach = texts(Detach{"g1"});
    ASSERT_FALSE(detach.empty());
    EXPECT_EQ("take g1 down", detach.front());
    EXPECT_EQ("take the guard off g1", detach.back());
  }
}

TEST_F(PlanTest, ACommandGivesOutASlotOnce) {
  start("nat");
  // A port, and an uplink that has come meanwhile.
  int ppp = host_.add_link({.name = "ppp0", .kind = "tun", .mtu = 1400, .up = true});
  host_.snapshot.routes.push_back({.destination = Prefix::parse("203.0.113.0/24"), .oif = ppp});
  ASSERT_TRUE(
      host_.run(Attach{{{.interface = "g1", .network = "nat"}, {.interface = "g2", .network = "nat"}}}));
  std::set<std::uint16_t> slots;
  std::size_t records = 0;
  for (const auto& [name, resource] : observe(host_.snapshot).networks)
    slots.insert(resource.slot), ++records;
  for (const auto& uplink : host_.snapshot.uplinks) slots.insert(uplink.slot), ++records;
  for (const auto& port : host_.snapshot.ports) slots.insert(port.slot), ++records;
  EXPECT_EQ(5U, records);
  EXPECT_EQ(records, slots.size());
}

TEST_F(PlanTest, AnyCommandMendsWhatHasBeenTakenAway) {
  start("nat");
  attach("g1", "nat");
  host_.snapshot.guarded_ports.clear();
  host_.snapshot.guarded_networks.clear();
  host_.snapshot.guarded_uplinks.clear();
  host_.snapshot.services.clear();
  host_.snapshot.fence = false;
  EXPECT_THAT(
      texts(Attach{{{.interface = "g2", .network = "nat"}}}),
      testing::IsSupersetOf({"attach to virbr0 again: gateway of nat", "attach uplink eth0, XDP filter",
                             "put up the fence at FORWARD", "start dnsmasq on virbr0",
                             "guard g1 as port of nat", "guard g2 as port of nat"}));
}

TEST_F(PlanTest, FollowMakesABridgeAgainAndPutsItsPortsBack) {
  start("nat");
  attach("g1", "nat");
  host_.remove_link("virbr0");
  EXPECT_THAT(texts(SetPort{{.interface = "g1", .model = "virtio"}}),
              testing::Not(testing::Contains(HasSubstr("create bridge"))))
      << "only `run` does";
  ASSERT_TRUE(host_.follow());
  EXPECT_EQ(host_.link("virbr0").ifindex, host_.link("g1").master);
}

TEST_F(PlanTest, AnotherBridgeOfTheSameNameIsLeftAlone) {
  start("nat");
  host_.remove_link("virbr0");
  host_.add_link({.name = "virbr0", .kind = "bridge", .up = true, .ethernet = true});
  auto plan = make_plan(host_.snapshot, Follow{});
  ASSERT_TRUE(plan);
  ASSERT_EQ(1U, plan->refusals.size());
  EXPECT_THAT(plan->refusals[0].error.message, HasSubstr("somebody has made another virbr0"));
}

TEST_F(PlanTest, FollowTakesUpAndLetsGoWhatOthersPlug) {
  start("open");
  host_.link("g1").master = host_.link("virbr0").ifindex;
  ASSERT_TRUE(host_.follow());
  ASSERT_TRUE(host_.snapshot.port("g1"));
  EXPECT_FALSE(host_.snapshot.port("g1")->enslaved_by_us);
  host_.link("g1").master = 0;
  ASSERT_TRUE(host_.follow());
  EXPECT_FALSE(host_.snapshot.port("g1"));
}

TEST_F(PlanTest, StopIsFinishedByTheNext) {
  start("nat");
  attach("g1", "nat");
  auto whole = make_plan(host_.snapshot, Stop{"nat"});
  ASSERT_TRUE(whole);
  for (std::size_t killed = 0; killed < whole->steps.size(); ++killed) {
    SimulatedHost host = host_;
    host.apply(whole->steps, killed);
    ASSERT_TRUE(host.run(Stop{"nat"})) << "killed after " << killed;
    EXPECT_TRUE(host.snapshot.active.empty());
    EXPECT_TRUE(host.snapshot.ports.empty());
    EXPECT_TRUE(host.snapshot.uplinks.empty());
  }
}

TEST_F(PlanTest, WhatCannotBeSaysWhy) {
  start("nat");
  attach("g1", "nat");
  EXPECT_THAT(texts(Start{"nat"}), ElementsAre("network nat is already active"));
  EXPECT_THAT(texts(Start{"none"}), ElementsAre("no network with matching name 'none'"));
  EXPECT_THAT(texts(Stop{"none"}), ElementsAre("no network with matching name 'none'"));
  EXPECT_THAT(texts(Attach{{{.interface = "g9", .network = "nat"}}}),
              ElementsAre("there is no interface g9"));
  EXPECT_THAT(texts(Attach{{{.interface = "eth0", .network = "nat"}}}),
              ElementsAre(HasSubstr("eth0 is an uplink")));
  EXPECT_THAT(texts(Attach{{{.interface = "g1", .network = "other"}}}),
              ElementsAre(HasSubstr("is not active")));
  EXPECT_THAT(texts(Detach{"g2"}), ElementsAre("g2 is not attached to any network"));
  Mac mac{{2, 0, 0, 0, 0, 9}};
  ASSERT_TRUE(host_.run(SetPort{{.interface = "g1", .mac = mac, .any_mac = false}}));
  EXPECT_THAT(texts(Attach{{{.interface = "g2", .network = "nat", .mac = mac, .any_mac = false}}}),
              ElementsAre(HasSubstr("g1 has the MAC")));
}

TEST(PortRules, AGatewaysVlanIsTheNetworksOwn) {
  auto with = [](const std::string& vlan) {
    return *parse_network("<network><name>lab</name><forward mode='nat'/>" + vlan +
                              "<ip address='192.168.9.1' netmask='255.255.255.0'/></network>",
                          "lab.xml");
  };
  EXPECT_EQ(0, untagged_vlan(with("").vlan));
  EXPECT_EQ(7, untagged_vlan(with("<vlan><tag id='7'/></vlan>").vlan));
  EXPECT_EQ(8, untagged_vlan(
                   with("<vlan trunk='yes'><tag id='7'/><tag id='8' nativeMode='untagged'/></vlan>").vlan));
  EXPECT_EQ(0, untagged_vlan(with("<vlan trunk='yes'><tag id='7'/><tag id='8'/></vlan>").vlan));
  Network network = with("<vlan><tag id='7'/></vlan>");
  PortRecord port;
  EXPECT_EQ(VNET_PORT_F_VLAN, *port_flags(port, network) & (VNET_PORT_F_VLAN | VNET_PORT_F_TRUNK));
  port.vlan = Vlan{.trunk = true, .tags = {{.id = 7, .native = true, .native_tagged = true}, {.id = 8}}};
  constexpr auto all = VNET_PORT_F_VLAN | VNET_PORT_F_TRUNK | VNET_PORT_F_NATIVE_TAGGED;
  EXPECT_EQ(all, static_cast<int>(*port_flags(port, network)) & all);
}

TEST(Limits, AreBucketsOfARateAndABurst) {
  constexpr std::uint64_t second = 1'000'000'000, mib = 1 << 20;
  auto plain = limit_of(Bandwidth{.average = 1000});
  EXPECT_EQ(mib * second / 1'000'000, plain.average.ns_per_mib);
  EXPECT_EQ(1'024'000'000U, plain.average.depth_ns) << "KiB of a second's kB";
  EXPECT_EQ(0U, plain.peak.ns_per_mib);
  auto all = limit_of(Bandwidth{.average = 1000, .peak = 2000, .burst = 500});
  EXPECT_EQ(512'000'000U, all.average.depth_ns);
  EXPECT_EQ(mib * second / 2'000'000, all.peak.ns_per_mib);
  EXPECT_EQ(64U * 1024 * 500, all.peak.depth_ns) << "a whole segment at once";
  // Neither overflows nor divides by zero.
  EXPECT_EQ(0U, limit_of(Bandwidth{}).average.ns_per_mib);
  EXPECT_GT(
      limit_of(Bandwidth{.average = UINT64_MAX, .peak = UINT64_MAX, .burst = UINT64_MAX}).average.ns_per_mib,
      0U);
  EXPECT_EQ(3600 * second,
            limit_of(Bandwidth{.average = 1, .peak = 0, .burst = UINT64_MAX}).average.depth_ns);
}

TEST(Limits, ADirectionThatIsNotNamedStays) {
  PortConfig port;
  apply_request(port, {.bandwidth = BandwidthRequest{.inbound = Bandwidth{.average = 1}, .outbound = {}}});
  apply_request(port, {.bandwidth = BandwidthRequest{.inbound = {}, .outbound = Bandwidth{.average = 2}}});
  EXPECT_EQ((BandwidthPair{Bandwidth{.average = 1}, Bandwidth{.average = 2}}), *port.bandwidth);
  std::optional<Bandwidth> none;
  apply_request(port, {.bandwidth = BandwidthRequest{.inbound = none, .outbound = {}}});
  EXPECT_FALSE(port.bandwidth->inbound);
  apply_request(port, {.bandwidth = BandwidthRequest{.inbound = {}, .outbound = none}});
  EXPECT_FALSE(port.bandwidth) << "its group's holds again";
}

// As libvirt chooses: the port's own, else its group's, else (a VLAN) the network's.
TEST(PortRules, BandwidthAndVlanComeFromTheGroupWhereThePortHasNone) {
  auto network = parse_network(
      "<network><name>lab</name><forward mode='bridge'/><bridge name='br0'/><vlan><tag id='7'/></vlan>"
      "<portgroup name='slow' default='yes'><bandwidth><outbound average='500'/></bandwidth></portgroup>"
      "<portgroup name='blue'><vlan><tag id='42'/></vlan></portgroup></network>",
      "a test");
  ASSERT_TRUE(network) << network.error().message;
  PortRecord port;
  ASSERT_TRUE(bandwidth_of(port, *network));
  EXPECT_EQ(500U, bandwidth_of(port, *network)->outbound->average);
  EXPECT_EQ(7U, vlan_of(port, *network)->tags[0].id);
  port.portgroup = "blue";
  EXPECT_FALSE(bandwidth_of(port, *network));
  EXPECT_EQ(42U, vlan_of(port, *network)->tags[0].id);
  port.bandwidth = BandwidthPair{.outbound = Bandwidth{.average = 900}};
  port.vlan = Vlan{.tags = {{.id = 9}}};
  EXPECT_EQ(900U, bandwidth_of(port, *network)->outbound->average);
  EXPECT_EQ(9U, vlan_of(port, *network)->tags[0].id);
}

}  // namespace
}  // namespace vnet
