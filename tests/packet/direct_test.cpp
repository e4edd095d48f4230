// SPDX-License-Identifier: GPL-2.0-or-later
// Direct attachment: g1 and g2 on eth0, each in a mode of its own. What is delivered here is counted at the
// port that gets it; what leaves by the wire is a redirect that nobody has received.
#include <chrono>
#include <cstring>
#include <tuple>

#include "loader/model/drop_reason.h"
#include "loader/observe/monitor.h"
#include "tests/packet/datapath_fixture.h"

namespace vnet::test {
namespace {

constexpr std::uint32_t bridge = 0, vepa = VNET_PORT_F_VEPA, hidden = VNET_PORT_F_PRIVATE;
const std::string host_mac = mac::uplink, outside = mac::next_hop, everybody = "ff:ff:ff:ff:ff:ff";

struct Expected {
  int verdict;
  std::string reason;  // of a drop
  int to_g1 = 0, to_g2 = 0;
};

class Direct : public DatapathTest {
 protected:
  void modes(std::uint32_t g1, std::uint32_t g2) {
    __u32 index = 0;
    for (auto [name, flags, at] : {std::tuple{"g1", g1, slot::g1}, std::tuple{"g2", g2, slot::g2}}) {
      set_port(name, [&](vnet_port& port) { port.flags = VNET_PORT_F_MAC | flags; });
      vnet_fdb_key key{.network = slot::parent};
      std::memcpy(key.mac, maps().ports.get(ifindex(name))->mac, 6);
      ASSERT_TRUE(maps().fdb.set(key, {.ifindex = ifindex(name), .slot = at, .is_static = 1}));
      ASSERT_TRUE(maps().flood_ports.set({.parent = ifindex("eth0"), .index = index++}, ifindex(name)));
    }
  }
  void expect_way(Program program, const std::string& from, const std::string& to, const Expected& expected) {
    SCOPED_TRACE(from + " -> " + to);
    auto before1 = traffic(slot::g1).rx_packets, before2 = traffic(slot::g2).rx_packets;
    Bytes frame = Ethernet{.src = from, .dst = to} / ip("192.0.2.1", "192.0.2.2") / l4(L4::Udp, 4, 9, 9);
    Ran ran = run(program, frame);
    EXPECT_EQ(expected.verdict, ran.verdict);
    EXPECT_EQ(frame, ran.packet);
    int at = program == Program::DirectIngress ? slot::g1 : owner(from, to);
    EXPECT_EQ(expected.reason.empty() ? Drops{} : (Drops{{{at, expected.reason}, 1}}), ran.drops);
    EXPECT_EQ(before1 + static_cast<unsigned>(expected.to_g1), traffic(slot::g1).rx_packets);
    EXPECT_EQ(before2 + static_cast<unsigned>(expected.to_g2), traffic(slot::g2).rx_packets);
  }
  // At the parent: whom the frame is for, else who it is from.
  static int owner(const std::string& from, const std::string& to) {
    for (const auto& address : {to, from})
      for (auto [guest, at] : {std::pair{mac::guest1, slot::g1}, {mac::guest2, slot::g2}})
        if (address == guest) return at;
    return slot::parent;
  }
  const Expected delivered1{Redirect, "", 1, 0}, delivered2{Redirect, "", 0, 1}, wire{Redirect, ""},
      passed{Ok, ""}, private_drop{Shot, "private"}, reflected{Shot, "reflected"};
};

TEST_F(Direct, AGuestSends) {
  modes(bridge, bridge);
  expect_way(Program::DirectIngress, mac::guest1, mac::guest2, delivered2);
  for (const auto& to : {host_mac, outside, everybody})
    expect_way(Program::DirectIngress, mac::guest1, to, wire);
  expect_way(Program::DirectIngress, mac::guest1, mac::guest1, reflected);
  expect_way(Program::DirectIngress, mac::guest1, "01:80:c2:00:00:0e", {Shot, "bpdu"});
  expect_way(Program::DirectIngress, mac::guest2, outside, {Shot, "spoofed-mac"});
  modes(bridge, vepa);
  expect_way(Program::DirectIngress, mac::guest1, mac::guest2, wire);
  modes(bridge, hidden);
  expect_way(Program::DirectIngress, mac::guest1, mac::guest2, private_drop);
  modes(vepa, bridge);
  for (const auto& to : {mac::guest2, host_mac, outside, everybody})
    expect_way(Program::DirectIngress, mac::guest1, to, wire);
  modes(hidden, bridge);
  for (const auto& to : {mac::guest2, host_mac})
    expect_way(Program::DirectIngress, mac::guest1, to, private_drop);
  for (const auto& to : {outside, everybody}) expect_way(Program::DirectIngress, mac::guest1, to, wire);
}

TEST_F(Direct, TheHostsMacIsNoGuests) {
  modes(bridge, bridge);
  set_port("g1", [](vnet_port& port) { port.flags = 0; });
  expect_way(Program::DirectIngress, host_mac, outside, {Shot, "spoofed-mac"});
}

TEST_F(Direct, TheWireBrings) {
  for (auto mode : {bridge, vepa, hidden}) {
    modes(mode, mode);
    expect_way(Program::ParentIngress, outside, mac::guest1, delivered1);
    for (const auto& to : {host_mac, mac::stranger, everybody, std::string("01:80:c2:00:00:0e")})
      expect_way(Program::ParentIngress, outside, to, passed);
  }
}

TEST_F(Direct, TheSwitchSendsBack) {
  modes(bridge, bridge);
  for (const auto& to : {mac::guest1, mac::guest2, host_mac, everybody})
    expect_way(Program::ParentIngress, mac::guest1, to, reflected);
  expect_way(Program::ParentIngress, host_mac, mac::guest2, reflected);
  expect_way(Program::ParentIngress, host_mac, everybody, passed);
  modes(bridge, vepa);
  expect_way(Program::ParentIngress, mac::guest1, mac::guest2, delivered2);
  expect_way(Program::ParentIngress, host_mac, mac::guest2, delivered2);
  modes(bridge, hidden);
  expect_way(Program::ParentIngress, mac::guest1, mac::guest2, private_drop);
  expect_way(Program::ParentIngress, host_mac, mac::guest2, private_drop);
  modes(vepa, bridge);
  expect_way(Program::ParentIngress, mac::guest1, mac::guest2, delivered2);
  expect_way(Program::ParentIngress, mac::guest1, mac::guest1, reflected);
  for (const auto& to : {host_mac, everybody}) expect_way(Program::ParentIngress, mac::guest1, to, passed);
  modes(hidden, vepa);
  for (const auto& to : {mac::guest1, mac::guest2, host_mac, everybody})
    expect_way(Program::ParentIngress, mac::guest1, to, private_drop);
}

TEST_F(Direct, TheHostSends) {
  for (auto mode : {bridge, vepa, hidden}) {
    modes(mode, mode);
    expect_way(Program::ParentEgress, host_mac, mac::guest2, mode == bridge ? delivered2 : passed);
    for (const auto& to : {outside, everybody}) expect_way(Program::ParentEgress, host_mac, to, passed);
  }
}

// A frame that a guest has sent to the wire is not turned round at the parent; only the secret says so.
TEST_F(Direct, OnlyOurMarkSaysThatAFrameIsForTheWire) {
  modes(bridge, bridge);
  Bytes frame = Ethernet{.src = mac::guest1, .dst = mac::guest2} / Payload(50);
  auto secret = maps().settings.get(0)->secret;
  RunContext marked{.cb = {static_cast<__u32>(secret), static_cast<__u32>(secret >> 32), 1}};
  EXPECT_EQ(Ok, run(Program::ParentEgress, frame, marked).verdict);
  EXPECT_EQ(1U, traffic(slot::parent).tx_packets);
  EXPECT_EQ(Ok, run(Program::ParentIngress, frame, marked).verdict);
  marked.cb[0] ^= 1;
  EXPECT_EQ(Redirect, run(Program::ParentEgress, frame, marked).verdict);
  EXPECT_EQ(Shot, run(Program::ParentIngress, frame, marked).verdict);
}

TEST_F(Direct, AnUnpluggedPortGetsNothing) {
  modes(bridge, bridge);
  set_port("g2", [](vnet_port& port) { port.flags |= VNET_PORT_F_DOWN; });
  expect_way(Program::DirectIngress, mac::guest1, mac::guest2, {Shot, "link-down"});
  expect_way(Program::ParentIngress, outside, mac::guest2, {Shot, "link-down"});
  expect_way(Program::ParentEgress, host_mac, mac::guest2, {Shot, "link-down"});
}

// Also for who filters by network or port.
TEST_F(Direct, ADropAtTheParentBelongsToTheGuestsNetwork) {
  modes(hidden, bridge);
  set_port("g2", [](vnet_port& port) { port.network = slot::other; });
  run(Program::ParentIngress, Bytes(60));  // loading may take longer than a monitor's claim lasts
  auto start = [&](const MonitorFilter& filter) { return Monitor::start(maps(), filter).value(); };
  Monitor all = start({}), of_network = start({.network = slot::network}),
          of_port = start({.port = slot::g2});
  using Seen = std::vector<std::tuple<std::string, std::string, int, int>>;
  auto read = [](Monitor& monitor) {
    Seen seen;
    EXPECT_TRUE(monitor.poll(std::chrono::milliseconds(0), [&](const vnet_event& event, const vnet_cause*) {
      const auto& head = event.head;
      seen.emplace_back(hook_word(head.hook), reason_word(head.reason), head.network, head.port);
    }));
    return seen;
  };
  auto frame = [](const std::string& from, const std::string& to) {
    return Ethernet{.src = from, .dst = to} / ip("192.0.2.1", "192.0.2.2") / l4(L4::Udp, 4, 9, 9);
  };
  set_port("g1", [](vnet_port& port) { port.flags |= VNET_PORT_F_DOWN; });
  set_port("g2", [](vnet_port& port) { port.flags |= VNET_PORT_F_DOWN; });
  run(Program::ParentIngress, frame(outside, mac::guest1));
  run(Program::ParentIngress, frame(mac::guest1, everybody));
  run(Program::ParentIngress, frame(mac::guest2, outside));
  run(Program::ParentEgress, frame(host_mac, mac::guest2));
  Seen g1{{"parent-ingress", "link-down", slot::network, slot::g1},
          {"parent-ingress", "private", slot::network, slot::g1}};
  Seen g2{{"parent-ingress", "reflected", slot::other, slot::g2},
          {"parent-egress", "link-down", slot::other, slot::g2}};
  EXPECT_EQ(g1, read(of_network));
  EXPECT_EQ(g2, read(of_port));
  g1.insert(g1.end(), g2.begin(), g2.end());
  EXPECT_EQ(g1, read(all));
}

}  // namespace
}  // namespace vnet::test
