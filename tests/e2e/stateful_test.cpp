// SPDX-License-Identifier: GPL-2.0-or-later
// A host whose firewall keeps state, and drops what it has not seen begin: no session may meet it with half
// of its story. Whatever makes the fast path hesitate (a neighbour that is gone, an uplink without Ethernet
// header, a MAC that is not learned, routes by ports and marks), a connection goes on.
#include <future>
#include <vector>

#include "tests/e2e/real_host_fixture.h"
#include "tests/support/raw_port.h"
#include "tests/support/tun_pair.h"

namespace vnet::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

class Stateful : public RealHostTest {
 protected:
  void firewall() {
    rules(
        "table inet fw { chain forward { type filter hook forward priority 0; policy drop;\n"
        "ct state invalid counter drop\n"
        "iifname br-nat accept\n"
        "oifname br-nat ct state established,related accept\n}\n}");
  }
  void expect_nothing_invalid() {
    EXPECT_THAT(host().sh("nft list table inet fw").out, HasSubstr("ct state invalid counter packets 0"));
  }
  // For longer than the fast path keeps an answer.
  void expect_outlive_neighbours(const std::vector<const TcpConnection*>& connections,
                                 const std::string& way) {
    auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(2500);
    while (std::chrono::steady_clock::now() < end && !HasFailure()) {
      forget_neighbours("br-nat " + way);
      for (const TcpConnection* c : connections) EXPECT_EQ(50'000U, c->exchange(50'000)) << seen();
    }
  }
  void set_host(const std::string& name, int value) {
    host().must(fmt::format("echo {} > /proc/sys/net/{}", value, name));
  }
};

// Neighbours that nobody but the fast path uses are collected by the kernel, and connection tracking forgets
// what it does not see.
TEST_P(Stateful, ADownloadOutlivesItsNeighbours) {
  firewall();
  set_host("netfilter/nf_conntrack_tcp_timeout_syn_sent", 1);
  set_host("netfilter/nf_conntrack_tcp_timeout_syn_recv", 1);
  if (!is_bridge()) set_host("netfilter/nf_conntrack_tcp_timeout_established", 1);
  up(nat);
  Namespace& guest = plug(nat);
  Echo web(outside(), Transport::Tcp, 9000);
  TcpConnection v4(guest, {eth0.theirs(false), 9000}), v6(guest, {eth0.theirs(true), 9000});
  for (const TcpConnection* c : {&v4, &v6}) ASSERT_EQ(much, c->exchange(much)) << seen();
  if (!is_bridge()) {
    // There may be a bit of both: what the stack has seen, it forgets.
    ASSERT_TRUE(wait_until([&] { return !host().sh("cat /proc/net/nf_conntrack").out.contains("=9000 "); }));
  }
  expect_outlive_neighbours({&v4, &v6}, "eth0");
}

TEST_P(Stateful, AnUplinkWithoutEthernetHeader) {
  TunPair vpn(host(), outside(), "tun0");
  host().must(
      "ip addr add 10.8.0.2/24 dev tun0; ip addr add fd00:8::2/64 dev tun0 nodad; ip link set tun0 mtu 1400; "
      "ip route replace default via 10.8.0.1; ip -6 route replace default via fd00:8::1");
  outside().must(
      "ip addr add 10.8.0.1/24 dev tun0; ip addr add fd00:8::1/64 dev tun0 nodad; ip link set tun0 mtu 1400");
  firewall();
  up(nat);
  Namespace& guest = plug(nat);
  Echo web(outside(), Transport::Tcp, 9000);
  both_families([&](bool v6) {
    expect_carries(guest, {far_away(v6), 9000});
    EXPECT_THAT(web.peer_addresses(), testing::Contains(v6 ? "fd00:8::2" : "10.8.0.2"));
  });
  // Each packet by itself, as large as the link takes it; and connection tracking sees the handshake's
  // answer.
  guest.must("ethtool -K eth0 tso off gso off gro off; ip link set eth0 mtu 1400");
  forget_neighbours("br-nat tun0");
  TcpConnection v4(guest, {far_away(false), 9000}), v6(guest, {far_away(true), 9000});
  for (const TcpConnection* c : {&v4, &v6}) ASSERT_EQ(much, c->exchange(much)) << seen();
  expect_outlive_neighbours({&v4, &v6}, "tun0");
  expect_nothing_invalid();
}

