// SPDX-License-Identifier: GPL-2.0-or-later
// Every mode, by every kind of way out, through every kind of host firewall and every NAT of the host: what
// gets through, and as whom, is the same as on a Linux bridge with libvirt's rules: the first packets, 3 MB,
// and what comes when the neighbours have been forgotten meanwhile. The functions `expected_...` say what
// comes of each cell, and where the product is stricter.
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "tests/e2e/real_host_fixture.h"
#include "tests/support/tun_pair.h"

namespace vnet::test {
namespace {

using testing::Combine;
using testing::ElementsAre;
using testing::ValuesIn;

constexpr RealNetwork opened{"opn", Forward::Open, 70};
constexpr const RealNetwork* modes[] = {&nat, &routed, &opened, &isolated};

// By name; the far end is in the namespace outside.
struct Way {
  const char* name;
  const char* device;
  RealLink link;
  // On each side, with $device and $veth, a cable; "": it is made otherwise.
  const char *host_script, *far_script;
  // On the host, when all is there, for each family: with $device and $bridge, $subnet and $way, their
  // subnets.
  const char* routes = "";
};
constexpr const char* plain_link = "ip link set $veth name $device";
constexpr const char* as_bridge =
    "ip link add $device type bridge forward_delay 0; ip link set $veth up master $device";
constexpr Way ways[] = {
    {"ethernet", "lan0", {"10.20.0.", "fd00:20::"}, plain_link, plain_link},
    {"bridge", "br0", {"10.21.0.", "fd00:21::"}, as_bridge, plain_link},
    {"docker", "docker0", {"172.17.0.", "fd00:d0c::"}, as_bridge, plain_link},
    {"tun", "tun0", {"10.22.0.", "fd00:22::"}, "", ""},
    {"vlan",
     "vlan7",
     {"10.23.0.", "fd00:23::"},
     "ip link set $veth up; ip link add $device link $veth type vlan id 7",
     "ip link set $veth up; ip link add $device link $veth type vlan id 7"},
    {"bond",
     "bond0",
     {"10.24.0.", "fd00:24::"},
     "ip link add $device type bond mode active-backup miimon 100; ip link set $veth master $device",
     plain_link},
    {"wireguard",
     "wg0",
     {"10.25.0.", "fd00:25::"},
     "ip link set $veth up; ip addr add 10.250.0.2/24 dev $veth; ip link add $device type wireguard; "
     "wg set $device listen-port 51820 private-key $keys/host peer $(wg pubkey < $keys/far) "
     "allowed-ips 0.0.0.0/0,::/0 endpoint 10.250.0.1:51820",
     "ip link set $veth up; ip addr add 10.250.0.1/24 dev $veth; ip link add $device type wireguard; "
     "wg set $device listen-port 51820 private-key $keys/far peer $(wg pubkey < $keys/host) "
     "allowed-ips 0.0.0.0/0,::/0"},
    // Routes lead from the one table to the other, and back.
    {"vrf",
     "lan1",
     {"10.26.0.", "fd00:26::"},
     "ip link add red type vrf table 10; ip link set red up; ip link set $veth name $device master red",
     plain_link,
     "ip route add $way dev $device; ip route add $subnet dev $bridge table 10"},
};

struct Firewall {
  const char* name;
  const char* rules;  // at FORWARD; $bridge: the network's
  bool guests_begin, others_begin, turned_begin, keeps_state;
};
constexpr Firewall firewalls[] = {
    {"none", "", true, true, true, false},
    {"established",
     "policy drop; iifname $bridge accept; ct state established,related accept; ct status dnat accept;", true,
     false, true, true},
    {"invalid", "ct state invalid drop;", true, true, true, true},
    {"docker", "policy drop; oifname docker0 ct state established,related accept; iifname docker0 accept;",
     false, false, false, true},
    {"firewalld",
     "ct state established,related accept; ct status dnat accept; ct state invalid drop; "
     "iifname $bridge accept; reject with icmpx admin-prohibited;",
     true, false, true, true},
};

// Port 8088 of the host is turned to the guest's 9000.
enum class HostTranslation { None, Masquerade, Snat, Dnat };
struct HostNatRules {
  HostTranslation kind;
  const char* name;
  const char* rules;  // $way, $snat4, $snat6, $guest4, $guest6
};
constexpr HostNatRules host_nats[] = {
    {HostTranslation::None, "none", ""},
    {HostTranslation::Masquerade, "masquerade",
     "chain post { type nat hook postrouting priority 99; oifname $way masquerade; }"},
    {HostTranslation::Snat, "snat",
     "chain post { type nat hook postrouting priority 99; oifname $way snat ip to $snat4; "
     "oifname $way snat ip6 to $snat6; }"},
    {HostTranslation::Dnat, "dnat",
     "chain pre { type nat hook prerouting priority -100; iifname $way tcp dport 8088 dnat ip to "
     "$guest4:9000; "
     "iifname $way udp dport 8088 dnat ip to $guest4:9000; iifname $way tcp dport 8088 dnat ip6 to "
     "[$guest6]:9000; "
     "iifname $way udp dport 8088 dnat ip6 to [$guest6]:9000; }"},
};

std::string replaced(std::string text, const std::string& word, const std::string& by) {
  for (std::size_t at = 0; (at = text.find(word, at)) != std::string::npos; at += by.size())
    text.replace(at, word.size(), by);
  return text;
}

using Cell = std::tuple<const RealNetwork*, Way, const char*>;

class Matrix : public RealHost, public testing::WithParamInterface<Cell> {
 protected:
  Matrix() : RealHost(std::get<2>(GetParam())) {}

