// SPDX-License-Identifier: GPL-2.0-or-later
// `explain` against reality, networks of every mode side by side, and ports with every kind of rule.
#include "tests/e2e/explain_fixture.h"

namespace vnet::test {
namespace {

struct Kind {
  const char* name;
  const char* forward;  // XML
  int number;           // 10.88.N.0/24, fd00:88:N::/64; the guest has .11
};
constexpr Kind kinds[] = {
    {"nat", "<forward mode='nat'><nat ipv6='yes'/></forward>", 1},
    {"route", "<forward mode='route'/>", 2},
    {"isolated", "", 3},
    {"open", "<forward mode='open'/>", 4},
};

class ExplainModes : public ExplainFixture {
 protected:
  static std::string address(bool v6, int network, int host) {
    return v6 ? fmt::format("fd00:88:{}::{}", network, host) : fmt::format("10.88.{}.{}", network, host);
  }
  void start_kind(const Kind& kind) {
    vnet({"up", file(std::string(kind.name) + ".xml",
                     fmt::format("<network><name>{0}</name>{1}<bridge name='br{0}' stp='off'/>"
                                 "<ip address='10.88.{2}.1' netmask='255.255.255.0'/>"
                                 "<ip family='ipv6' address='fd00:88:{2}::1' prefix='64'/></network>",
                                 kind.name, kind.forward, kind.number))});
  }
  void plug_guest(const Kind& kind, const std::string& name, int number, const Argv& options = {}) {
    ground().add_guest(name);
    guest(name).must(
        fmt::format("sysctl -qw net.ipv6.conf.eth0.accept_ra=0; "  // no other address than these
                    "ip addr add {}/24 dev eth0; ip addr add {}/64 dev eth0 nodad; ip link set eth0 up; "
                    "ip route replace default via {}; ip -6 route replace default via {}",
                    address(false, kind.number, number), address(true, kind.number, number),
                    address(false, kind.number, 1), address(true, kind.number, 1)));
    Argv attach{"attach", name, "--network", kind.name, "--mac", mac(guest(name), "eth0")};
    attach.insert(attach.end(), options.begin(), options.end());
    vnet(attach);
    wait_until_forwarding(name);
    add_party(name, std::string("br") + kind.name,
              {address(false, kind.number, number), address(true, kind.number, number)});
  }
  void route_back() {
    outside().must(
        "ip route add 10.88.0.0/16 via 203.0.113.2; ip -6 route add fd00:88::/32 via 2001:db8:113::2");
    for (const char* to : {"203.0.113.2", "2001:db8:113::2"}) ASSERT_TRUE(outside().pings(to));
  }
};

TEST_F(ExplainModes, AgreesBetweenNetworksOfEveryMode) {
  for (const Kind& kind : kinds) {
    start_kind(kind);
    plug_guest(kind, kind.name, 11);
  }
  route_back();
  get_acquainted();
  inside([&] {
    std::uint16_t port = 2000;
    for (bool v6 : {false, true}) {
      std::string outside = v6 ? "2001:db8:113::1" : "203.0.113.1";
      for (const char* protocol : {"tcp", "udp", "icmp"})
        for (const Kind& kind : kinds) {
          std::vector<std::string> targets{outside, v6 ? "2001:db8:113::2" : "203.0.113.2"};
          for (const Kind& other : kinds) {
            if (&other != &kind) targets.push_back(address(v6, other.number, 11));
            targets.push_back(address(v6, other.number, 1));
          }
          for (const std::string& to : targets) {
            Case about{kind.name, address(v6, kind.number, 11), to, protocol, ++port, 7};
            compare(about);
            compare(about);
          }
          Case foreign{kind.name, v6 ? "fd00:77::3" : "10.1.2.3", outside, protocol, ++port, 7};
          compare(foreign);
          Case inbound{"eth0", outside, address(v6, kind.number, 11), protocol, ++port, 7};
          compare(inbound);
          compare(inbound);
        }
    }
  });
  EXPECT_GE(compared_, 400);
  for (const char* fate : {"outside", "guest", "host", "dropped other-network", "dropped spoofed-source",
                           "dropped isolated", "dropped not-visible"})
    EXPECT_GE(fates_[fate], 6) << fate << testing::PrintToString(fates_);
}

TEST_F(ExplainModes, AgreesWithThePortsRules) {
  const Kind& kind = kinds[1];  // routed: everybody may ask for everybody
  start_kind(kind);
  plug_guest(kind, "plain", 11);
  plug_guest(kind, "clean", 12,
             {"--filter", "clean-traffic", "--ip", address(false, 2, 12), "--ip", address(true, 2, 12)});
  plug_guest(kind, "answers", 13, {"--inbound", "established", "--allow", "udp/7"});
  plug_guest(kind, "closed", 14, {"--inbound", "drop", "--allow", "tcp/7"});
  plug_guest(kind, "alone1", 15, {"--isolated"});
  plug_guest(kind, "alone2", 16, {"--isolated"});
  route_back();
  // The host cannot ping those that let nobody in; they make themselves known.
  for (const auto& [name, party] : parties_)
    for (const char* to : {"10.88.2.1", "fd00:88:2::1"}) guest(name).pings(to, name == "closed" ? 1 : 5);
  host().must("sysctl -qw net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0");
  add_party("eth0", "", {});
  host_mac_ = mac(host(), "eth0");
  inside([&] {
    std::uint16_t port = 2000;
    for (bool v6 : {false, true})
      for (const char* protocol : {"tcp", "udp", "icmp"})
        for (std::uint16_t to_port : {7, 9})
          for (int to = 11; to <= 16; ++to) {
            for (auto [name, number] : {std::pair{"plain", 11}, {"clean", 12}, {"alone1", 15}})
              if (to != number)
                compare({name, address(v6, 2, number), address(v6, 2, to), protocol, ++port, to_port});
            compare(
                {"clean", address(v6, 2, 11), address(v6, 2, to), protocol, ++port, to_port});  // not its own
            compare({"eth0", v6 ? "2001:db8:113::1" : "203.0.113.1", address(v6, 2, to), protocol, ++port,
                     to_port});
          }
  });
  EXPECT_GE(compared_, 300);
  for (const char* fate : {"guest", "dropped spoofed-source", "dropped inbound", "dropped isolated-port"})
    EXPECT_GE(fates_[fate], 6) << fate << testing::PrintToString(fates_);
}

// Guests on the outside's own link: behind a bridge of the host's, or directly on its eth0.
class ExplainLink : public ExplainFixture {
 protected:
  static std::string address(bool v6, int number) {
    return fmt::format("{}{}", v6 ? "2001:db8:113::" : "203.0.113.", number);
  }
  void plug_guest(const std::string& name, int number, const std::string& bridge) {
    ground().add_guest(name);
    guest(name).must(fmt::format("ip addr add {}/24 dev eth0; ip addr add {}/64 dev eth0 nodad",
                                 address(false, number), address(true, number)));
    vnet({"attach", name, "--network", "lan", "--mac", mac(guest(name), "eth0"), "--ip",
          address(false, number), "--ip", address(true, number)});
    parties_.emplace(name, Party{bridge,
                                 {address(false, number), address(true, number)},
                                 mac(guest(name), "eth0"),
                                 RawPort(guest(name), "eth0")});
  }
  // host: the interface with the host's addresses.
  void know_everybody(const std::string& host_interface) {
    add_party("eth0", "", {});
    host().must("sysctl -qw net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0");
    for (bool v6 : {false, true}) {
      on_one_link_[address(v6, 1)] = mac(outside(), "eth0");
      on_one_link_[address(v6, 2)] = mac(host(), host_interface);
      on_one_link_[address(v6, 11)] = parties_.at("g1").mac;
      on_one_link_[address(v6, 12)] = parties_.at("g2").mac;
      ASSERT_TRUE(host().pings(address(v6, 1)));
    }
  }
  void compare_all(bool from_outside) {
    inside([&] {
      std::uint16_t port = 2000;
      for (bool v6 : {false, true})
        for (const char* protocol : {"tcp", "udp", "icmp"})
          for (int to : {1, 2, 11, 12}) {
            for (auto [name, number] : {std::pair{"g1", 11}, {"g2", 12}, {"eth0", 1}}) {
              if (to == number || (std::string(name) == "eth0" && !from_outside)) continue;
              Case about{name, address(v6, number), address(v6, to), protocol, ++port, 7};
              compare(about);
              compare(about);
            }
          }
    });
  }
};

TEST_F(ExplainLink, AgreesOnTheHostsOwnBridge) {
  host().must(
      "ip addr flush dev eth0 scope global; ip link add br0 type bridge; ip link set eth0 master br0; "
      "ip link set br0 up; ip addr add 203.0.113.2/24 dev br0; ip addr add 2001:db8:113::2/64 dev br0 nodad; "
      "ip route replace default via 203.0.113.1");
  vnet(
      {"up", file("lan.xml",
                  "<network><name>lan</name><forward mode='bridge'/><bridge name='br0'/><metadata>"
                  "<vnet:network xmlns:vnet='urn:vnet-bpf:network:1'><vnet:uplink dev='eth0'/></vnet:network>"
                  "</metadata></network>")});
  plug_guest("g1", 11, "br0");
  plug_guest("g2", 12, "br0");
  for (const char* name : {"g1", "g2"})
    for (bool v6 : {false, true}) ASSERT_TRUE(guest(name).pings(address(v6, 1)));
  know_everybody("br0");
  compare_all(true);
  EXPECT_GE(compared_, 100);
  for (const char* fate : {"outside", "guest", "host"})
    EXPECT_GE(fates_[fate], 10) << fate << testing::PrintToString(fates_);
}

TEST_F(ExplainLink, AgreesWithDirectAttachment) {
  for (const char* mode : {"bridge", "vepa", "private"}) {
    vnet({"up",
          file("lan.xml", fmt::format("<network><name>lan</name><forward mode='{}'><interface dev='eth0'/>"
                                      "</forward></network>",
                                      mode))});
    plug_guest("g1", 11, "eth0");
    plug_guest("g2", 12, "eth0");
    know_everybody("eth0");
    compare_all(false);
    parties_.clear();
    vnet({"stop", "lan"});
    vnet({"undefine", "lan"});
    host().must("ip link del g1; ip link del g2");
  }
  EXPECT_GE(compared_, 120);
  for (const char* fate : {"outside", "guest", "host", "dropped private"})
    EXPECT_GE(fates_[fate], 10) << fate << testing::PrintToString(fates_);
}

}  // namespace
}  // namespace vnet::test
