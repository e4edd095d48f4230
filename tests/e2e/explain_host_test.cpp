// SPDX-License-Identifier: GPL-2.0-or-later
// `explain` against reality where the host's own rules act on a packet between our programs: what Docker
// publishes, port forwards by hand, a broad masquerade, a FORWARD that lets nothing through.
#include "tests/e2e/explain_fixture.h"

namespace vnet::test {
namespace {

using testing::HasSubstr;

class ExplainHost : public ExplainFixture {
 protected:
  void SetUp() override {
    NetworkTest::SetUp();
    if (IsSkipped()) return;
    host().must("sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1");
    add_container();
    start(dual_stack_xml("<nat ipv6='yes'/>"));
    plug_both();
    up("other", "<forward mode='nat'><nat ipv6='yes'/></forward>", "virbr1", 150);
    up("shut", "", "virbr2", 151);
    plug("o1", "other", "virbr1", 150);
    plug("s1", "shut", "virbr2", 151);
    add_party("g1", "virbr0", {"192.168.122.11", "fd00:122::11"});
    add_party("g2", "virbr0", {"192.168.122.12", "fd00:122::12"});
    for (const char* to : {"203.0.113.2", "2001:db8:113::2"}) ASSERT_TRUE(outside().pings(to));
    get_acquainted();
  }

  void up(const char* name, const char* forward, const char* bridge, int number) {
    vnet({"up", file(std::string(name) + ".xml",
                     fmt::format("<network><name>{0}</name>{1}<bridge name='{2}' stp='off'/>"
                                 "<ip address='192.168.{3}.1' netmask='255.255.255.0'/>"
                                 "<ip family='ipv6' address='fd00:{3}::1' prefix='64'/></network>",
                                 name, forward, bridge, number))});
  }
  void plug(const char* name, const char* network, const char* bridge, int number) {
    ground().add_guest(name);
    guest(name).must(
        fmt::format("sysctl -qw net.ipv6.conf.eth0.accept_ra=0; ip addr add 192.168.{0}.11/24 dev eth0; "
                    "ip addr add fd00:{0}::11/64 dev eth0 nodad; ip link set eth0 up; "
                    "ip route add default via 192.168.{0}.1; ip -6 route add default via fd00:{0}::1",
                    number));
    vnet({"attach", name, "--network", network, "--mac", mac(guest(name), "eth0")});
    wait_until_forwarding(name);
    add_party(name, bridge, {fmt::format("192.168.{}.11", number), fmt::format("fd00:{}::11", number)});
  }
  void add_container() {
    host().must(
        "ip link add docker0 type bridge; ip link set docker0 up; ip addr add 172.17.0.1/16 dev docker0; "
        "ip addr add fd00:d0c::1/64 dev docker0 nodad; "
        "ip link add veth1 master docker0 type veth peer name eth0 netns " +
        container_.name() + "; ip link set veth1 up");
    container_.must(
        "ip link set eth0 up; ip addr add 172.17.0.2/16 dev eth0; ip addr add fd00:d0c::2/64 dev eth0 nodad; "
        "ip route add default via 172.17.0.1; ip route add default via fd00:d0c::1");
    for (const char* to : {"172.17.0.2", "fd00:d0c::2"}) ASSERT_TRUE(host().pings(to));
    parties_.emplace(
        "docker0",
        Party{
            "docker0", {"172.17.0.2", "fd00:d0c::2"}, mac(container_, "eth0"), RawPort(container_, "eth0")});
  }

  void rules(const std::string& text) { host().must("nft -f - <<'E'\n" + text + "\nE"); }
  // What dockerd writes for `-p 8080:80`.
  void publish() {
    for (bool v6 : {false, true})
      rules(fmt::format(
          "table {0} nat {{\n"
          "chain PREROUTING {{ type nat hook prerouting priority dstnat; fib daddr type local jump DOCKER; "
          "}}\n"
          "chain POSTROUTING {{ type nat hook postrouting priority srcnat;\n"
          " {0} saddr {1} oifname != docker0 masquerade; }}\n"
          "chain DOCKER {{ iifname docker0 return;\n"
          " iifname != docker0 tcp dport 8080 dnat to {2}:80; iifname != docker0 udp dport 8080 dnat to "
          "{2}:80; }}\n}}",
          v6 ? "ip6" : "ip", v6 ? "fd00:d0c::/64" : "172.17.0.0/16", v6 ? "[fd00:d0c::2]" : "172.17.0.2"));
  }

