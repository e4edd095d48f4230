// SPDX-License-Identifier: GPL-2.0-or-later
// `explain` against reality where guests are on the outside's own link.
#include "tests/e2e/explain_link_fixture.h"

namespace vnet::test {
namespace {

using testing::HasSubstr;

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

// Each mode on its own: a slow machine needs minutes for one.
class ExplainDirectMode : public ExplainDirect, public testing::WithParamInterface<std::string> {
 protected:
  void start_two() { start_direct(GetParam(), {{"g1", 11}, {"g2", 12}}); }
  void expect_fates(const std::vector<std::string>& of_bridge, const std::vector<std::string>& of_vepa,
                    const std::vector<std::string>& of_private) {
    const auto& expected = GetParam() == "bridge" ? of_bridge : GetParam() == "vepa" ? of_vepa : of_private;
    for (const auto& fate : expected)
      EXPECT_GE(fates_[fate], 3) << "no '" << fate << "' in " << testing::PrintToString(fates_);
  }
};
INSTANTIATE_TEST_SUITE_P(Modes, ExplainDirectMode, testing::Values("bridge", "vepa", "private"),
                         [](const auto& info) { return info.param; });

TEST_P(ExplainDirectMode, AgreesFromGuestsAndTheWire) {
  start_two();
  compare_all(true);
  EXPECT_GE(compared_, 100);
  expect_fates({"outside", "guest", "host"}, {"outside", "guest", "host"},
               {"outside", "guest", "host", "dropped private"});
}

TEST_P(ExplainDirectMode, AgreesFromASwitchThatSendsBackAndTheHost) {
  start_two();
  compare_unicast({{"eth0", 11}, {"eth0", 2}});
  EXPECT_GE(compared_, 30);
  expect_fates({"outside", "guest", "dropped reflected"}, {"outside", "guest"},
               {"outside", "dropped private"});
}

TEST_P(ExplainDirectMode, AgreesOnGroupFrames) {
  start_two();
  compare_groups({{"g1", 11}, {"eth0", 1}, {"eth0", 11}, {"eth0", 2}});
  EXPECT_GE(compared_, 16);
  expect_fates({"group to eth0 g2 host", "group to g1 g2 host", "group to ", "group to eth0 g1 g2"},
               {"group to eth0", "group to g1 g2 host"},
               {"group to eth0", "group to g1 g2 host", "group to "});
}

TEST_P(ExplainDirectMode, AgreesWithAClosedPort) {
  start_two();
  vnet({"set", "g2", "--inbound", "drop"});
  compare_unicast({{"g1", 11}, {"eth0", 1}});
  compare_groups({{"g1", 11}, {"eth0", 1}});
  EXPECT_GE(compared_, 40);
  expect_fates({"dropped inbound", "group to eth0 host", "group to g1 host"},
               {"dropped inbound", "group to eth0", "group to g1 host"},
               {"dropped inbound", "group to eth0", "group to g1 host"});
}

TEST_F(ExplainDirect, AgreesWithPassthrough) {
  start_direct("passthrough", {{"g1", 11}});
  compare_unicast({{"g1", 11}, {"eth0", 1}});
  compare_groups({{"g1", 11}, {"eth0", 1}});
  vnet({"set", "g1", "--inbound", "established"});
  compare_unicast({{"g1", 11}, {"eth0", 1}});
  compare_groups({{"eth0", 1}});
  EXPECT_GE(compared_, 40);
  for (const char* fate :
       {"outside", "guest", "dropped inbound", "group to eth0", "group to g1", "group to "})
    EXPECT_GE(fates_[fate], 4) << fate << testing::PrintToString(fates_);
}

// Guests of a NAT network and those of the direct one meet on the interface that both leave by.
class ExplainShared : public ExplainDirect {
 protected:
  void SetUp() override {
    NetworkTest::SetUp();
    if (IsSkipped()) return;
    start(dual_stack_xml("<nat ipv6='yes'/>"));
    start_direct("bridge", {{"g1", 11}, {"g2", 12}});
    ground().add_guest("g3");
    guest("g3").must(
        "sysctl -qw net.ipv6.conf.eth0.accept_ra=0; ip addr add 192.168.122.13/24 dev eth0; "
        "ip addr add fd00:122::13/64 dev eth0 nodad; ip link set eth0 up; ip route replace default via "
        "192.168.122.1; ip -6 route replace default via fd00:122::1");
    vnet({"attach", "g3", "--network", "lab"});
    wait_until_forwarding("g3");
    add_party("g3", "virbr0", {"192.168.122.13", "fd00:122::13"});
    for (const char* to : {"192.168.122.1", "fd00:122::1"}) ASSERT_TRUE(guest("g3").pings(to));
    host_mac_ = mac(host(), "eth0");
  }
};

TEST_F(ExplainShared, AgreesOnTheLink) {
  compare_unicast({{"g1", 11}, {"eth0", 1}, {"eth0", 11}, {"eth0", 2}});
  compare_groups({{"g1", 11}, {"eth0", 1}, {"eth0", 2}});
  EXPECT_GE(compared_, 80);
  for (const char* fate : {"outside", "guest", "host", "dropped reflected", "group to g1 g2 host"})
    EXPECT_GE(fates_[fate], 3) << fate << testing::PrintToString(fates_);
}

TEST_F(ExplainShared, AgreesBetweenTheNetworks) {
  inside([&] {
    std::uint16_t port = 2000;
    for (bool v6 : {false, true}) {
      std::string inner = v6 ? "fd00:122::13" : "192.168.122.13";
      for (const char* protocol : {"tcp", "udp", "icmp"}) {
        for (int to : {1, 2, 11, 12}) {
          ExplainCase about{"g3", inner, address(v6, to), protocol, ++port, 7};
          compare(about);
          compare(about);
        }
        on_one_link_[inner] = on_one_link_[address(v6, 1)];  // by the direct guest's router
        compare({"g1", address(v6, 11), inner, protocol, ++port, 7});
        on_one_link_.erase(inner);
        compare({"eth0", address(v6, 1), inner, protocol, ++port, 7});
      }
    }
  });
  EXPECT_GE(compared_, 60);
  for (const char* fate : {"outside", "guest", "host", "dropped not-visible"})
    EXPECT_GE(fates_[fate], 6) << fate << testing::PrintToString(fates_);
}

TEST_F(ExplainDirect, TheVerbTellsWhoGetsACopy) {
  start_direct("bridge", {{"g1", 11}, {"g2", 12}});
  auto told = ground().vnet_json({"explain", "--port", "g1", "--to", "239.1.2.3:5353", "--proto", "udp"});
  EXPECT_EQ("flooded", told["fate"]);
  EXPECT_EQ((std::vector<std::string>{"g2", "host", "eth0"}),
            told["reaches"].get<std::vector<std::string>>());
  Output text = ground().vnet(
      {"explain", "--port", "eth0", "--from", "203.0.113.1", "--to", "203.0.113.255:67", "--proto", "udp"});
  EXPECT_TRUE(text.ok()) << text.err;
  EXPECT_THAT(text.out, HasSubstr("It goes to the guest at g1, the guest at g2, the host itself"));
  text = ground().vnet({"explain", "--port", "eth0", "--to", "203.0.113.11:22"});
  EXPECT_THAT(text.out, HasSubstr("parent-egress    eth0         redirected"));
  EXPECT_THAT(text.out, HasSubstr("It reaches the guest at g1"));
  vnet({"set", "g2", "--inbound", "drop"});
  told =
      ground().vnet_json({"explain", "--port", "eth0", "--from", "203.0.113.1", "--to", "203.0.113.12:22"});
  EXPECT_EQ("inbound", told["reason"]);
  EXPECT_EQ("vnet-bpf set g2 --inbound drop", told["cause"]);
}

}  // namespace
}  // namespace vnet::test
