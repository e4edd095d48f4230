// SPDX-License-Identifier: GPL-2.0-or-later
// Peace with the host's firewall: with Docker's rules, ufw and firewalld, as they are on a fresh host, guests
// get DHCP, DNS and the outside, and nobody has to type a command. What an administrator has written holds.
#include "tests/e2e/firewall_fixture.h"

namespace vnet::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

TEST_P(HostFirewallTest, DockersRulesAndPolicies) {
  load_docker();
  up_lab();
  fresh_guest("g1");
  expect_served("g1");
  // iptables still reads what is in its tables, and writes it again.
  for (const char* tables : {"iptables", "ip6tables"}) {
    Output saved = host().sh(std::string(tables) + "-save");
    EXPECT_THAT(saved.out, HasSubstr("-A FORWARD -j VNET_BPF_FORWARD\n"));
    EXPECT_THAT(saved.out, HasSubstr("-A VNET_BPF_FORWARD -i virbr0 -j ACCEPT\n"));
    EXPECT_THAT(saved.err, IsEmpty());
    host().must(std::string(tables) + "-save | " + tables + "-restore");
  }
  EXPECT_THAT(ground().vnet({"apply", "lab", "--dry-run"}).out, Not(HasSubstr("policy")));
  EXPECT_THAT(doctor(), AllOf(HasSubstr("guests of network lab are let past the host's policies"),
                              HasSubstr("table ip6 filter, chain FORWARD"), Not(HasSubstr("forward-rules"))));
  Output told = ground().vnet({"explain", "--port", "g1", "--to", "203.0.113.1:81", "--proto", "tcp"});
  EXPECT_THAT(told.out,
              HasSubstr("past the host's policy by a rule of vnet-bpf's, hostFirewall='auto' (table "
                        "ip filter, chain FORWARD, policy drop)"));
  vnet({"stop", "lab"});
  EXPECT_THAT(rules_seen(), Not(HasSubstr("VNET_BPF")));
}

TEST_P(HostFirewallTest, WhatTheAdministratorHasWrittenHolds) {
  load_docker();
  up_lab();
  Namespace& inner = fresh_guest("g1");
  expect_served("g1");
  // Both before and behind our rules were there, appended and inserted.
  for (const char* tables : {"iptables", "ip6tables"})
    host().must(std::string(tables) + " -A FORWARD -i virbr0 -p tcp --dport 9001 -j REJECT; " + tables +
                " -I DOCKER-USER -i virbr0 -p tcp --dport 9002 -j DROP");
  vnet({"apply", "lab"});
  std::vector<Question> refused;
  Echo one(outside(), Transport::Tcp, 9001), two(outside(), Transport::Tcp, 9002);
  both_families([&](bool v6) {
    for (std::uint16_t port : {9001, 9002})
      EXPECT_FALSE(
          TcpConnection(inner, {eth0.theirs(v6), port}, {.limit = std::chrono::milliseconds(700)}).is_open())
          << port << rules_seen();
  });
  expect_outside(inner);
  EXPECT_THAT(ground().vnet({"explain", "--port", "g1", "--to", "203.0.113.1:9002", "--proto", "tcp"}).out,
              HasSubstr("DOCKER-USER: iifname \"virbr0\""));
  // Another word in the XML, and the policy decides, for new connections.
  vnet({"apply", "lab", file("honor.xml", lab_xml(mode("honor")))});
  EXPECT_THAT(rules_seen(), Not(HasSubstr("VNET_BPF")));
  expect_no_outside(inner);
  EXPECT_THAT(doctor(), HasSubstr("drop what guests of network lab send"));
  vnet({"apply", "lab", file("auto.xml", lab_xml(mode("auto")))});
  expect_outside(inner);
}

// Chains of nft's own, both families in one table; an isolated network gets its services and nothing more.
TEST_P(HostFirewallTest, PoliciesOfNftablesAndIsolatedNetworks) {
  rules(
      "table inet strict { chain in { type filter hook input priority 0; policy drop; ct state "
      "established,related accept; iifname eth0 meta l4proto ipv6-icmp accept; }\n"
      "chain forward { type filter hook forward priority 0; policy drop; ct state established,related "
      "accept; }\n}");
  up_lab();
  fresh_guest("g1");
  expect_served("g1");
  EXPECT_FALSE(
      TcpConnection(guest("g1"), {"192.168.122.1", 22}, {.limit = std::chrono::milliseconds(500)}).is_open());
  vnet({"stop", "lab"});
  std::string xml = lab_xml();
  xml.replace(xml.find("<forward"), xml.find("</forward>") + 10 - xml.find("<forward"), "");
  vnet({"up", file("isolated.xml", xml)});
  EXPECT_THAT(rules_seen(), AllOf(HasSubstr("VNET_BPF_INPUT"), Not(HasSubstr("VNET_BPF_FORWARD"))));
  vnet({"attach", "g1", "--network", "lab"});
  EXPECT_TRUE(has_lease("g1")) << rules_seen();
  EXPECT_TRUE(resolves(guest("g1"), "192.168.122.1"));
}

TEST_P(HostFirewallTest, AnOpenNetworkIsLeftToTheRules) {
  drop_by_policy();
  std::string xml = lab_xml();
  xml.replace(xml.find("mode='nat'><nat ipv6='yes'/></forward>"), 38, "mode='open'/>");
  vnet({"up", file("open.xml", xml)});
  EXPECT_THAT(rules_seen(), Not(HasSubstr("VNET_BPF")));
}

