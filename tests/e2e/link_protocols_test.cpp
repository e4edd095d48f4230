// SPDX-License-Identifier: GPL-2.0-or-later
// LLDP and its like between guests, where the network wants it: every bridge else keeps them to itself.
#include "tests/e2e/port_fixture.h"

namespace vnet::test {
namespace {

const std::string lldp = "01:80:c2:00:00:0e", eapol = "01:80:c2:00:00:03";

class LinkProtocols : public PortTest {
 protected:
  static std::string setting() {
    return "<metadata><v:network xmlns:v='urn:vnet-bpf:network:1'><v:link-protocols "
           "forward='lldp'/></v:network></metadata>";
  }
  void add_guests() {
    for (auto [name, number] : {std::pair{"g1", 11}, {"g2", 12}}) {
      add(name, number);
      attach(name, number);
    }
  }
  Packet frame(const std::string& to) {
    return Ethernet{.src = mac_of(11), .dst = to, .type = 0x88cc} / Payload(60);
  }
  // What g1 sends to the group comes to that interface, or does not.
  bool comes(Namespace& where, const std::string& interface, const std::string& group) {
    RawPort to(where, interface), from(guest("g1"), "eth0");
    from.send(frame(group));
    auto is_ours = [&](const Bytes& got) { return got.size() > 13 && got[12] == 0x88 && got[13] == 0xcc; };
    while (auto got = to.receive(std::chrono::milliseconds(500)))
      if (is_ours(got->frame)) return true;
    return false;
  }
};

TEST_F(LinkProtocols, WhatIsNamedReachesTheOtherGuestsAndTheHost) {
  start_lab(setting());
  add_guests();
  EXPECT_TRUE(comes(guest("g2"), "eth0", lldp));
  EXPECT_TRUE(comes(host(), "virbr0", lldp));
  EXPECT_FALSE(comes(guest("g2"), "eth0", eapol));
  EXPECT_EQ(1U, drops_at("g1", "bpdu"));
  set("g1", {"--isolated"});
  set("g2", {"--isolated"});
  EXPECT_FALSE(comes(guest("g2"), "eth0", lldp));
}

TEST_F(LinkProtocols, WithoutTheSettingNothingIsPassedOn) {
  start_lab();
  add_guests();
  EXPECT_FALSE(comes(guest("g2"), "eth0", lldp));
  EXPECT_FALSE(comes(host(), "virbr0", lldp));
  EXPECT_EQ(2U, drops_at("g1", "bpdu"));
}

TEST_F(LinkProtocols, OnTheHostsBridgeItsMaskDecides) {
  host().must("ip link add br0 type bridge; ip link set br0 up");
  start("<network><name>lab</name>" + setting() + "<forward mode='bridge'/><bridge name='br0'/></network>");
  add_guests();
  EXPECT_FALSE(comes(guest("g2"), "eth0", lldp));
  host().must("echo 0x4000 > /sys/class/net/br0/bridge/group_fwd_mask");
  EXPECT_TRUE(comes(guest("g2"), "eth0", lldp));
  EXPECT_EQ(0U, drops_at("g1", "bpdu"));
}

}  // namespace
}  // namespace vnet::test
