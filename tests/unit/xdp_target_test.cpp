// SPDX-License-Identifier: GPL-2.0-or-later
// Which ports XDP may deliver to.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "loader/netlink/xdp_features.h"
#include "loader/plan/xdp_target.h"

namespace vnet {
namespace {

LinkInfo link(const std::string& kind, const std::string& tun_type = "") {
  LinkInfo link{.ifindex = 2, .name = "g1", .kind = kind, .ethernet = true};
  link.tun_type = tun_type;
  return link;
}
Network wishing(XdpMode mode, Mode network_mode = Mode::Nat) {
  Network network;
  network.mode = network_mode;
  network.settings.xdp = mode;
  return network;
}

TEST(XdpTarget, ATapAlways) {
  EXPECT_FALSE(why_no_target(wishing(XdpMode::Forward), {}, link("tun", "tap"), std::nullopt));
  EXPECT_TRUE(why_no_target(wishing(XdpMode::Forward), {}, link("tun", "tun"), std::nullopt));
}

TEST(XdpTarget, OthersWhereTheirDriverTakesThem) {
  for (const char* kind : {"veth", "", "netkit"}) {
    auto why = [&](std::optional<std::uint64_t> features) {
      return why_no_target(wishing(XdpMode::Forward), {}, link(kind), features);
    };
    EXPECT_FALSE(why(xdp_act_basic | xdp_act_ndo_xmit)) << kind;
    EXPECT_TRUE(why(xdp_act_basic)) << kind;
    EXPECT_THAT(why(std::nullopt).value_or(""), testing::HasSubstr("does not tell")) << kind;
  }
  EXPECT_THAT(*why_no_target(wishing(XdpMode::Forward), {}, link("veth"), 0), testing::HasSubstr("GRO off"));
}

TEST(XdpTarget, OnlyForNetworksThatAskAndHaveAnUplink) {
  LinkInfo tap = link("tun", "tap");
  for (XdpMode mode : {XdpMode::Auto, XdpMode::Off, XdpMode::Filter})
    EXPECT_TRUE(why_no_target(wishing(mode), {}, tap, std::nullopt));
  for (Mode mode : {Mode::Bridge, Mode::Direct})
    EXPECT_TRUE(why_no_target(wishing(XdpMode::Forward, mode), {}, tap, std::nullopt));
}

TEST(XdpTarget, NotPastAGuestsLimit) {
  PortRecord limited;
  limited.bandwidth.emplace().outbound.emplace(Bandwidth{.average = 1});
  EXPECT_FALSE(why_no_target(wishing(XdpMode::Forward), limited, link("tun", "tap"), std::nullopt));
  limited.bandwidth->inbound.emplace(Bandwidth{.average = 1});
  EXPECT_THAT(
      why_no_target(wishing(XdpMode::Forward), limited, link("tun", "tap"), std::nullopt).value_or(""),
      testing::HasSubstr("<inbound>"));
}

TEST(XdpTarget, NotPastAVlan) {
  PortRecord tagged;
  tagged.vlan.emplace().tags.push_back({.id = 7});
  EXPECT_THAT(why_no_target(wishing(XdpMode::Forward), tagged, link("tun", "tap"), std::nullopt).value_or(""),
              testing::HasSubstr("VLAN"));
}

}  // namespace
}  // namespace vnet