  static std::string text(const Explanation& told) {
    std::string all;
    for (const auto& step : told.steps) {
      all += fmt::format("\n  {} {} {}", step.where, step.interface, step.verdict);
      for (const auto& detail : step.details) all += "\n    " + detail;
    }
    return all + "\n" + told.reason + " " + told.cause;
  }
  // What is foretold becomes of the very packet: where: the interface of ours that it comes out by.
  Explanation expect_arrives(const ExplainCase& about, const std::string& where) {
    SCOPED_TRACE(about.text());
    Explanation told = ask_and_touch_nothing(about);
    Seen seen = send(about);
    EXPECT_EQ(where, told.interface) << text(told);
    EXPECT_EQ(where, seen.where) << seen.fate << " " << seen.reason << text(told);
    if (HasFailure()) return told;
    EXPECT_EQ(told.arrives.source->address.text(), seen.source) << text(told);
    EXPECT_EQ(told.arrives.destination->address.text(), seen.destination) << text(told);
    return told;
  }
  Explanation expect_lost(const ExplainCase& about, const std::string& where, const std::string& reason) {
    SCOPED_TRACE(about.text());
    Explanation told = ask_and_touch_nothing(about);
    Seen seen = send(about);
    EXPECT_EQ(reason, told.reason) << text(told);
    EXPECT_EQ(where, told.steps.back().where) << text(told);
    EXPECT_THAT(seen.fate, testing::AnyOf("nowhere", "dropped")) << seen.where << text(told);
    return told;
  }
  std::uint64_t drops(unsigned reason) {
    std::uint64_t all = 0;
    for (const auto& key : maps_->drops.keys())
      if (key.reason == reason)
        for (auto count : maps_->drops.get(key)) all += count;
    return all;
  }

  static std::string of(bool v6, int network, int number) {
    return v6 ? fmt::format("fd00:{}::{}", network, number) : fmt::format("192.168.{}.{}", network, number);
  }
  static std::string outer(bool v6) { return v6 ? "2001:db8:113::2" : "203.0.113.2"; }
  static std::string far(bool v6) { return v6 ? "2001:db8:113::1" : "203.0.113.1"; }
  std::uint16_t next_port() { return ++port_; }

