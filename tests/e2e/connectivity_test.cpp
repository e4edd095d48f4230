// SPDX-License-Identifier: GPL-2.0-or-later
// Guests through the masquerade, with the tools people use.
#include <set>
#include <tuple>

#include "tests/e2e/network_fixture.h"

namespace vnet::test {
namespace {

using testing::HasSubstr;
using testing::Not;

class Connectivity : public NetworkTest {
 protected:
  void SetUp() override {
    NetworkTest::SetUp();
    if (IsSkipped()) return;
    start();
    plug_both();
  }

  // What the server outside sees as its peer.
  std::string peer_seen_from(Namespace& client, const std::string& server, const std::string& proto = "TCP") {
    bool v6 = server.find(':') != std::string::npos;
    std::string listen = proto + (v6 ? "6" : "4") + (proto == "TCP" ? "-LISTEN" : "-RECVFROM") +
                         ":8080,reuseaddr,fork,bind=" + (v6 ? "[" + server + "]" : server);
    Background listener = outside().background({"socat", listen, "SYSTEM:echo $SOCAT_PEERADDR"});
    std::string target = proto + ":" + (v6 ? "[" + server + "]" : server) + ":8080";
    std::string answer;
    wait_until([&] {
      answer = client.sh("echo hello | socat -T1 - " + target + ",shut-none 2>/dev/null").out;
      return !answer.empty();
    });
    return answer;
  }
};

TEST_F(Connectivity, PingsReachEverybody) {
  for (const char* target : {"192.168.122.12", "192.168.122.1", "203.0.113.2", "203.0.113.1", "198.51.100.1",
                             "fd00:122::12", "fd00:122::1", "2001:db8:113::1", "2001:db8:51::1"})
    EXPECT_TRUE(guest("g1").pings(target)) << target << "\n" << ground().vnet({"stats"}).out;
  EXPECT_TRUE(host().pings("192.168.122.11"));
  EXPECT_TRUE(host().pings("fd00:122::11"));
}

TEST_F(Connectivity, TheOutsideSeesTheHost) {
  EXPECT_EQ("203.0.113.2\n", peer_seen_from(guest("g1"), "203.0.113.1"));
  EXPECT_THAT(peer_seen_from(guest("g1"), "2001:db8:113::1"),
              HasSubstr("2001:0db8:0113:0000:0000:0000:0000:0002"));
  EXPECT_EQ("203.0.113.2\n", peer_seen_from(guest("g2"), "198.51.100.1", "UDP"));
}

TEST_F(Connectivity, BulkTcpBothWaysAndFamilies) {
  Background server = outside().background({"iperf3", "-s"});
  for (const char* target : {"203.0.113.1", "2001:db8:113::1"})
    for (const char* direction : {"", "-R"}) {
      Output output;
      wait_until([&] {
        output = guest("g1").sh(std::string("iperf3 -J -n 20M -c ") + target + " " + direction);
        return output.ok();
      });
      EXPECT_TRUE(output.ok()) << target << direction << output.out;
    }
  // Nearly all of it by the fast path: the stack's connection tracking or not, the session counts.
  auto flows = ground().vnet_json({"flows"});
  EXPECT_FALSE(flows.empty());
}

TEST_F(Connectivity, DatagramsLargerThanTheMtu) {
  for (const char* target : {"203.0.113.1", "2001:db8:113::1"}) {
    Output ping = guest("g1").sh(std::string("ping -c3 -i0.2 -W2 -s4000 ") + target);
    EXPECT_THAT(ping.out, HasSubstr(" 0% packet loss")) << ping.out << ground().vnet({"stats"}).out;
  }
  Background echo = outside().background({"socat", "UDP4-RECVFROM:9000,fork", "EXEC:cat"});
  guest("g1").must("head -c 4000 /dev/urandom > " + (ground().state_dir() / "datagram").string());
  Output same;
  wait_until([&] {
    same = guest("g1").sh("socat -b8192 -T1 - UDP:203.0.113.1:9000 < " +
                          (ground().state_dir() / "datagram").string() + " | cmp - " +
                          (ground().state_dir() / "datagram").string());
    return same.ok();
  });
  EXPECT_TRUE(same.ok()) << same.out << same.err;
}

TEST_F(Connectivity, TracerouteSeesTheGatewayAndTheOutside) {
  for (auto [options, gateway, target] : {std::tuple{"-4", "192.168.122.1", "203.0.113.1"},
                                          {"-6", "fd00:122::1", "2001:db8:113::1"},
                                          {"-4 -I", "192.168.122.1", "203.0.113.1"}}) {
    Output trace = guest("g1").sh(std::string("traceroute -n -q1 -w1 -m4 ") + options + " " + target);
    EXPECT_THAT(trace.out, HasSubstr(std::string(" 1  ") + gateway)) << options;
    EXPECT_THAT(trace.out, HasSubstr(std::string(" 2  ") + target)) << options;
  }
}

// A smaller MTU behind the host: the guest is told, from the gateway, and TCP adapts.
TEST_F(Connectivity, PathMtuDiscovery) {
  host().must("ip link set eth0 mtu 1400");
  outside().must("ip link set eth0 mtu 1400");
  Output ping = guest("g1").sh("ping -c2 -i0.3 -W1 -M do -s1450 203.0.113.1");
  EXPECT_THAT(ping.out + ping.err, testing::ContainsRegex("mtu ?= ?1400")) << ping.out;
  Output ping6 = guest("g1").sh("ping -c2 -i0.3 -W1 -M do -s1450 2001:db8:113::1");
  EXPECT_THAT(ping6.out + ping6.err, testing::ContainsRegex("mtu ?= ?1400")) << ping6.out;
  Background server = outside().background({"iperf3", "-s"});
  for (const char* target : {"203.0.113.1", "2001:db8:113::1"}) {
    Output bulk;
    wait_until([&] { return (bulk = guest("g1").sh(std::string("iperf3 -n 5M -c ") + target)).ok(); });
    EXPECT_TRUE(bulk.ok()) << bulk.out << bulk.err;
  }
}

// A router further out says "too big" about a masqueraded packet: the quoted header is the guest's again.
TEST_F(Connectivity, TooBigFromBeyondReachesTheGuest) {
  outside().must(
      "ip link add far0 type veth peer name far1; ip link set far0 up mtu 1280; ip link set far1 up; "
      "ip addr add 198.51.100.254/24 dev far0; sysctl -qw net.ipv4.ip_forward=1; "
      "ip neigh add 198.51.100.9 lladdr 02:00:00:00:00:09 dev far0 nud permanent");
  Output ping;
  bool told = wait_until([&] {
    ping = guest("g1").sh("ping -c1 -W1 -M do -s1400 198.51.100.9");
    return (ping.out + ping.err).find("1280") != std::string::npos;
  });
  EXPECT_TRUE(told) << ping.out << ping.err;
}

TEST_F(Connectivity, ClosedPortAnswersAreTranslated) {
  Output refused = guest("g1").sh("socat -T2 - TCP:203.0.113.1:9 </dev/null");
  EXPECT_THAT(refused.err, HasSubstr("Connection refused"));
  Output udp = guest("g1").sh("(echo a; sleep 0.3; echo b) | socat -T2 - UDP:203.0.113.1:9");
  EXPECT_THAT(udp.err, HasSubstr("Connection refused"));  // ICMP port unreachable, quoted header translated
}

TEST_F(Connectivity, NewConnectionsFromOutsideAreRefused) {
  outside().must(
      "ip route add 192.168.122.0/24 via 203.0.113.2; ip -6 route add fd00:122::/64 via 2001:db8:113::2");
  EXPECT_FALSE(outside().pings("192.168.122.11", 1));
  EXPECT_FALSE(outside().pings("fd00:122::11", 1));
  EXPECT_GE(dropped("not-visible"), 2U);
}

TEST_F(Connectivity, TwoGuestsWithTheSameTuple) {
  Background listener = outside().background({"socat", "TCP4-LISTEN:8080,reuseaddr,fork", "EXEC:cat"});
  std::string client = "sleep 1 | socat -T3 - TCP:203.0.113.1:8080,sourceport=12345,reuseaddr";
  ASSERT_TRUE(wait_until([&] { return guest("g1").sh("echo x | socat -T1 - TCP:203.0.113.1:8080").ok(); }));
  Background one = guest("g1").background({"sh", "-c", client});
  Background two = guest("g2").background({"sh", "-c", client});
  std::set<int> translated;
  EXPECT_TRUE(wait_until([&] {
    for (const auto& flow : ground().vnet_json({"flows"}))
      if (flow.dump().find("12345") != std::string::npos && flow["state"] == "established")
        translated.insert(flow["translated"]["port"].get<int>());
    return translated.size() >= 2;
  })) << ground().vnet({"flows"}).out;
}

TEST_F(Connectivity, AnAddressChangeOfTheUplinkIsFollowed) {
  ASSERT_TRUE(guest("g1").pings("203.0.113.1"));
  host().must(
      "ip addr del 203.0.113.2/24 dev eth0; ip addr add 203.0.113.77/24 dev eth0; "
      "ip route replace default via 203.0.113.1");
  EXPECT_TRUE(guest("g1").pings("203.0.113.1")) << ground().vnet({"flows"}).out;
  EXPECT_EQ("203.0.113.77\n", peer_seen_from(guest("g1"), "203.0.113.1"));
}

TEST_F(Connectivity, TheHostsFirewallDecidesNewFlows) {
  host().must(
      "nft add table ip t; nft add chain ip t f '{ type filter hook forward priority 0; }'; "
      "nft add rule ip t f tcp dport 8080 drop");
  EXPECT_EQ("", peer_seen_from(guest("g1"), "203.0.113.1"));
  EXPECT_TRUE(guest("g1").pings("203.0.113.1"));
  host().must("nft flush chain ip t f");
  EXPECT_EQ("203.0.113.2\n", peer_seen_from(guest("g1"), "203.0.113.1"));
}

TEST_F(Connectivity, TheHostsOwnConnectionsGoOn) {
  Background listener =
      outside().background({"socat", "TCP4-LISTEN:8080,reuseaddr,fork", "SYSTEM:echo $SOCAT_PEERADDR"});
  EXPECT_TRUE(wait_until(
      [&] { return host().sh("socat -T1 - TCP:203.0.113.1:8080 </dev/null").out == "203.0.113.2\n"; }));
  EXPECT_TRUE(outside().pings("203.0.113.2"));
}

TEST_F(Connectivity, ADetachedGuestIsNoLongerForwardedAndCountersStay) {
  ASSERT_TRUE(guest("g1").pings("203.0.113.1"));
  auto before = ground().vnet_json({"stats"});
  vnet({"detach", "g1"});
  EXPECT_FALSE(guest("g1").pings("192.168.122.1", 1));
  auto after = ground().vnet_json({"stats"});
  EXPECT_GE(after["networks"][0]["tx_packets"].get<std::uint64_t>(),
            before["networks"][0]["tx_packets"].get<std::uint64_t>());
}

// mDNS, for one, wants to hear itself. Such a packet has no link header.
TEST_F(Connectivity, TheHostHearsItsOwnMulticast) {
  for (const char* group : {"ff02::1%virbr0", "-I virbr0 224.0.0.1"}) {
    std::string v6 = group[0] == 'f' ? "6" : "4";
    host().sh("ping -" + v6 + " -c1 -W1 " + group);
  }
  EXPECT_EQ(0U, dropped("malformed")) << ground().vnet({"stats"}).out;
}

// A network of its own: what the guest may not reach is answered, not swallowed.
TEST_F(Connectivity, AnotherNatNetworkIsRefusedWithAnAnswer) {
  vnet({"up", file("other.xml",
                   "<network><name>other</name><forward mode='nat'/><bridge name='virbr1' stp='off'/>"
                   "<ip address='192.168.150.1' netmask='255.255.255.0'/></network>")});
  ground().add_guest("g3");
  guest("g3").must("ip addr add 192.168.150.9/24 dev eth0; ip route add default via 192.168.150.1");
  vnet({"attach", "g3", "--network", "other"});
  wait_until_forwarding("g3");
  ASSERT_TRUE(guest("g3").pings("203.0.113.1"));
  Output ping = guest("g1").sh("ping -c1 -W2 192.168.150.9");
  EXPECT_THAT(ping.out, HasSubstr("From 192.168.122.1")) << ping.out;
  EXPECT_THAT(ping.out, HasSubstr("Destination Port Unreachable")) << ping.out;
  Output tcp = guest("g1").sh("socat -T2 - TCP:192.168.150.9:22 </dev/null");
  EXPECT_THAT(tcp.err, HasSubstr("Connection refused"));
  EXPECT_GE(dropped("other-network"), 2U);
}

}  // namespace
}  // namespace vnet::test
