// SPDX-License-Identifier: GPL-2.0-or-later
// <vlan> and --vlan: who reaches whom, and which tags are seen: at a gateway of ours, on a bridge of the
// host's own, on direct attachment.
#include "loader/model/address.h"
#include "tests/e2e/direct_fixture.h"
#include "tests/e2e/port_fixture.h"

namespace vnet::test {
namespace {

using testing::HasSubstr;

bool pings_both(Namespace& from, const std::string& v4, const std::string& v6, bool expected) {
  int seconds = expected ? 5 : 1;
  bool by_v4 = from.pings(v4, seconds), by_v6 = from.pings(v6, seconds);
  EXPECT_EQ(by_v4, by_v6) << "the families differ towards " << v4;
  return by_v4;
}

// The VLAN of the next ARP question of that guest which is seen there; 0: untagged; nullopt: none comes.
std::optional<int> vlan_of_arp(RawPort& at, const std::string& from, const std::function<void()>& ask) {
  const Mac mac = Mac::parse(from).value();
  ask();
  for (int i = 0; i < 50; ++i) {
    auto frame = at.receive(std::chrono::milliseconds(100));
    if (frame && frame->frame.size() > 13 && frame->frame[12] == 8 && frame->frame[13] == 6 &&
        std::equal(mac.bytes.begin(), mac.bytes.end(), frame->frame.begin() + 6))
      return frame->vlan_tci ? *frame->vlan_tci & 0xfff : 0;
  }
  return std::nullopt;
}

class VlanTest : public PortTest {
 protected:
  void add_with(const std::string& name, int number, const Argv& options = {}) {
    add(name, number);
    attach(name, number, options);
  }
  // Both families; waits for the answer that is expected, and a second for one that is not.
  void expect_way(const std::string& from, int number, bool expected) {
    EXPECT_EQ(expected, pings_both(guest(from), ip4(number), ip6(number), expected))
        << from << " -> " << number;
  }
  std::optional<int> asks(RawPort& at, int number) {
    return vlan_of_arp(at, mac_of(number),
                       [&] { guest(fmt::format("g{}", number - 10)).sh("ping -c1 -W1 192.168.122.99"); });
  }
};

TEST_F(VlanTest, GuestsReachThoseOfTheirVlan) {
  start_lab("<portgroup name='red'><vlan><tag id='10'/></vlan></portgroup>");
  add_with("g1", 11, {"--vlan", "10"});
  add_with("g2", 12, {"--portgroup", "red"});
  add_with("g3", 13, {"--vlan", "20"});
  add_with("g4", 14);
  add_with("g5", 15);
  const std::map<std::string, std::vector<int>> reached{
      {"g1", {12}}, {"g2", {11}}, {"g3", {}}, {"g4", {15, 1}}, {"g5", {14, 1}}};
  for (const auto& [from, whom] : reached)
    for (int to : {11, 12, 13, 14, 15, 1})
      if (from != "g" + std::to_string(to - 10)) expect_way(from, to, std::ranges::count(whom, to) > 0);
  // One who does not ask for the MAC, but knows it.
  guest("g1").sh(
      fmt::format("ip neigh replace {0} lladdr {1} dev eth0; ping -c1 -W1 {0}", ip4(13), mac_of(13)));
  EXPECT_GT(drops_at("g1", "other-vlan"), 0U);
  auto ports = ground().vnet_json({"ports"});
  EXPECT_EQ(10, ports.at(0)["vlan"]["tags"].at(0).get<int>());
  EXPECT_TRUE(ports.at(1)["vlan"]["applied"].get<bool>());
  auto explained = vnet({"explain", "--port", "g1", "--from", ip4(11), "--to", ip4(1)}).out;
  EXPECT_THAT(explained, HasSubstr("other-vlan"));
  EXPECT_THAT(explained, HasSubstr("vnet-bpf set g1 --vlan 10"));
  // Live: the port, and its group.
  set("g3", {"--vlan", "10"});
  expect_way("g3", 11, true);
  vnet({"update", "lab", "modify", "portgroup",
        "<portgroup name='red'><vlan><tag id='20'/></vlan></portgroup>", "--live"});
  expect_way("g2", 11, false);
  set("g3", {"--vlan", "none"});
  expect_way("g3", 11, false);
  expect_way("g3", 1, true);
}

TEST_F(VlanTest, TheGatewayIsInTheNetworksVlan) {
  start_lab("<vlan><tag id='10'/></vlan>");
  add_with("g1", 11);
  add_with("g2", 12, {"--vlan", "20"});
  expect_way("g1", 1, true);
  EXPECT_TRUE(pings_both(guest("g1"), "203.0.113.1", "2001:db8:113::1", true));
  expect_way("g2", 1, false);
  EXPECT_FALSE(pings_both(guest("g2"), "203.0.113.1", "2001:db8:113::1", false));
  EXPECT_FALSE(pings_both(host(), ip4(12), ip6(12), false));
  Output refused = ground().vnet(
      {"apply", "lab", file("lab.xml", dual_stack_xml("", "<vlan><tag id='1'/><tag id='2'/></vlan>"))});
  EXPECT_FALSE(refused.ok());
  EXPECT_THAT(refused.err, HasSubstr("own VLAN"));
}

TEST_F(VlanTest, ATrunkHasTags) {
  start_lab();
  add_with("g1", 11, {"--vlan", "10"});
  add_with("g2", 12, {"--vlan", "20"});
  add_with("g3", 13, {"--vlan-trunk", "10,30", "--vlan-native", "20"});
  RawPort trunk(guest("g3"), "eth0", RawPortOptions{.vnet_hdr = false});
  EXPECT_EQ(10, asks(trunk, 11));
  EXPECT_EQ(0, asks(trunk, 12));
  expect_way("g3", 12, true);
  // Tagged, to one that sees none.
  RawPort red(guest("g1"), "eth0", RawPortOptions{.vnet_hdr = false});
  auto arrives = [&](const Packet& tag) {
    trunk.send(Ethernet{.src = mac_of(13), .dst = mac_of(11)} / tag / Ipv4{.src = ip4(13), .dst = ip4(11)} /
               Udp{.src_port = 4711, .dst_port = 9000} / Payload(30));
    return wait_until(
        [&] {
          auto frame = red.receive(std::chrono::milliseconds(100));
          return frame && !frame->vlan_tci && fields(frame->frame).dst_port == 9000;
        },
        std::chrono::seconds(2));
  };
  EXPECT_TRUE(arrives(Vlan{.id = 10}));
  auto before = drops_at("g3", "other-vlan");
  EXPECT_FALSE(arrives(Vlan{.id = 20}));
  EXPECT_FALSE(arrives(Vlan{.id = 40}));
  EXPECT_EQ(before + 2, drops_at("g3", "other-vlan")) << all_drops("g3");
  EXPECT_FALSE(arrives(Packet(Vlan{.id = 10}) / Vlan{.id = 20}));
  EXPECT_EQ(1U, drops_at("g3", "vlan-tagged"));
}

TEST_F(VlanTest, ABridgeOfTheHostsOwnKeepsThem) {
  if (!host().sh("ip link add br7 type bridge vlan_filtering 1 && ip link set br7 up").ok())
    GTEST_SKIP() << "the kernel has no BRIDGE_VLAN_FILTERING";
  vnet({"up",
        file("lab.xml", "<network><name>lab</name><forward mode='bridge'/><bridge name='br7'/></network>")});
  add_with("g1", 11, {"--vlan", "10"});
  add_with("g2", 12, {"--vlan-trunk", "20", "--vlan-native", "10"});
  add_with("g3", 13, {"--vlan", "20"});
  expect_way("g1", 12, true);
  expect_way("g1", 13, false);
  RawPort trunk(guest("g2"), "eth0", RawPortOptions{.vnet_hdr = false});
  EXPECT_EQ(20, asks(trunk, 13));
  host().must("ip link set br7 type bridge vlan_filtering 0");
  EXPECT_THAT(ground().vnet({"set", "g3", "--vlan", "30"}).err, HasSubstr("its VLAN is not applied"));
}

class DirectVlanTest : public DirectTest {};

TEST_F(DirectVlanTest, TheWireHasTheTag) {
  start_lan("bridge");
  plug_direct("g1", 11, {"--vlan", "5"});
  plug_direct("g2", 12, {"--vlan", "5"});
  plug_direct("g3", 13, {"--vlan", "6"});
  plug_direct("g4", 14);
  EXPECT_TRUE(reaches_both(guest("g1"), 12));
  for (int other : {13, 14, 1, 2})
    EXPECT_FALSE(pings_both(guest("g1"), v4(other), v6(other), false)) << other;
  EXPECT_FALSE(pings_both(guest("g4"), v4(11), v6(11), false));
  EXPECT_TRUE(reaches_both(guest("g4"), 1));
  RawPort wire(outside(), "eth0", RawPortOptions{.vnet_hdr = false});
  auto ask = [&] { guest("g1").sh("ping -c1 -W1 " + v4(99)); };
  EXPECT_EQ(5, vlan_of_arp(wire, mac_of(guest("g1")), ask));
  RawPort at1(guest("g1"), "eth0", RawPortOptions{.vnet_hdr = false});
  auto arrives = [&](const Packet& tagged, const std::string& to) {
    wire.send(Ethernet{.src = mac_of(outside()), .dst = to} / tagged /
              Udp{.src_port = 4711, .dst_port = 9000} / Payload(30));
    return wait_until(
        [&] {
          auto frame = at1.receive(std::chrono::milliseconds(100));
          return frame && !frame->vlan_tci && fields(frame->frame).dst_port == 9000;
        },
        std::chrono::seconds(2));
  };
  Packet ip = Ipv4{.src = v4(1), .dst = v4(11)};
  for (const auto& to : {mac_of(guest("g1")), std::string("ff:ff:ff:ff:ff:ff")}) {
    EXPECT_TRUE(arrives(Packet(Vlan{.id = 5}) / ip, to)) << to;
    EXPECT_FALSE(arrives(Packet(Vlan{.id = 6}) / ip, to)) << to;
    EXPECT_FALSE(arrives(ip, to)) << to;
  }
}

}  // namespace
}  // namespace vnet::test