TEST_P(Stateful, AGuestWithMoreMacsThanAreLearned) {
  firewall();
  up(nat);
  Namespace& guest = ground().add_guest(nat.guest());
  if (is_bridge())
    host().must("ip link set nat11 master br-nat");
  else
    vnet({"attach", "nat11", "--network", "nat"});
  wait_until_forwarding("nat11");
  RawPort wire(guest, "eth0");
  for (int i = 0; i < 40; ++i) {
    std::string mac = fmt::format("52:54:00:01:00:{:02x}", i);
    wire.send(Ethernet{.src = mac, .dst = "ff:ff:ff:ff:ff:ff"} /
              Arp{.sender_mac = mac, .target_ip = nat.ip(false, 99)});
  }
  guest.must(
      fmt::format("for c in all default eth0; do echo 0 > /proc/sys/net/ipv6/conf/$c/accept_ra; done; "
                  "ip -6 route flush default; "
                  "ip link add mv0 link eth0 type macvlan mode bridge; ip link set mv0 up; "
                  "ip addr add {}/24 dev mv0; ip addr add {}/64 dev mv0 nodad; "
                  "ip route add default via {} dev mv0; ip -6 route replace default via {} dev mv0",
                  nat.ip(false), nat.ip(true), nat.gateway(false), nat.gateway(true)));
  Echo web(outside(), Transport::Tcp, 9000);
  both_families([&](bool v6) { expect_carries(guest, {eth0.theirs(v6), 9000}); });
  expect_nothing_invalid();
}

TEST_P(Stateful, TwoUplinksByPorts) {
  add_uplink();
  host().must(fmt::format(
      "ip route replace default nexthop via {} dev eth0 nexthop via {} dev up1; "
      "ip -6 route del default; ip -6 route add default nexthop via {} dev eth0 nexthop via {} dev up1",
      eth0.theirs(false), up1.theirs(false), eth0.theirs(true), up1.theirs(true)));
  set_host("ipv4/fib_multipath_hash_policy", 1);
  set_host("ipv6/fib_multipath_hash_policy", 1);
  firewall();
  up(nat);
  Namespace& guest = plug(nat);
  Echo web(outside(), Transport::Tcp, 9000);
  both_families([&](bool v6) {
    web.forget_peers();
    std::vector<std::future<std::size_t>> connections;
    for (int i = 0; i < 20; ++i)
      connections.push_back(std::async(std::launch::async, [&] {
        return exchange(guest, {far_away(v6), 9000}, 300'000);
      }));
    for (auto& connection : connections) EXPECT_EQ(300'000U, connection.get());
    EXPECT_THAT(web.peer_addresses(), UnorderedElementsAre(eth0.ours(v6), up1.ours(v6)));
  });
  expect_nothing_invalid();
  if (HasFailure()) ADD_FAILURE() << seen();
}

TEST_P(Stateful, RoutesByMarksPortsAndTos) {
  add_uplink();
  rules(
      "table inet marks { chain prerouting { type filter hook prerouting priority -150;\n"
      "tcp dport 7002 ct state new ct mark set 7\n"
      "iifname br-nat meta mark set ct mark\n"
      "tcp dport 7001 meta mark set 7\n}\n}");
  host().must(fmt::format(
      "for f in -4 -6; do ip $f rule add fwmark 7 lookup 77; ip $f rule add ipproto tcp dport 7003 lookup "
      "77; "
      "ip $f rule add tos 0x10 lookup 77; done; "
      "ip route add default via {} dev up1 table 77; ip route add default via {} dev up1 table 77",
      up1.theirs(false), up1.theirs(true)));
  firewall();
  up(nat);
  Namespace& guest = plug(nat);
  for (std::uint16_t port : {7001, 7002, 7003, 7004}) {
    Echo web(outside(), Transport::Tcp, port);
    both_families([&](bool v6) {
      for (int tos : {0, 0x10}) {
        SCOPED_TRACE(fmt::format("port {}, TOS {}", port, tos));
        web.forget_peers();
        expect_carries(guest, {far_away(v6), port}, 1, {.tos = tos});
        EXPECT_THAT(web.peer_addresses(), ElementsAre((port == 7004 && !tos ? eth0 : up1).ours(v6)));
      }
    });
  }
  expect_nothing_invalid();
}

// The host itself would go another way, and does not know that next hop.
TEST_P(Stateful, ANextHopThatOnlyTheGuestsRouteHas) {
  add_uplink();
  outside().must("for c in all eth1; do echo 1 > /proc/sys/net/ipv4/conf/$c/arp_ignore; done");
  firewall();
  up(nat);
  host().must(fmt::format(
      "for f in -4 -6; do ip $f rule add iif br-nat lookup 77; done; "
      "ip route add default via {} dev up1 table 77; ip route add default via {} dev up1 table 77",
      up1.theirs(false), up1.theirs(true)));
  Namespace& guest = plug(nat);
  Echo web(outside(), Transport::Tcp, 9000);
  both_families([&](bool v6) {
    web.forget_peers();
    TcpConnection connection(guest, {far_away(v6), 9000});
    ASSERT_EQ(much, connection.exchange(much)) << seen();
    EXPECT_THAT(web.peer_addresses(), ElementsAre(up1.ours(v6)));
    expect_outlive_neighbours({&connection}, "up1");
  });
  expect_nothing_invalid();
}

INSTANTIATE_TEST_SUITE_P(All, Stateful, testing::Values("tcx", "clsact", "bridge"), way_of);

}  // namespace
}  // namespace vnet::test
