// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/flows.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "cli/render.h"

namespace vnet::cli {
namespace {

SessionInfo session(const std::string& protocol, std::uint16_t inside, const std::string& outside,
                    std::uint16_t port, double rate = 0) {
  return {.protocol = protocol,
          .state = "established",
          .network = "lab",
          .interface = inside < 2000 ? "vnet0" : "vnet1",
          .inside = {*Address::parse("192.168.122.2"), inside},
          .outside = {*Address::parse(outside), port},
          .translated = {*Address::parse("203.0.113.2"), inside},
          .bits_per_second = rate};
}

std::vector<std::uint16_t> chosen(const FlowFilter& filter) {
  std::vector<SessionInfo> all{
      session("tcp", 1000, "198.51.100.1", 443, 5), session("udp", 1001, "198.51.100.1", 53, 9),
      session("icmp", 443, "198.51.100.2", 0, 1), session("tcp", 2000, "203.0.113.9", 80, 7)};
  all[3].state = "new";
  std::vector<std::uint16_t> ports;
  for (const auto& flow : choose_flows(all, filter)) ports.push_back(flow.inside.port);
  return ports;
}

TEST(Flows, TheFastestFirst) {
  EXPECT_THAT(chosen({}), testing::ElementsAre(1001, 2000, 1000, 443));
}

TEST(Flows, Filters) {
  EXPECT_THAT(chosen({.interface = "vnet1"}), testing::ElementsAre(2000));
  EXPECT_THAT(chosen({.port = 443}), testing::ElementsAre(1000));  // an echo id is no port
  EXPECT_THAT(chosen({.port = 1001}), testing::ElementsAre(1001));
  EXPECT_THAT(chosen({.address = Prefix::parse("198.51.100.0/24")}), testing::ElementsAre(1001, 1000, 443));
  EXPECT_THAT(chosen({.address = Prefix::parse("203.0.113.9")}), testing::ElementsAre(2000));
  EXPECT_THAT(chosen({.protocol = "tcp"}), testing::ElementsAre(2000, 1000));
  EXPECT_THAT(chosen({.state = "new"}), testing::ElementsAre(2000));
  EXPECT_THAT(chosen({.protocol = "tcp", .state = "established"}), testing::ElementsAre(1000));
}

TEST(Flows, RatesOfTwoReadings) {
  std::vector<SessionInfo> before{session("tcp", 1000, "198.51.100.1", 443)};
  before[0].out_bytes = 100;
  auto now = before;
  now[0].out_bytes = 150;
  now[0].in_bytes = 200;
  now.push_back(session("tcp", 1001, "198.51.100.1", 443, 77));
  session_rates(before, now, 2);
  EXPECT_DOUBLE_EQ(1000, now[0].bits_per_second);  // 250 bytes in 2 s
  EXPECT_DOUBLE_EQ(77, now[1].bits_per_second);    // new: its own
  now[0].out_bytes = now[0].in_bytes = 1;          // the same five numbers, another session
  now[0].bits_per_second = 3;
  session_rates(before, now, 2);
  EXPECT_DOUBLE_EQ(3, now[0].bits_per_second);
}

TEST(Flows, WhatTheyUseOfThePorts) {
  std::vector<SessionInfo> flows{
      session("tcp", 1000, "198.51.100.1", 443), session("tcp", 1000, "198.51.100.1", 80),
      session("tcp", 1001, "198.51.100.1", 80), session("icmp", 7, "198.51.100.1", 0)};
  auto routed = session("tcp", 1002, "198.51.100.1", 80);
  routed.translated = routed.inside;
  flows.push_back(routed);
  auto forwarded = session("tcp", 1003, "198.51.100.1", 80);
  forwarded.inbound = true;
  flows.push_back(forwarded);
  auto pools = pool_use(flows, {{"lab", 100}});
  ASSERT_EQ(2U, pools.size());
  EXPECT_EQ("icmp", pools[0].protocol);
  EXPECT_EQ(65536U, pools[0].ports);
  EXPECT_EQ(3U, pools[1].sessions);
  EXPECT_EQ(2U, pools[1].ports_in_use);  // 1000 serves two destinations
  EXPECT_EQ(100U, pools[1].ports);
  EXPECT_EQ(80, pools[1].busiest.port);
  EXPECT_EQ(2U, pools[1].busiest_sessions);
}

TEST(Flows, UsageAsTextAndJson) {
  Usage usage;
  usage.stats.networks.push_back({"lab", 1, 50, 200, {}});
  usage.stats.ports.push_back({"vnet0", "lab", 30, {}, 120});
  usage.pools = pool_use({session("tcp", 1000, "198.51.100.1", 443)}, {{"lab", 200}});
  usage.allocations.by_retries[0] = 3;
  usage.allocations.by_retries[2] = 1;
  auto text = usage_text(usage);
  for (const char* part :
       {" lab             50   200   25.0%\n", " vnet0   lab             30   120   25.0%\n",
        "198.51.100.1:443              1   0.5%\n",
        "Ports chosen so far: 4, of which 3 (75.0%) the guest's own; 2 further tries; 0 times"})
    EXPECT_THAT(text, testing::HasSubstr(part));
  auto json = usage_json(usage);
  EXPECT_EQ(2, json["allocations"]["retries"]);
  EXPECT_EQ(120, json["ports"][0]["max_sessions"]);
  EXPECT_EQ(200, json["pools"][0]["ports"]);
}

}  // namespace
}  // namespace vnet::cli