  void SetUp() override {
    RealHost::SetUp();
    if (IsSkipped()) return;
    if (!make_way()) GTEST_SKIP() << "no " << way_.name << " here: " << why_not_;
    rule("admin", "ct status dnat accept");
    up(net_);
    add_routes();
    plug(net_);
    host().must(fmt::format("ip addr add {}9/24 dev {}; ip addr add {}9/64 dev {} nodad preferred_lft 0",
                            way_.link.v4, way_.device, way_.link.v6, way_.device));
    outside().must(fmt::format("ip route replace {} via {}; ip route replace {} via {}", net_.subnet(false),
                               way_.link.ours(false), net_.subnet(true), way_.link.ours(true)));
  }

  bool make_way() {
    std::string device = way_.device;
    if (!*way_.host_script) {
      tun_.emplace(host(), outside(), device);
    } else {
      host().must("ip link add cable type veth peer name cable netns " + outside().name());
      if (!makes(host(), way_.host_script) || !makes(outside(), way_.far_script)) return false;
    }
    for (auto [space, number] : {std::pair{&host(), 2}, {&outside(), 1}})
      space->must(
          fmt::format("ip link set {0} up; ip addr add {1}{3}/24 dev {0}; ip addr add {2}{3}/64 dev "
                      "{0} nodad",
                      device, way_.link.v4, way_.link.v6, number));
    return true;
  }
  void add_routes() {
    for (bool v6 : {false, true}) {
      std::string script = way_.routes;
      for (const auto& [word, by] :
           {std::pair{"$way", std::string(v6 ? way_.link.v6 : way_.link.v4) + (v6 ? "/64" : "0/24")},
            {"$subnet", net_.subnet(v6)},
            {"$device", std::string(way_.device)},
            {"$bridge", net_.bridge()}})
        script = replaced(script, word, by);
      host().must(script);
      EXPECT_TRUE(host().pings(way_.link.theirs(v6)));
    }
  }
  bool makes(Namespace& space, const char* script) {
    std::string keys = ground().state_dir().string();
    Output made = space.sh("set -e; device=" + std::string(way_.device) + "; veth=cable; keys=" + keys +
                           "; case $device in wg*) umask 077; for k in host far; do [ -e $keys/$k ] || wg "
                           "genkey > $keys/$k; done;; esac; " +
                           script);
    why_not_ = made.err;
    return made.ok();
  }

  void set_rules(const Firewall& firewall, const HostNatRules& turn) {
    std::string text = "table inet cell { }\ndelete table inet cell\ntable inet cell {\n";
    if (*firewall.rules)
      text += "chain forward { type filter hook forward priority 10; " + std::string(firewall.rules) + " }\n";
    text += std::string(turn.rules) + "\n}";
    for (const auto& [word, by] :
         std::vector<std::pair<std::string, std::string>>{{"$bridge", net_.bridge()},
                                                          {"$way", way_.device},
                                                          {"$snat4", std::string(way_.link.v4) + "9"},
                                                          {"$snat6", std::string(way_.link.v6) + "9"},
                                                          {"$guest4", net_.ip(false)},
                                                          {"$guest6", net_.ip(true)}})
      text = replaced(text, word, by);
    rules(text);
  }

