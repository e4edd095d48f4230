// SPDX-License-Identifier: GPL-2.0-or-later
// What the networks behind an uplink want of XDP there.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "loader/apply/uplink_xdp.h"
#include "loader/plan/uplink_xdp.h"

namespace vnet {
namespace {

LinkInfo link_at(int ifindex, const std::string& kind) {
  return {.ifindex = ifindex, .name = "eth0", .kind = kind, .ethernet = true};
}

Network wishing_xdp(XdpMode mode, bool generic = false, unsigned new_flows = 0) {
  Network network;
  network.settings.xdp = mode;
  network.settings.xdp_generic = generic;
  network.settings.new_flows = new_flows;
  return network;
}

TEST(UplinkXdp, AutoMeansFilterAtACardAlone) {
  auto mode = [](const std::string& kind) {
    return wanted_xdp(link_at(2, kind), {}, {wishing_xdp(XdpMode::Auto)}).mode;
  };
  for (const char* card : {"", "bond", "team"}) EXPECT_EQ(XdpMode::Filter, mode(card)) << card;
  for (const char* other : {"veth", "tun", "bridge", "vlan", "wireguard", "macvlan"})
    EXPECT_EQ(XdpMode::Off, mode(other)) << other;
}

TEST(UplinkXdp, AutoKeepsAwayFromACardWithVlans) {
  LinkInfo vlan = link_at(3, "vlan");
  vlan.link = 2;
  EXPECT_EQ(XdpMode::Off,
            wanted_xdp(link_at(2, ""), {link_at(2, ""), vlan}, {wishing_xdp(XdpMode::Auto)}).mode);
  EXPECT_EQ(XdpMode::Filter,
            wanted_xdp(link_at(2, ""), {link_at(2, ""), vlan}, {wishing_xdp(XdpMode::Filter)}).mode);
  vlan.link = 7;
  EXPECT_EQ(XdpMode::Filter,
            wanted_xdp(link_at(2, ""), {link_at(2, ""), vlan}, {wishing_xdp(XdpMode::Auto)}).mode);
}

TEST(UplinkXdp, WithoutALinkHeaderThereIsNone) {
  LinkInfo tunnel = link_at(2, "wireguard");
  tunnel.ethernet = false;
  EXPECT_EQ(XdpMode::Off, wanted_xdp(tunnel, {}, {wishing_xdp(XdpMode::Filter)}).mode);
}

TEST(UplinkXdp, TheStrongestWishHolds) {
  auto veth = link_at(2, "veth");
  EXPECT_EQ(XdpMode::Filter,
            wanted_xdp(veth, {}, {wishing_xdp(XdpMode::Off), wishing_xdp(XdpMode::Filter)}).mode);
  EXPECT_EQ(XdpMode::Off, wanted_xdp(veth, {}, {wishing_xdp(XdpMode::Off), wishing_xdp(XdpMode::Auto)}).mode);
  EXPECT_EQ(XdpMode::Off, wanted_xdp(veth, {}, {}).mode);
  auto both = wanted_xdp(veth, {}, {wishing_xdp(XdpMode::Filter), wishing_xdp(XdpMode::Filter, true, 9)});
  EXPECT_TRUE(both.generic);
  EXPECT_TRUE(both.limits_new_flows);
}

// Only where checksums are whole, or can be seen to be.
TEST(UplinkXdp, ForwardsFromCardsAndVethsOnly) {
  auto wanted = [](const std::string& kind) {
    return wanted_xdp(link_at(2, kind), {}, {wishing_xdp(XdpMode::Filter), wishing_xdp(XdpMode::Forward)});
  };
  EXPECT_EQ(XdpMode::Forward, wanted("").mode);
  EXPECT_FALSE(wanted("").distrusts_checksums) << "a network card's are whole";
  for (const char* kind : {"bond", "veth"}) {
    EXPECT_EQ(XdpMode::Forward, wanted(kind).mode) << kind;
    EXPECT_TRUE(wanted(kind).distrusts_checksums) << kind;
  }
  EXPECT_EQ(XdpMode::Off, wanted("bridge").mode) << "the host's NAT may have turned its packets before XDP";
  for (const char* kind : {"tun", "macvlan"}) {
    EXPECT_EQ(XdpMode::Filter, wanted(kind).mode) << kind;
    EXPECT_THAT(wanted(kind).no_forward, testing::HasSubstr(kind));
  }
  LinkInfo vlan = link_at(3, "vlan");
  vlan.link = 2;
  auto tagged = wanted_xdp(link_at(2, ""), {link_at(2, ""), vlan}, {wishing_xdp(XdpMode::Forward)});
  EXPECT_EQ(XdpMode::Filter, tagged.mode);
  EXPECT_THAT(tagged.no_forward, testing::HasSubstr("tag"));
}

TEST(UplinkXdp, ALimitHoldsWithoutXdp) {
  auto wanted = wanted_xdp(link_at(2, "veth"), {}, {wishing_xdp(XdpMode::Off, true, 9)});
  EXPECT_EQ((UplinkXdp{.mode = XdpMode::Off, .generic = false, .limits_new_flows = true}), wanted);
}

TEST(UplinkXdp, IsDescribedAsItIs) {
  UplinkRecord record{.interface = "eth0", .xdp = {.mode = XdpMode::Filter}};
  EXPECT_EQ("filter, native, alone at the hook", describe_xdp(record, {.how = XdpHow::Link}));
  EXPECT_EQ("filter, generic, shared by libxdp's dispatcher",
            describe_xdp(record, {.how = XdpHow::Dispatcher, .generic = true}));
  EXPECT_THAT(describe_xdp(record, {}), testing::HasSubstr("somebody has taken it away"));
  record.xdp_why = "the driver has no native XDP";
  EXPECT_EQ("not attached: the driver has no native XDP", describe_xdp(record, {}));
  record.xdp_why.clear();
  record.xdp.mode = XdpMode::Forward;
  EXPECT_EQ("forward, native, alone at the hook", describe_xdp(record, {.how = XdpHow::Link}));
  EXPECT_EQ("filter (no forwarding: that takes native XDP), generic, alone at the hook",
            describe_xdp(record, {.how = XdpHow::Link, .generic = true}));
  record.xdp = {.mode = XdpMode::Filter, .no_forward = "not from a tun"};
  EXPECT_EQ("filter (no forwarding: not from a tun), native, alone at the hook",
            describe_xdp(record, {.how = XdpHow::Link}));
  record.xdp.mode = XdpMode::Off;
  EXPECT_EQ("", describe_xdp(record, {}));
}

}  // namespace
}  // namespace vnet
