// SPDX-License-Identifier: GPL-2.0-or-later
// A host as its administrator has made it, with rules and routes of its own. Every test runs the same steps
// on the product, attached by tcx or by clsact, and on a Linux bridge with libvirt's rules, which is what
// users come from: what is expected of the product is seen to hold there.
//
//   nat11 192.168.122.11 --- br-nat   [host] eth0 203.0.113.2 --- 203.0.113.1 [outside] lo 198.51.100.1
//   nat12 192.168.122.12 --- br-nat          up1  198.18.0.2  --- 198.18.0.1, on demand
//   iso11  192.168.50.11 --- br-iso          ...
#pragma once

#include <fmt/format.h>

#include <cstdlib>
#include <future>
#include <string_view>
#include <vector>

#include "tests/e2e/network_fixture.h"
#include "tests/support/sockets.h"

namespace vnet::test {

enum class Forward { Nat, Route, Open, None };

struct RealNetwork {
  const char* name;
  Forward forward;
  int number;  // 192.168.N.0/24, fd00:N::/64

  std::string bridge() const { return std::string("br-") + name; }
  std::string ip(bool v6, int host = 11) const {
    return v6 ? fmt::format("fd00:{}::{}", number, host) : fmt::format("192.168.{}.{}", number, host);
  }
  std::string gateway(bool v6) const { return ip(v6, 1); }
  std::string subnet(bool v6) const {
    return v6 ? fmt::format("fd00:{}::/64", number) : fmt::format("192.168.{}.0/24", number);
  }
  std::string mac(int host = 11) const { return fmt::format("52:54:00:00:{:02x}:{:02x}", number, host); }
  std::string guest(int host = 11) const { return name + std::to_string(host); }
  std::string xml(const std::string& extra) const {
    const char* mode = forward == Forward::Nat     ? "<forward mode='nat'><nat ipv6='yes'/></forward>"
                       : forward == Forward::Route ? "<forward mode='route'/>"
                       : forward == Forward::Open  ? "<forward mode='open'/>"
                                                   : "";
    return fmt::format(
        "<network><name>{}</name>{}<bridge name='{}' stp='off'/><mac address='{}'/>"
        "<ip address='{}' prefix='24'/><ip family='ipv6' address='{}' prefix='64'/>{}</network>",
        name, mode, bridge(), mac(0xfe), gateway(false), gateway(true), extra);
  }
};
inline constexpr RealNetwork nat{"nat", Forward::Nat, 122}, other{"oth", Forward::Nat, 123},
    routed{"rtd", Forward::Route, 60}, isolated{"iso", Forward::None, 50};

// The host's address and the far end's on a link of the host.
struct RealLink {
  const char *v4, *v6;
  std::string ours(bool is_v6) const { return std::string(is_v6 ? v6 : v4) + "2"; }
  std::string theirs(bool is_v6) const { return std::string(is_v6 ? v6 : v4) + "1"; }
};
inline constexpr RealLink eth0{"203.0.113.", "2001:db8:113::"}, up1{"198.18.0.", "2001:db8:18::"};

inline std::string far_away(bool v6) {
  return v6 ? "2001:db8:51::1" : "198.51.100.1";
}

class RealHost : public NetworkTest {
 protected:
  // "tcx", "clsact": how the product is attached; "bridge": a Linux bridge with libvirt's rules.
  explicit RealHost(std::string_view world) : world_(world) {}

  void SetUp() override {
    if (world_ == "clsact") ::setenv("VNET_BPF_ATTACH", "clsact", 1);
    NetworkTest::SetUp();
    if (IsSkipped()) return;
    // Answers may come by another link than a question would leave by.
    host().must(
        "for c in all default eth0; do echo 0 > /proc/sys/net/ipv4/conf/$c/rp_filter; done; "
        "sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1");
    if (is_bridge()) set_br_netfilter(false);
    // What the administrator accepts comes before what libvirt refuses.
    rules(
        "table inet host {\n"
        "chain admin { }\n chain cross { }\n chain in { }\n chain out { }\n"
        "chain forward { type filter hook forward priority 0; jump admin; jump cross; jump in; jump out; }\n"
        "chain prerouting { type nat hook prerouting priority -100; }\n"
        "chain output { type nat hook output priority -100; }\n"
        "chain postrouting { type nat hook postrouting priority 100; }\n}");
  }
  void TearDown() override { ::unsetenv("VNET_BPF_ATTACH"); }

  bool is_bridge() const { return world_ == "bridge"; }

  // What is bridged goes by the rules, too: where Docker is, as a rule.
  void set_br_netfilter(bool on) {
    host().must(
        fmt::format("for f in iptables ip6tables; do s=/proc/sys/net/bridge/bridge-nf-call-$f; "
                    "if [ -e $s ]; then echo {:d} > $s; fi; done",
                    on));
  }

  void rules(const std::string& text) { host().must("nft -f - <<'E'\n" + text + "\nE"); }
  void rule(const std::string& chain, const std::string& text) {
    rules("add rule inet host " + chain + " " + text);
  }

  void up(const RealNetwork& net, const std::string& extra = "") {
    if (!is_bridge()) {
      vnet({"up", file(std::string(net.name) + ".xml", net.xml(extra))});
      return;
    }
    host().must(
        fmt::format("ip link add {0} type bridge; ip link set {0} address {1} up; "
                    "ip addr add {2}/24 dev {0}; ip addr add {3}/64 dev {0} nodad",
                    net.bridge(), net.mac(0xfe), net.gateway(false), net.gateway(true)));
    libvirts_rules(net);
  }