  bool expected_out(const Firewall& firewall) const {
    return net_.forward != Forward::None && firewall.guests_begin;
  }
  std::string expected_source(HostTranslation turn, bool v6) const {
    if (turn == HostTranslation::Masquerade) return way_.link.ours(v6);
    if (turn == HostTranslation::Snat) return std::string(v6 ? way_.link.v6 : way_.link.v4) + "9";
    return net_.forward == Forward::Nat ? way_.link.ours(v6) : net_.ip(v6);
  }
  // Docker lets its containers begin whatever they want.
  bool is_containers(const Firewall& firewall) const {
    return way_.device == std::string_view("docker0") && firewall.name == std::string_view("docker");
  }
  bool expected_in(const Firewall& firewall) const {
    return (net_.forward == Forward::Route || net_.forward == Forward::Open) &&
           (firewall.others_begin || is_containers(firewall));
  }
  // Stricter: on a bridge the administrator's DNAT leads into an isolated network, too.
  bool expected_turned(const Firewall& firewall) const {
    return (firewall.turned_begin || is_containers(firewall)) &&
           (net_.forward != Forward::None || is_bridge());
  }

  // A connection with 3 MB, which is kept, and a question by UDP.
  void expect_carried(const Namespace& from, const Endpoint& to) {
    kept_.emplace_back(from, to);
    ASSERT_EQ(much, kept_.back().exchange(much)) << seen();
    EXPECT_TRUE(UdpSocket(from, fresh_port()).gets_answer(to)) << seen();
  }
  // The kept connections, when all neighbours have been forgotten: the fast path keeps an answer for a tick
  // of 2^30 ns, and only then asks again. A firewall that keeps state has not seen what went by it.
  void expect_kept(const Firewall& firewall) {
    auto kept = std::exchange(kept_, {});
    if (kept.empty() || !firewall.keeps_state) return;
    forget_neighbours(net_.bridge() + " " + way_.device);
    if (!is_bridge()) std::this_thread::sleep_for(std::chrono::milliseconds(1100));
    for (const TcpConnection& connection : kept) EXPECT_EQ(50'000U, connection.exchange(50'000)) << seen();
  }

  const RealNetwork& net_ = *std::get<0>(GetParam());
  const Way way_ = std::get<1>(GetParam());

 private:
  std::vector<TcpConnection> kept_;
  std::optional<TunPair> tun_;
  std::string why_not_;
};

TEST_P(Matrix, IsAsOnALinuxBridge) {
  Namespace& inner = guest(net_.guest());
  Echo far_tcp(outside(), Transport::Tcp, 9000), near_tcp(inner, Transport::Tcp, 9000);
  std::vector<std::unique_ptr<Echo>> udp;
  for (bool v6 : {false, true}) {
    udp.push_back(std::make_unique<Echo>(outside(), Transport::Udp, 9000, way_.link.theirs(v6)));
    udp.push_back(std::make_unique<Echo>(inner, Transport::Udp, 9000, net_.ip(v6)));
  }
  for (const Firewall& firewall : firewalls)
    for (const HostNatRules& turn : host_nats) {
      set_rules(firewall, turn);
      std::vector<Question> refused;
      both_families([&](bool v6) {
        SCOPED_TRACE(fmt::format("firewall {}, NAT {}", firewall.name, turn.name));
        auto ask = [&](bool expected, const Namespace& from, const Endpoint& to) {
          if (expected)
            expect_carried(from, to);
          else
            refused.emplace_back(&from, to);
        };
        far_tcp.forget_peers();
        ask(expected_out(firewall), inner, {way_.link.theirs(v6), 9000});
        if (expected_out(firewall)) {
          EXPECT_THAT(far_tcp.peer_addresses(), ElementsAre(expected_source(turn.kind, v6)));
        }
        ask(expected_in(firewall), outside(), {net_.ip(v6), 9000});
        if (turn.kind == HostTranslation::Dnat)
          ask(expected_turned(firewall), outside(), {way_.link.ours(v6), 8088});
      });
      SCOPED_TRACE(fmt::format("firewall {}, NAT {}", firewall.name, turn.name));
      expect_refused(refused);
      expect_kept(firewall);
      if (HasFailure()) return;
    }
}

std::string cell_name(const testing::TestParamInfo<Cell>& info) {
  return fmt::format("{}_{}_{}", std::get<0>(info.param)->name, std::get<1>(info.param).name,
                     std::get<2>(info.param));
}
INSTANTIATE_TEST_SUITE_P(All, Matrix,
                         Combine(ValuesIn(modes), ValuesIn(ways), testing::Values("tcx", "bridge")),
                         cell_name);
INSTANTIATE_TEST_SUITE_P(Filters, Matrix,
                         Combine(testing::Values(&nat), ValuesIn(ways), testing::Values("clsact")),
                         cell_name);

}  // namespace
}  // namespace vnet::test
