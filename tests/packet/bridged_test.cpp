// SPDX-License-Identifier: GPL-2.0-or-later
// Bridged mode: which frames go past the bridge, and which must not. Here eth0 is a member of the bridge.
#include <cstdio>
#include <cstring>

#include "tests/packet/datapath_fixture.h"

namespace vnet::test {
namespace {

class BridgedDatapath : public DatapathTest {
 protected:
  void SetUp() override {
    DatapathTest::SetUp();
    set_flags(flag::bridged);
    ASSERT_TRUE(maps().devices.set(ifindex("eth0"), {.role = VNET_DEVICE_MEMBER, .slot = slot::uplink}));
  }

  static Packet frame(const std::string& from, const std::string& to, std::size_t size = 60) {
    return Ethernet{.src = from, .dst = to} / Ipv4{.src = "203.0.113.11", .dst = "203.0.113.12"} / Udp{} /
           Payload(size);
  }
  int by_port(const char* port, const Packet& what) {
    return run(Program::PortIngress, what, {.ifindex = ifindex(port)}).verdict;
  }
  int by_member(const Packet& what) { return run(Program::MemberIngress, what).verdict; }
  // The bridge lets a frame out that came in by `from`, whose hook saw it (its slot is in tc_index).
  int out_of(Program egress, const char* device, const Packet& what, const char* from, std::uint16_t index) {
    return run(egress, what, {.ifindex = ifindex(device), .ingress_ifindex = ifindex(from)}, index).verdict;
  }
  // Both have been heard of, and the bridge has passed one frame of each direction.
  void meet() {
    by_port("g1", frame(mac::guest1, mac::stranger));
    by_member(frame(mac::stranger, mac::guest1));
    out_of(Program::MemberEgress, "eth0", frame(mac::guest1, mac::stranger), "g1", slot::g1);
    out_of(Program::PortEgress, "g1", frame(mac::stranger, mac::guest1), "eth0", slot::uplink);
  }
};

TEST_F(BridgedDatapath, TheBridgeShowsTheWay) {
  Packet out = frame(mac::guest1, mac::stranger), in = frame(mac::stranger, mac::guest1);
  EXPECT_EQ(Ok, by_port("g1", out));
  EXPECT_EQ(Ok, by_member(in));
  EXPECT_EQ(Ok, out_of(Program::MemberEgress, "eth0", out, "g1", slot::g1));
  EXPECT_EQ(Ok, out_of(Program::PortEgress, "g1", in, "eth0", slot::uplink));
  expect_same(Program::PortIngress, out, Redirect);
  expect_same(Program::MemberIngress, in, Redirect);
  // Other pairs are not meant.
  EXPECT_EQ(Ok, by_port("g2", frame(mac::guest2, mac::stranger)));
  EXPECT_EQ(Ok, by_member(frame(mac::stranger, mac::guest2)));
}

// One guest must not fill the table of the host's bridge.
TEST_F(BridgedDatapath, APortWithoutAFixedMacShowsTheBridgeSoManyAndNoMore) {
  set_port("g1", [](vnet_port& port) { port.flags = 0; });
  int seen = 0;
  std::string reason;
  auto says = [&](int i) {
    char mac[18];
    std::snprintf(mac, sizeof(mac), "02:00:00:00:%02x:%02x", i >> 8, i & 0xff);
    return run(Program::PortIngress, frame(mac, mac::stranger), {.ifindex = ifindex("g1")});
  };
  for (int i = 0; i < 600; ++i) {
    Ran ran = says(i);
    seen += ran.verdict == Ok;
    if (!ran.drops.empty()) reason = ran.drops.begin()->first.second;
  }
  EXPECT_EQ(VNET_LEARN_MAX + 64, seen);
  EXPECT_EQ("mac-limit", reason);
  EXPECT_EQ(Ok, says(3).verdict) << "who is known goes on";
  EXPECT_EQ(Ok, says(VNET_LEARN_MAX + 3).verdict);
  EXPECT_EQ(Ok, by_port("g2", frame(mac::guest2, mac::stranger))) << "a neighbour, too";
}

TEST_F(BridgedDatapath, BetweenGuests) {
  Packet there = frame(mac::guest1, mac::guest2);
  EXPECT_EQ(Ok, by_port("g1", there));
  EXPECT_EQ(Ok, by_port("g2", frame(mac::guest2, mac::guest1)));
  EXPECT_EQ(Ok, out_of(Program::PortEgress, "g2", there, "g1", slot::g1));
  auto before = traffic(slot::g2).rx_packets;
  EXPECT_EQ(Redirect, by_port("g1", there));
  EXPECT_EQ(before + 1, traffic(slot::g2).rx_packets);
}

TEST_F(BridgedDatapath, AFloodProvesNothing) {
  Packet out = frame(mac::guest1, mac::stranger);
  by_port("g1", out);
  for (auto [program, device] : {std::pair{Program::MemberEgress, "eth0"}, {Program::PortEgress, "g2"}})
    EXPECT_EQ(Ok, out_of(program, device, out, "g1", slot::g1));
  EXPECT_EQ(Ok, by_port("g1", out));
  // Heard of elsewhere: only that device's copy counts.
  by_member(frame(mac::stranger, mac::guest1));
  EXPECT_EQ(Ok, out_of(Program::PortEgress, "g2", out, "g1", slot::g1));
  EXPECT_EQ(Ok, by_port("g1", out));
}

TEST_F(BridgedDatapath, OnlyWhatOurHooksSawArrive) {
  Packet out = frame(mac::guest1, mac::stranger);
  by_member(frame(mac::stranger, mac::guest1));
  out_of(Program::MemberEgress, "eth0", out, "g1", 0);  // tagged, or by a member that is not ours
  run(Program::MemberEgress, out, {.ifindex = ifindex("eth0")}, slot::g1);  // the host's own
  EXPECT_EQ(Ok, by_port("g1", out));
}

TEST_F(BridgedDatapath, AWayHoldsForSomeTicks) {
  meet();
  Packet out = frame(mac::guest1, mac::stranger);
  ASSERT_EQ(Redirect, by_port("g1", out));
  for (const auto& key : maps().shortcuts.keys()) {
    auto way = maps().shortcuts.get(key).value();
    way.tick -= VNET_SHORTCUT_TICKS;
    ASSERT_TRUE(maps().shortcuts.set(key, way));
  }
  EXPECT_EQ(Ok, by_port("g1", out));
  EXPECT_EQ(Ok, out_of(Program::MemberEgress, "eth0", out, "g1", slot::g1));
  EXPECT_EQ(Redirect, by_port("g1", out));
}

TEST_F(BridgedDatapath, AStationThatMovesVoidsEveryWay) {
  meet();
  ASSERT_EQ(Redirect, by_member(frame(mac::stranger, mac::guest1)));
  by_port("g2", frame(mac::guest2, "ff:ff:ff:ff:ff:ff"));
  EXPECT_EQ(Redirect, by_member(frame(mac::stranger, mac::guest1))) << "a new station moves nothing";
  by_member(frame(mac::guest2, "ff:ff:ff:ff:ff:ff"));  // now outside
  EXPECT_EQ(Ok, by_member(frame(mac::stranger, mac::guest1)));
}

TEST_F(BridgedDatapath, WhatIsTooLongIsTheBridges) {
  meet();
  EXPECT_EQ(Redirect, by_port("g1", frame(mac::guest1, mac::stranger, 1400)));
  EXPECT_EQ(Ok, by_port("g1", frame(mac::guest1, mac::stranger, 1600)));
  RunContext gso{.ifindex = ifindex("g1"), .gso_segs = 2, .gso_size = 1400};
  EXPECT_EQ(Redirect, run(Program::PortIngress, frame(mac::guest1, mac::stranger, 2800), gso).verdict);
}

TEST_F(BridgedDatapath, GroupsAndTheHostAreTheBridges) {
  for (const std::string& to :
       {std::string("ff:ff:ff:ff:ff:ff"), std::string("33:33:00:00:00:01"), mac::gateway}) {
    EXPECT_EQ(Ok, by_port("g1", frame(mac::guest1, to)));
    EXPECT_EQ(Ok, out_of(Program::MemberEgress, "eth0", frame(mac::guest1, to), "g1", slot::g1));
    EXPECT_EQ(Ok, by_port("g1", frame(mac::guest1, to)));
  }
}

TEST_F(BridgedDatapath, WithoutShortcutEveryFrameIsTheBridges) {
  meet();
  set_network([](vnet_network& n) { n.flags = VNET_NETWORK_F_BRIDGED; });
  EXPECT_EQ(Ok, by_port("g1", frame(mac::guest1, mac::stranger)));
  EXPECT_EQ(Ok, by_member(frame(mac::stranger, mac::guest1)));
}

TEST_F(BridgedDatapath, ThePortsPolicyHoldsOnTheShortcut) {
  meet();
  set_port("g1", [](vnet_port& port) { port.flags |= VNET_PORT_F_DOWN; });
  expect_drop(Program::MemberIngress, frame(mac::stranger, mac::guest1), slot::uplink, "link-down");
  expect_drop(Program::PortIngress, frame(mac::guest1, mac::stranger), slot::g1, "link-down");
  set_port("g1", [](vnet_port& port) { port.flags = VNET_PORT_F_MAC; });
  expect_drop(Program::PortIngress, frame(mac::stranger, mac::guest2), slot::g1, "spoofed-mac");
}

TEST_F(BridgedDatapath, TheSecondPassIsCountedOnce) {
  meet();
  std::uint64_t secret = maps().settings.get(0)->secret;
  RunContext marked{.ifindex = ifindex("eth0"),
                    .cb = {static_cast<std::uint32_t>(secret), static_cast<std::uint32_t>(secret >> 32)}};
  auto before = traffic(slot::uplink).tx_packets;
  EXPECT_EQ(Ok, run(Program::MemberEgress, frame(mac::guest1, mac::stranger), marked).verdict);
  EXPECT_EQ(before + 1, traffic(slot::uplink).tx_packets);
}

}  // namespace
}  // namespace vnet::test
