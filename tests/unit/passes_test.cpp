// SPDX-License-Identifier: GPL-2.0-or-later
// hostFirewall='auto': which rules are wanted where, and the commands that write them.
#include "loader/firewall/passes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "loader/config/network_xml.h"
#include "tests/support/network_samples.h"
#include "tests/support/simulated_host.h"
#include "tests/support/with_settings.h"

namespace vnet {
namespace {

using test::SimulatedHost;
using testing::IsEmpty;

TEST(Passes, AreWrittenAsIptablesWritesThem) {
  PassState now{.table = {"ip", "filter", "input"},
                .policies = {{"INPUT", false}, {"ufw-skip-to-policy-input", true}},
                .rules = {},
                .in_place = false};
  EXPECT_EQ(
      "add chain ip filter VNET_BPF_INPUT\nflush chain ip filter VNET_BPF_INPUT\n"
      "delete rule ip filter INPUT handle 7\n"
      "add rule ip filter VNET_BPF_INPUT iifname \"virbr0\" meta l4proto udp udp dport 67 counter accept\n"
      "add rule ip filter VNET_BPF_INPUT oifname \"virbr0\" counter accept\n"
      "add rule ip filter INPUT counter jump VNET_BPF_INPUT\n"
      "insert rule ip filter ufw-skip-to-policy-input counter jump VNET_BPF_INPUT\n",
      pass_commands(now, {{"virbr0", false, "udp", 67}, {"virbr0", true}}, {"ip filter INPUT handle 7"}));
  EXPECT_EQ(
      "add chain ip filter VNET_BPF_INPUT\nflush chain ip filter VNET_BPF_INPUT\n"
      "delete rule ip filter INPUT handle 7\ndelete chain ip filter VNET_BPF_INPUT\n",
      pass_commands(now, {}, {"ip filter INPUT handle 7"}));
}

TEST(Passes, OnlyNamesThatNftTakes) {
  for (const char* name : {"virbr0", "a.b", "br-1"}) EXPECT_TRUE(is_nameable(name)) << name;
  for (const char* name : {"", "a\"b", "br*", "a\\b", "\xc3\xbc", "a b"})
    EXPECT_FALSE(is_nameable(name)) << name;
}

class PassPlans : public testing::Test {
 protected:
  void SetUp() override {
    host_.add_services();
    for (const auto& [name, xml] : test::network_samples()) host_.define(xml);
  }
  void start(const std::string& name, HostFirewall mode = HostFirewall::Auto) {
    Network network = *host_.snapshot.definition(name);
    network.settings.host_firewall = mode;
    host_.apply(StoreDefinition{"", format(network)});
    auto done = host_.run(Start{name});
    ASSERT_TRUE(done) << done.error().message;
  }
  static std::string format(const Network& network);
  std::vector<PassRule> rules(const std::string& hook) {
    std::vector<PassRule> all;
    for (const auto& state : host_.snapshot.passes)
      if (state.table.hook == hook) all.insert(all.end(), state.rules.begin(), state.rules.end());
    return all;
  }
  SimulatedHost host_;
};

TEST_F(PassPlans, EachModeGetsWhatItNeeds) {
  struct Case {
    const char* network;
    bool forwards, asks;
  };
  for (Case one :
       {Case{"nat", true, true}, {"route", true, true}, {"open", false, false}, {"isolated", false, true}}) {
    SCOPED_TRACE(one.network);
    start(one.network);
    EXPECT_EQ(one.forwards, !rules("forward").empty());
    EXPECT_EQ(one.asks, !rules("input").empty());
    for (const auto& rule : rules("input")) EXPECT_TRUE(!rule.leaves && !rule.protocol.empty());
    ASSERT_TRUE(host_.run(Stop{one.network}));
    EXPECT_THAT(rules("forward"), IsEmpty());
    EXPECT_THAT(rules("input"), IsEmpty());
    EXPECT_TRUE(host_.snapshot.firewalld->zone_of.empty());
  }
}

TEST_F(PassPlans, HonorAndBypassGetNone) {
  for (auto mode : {HostFirewall::Honor, HostFirewall::Bypass}) {
    start("nat", mode);
    EXPECT_THAT(rules("forward"), IsEmpty());
    EXPECT_THAT(rules("input"), IsEmpty());
    EXPECT_TRUE(host_.snapshot.firewalld->zone_of.empty());
    ASSERT_TRUE(host_.run(Stop{"nat"}));
  }
}

TEST_F(PassPlans, TheAdministratorsZoneStays) {
  start("nat");
  const std::string bridge = host_.snapshot.network("nat")->network.bridge;
  auto& zones = host_.snapshot.firewalld->zone_of;
  EXPECT_EQ("vnet-bpf", zones[bridge]);
  zones[bridge] = "drop";
  ASSERT_TRUE(host_.follow());
  EXPECT_EQ("drop", zones[bridge]);
  zones.clear();  // firewalld was started anew
  ASSERT_TRUE(host_.follow());
  EXPECT_EQ("vnet-bpf", zones[bridge]);
  host_.snapshot.firewalld->zones.erase("vnet-bpf");  // its file is not there
  zones.clear();
  ASSERT_TRUE(host_.follow());
  EXPECT_TRUE(zones.empty());
}

TEST_F(PassPlans, RulesThatAreOutOfPlaceAreWrittenAgain) {
  start("nat");
  auto before = host_.snapshot.passes;
  host_.snapshot.passes[0].in_place = false;
  auto plan = host_.run(Follow{});
  ASSERT_TRUE(plan);
  ASSERT_EQ(1U, plan->steps.size());
  EXPECT_TRUE(host_.snapshot.passes[0].in_place);
  EXPECT_EQ(before[0].rules, host_.snapshot.passes[0].rules);
}

std::string PassPlans::format(const Network& network) {
  return format_network(test::with_settings(network));
}

}  // namespace
}  // namespace vnet