  Namespace container_;
  std::uint16_t port_ = 2000;
};

TEST_F(ExplainHost, FollowsDockersPort) {
  publish();
  inside([&] {
    for (bool v6 : {false, true})
      for (const char* protocol : {"tcp", "udp"}) {
        for (const std::string& to : {of(v6, 122, 1), outer(v6)}) {
          Explanation told =
              expect_arrives({"g1", of(v6, 122, 11), to, protocol, next_port(), 8080}, "docker0");
          EXPECT_EQ(80, told.arrives.destination->port);
          EXPECT_THAT(text(told), HasSubstr("chain DOCKER"));
          // Another port is the host's own.
          EXPECT_EQ(Fate::Host, ask({"g1", of(v6, 122, 11), to, protocol, next_port(), 8081}).fate);
        }
        expect_arrives({"eth0", far(v6), outer(v6), protocol, next_port(), 8080}, "docker0");
      }
  });
}

TEST_F(ExplainHost, FollowsPortForwardsToGuests) {
  for (bool v6 : {false, true})
    rules(fmt::format(
        "table {0} hand {{ chain pre {{ type nat hook prerouting priority dstnat;\n"
        "{0} daddr {1} tcp dport 8088 dnat to {2}:80; {0} daddr {1} udp dport 8088 dnat to {2}:80; }}\n"
        "chain post {{ type nat hook postrouting priority srcnat; {0} saddr {3} {0} daddr {4} masquerade; "
        "}}\n}}",
        v6 ? "ip6" : "ip", outer(v6), v6 ? "[fd00:122::11]" : "192.168.122.11",
        v6 ? "fd00:122::/64" : "192.168.122.0/24", of(v6, 122, 11)));
  inside([&] {
    for (bool v6 : {false, true})
      for (const char* protocol : {"tcp", "udp"}) {
        expect_arrives({"eth0", far(v6), outer(v6), protocol, next_port(), 8088}, "g1");
        expect_arrives({"o1", of(v6, 150, 11), outer(v6), protocol, next_port(), 8088}, "g1");
        Explanation told =
            expect_arrives({"g2", of(v6, 122, 12), outer(v6), protocol, next_port(), 8088}, "g1");
        EXPECT_EQ(of(v6, 122, 1), told.arrives.source->address.text());
        // Nobody has turned this one.
        expect_lost({"o1", of(v6, 150, 11), of(v6, 122, 11), protocol, next_port(), 80}, "gateway-ingress",
                    "other-network");
      }
  });
}

TEST_F(ExplainHost, KnowsABroadMasquerade) {
  rules(
      "table inet wide { chain post { type nat hook postrouting priority srcnat; oifname eth0 masquerade; "
      "}\n}");
  inside([&] {
    for (bool v6 : {false, true})
      for (const char* protocol : {"tcp", "udp", "icmp"}) {
        Explanation told = expect_arrives({"g1", of(v6, 122, 11), far(v6), protocol, next_port(), 7}, "eth0");
        EXPECT_EQ(outer(v6), told.arrives.source->address.text());
        EXPECT_THAT(text(told), HasSubstr("table inet wide, chain post: oifname \"eth0\" masquerade"));
      }
  });
}

TEST_F(ExplainHost, NamesTheRuleThatDrops) {
  rules(
      "table inet filter { chain FORWARD { type filter hook forward priority 0; policy drop;\n"
      "ct state established,related accept; tcp dport 9 reject; tcp dport 10 accept; }\n}");
  inside([&] {
    for (bool v6 : {false, true}) {
      auto about = [&](std::uint16_t to) {
        return ExplainCase{"g1", of(v6, 122, 11), far(v6), "tcp", next_port(), to};
      };
      Explanation told = expect_lost(about(7), "host", "host-firewall");
      EXPECT_EQ(Fate::Dropped, told.fate);
      EXPECT_EQ("table inet filter, chain FORWARD, policy drop", told.cause);
      told = ask_and_touch_nothing(about(9));
      EXPECT_EQ(Fate::Refused, told.fate);
      EXPECT_THAT(told.cause, HasSubstr("chain FORWARD: tcp dport 9 reject"));
      expect_arrives(about(10), "eth0");
    }
  });
}

TEST_F(ExplainHost, SaysWhatItCannotKnow) {
  rules(
      "table inet filter { set friends { type ipv4_addr; }\n"
      "chain FORWARD { type filter hook forward priority 0;\n"
      "ip saddr @friends drop; tcp dport 8 meta mark set 7; }\n}");
  inside([&] {
    Explanation told = ask({"g1", "192.168.122.11", "203.0.113.1", "tcp", next_port(), 8});
    EXPECT_EQ(Fate::Outside, told.fate);
    ASSERT_EQ(2U, told.notes.size()) << testing::PrintToString(told.notes);
    EXPECT_THAT(told.notes[0], HasSubstr("ip saddr @friends drop"));
    EXPECT_THAT(told.notes[1], HasSubstr("routing by mark"));
  });
}

// The gateway's program has let it up, to the host's own address; where it is turned to, the fence stands.
TEST_F(ExplainHost, AnIsolatedGuestDoesNotGetToDockersPort) {
  publish();
  inside([&] {
    for (bool v6 : {false, true})
      for (const char* protocol : {"tcp", "udp"}) {
        std::uint64_t before = drops(VNET_DROP_NO_WAY_OUT);
        ExplainCase about{"s1", of(v6, 151, 11), of(v6, 151, 1), protocol, next_port(), 8080};
        Explanation told = expect_lost(about, "forward", "no-way-out");
        EXPECT_THAT(text(told), HasSubstr("DNAT to "));
        EXPECT_EQ(before + 1, drops(VNET_DROP_NO_WAY_OUT));
      }
  });
}

}  // namespace
}  // namespace vnet::test
