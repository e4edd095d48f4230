// SPDX-License-Identifier: GPL-2.0-or-later
// firewalld, ufw and OpenVPN write their own rules and routes, here and on a bridge with libvirt's rules.
#include <algorithm>

#include "tests/e2e/real_packages_fixture.h"

namespace vnet::test {
namespace {

using testing::ElementsAre;

constexpr const char* honors =
    "<metadata><v:network xmlns:v='urn:vnet-bpf:network:1'><v:hostFirewall "
    "mode='honor'/></v:network></metadata>";

class RealPackages : public RealPackagesTest {
 protected:
  void SetUp() override {
    RealPackagesTest::SetUp();
    if (IsSkipped()) return;
    rule("admin", "ct status dnat accept");
  }

  // Its configuration in the test's folder.
  void start_firewalld() {
    start_bus();
    host().must("mkdir -p " + in_folder("firewalld"));
    start_daemon("exec env " + on_bus("firewalld --nofork --nopid --system-config ") +
                 in_folder("firewalld") + " --log-file " + in_folder("log"));
    ASSERT_TRUE(wait_until([&] { return firewall_cmd("--state").ok(); }, 3 * patience))
        << sh("cat " + in_folder("log")).out;
  }
  Output firewall_cmd(const std::string& words) { return host().sh(on_bus("firewall-cmd ") + words); }
  void firewalld(const std::string& words) {
    Output told = firewall_cmd(words);
    EXPECT_TRUE(told.ok()) << words << ": " << told.err;
  }
  // Its own files instead of the system's, which it would write to.
  void ufw(const std::string& words) {
    std::string at = ground().state_dir().string();
    host().must("set -e; [ -d " + at + "/ufw ] || { cp -a /etc/ufw " + at + "/ufw; cp /etc/default/ufw " +
                at + "/ufw.default; }; unshare -m sh -ec 'mount --bind " + at +
                "/ufw /etc/ufw; mount --bind " + at + "/ufw.default /etc/default/ufw; ufw " + words + "'");
  }
};

TEST_P(RealPackages, Firewalld) {
  if (!has("firewalld") || !has("dbus-daemon")) GTEST_SKIP() << missing_;
  up(nat);
  Namespace& inner = plug(nat);
  start_firewalld();
  if (HasFatalFailure()) return;
  Echo web(inner, Transport::Tcp, 9000), far(outside(), Transport::Tcp, 9000);
  std::vector<Question> refused;
  // Everything in the zone `public`, whose members may reach each other.
  for (const std::string& interface : {std::string("eth0"), nat.bridge()})
    firewalld("--zone=public --add-interface=" + interface);
  both_families([&](bool v6) { expect_carries(inner, {eth0.theirs(v6), 9000}); });
  // A connection that is there outlives a reload, and the zone's masquerade changes nothing for it.
  TcpConnection old(inner, {eth0.theirs(false), 9000});
  EXPECT_EQ(much, old.exchange(much)) << seen();
  firewalld("--zone=public --add-masquerade");
  firewalld("--zone=public --add-forward-port=port=8088:proto=tcp:toport=9000:toaddr=" + nat.ip(false));
  EXPECT_EQ(much, old.exchange(much)) << seen();
  EXPECT_EQ(much, exchange(inner, {eth0.theirs(false), 9000}, much)) << seen();
  EXPECT_EQ(much, exchange(outside(), {eth0.ours(false), 8088}, much)) << seen();
  EXPECT_THAT(far.peer_addresses(), testing::IsSupersetOf({eth0.ours(false)}));
  // Not in the same zone, and no policy between the two: refused, but what was begun goes on.
  firewalld("--zone=internal --change-interface=" + nat.bridge());
  EXPECT_EQ(much, old.exchange(much)) << seen();
  for (bool v6 : {false, true}) refused.emplace_back(&inner, Endpoint{eth0.theirs(v6), 9000});
  expect_refused(refused);
  // As libvirt's own zone has it.
  firewalld("--new-policy=guests --permanent");
  for (const char* words : {"--set-target=ACCEPT", "--add-ingress-zone=internal", "--add-egress-zone=public"})
    firewalld(std::string("--policy=guests --permanent ") + words);
  firewalld("--reload");
  firewalld("--zone=internal --change-interface=" + nat.bridge());
  firewalld("--zone=public --change-interface=eth0");
  both_families([&](bool v6) {
    far.forget_peers();
    expect_carries(inner, {eth0.theirs(v6), 9000});
    EXPECT_THAT(far.peer_addresses(), ElementsAre(eth0.ours(v6)));
  });
}

TEST_P(RealPackages, Ufw) {
  if (!has("ufw")) GTEST_SKIP() << missing_;
  up(nat, honors);  // its policies, too
  Namespace& inner = plug(nat);
  ufw("--force enable");
  std::vector<Question> refused;
  Echo far(outside(), Transport::Tcp, 9000);
  for (bool v6 : {false, true}) refused.emplace_back(&inner, Endpoint{eth0.theirs(v6), 9000});
  expect_refused(refused);
  EXPECT_TRUE(inner.pings(nat.gateway(false)));
  ufw("route allow in on " + nat.bridge() + " out on eth0");
  both_families([&](bool v6) { expect_carries(inner, {eth0.theirs(v6), 9000}); });
  TcpConnection old(inner, {eth0.theirs(false), 9000});
  EXPECT_EQ(much, old.exchange(much)) << seen();
  ufw("reload");
  EXPECT_EQ(much, old.exchange(much)) << seen();
  ufw("route delete allow in on " + nat.bridge() + " out on eth0");
  expect_refused(refused);
}

// redirect-gateway def1: two half default routes by the tunnel.
TEST_P(RealPackages, OpenVpn) {
  if (!has("openvpn")) GTEST_SKIP() << missing_;
  up(nat);
  Namespace& inner = plug(nat);
  std::string at = ground().state_dir().string();
  host().must("openvpn --genkey secret " + at + "/key");
  auto end = [&](Namespace& where, const char* more) {
    return where.background({"sh", "-c",
                             "exec openvpn --dev tun0 --dev-type tun --proto udp --secret " + at +
                                 "/key --cipher AES-256-CBC --auth SHA256 --ping 1 --script-security 1 " +
                                 more + " > " + at + "/" + (&where == &host() ? "near" : "far") +
                                 ".log 2>&1"});
  };
  Echo web(outside(), Transport::Tcp, 9000);
  for (int round = 0; round < 2; ++round) {
    SCOPED_TRACE(round ? "the VPN is back" : "the VPN comes");
    {
      Background server =
          end(outside(), "--ifconfig 10.8.0.1 10.8.0.2 --ifconfig-ipv6 fd00:8::1/64 fd00:8::2");
      Background client =
          end(host(),
              "--remote 203.0.113.1 --ifconfig 10.8.0.2 10.8.0.1 --ifconfig-ipv6 fd00:8::2/64 "
              "fd00:8::1 --redirect-gateway def1 ipv6");
      ASSERT_TRUE(wait_until([&] { return host().pings("10.8.0.1", 1) && host().pings("fd00:8::1", 1); },
                             3 * patience))
          << sh("cat " + at + "/near.log " + at + "/far.log").out;
      if (!is_bridge()) vnet({"up", at + "/nat.xml"});  // `run` would have seen it
      both_families([&](bool v6) {
        web.forget_peers();
        expect_carries(inner, {far_away(v6), 9000});
        EXPECT_THAT(web.peer_addresses(), ElementsAre(v6 ? "fd00:8::2" : "10.8.0.2"));
      });
    }
    SCOPED_TRACE("the VPN has gone");
    ASSERT_TRUE(wait_until([&] { return !host().sh("ip link show tun0").ok(); }, patience));
    both_families([&](bool v6) {
      web.forget_peers();
      expect_carries(inner, {far_away(v6), 9000});
      EXPECT_THAT(web.peer_addresses(), ElementsAre(eth0.ours(v6)));
    });
  }
}

INSTANTIATE_TEST_SUITE_P(All, RealPackages, testing::Values("tcx", "clsact", "bridge"), way_of);

}  // namespace
}  // namespace vnet::test
