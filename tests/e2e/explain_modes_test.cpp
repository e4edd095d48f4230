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
            ExplainCase about{kind.name, address(v6, kind.number, 11), to, protocol, ++port, 7};
            compare(about);
            compare(about);
          }
          ExplainCase foreign{kind.name, v6 ? "fd00:77::3" : "10.1.2.3", outside, protocol, ++port, 7};
          compare(foreign);
          ExplainCase inbound{"eth0", outside, address(v6, kind.number, 11), protocol, ++port, 7};
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

}  // namespace
}  // namespace vnet::test