TEST_P(HostFirewallTest, RunFollowsAFlushAndAReload) {
  load_docker();
  up_lab();
  Namespace& inner = fresh_guest("g1");
  ASSERT_TRUE(has_lease("g1"));
  inner.must("ip addr add fd00:122::77/64 dev eth0 nodad");
  run();
  auto passes = [&] {
    return host().sh("nft list chain ip filter FORWARD").out.contains("VNET_BPF_FORWARD");
  };
  auto soon = std::chrono::seconds(15);  // a second, on a machine that has time
  host().must("nft flush ruleset");
  EXPECT_THAT(rules_seen(), Not(HasSubstr("policy drop")));
  load_docker();
  EXPECT_TRUE(wait_until(passes, soon)) << rules_seen();
  expect_outside(inner);
  host().must("iptables -F FORWARD");
  EXPECT_TRUE(wait_until(passes, soon)) << rules_seen();
  host().must("iptables -A FORWARD -i virbr0 -p tcp --dport 9001 -j REJECT");
  EXPECT_TRUE(wait_until(
      [&] {
        std::string chain = host().sh("iptables -S FORWARD").out;
        return chain.ends_with("-A FORWARD -j VNET_BPF_FORWARD\n");
      },
      soon))
      << rules_seen();
  host().must("iptables -P FORWARD ACCEPT");
  EXPECT_TRUE(wait_until([&] { return !passes(); }, soon)) << rules_seen();
}

TEST_P(HostFirewallTest, Ufw) {
  if (!has("ufw")) GTEST_SKIP() << missing_;
  ufw("--force enable");
  up_lab();
  Namespace& inner = fresh_guest("g1");
  expect_served("g1");
  EXPECT_FALSE(
      TcpConnection(inner, {"192.168.122.1", 22}, {.limit = std::chrono::milliseconds(500)}).is_open());
  // A reload writes its chains anew.
  run();
  ufw("reload");
  EXPECT_TRUE(wait_until(
      [&] {
        return host().sh("iptables -S ufw-skip-to-policy-input").out.contains("VNET_BPF_INPUT") &&
               host().sh("ip6tables -S FORWARD").out.contains("VNET_BPF_FORWARD");
      },
      std::chrono::seconds(15)))
      << rules_seen();
  ASSERT_TRUE(has_lease("g1")) << rules_seen();
  inner.must("ip addr replace fd00:122::77/64 dev eth0 nodad");
  expect_outside(inner);
  ufw("route deny in on virbr0 out on eth0");
  expect_no_outside(inner);
  ufw("deny in on virbr0 to any port 53");
  EXPECT_FALSE(resolves(inner, "192.168.122.1"));
  ufw("--force disable");
  expect_outside(inner);
}

TEST_P(HostFirewallTest, Firewalld) {
  if (!has("firewalld") || !has("dbus-daemon")) GTEST_SKIP() << missing_;
  start_firewalld();
  if (HasFatalFailure()) return;
  OnBus bus(bus_address());
  firewalld("--zone=public --add-interface=eth0");
  up_lab();
  Namespace& inner = fresh_guest("g1");
  EXPECT_EQ("vnet-bpf\n", zone_of("virbr0"));
  expect_served("g1");
  EXPECT_FALSE(
      TcpConnection(inner, {"192.168.122.1", 22}, {.limit = std::chrono::milliseconds(500)}).is_open());
  EXPECT_THAT(doctor(), HasSubstr("firewalld: zone vnet-bpf"));
  run();
  firewalld("--reload");
  expect_outside(inner);
  // Started anew it has forgotten.
  launch_firewalld();
  EXPECT_TRUE(wait_until([&] { return zone_of("virbr0") == "vnet-bpf\n"; }, patience)) << seen();
  firewalld("--zone=public --change-interface=eth0");
  expect_outside(inner);
  // The administrator's own word holds.
  firewalld("--zone=drop --change-interface=virbr0");
  expect_no_outside(inner);
  vnet({"apply", "lab"});
  EXPECT_EQ("drop\n", zone_of("virbr0"));
  // And so does the XML's.
  vnet({"apply", "lab", file("zone.xml", lab_xml("", "zone='internal'"))});
  EXPECT_EQ("internal\n", zone_of("virbr0"));
  vnet({"stop", "lab"});
  EXPECT_EQ("", zone_of("virbr0"));
}

TEST_P(HostFirewallTest, AZoneThatIsNotThere) {
  if (!has("firewalld") || !has("dbus-daemon")) GTEST_SKIP() << missing_;
  std::string xml = file("zone.xml", lab_xml("", "zone='nowhere'"));
  Output refused = ground().vnet({"up", xml});
  EXPECT_EQ(1, refused.status);
  EXPECT_THAT(refused.err, HasSubstr("asks for firewalld, which does not run"));
  start_firewalld();
  if (HasFatalFailure()) return;
  OnBus bus(bus_address());
  refused = ground().vnet({"up", xml});
  EXPECT_EQ(1, refused.status);
  EXPECT_THAT(refused.err, HasSubstr("firewalld has no zone 'nowhere'"));
}

INSTANTIATE_TEST_SUITE_P(All, HostFirewallTest, testing::Values("tcx"), way_of);

}  // namespace
}  // namespace vnet::test
