// SPDX-License-Identifier: GPL-2.0-or-later
// The guests' own way out as systemd-networkd and NetworkManager make it: an address, a default route in a
// table of its own, and rules that lead the guests' subnets there. Here and on a bridge with libvirt's rules.
#include "tests/e2e/real_packages_fixture.h"

namespace vnet::test {
namespace {

using testing::ElementsAre;

constexpr const char* networkd_program = "/lib/systemd/systemd-networkd";

class NetworkManagers : public RealPackagesTest {
 protected:
  // The link is there, and has no address yet.
  Namespace& start_guest() {
    up(nat);
    add_uplink();
    host().must("ip addr flush dev up1 scope global");
    return plug(nat);
  }

  // Without udev a device counts as ready where /sys cannot be written to. Both daemons have their state
  // in /run and must not find, or leave, anything there.
  static constexpr const char* own_world = "mount -o remount,ro /sys; mount -t tmpfs none /run; ";

  void configure_networkd(bool with_rules) {
    std::string text = "[Match]\nName=up1\n[Network]\nIPv6AcceptRA=no\n";
    for (bool v6 : {false, true}) text += fmt::format("Address={}/{}\n", up1.ours(v6), v6 ? 64 : 24);
    for (bool v6 : {false, true}) {
      text += fmt::format("[Route]\nGateway={}\nTable=100\n", up1.theirs(v6));
      if (with_rules)
        text += fmt::format("[RoutingPolicyRule]\nFrom={}\nTable=100\nPriority=1000\n", nat.subnet(v6));
    }
    file("networkd/up1.network", text);
  }
  void start_networkd() {
    start_bus();
    host().must("mkdir -p " + in_folder("networkd") + "; chmod 755 " + in_folder(""));
    configure_networkd(true);
    start_daemon(std::string(own_world) + "mkdir -p /run/systemd; mount --bind " + in_folder("networkd") +
                 " /etc/systemd/network; exec env " + on_bus(networkd_program) + " 2> " + in_folder("log"));
  }

  void start_network_manager() {
    start_bus();
    host().must("mkdir -p " + in_folder("connections"));
    // It looks at the host's resolv.conf even where it may not write to it.
    std::string conf =
        file("nm.conf",
             "[main]\nplugins=keyfile\ndns=none\nrc-manager=unmanaged\nno-auto-default=*\n"
             "auth-polkit=false\nhostname-mode=none\n[keyfile]\npath=" +
                 in_folder("connections") + "\nunmanaged-devices=*,except:interface-name:up1\n");
    std::string text = "[connection]\nid=up1\ntype=ethernet\ninterface-name=up1\n";
    for (bool v6 : {false, true})
      text += fmt::format(
          "[ipv{}]\nmethod=manual\naddress1={}/{}\nroute1={},{}\nroute1_options=table=100\n"
          "routing-rule1=priority 1000 from {} table 100\n",
          v6 ? 6 : 4, up1.ours(v6), v6 ? 64 : 24, v6 ? "::/0" : "0.0.0.0/0", up1.theirs(v6), nat.subnet(v6));
    file("connections/up1.nmconnection", text);
    host().must("chmod 600 " + in_folder("connections/up1.nmconnection"));
    start_daemon(std::string(own_world) +
                 "mount -t tmpfs none /var/lib/NetworkManager; cp /etc/resolv.conf /run/resolv.conf; "
                 "mount --bind /run/resolv.conf /etc/resolv.conf; exec env " +
                 on_bus("NetworkManager --debug --config " + conf +
                        " --config-dir /run/none --system-config-dir /run/none --intern-config /run/intern "
                        "> ") +
                 in_folder("log") + " 2>&1");
  }
  void nmcli(const std::string& words) { host().must(on_bus("nmcli " + words)); }

  // Both families' rules and what they lead to.
  void wait_for_rules(bool there) {
    const char* look = there ? "for f in -4 -6; do ip $f rule | grep -q ^1000: && "
                               "ip $f route show table 100 | grep -q default || exit 1; done"
                             : "! { ip -4 rule; ip -6 rule; } | grep -q ^1000:";
    ASSERT_TRUE(wait_until([&] { return host().sh(look).ok(); }, 3 * patience))
        << sh("cat " + in_folder("log")).out;
  }
  void expect_way(Namespace& inner, Echo& web, const RealLink& link) {
    if (!is_bridge()) vnet({"up", file("nat.xml", nat.xml(""))});  // `run` would have seen it
    both_families([&](bool v6) {
      web.forget_peers();
      expect_carries(inner, {far_away(v6), 9000});
      EXPECT_THAT(web.peer_addresses(), ElementsAre(link.ours(v6)));
    });
  }
};

TEST_P(NetworkManagers, Networkd) {
  if (!has(networkd_program) || !has("dbus-daemon")) GTEST_SKIP() << missing_;
  Namespace& inner = start_guest();
  Echo web(outside(), Transport::Tcp, 9000);
  start_networkd();
  wait_for_rules(true);
  if (HasFatalFailure()) return;
  expect_way(inner, web, up1);
  configure_networkd(false);
  host().must(on_bus("networkctl reload"));
  wait_for_rules(false);
  if (HasFatalFailure()) return;
  expect_way(inner, web, eth0);
}

TEST_P(NetworkManagers, NetworkManager) {
  if (!has("NetworkManager") || !has("nmcli") || !has("dbus-daemon")) GTEST_SKIP() << missing_;
  Namespace& inner = start_guest();
  Echo web(outside(), Transport::Tcp, 9000);
  start_network_manager();
  wait_for_rules(true);
  if (HasFatalFailure()) return;
  expect_way(inner, web, up1);
  nmcli("connection modify up1 ipv4.routing-rules '' ipv6.routing-rules ''");
  nmcli("connection up up1");
  wait_for_rules(false);
  if (HasFatalFailure()) return;
  expect_way(inner, web, eth0);
}

INSTANTIATE_TEST_SUITE_P(All, NetworkManagers, testing::Values("tcx", "clsact", "bridge"), way_of);

}  // namespace
}  // namespace vnet::test
