// SPDX-License-Identifier: GPL-2.0-or-later
// <vlan> of ports: who reaches whom. The tags of what is delivered are in the kernel's metadata, which
// BPF_PROG_TEST_RUN does not show: tests/e2e/vlan_test.cpp sees them.
#include "tests/packet/datapath_fixture.h"

namespace vnet::test {
namespace {

constexpr std::uint16_t no_vlan = 0, vlan_red = 10, vlan_blue = 20;

class PortVlans : public BothFamilies {
 protected:
  void set_vlan(const std::string& name, std::uint16_t vlan, const std::vector<std::uint16_t>& trunk = {}) {
    std::uint16_t at_slot = name == "g1" ? slot::g1 : slot::g2;
    for (const auto& key : maps().port_vlans.keys())
      if (key.slot == at_slot && !maps().port_vlans.erase(key)) FAIL();
    for (auto each : trunk) ASSERT_TRUE(maps().port_vlans.set({.slot = at_slot, .vlan = each}, 1));
    set_port(name, [&](vnet_port& port) {
      port.flags = VNET_PORT_F_MAC;
      if (vlan || !trunk.empty()) port.flags |= VNET_PORT_F_VLAN;
      if (!trunk.empty()) port.flags |= VNET_PORT_F_TRUNK;
      port.vlan = vlan;
    });
  }
  void set_gateway(std::uint16_t vlan) {
    set_network([&](vnet_network& network) { network.vlan = vlan; });
  }
  Packet inside() { return ip(at.guest1, at.guest2) / l4(L4::Udp, family(), 9, 53); }
  Packet to_guest2() { return Ethernet{.src = mac::guest1, .dst = mac::guest2}; }
  Packet to_gateway() { return Ethernet{.src = mac::guest1, .dst = mac::gateway}; }
  Packet up() { return ip(at.guest1, at.gateway) / l4(L4::Udp, family(), 9, 53); }
  int verdict(const Bytes& frame) { return run(Program::PortIngress, frame).verdict; }
  void dropped(const Bytes& frame, const std::string& reason = "other-vlan") {
    Ran ran = run(Program::PortIngress, frame);
    EXPECT_EQ(Shot, ran.verdict);
    EXPECT_EQ((Drops{{{slot::g1, reason}, 1}}), ran.drops);
  }
};
VNET_BOTH_FAMILIES(PortVlans);

TEST_P(PortVlans, GuestsOfOneReachEachOther) {
  struct Row {
    std::uint16_t from, to;
  };
  for (auto [from, to] : {Row{no_vlan, no_vlan},
                          {vlan_red, vlan_red},
                          {no_vlan, vlan_red},
                          {vlan_red, no_vlan},
                          {vlan_red, vlan_blue}}) {
    SCOPED_TRACE(std::to_string(from) + " -> " + std::to_string(to));
    set_vlan("g1", from), set_vlan("g2", to);
    if (from == to)
      EXPECT_EQ(Redirect, verdict(to_guest2() / inside()));
    else
      dropped(to_guest2() / inside());
  }
}

TEST_P(PortVlans, TheGatewayIsInTheNetworks) {
  for (std::uint16_t gateway : {no_vlan, vlan_red})
    for (std::uint16_t guest : {no_vlan, vlan_red, vlan_blue}) {
      if (guest == no_vlan && gateway != no_vlan) continue;  // a network's VLAN is that of all its ports
      SCOPED_TRACE(std::to_string(guest) + " at " + std::to_string(gateway));
      set_gateway(gateway), set_vlan("g1", guest);
      Bytes back = to_guest1 / ip(at.gateway, at.guest1) / l4(L4::Udp, family(), 53, 9);
      if (guest == gateway) {
        EXPECT_EQ(Ok, verdict(to_gateway() / up()));
        EXPECT_EQ(Redirect, run(Program::GatewayEgress, back).verdict);
      } else {
        dropped(to_gateway() / up());
        expect_drop(Program::GatewayEgress, back, slot::network, "other-vlan");
      }
    }
}

// A clone of a flood is asked for where it comes out.
TEST_P(PortVlans, AFloodStaysInItsVlan) {
  for (std::uint16_t of : {no_vlan, vlan_red, vlan_blue})
    for (std::uint16_t at_port : {no_vlan, vlan_red}) {
      SCOPED_TRACE(std::to_string(of) + " at " + std::to_string(at_port));
      set_vlan("g1", at_port);
      RunContext clone{.cb = mark_before(Program::PortEgress)};
      clone.cb[3] = of;  // CB_VLAN of bpf/lib/mark.h
      Bytes arp = Ethernet{.src = mac::guest2, .dst = "ff:ff:ff:ff:ff:ff"} / Arp{};
      if (of == at_port)
        EXPECT_EQ(Ok, run(Program::PortEgress, arp, clone).verdict);
      else
        expect_drop(Program::PortEgress, arp, slot::g1, "other-vlan", clone);
    }
}

TEST_P(PortVlans, TagsOfATrunkAreItsOwnAlone) {
  Vlan tag10{.id = vlan_red}, tag20{.id = vlan_blue};
  set_vlan("g1", no_vlan, {vlan_red, vlan_blue}), set_vlan("g2", vlan_red);
  EXPECT_EQ(Redirect, verdict(to_guest2() / tag10 / inside()));
  dropped(to_guest2() / tag20 / inside());
  dropped(to_guest2() / inside());  // without a tag it is in no VLAN: none is native
  dropped(to_guest2() / Vlan{.id = 30} / inside());
  dropped(to_guest2() / Vlan{.id = vlan_red, .tpid = 0x88a8} / inside(), "vlan-tagged");
  // A priority tag is none, and below the tag there is no other: it would show at the next trunk.
  dropped(to_guest2() / Vlan{.id = 0, .priority = 5} / inside());
  dropped(to_guest2() / tag10 / tag20 / inside(), "vlan-tagged");
  EXPECT_EQ(Redirect, verdict(to_guest2() / Vlan{.id = 0, .priority = 5} / tag10 / inside()));
  // With a native one.
  set_vlan("g1", vlan_red, {vlan_blue});
  EXPECT_EQ(Redirect, verdict(to_guest2() / inside()));
  EXPECT_EQ(Redirect, verdict(to_guest2() / tag10 / inside()));
  EXPECT_EQ(Redirect, verdict(to_guest2() / Vlan{.id = 0, .priority = 5} / inside()));
  dropped(to_guest2() / tag20 / inside());
}

TEST_P(PortVlans, ATagLeadsNobodyIntoAVlan) {
  Vlan tag10{.id = vlan_red};
  // From a port of one.
  set_vlan("g1", vlan_blue), set_vlan("g2", vlan_red);
  dropped(to_guest2() / tag10 / inside(), "vlan-tagged");
  dropped(to_gateway() / tag10 / up(), "vlan-tagged");
  // From a port of none, whose guest may tag what it likes among its like.
  set_vlan("g1", no_vlan);
  dropped(to_guest2() / tag10 / inside());
  set_vlan("g2", no_vlan, {vlan_red});
  dropped(to_guest2() / tag10 / inside());
  set_vlan("g2", no_vlan);
  EXPECT_EQ(Redirect, verdict(to_guest2() / tag10 / inside()));
}

}  // namespace
}  // namespace vnet::test
