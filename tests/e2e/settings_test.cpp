// SPDX-License-Identifier: GPL-2.0-or-later
// vnet-bpf's own settings, with real traffic.
#include "tests/e2e/network_fixture.h"

namespace vnet::test {
namespace {

using testing::HasSubstr;

class SettingsTest : public NetworkTest {
 protected:
  static std::string with(const std::string& settings) {
    return dual_stack_xml("<nat ipv6='yes'/>",
                          "<metadata><vnet:network xmlns:vnet='urn:vnet-bpf:network:1'>" + settings +
                              "</vnet:network></metadata>");
  }
};

TEST_F(SettingsTest, APortForwardReachesTheGuest) {
  start(
      with("<vnet:portForward proto='tcp' port='8080' to='192.168.122.11' toPort='80'/>"
           "<vnet:portForward proto='udp' port='5353' to='192.168.122.11'/>"));
  plug("g1", 11);
  Background web = guest("g1").background(
      {"socat", "TCP4-LISTEN:80,reuseaddr,fork", "SYSTEM:echo guest sees $SOCAT_PEERADDR"});
  Background echo = guest("g1").background({"socat", "UDP4-RECVFROM:5353,fork", "EXEC:cat"});
  std::string answer;
  EXPECT_TRUE(wait_until([&] {
    answer = outside().sh("socat -T1 - TCP:203.0.113.2:8080 </dev/null").out;
    return answer == "guest sees 203.0.113.1\n";
  })) << answer
      << ground().vnet({"stats"}).out;
  EXPECT_TRUE(wait_until([&] {
    return outside().sh("echo hello | socat -T1 - UDP:203.0.113.2:5353").out == "hello\n";
  })) << ground().vnet({"flows"}).out;
  EXPECT_NE(0,
            outside().sh("socat -T1 - TCP:203.0.113.2:8081 </dev/null").status);  // nobody forwards this one
}

TEST_F(SettingsTest, BypassDoesNotAskTheHostsForwardRules) {
  start(with("<vnet:hostFirewall mode='bypass'/>"));
  plug("g1", 11);
  host().must(
      "nft add table ip t; nft add chain ip t f '{ type filter hook forward priority 0; policy drop; }'; "
      "nft add table ip6 t; nft add chain ip6 t f '{ type filter hook forward priority 0; policy drop; }'");
  EXPECT_TRUE(guest("g1").pings("203.0.113.1")) << ground().vnet({"stats"}).out;
  EXPECT_TRUE(guest("g1").pings("2001:db8:113::1"));
}

TEST_F(SettingsTest, APortsShareOfSessionsHolds) {
  start(with("<vnet:sessions perPort='50'/>"));
  plug_both();
  guest("g1").sh("for port in $(seq 2000 2100); do echo x | socat -T0 -u - UDP:203.0.113.1:$port; done");
  EXPECT_GE(dropped("port-quota"), 40U) << ground().vnet({"stats"}).out;
  EXPECT_TRUE(guest("g2").pings("203.0.113.1"));  // its neighbour is not touched by that
}

// Thousands of new flows in a burst: none may be lost to the session machinery.
TEST_F(SettingsTest, ABurstOfNewFlowsIsAdmitted) {
  start();
  plug("g1", 11);
  ASSERT_TRUE(guest("g1").pings("203.0.113.1"));
  Output burst = guest("g1").exec({"bash", "-c",
                                   "for from in $(seq 1 40); do for port in $(seq 1 50); do printf x > "
                                   "/dev/udp/203.0.113.1/$((20000 + port)); done; done"});
  EXPECT_TRUE(burst.ok()) << burst.err;
  auto stats = ground().vnet_json({"stats"});
  EXPECT_GE(ground().vnet_json({"flows"}).size(), 1900U);
  EXPECT_EQ(0U, dropped("session-limit"));
  EXPECT_EQ(0U, dropped("ports-exhausted"));
}

}  // namespace
}  // namespace vnet::test