  // A guest of the network, with both addresses, and a MAC of ours.
  Namespace& plug(const RealNetwork& net, int number = 11) {
    std::string name = net.guest(number);
    ground().add_guest(name);
    guest(name).must(fmt::format(
        "sysctl -qw net.ipv6.conf.eth0.accept_ra=0 net.ipv6.conf.eth0.autoconf=0; "
        "ip link set eth0 down; ip link set eth0 address {0}; ip link set eth0 up; "
        "ip addr add {1}/24 dev eth0; ip addr add {2}/64 dev eth0 nodad; "
        "ip route add default via {3}; ip route add default via {4}",
        net.mac(number), net.ip(false, number), net.ip(true, number), net.gateway(false), net.gateway(true)));
    if (is_bridge())
      host().must("ip link set " + name + " master " + net.bridge());
    else
      vnet({"attach", name, "--network", net.name, "--mac", net.mac(number)});
    wait_until_forwarding(name);
    for (bool v6 : {false, true}) EXPECT_TRUE(guest(name).pings(net.gateway(v6)));
    return guest(name);
  }

  // Another link to the outside.
  void add_uplink() {
    host().must(
        fmt::format("ip link add up1 type veth peer name eth1 netns {}; ip link set up1 up; "
                    "ip addr add {}/24 dev up1; ip addr add {}/64 dev up1 nodad",
                    outside().name(), up1.ours(false), up1.ours(true)));
    outside().must(
        fmt::format("ip link set eth1 up; ip addr add {}/24 dev eth1; ip addr add {}/64 dev eth1 nodad",
                    up1.theirs(false), up1.theirs(true)));
    for (bool v6 : {false, true}) EXPECT_TRUE(host().pings(up1.theirs(v6)));
  }

  // Connections that carry so much both ways that nearly all of it would go the fast way. Behind a failure
  // none is tried: each would be waited for.
  static constexpr std::size_t much = 3'000'000;
  void expect_carries(const Namespace& from, const Endpoint& to, int connections = 2,
                      const TcpOptions& options = {}) {
    for (int i = 0; i < connections && !HasFailure(); ++i)
      EXPECT_EQ(much, exchange(from, to, much, options)) << "connection " << i << " to " << to << seen();
  }
  // Questions that nobody gets an answer to, all at once.
  using Question = std::pair<const Namespace*, Endpoint>;
  void expect_refused(const std::vector<Question>& questions) {
    std::vector<std::future<bool>> answered;
    for (const auto& [from, to] : questions) {
      answered.push_back(std::async(std::launch::async, [from = from, to = to] {
        return TcpConnection(*from, to, {.limit = std::chrono::milliseconds(700)}).is_open();
      }));
      answered.push_back(std::async(std::launch::async, [from = from, to = to, port = fresh_port()] {
        return UdpSocket(*from, port).is_answered(to, std::chrono::milliseconds(700));
      }));
    }
    for (std::size_t i = 0; i < answered.size(); ++i)
      EXPECT_FALSE(answered[i].get()) << (i % 2 ? "UDP to " : "TCP to ") << questions[i / 2].second;
  }

  void forget_neighbours(const std::string& devices) {
    host().must("for d in " + devices + "; do for f in -4 -6; do ip $f neigh flush dev $d; done; done");
  }

  // Of a flow that neither the product nor connection tracking knows from before.
  std::uint16_t fresh_port() { return ++last_port_; }

  // What there is to say of a failure.
  std::string seen() {
    return "\n" +
           (is_bridge() ? std::string() : ground().vnet({"stats"}).out + ground().vnet({"flows"}).out) +
           host().sh("cat /proc/net/nf_conntrack; nft list ruleset").out;
  }

  void both_families(const std::function<void(bool)>& test) {
    for (bool v6 : {false, true}) {
      SCOPED_TRACE(v6 ? "IPv6" : "IPv4");
      test(v6);
    }
  }

 private:
  // As libvirt 11.3 writes them, for both families: none for an open network.
  void libvirts_rules(const RealNetwork& net) {
    if (net.forward == Forward::Open) return;
    std::string bridge = net.bridge();
    rule("cross", fmt::format("iifname {0} oifname {0} accept", bridge));
    for (bool v6 : {false, true}) {
      std::string ip = v6 ? "ip6" : "ip", subnet = net.subnet(v6);
      if (net.forward != Forward::None) {
        rule("in", fmt::format("oifname {} {} daddr {} {} accept", bridge, ip, subnet,
                               net.forward == Forward::Nat ? "ct state related,established" : ""));
        rule("out", fmt::format("iifname {} {} saddr {} accept", bridge, ip, subnet));
      }
      if (net.forward != Forward::Nat) continue;
      std::string ours = fmt::format("{0} saddr {1} {0} daddr != {1}", ip, subnet);
      rule("postrouting", "meta l4proto { tcp, udp } " + ours + " masquerade to :1024-65535");
      rule("postrouting", ours + " masquerade");
    }
    rule("in", "oifname " + bridge + " reject");
    rule("out", "iifname " + bridge + " reject");
  }

  std::string_view world_;
  std::uint16_t last_port_ = 20000;
};

class RealHostTest : public RealHost, public testing::WithParamInterface<const char*> {
 protected:
  RealHostTest() : RealHost(GetParam()) {}
};

inline std::string way_of(const testing::TestParamInfo<const char*>& info) {
  return info.param;
}

}  // namespace vnet::test
