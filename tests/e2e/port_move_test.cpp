// SPDX-License-Identifier: GPL-2.0-or-later
// A guest's port that is taken to another host.
#include "tests/e2e/announce_fixture.h"

namespace vnet::test {
namespace {

using testing::HasSubstr;

constexpr const char* moving_xml =
    "<network><name>lab</name><forward mode='route'/><bridge name='virbr9' stp='off'/>"
    "<ip address='10.9.0.1' prefix='24'><dhcp><range start='10.9.0.100' end='10.9.0.200'/></dhcp></ip>"
    "<ip family='ipv6' address='fd00:9::1' prefix='64'/></network>";
constexpr const char* mac = "52:54:00:00:09:11";

class PortMoveTest : public testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root";
    for (auto* host : {&a_, &b_}) {
      *host = std::make_unique<AnnouncingHost>();
      (*host)->up(moving_xml);
      (*host)->ground.add_guest("g1");
      (*host)->guest("g1").must(std::string("ip link set eth0 address ") + mac);
    }
  }
  AnnouncingHost& a() { return *a_; }
  AnnouncingHost& b() { return *b_; }

  static nlohmann::json port_of(AnnouncingHost& host) {
    for (auto& port : host.ground.vnet_json({"ports"}))
      if (port["interface"] == "g1") return port;
    return {};
  }
  static nlohmann::json stats_of(AnnouncingHost& host) {
    return host.ground.vnet_json({"stats", "--port", "g1"})["ports"].at(0);
  }
  std::string exported() { return b().file("g1.json", a().vnet({"port", "export", "g1"}).out); }

 private:
  std::unique_ptr<AnnouncingHost> a_, b_;
};

TEST_F(PortMoveTest, SettingsAddressesAndCountersGoWithIt) {
  a().vnet({"attach", "g1", "--network", "lab", "--mac", mac, "--filter", "clean-traffic", "--inbound",
            "established", "--allow", "tcp/22@198.51.100.0/24", "--isolated", "--guest", "web",
            "--bandwidth-out", "5000,6000,700"});
  ASSERT_TRUE(a().ground.udhcpc("g1").ok());
  const std::string address = a().guest("g1").sh("ip -br -4 addr show eth0 | awk '{print $3}'").out;
  const std::string leased = address.substr(0, address.find('/'));
  EXPECT_TRUE(a().guest("g1").pings("10.9.0.1"));
  // A spoofed address: a drop to be counted.
  a().guest("g1").must("ip addr add 10.9.0.77/24 dev eth0; ping -c 2 -W 1 -I 10.9.0.77 10.9.0.1 || true");
  const auto before = port_of(a());
  const auto file = exported();
  const auto counted = stats_of(a());
  EXPECT_FALSE(counted["drops"].empty());
  a().vnet({"detach", "g1"});

  EXPECT_THAT(b().vnet({"port", "import", file, "--dry-run"}).out, HasSubstr("g1"));
  EXPECT_TRUE(port_of(b()).is_null());
  // Its state goes with it; only the address on the guest's side the guest itself has.
  b().guest("g1").must("ip addr add " + leased + "/24 dev eth0; ip link set eth0 up");
  // Without its addresses the guest would have to ask for them.
  auto without = nlohmann::json::parse(std::ifstream(file));
  without["addresses"] = nlohmann::json::array();
  b().vnet({"port", "import", b().file("without.json", without.dump())});
  EXPECT_FALSE(b().guest("g1").pings("10.9.0.1", 2));
  b().vnet({"port", "import", file});
  const auto after = port_of(b());
  for (const char* key :
       {"network", "mac", "filters", "inbound", "allow", "isolated", "guest", "bandwidth", "state"})
    EXPECT_EQ(before[key], after[key]) << key;
  for (const char* key : {"rx_packets", "rx_bytes", "tx_packets", "tx_bytes"})
    EXPECT_GE(stats_of(b())[key], counted[key]) << key;
  for (auto& [reason, count] : counted["drops"].items())
    EXPECT_GE(stats_of(b())["drops"][reason], count) << reason;
  EXPECT_TRUE(b().guest("g1").pings("10.9.0.1"));
  b().guest("g1").must("ip addr add 10.9.0.78/24 dev eth0");
  EXPECT_FALSE(b().guest("g1").exec({"ping", "-c", "1", "-W", "1", "-I", "10.9.0.78", "10.9.0.1"}).ok());
}

TEST_F(PortMoveTest, ASecondTimeChangesNothing) {
  a().vnet({"attach", "g1", "--network", "lab", "--mac", mac});
  a().guest("g1").must("ip addr add 10.9.0.11/24 dev eth0");
  EXPECT_TRUE(a().guest("g1").pings("10.9.0.1"));
  const auto file = exported();
  b().vnet({"port", "import", file});
  const auto once = stats_of(b());
  b().vnet({"port", "import", file});
  EXPECT_LT(stats_of(b())["tx_packets"].get<int>(), once["tx_packets"].get<int>() + 10);
}

TEST_F(PortMoveTest, WhatIsNoPortIsRefused) {
  EXPECT_EQ(3, a().ground.vnet({"port", "export", "g1"}).status);
  for (const char* text : {"", "{}", "[1]", "{\"version\":2}", "{\"version\":1,\"interface\":\"g1\"}"}) {
    auto refused = b().ground.vnet({"port", "import", b().file("bad.json", text)});
    EXPECT_EQ(2, refused.status) << text;
    EXPECT_THAT(refused.err, HasSubstr("not what `vnet-bpf port export` writes"));
  }
  EXPECT_TRUE(port_of(b()).is_null());
}

}  // namespace
}  // namespace vnet::test
