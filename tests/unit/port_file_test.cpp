// SPDX-License-Identifier: GPL-2.0-or-later
// What goes with a guest to another host, written and read.
#include "loader/state/port_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace vnet {
namespace {

using testing::HasSubstr;

PortState everything() {
  PortState state;
  state.interface = "vnet0";
  state.network = "lab";
  state.mac = Mac::parse("52:54:00:12:34:56");
  state.any_mac = false;
  state.ips = {*Address::parse("10.9.0.11")};
  state.filters = {"clean-traffic"};
  state.allow = {"tcp/22@198.51.100.0/24"};
  state.inbound = Inbound::Drop;
  state.isolated = true;
  state.bandwidth = BandwidthPair{std::nullopt, Bandwidth{5000, 6000, 700}};
  state.vlan = Vlan{.trunk = true, .tags = {{.id = 42}}};
  state.plugged = false;
  state.addresses = {{*Address::parse("10.9.0.100"), true, 3600}, {*Address::parse("fd00:9::11"), false, 0}};
  state.totals = {
      .rx_packets = 1, .rx_bytes = 2, .tx_packets = 3, .tx_bytes = 4, .drops = {{"spoofed-mac", 5}}};
  return state;
}

TEST(PortFile, WhatIsWrittenIsRead) {
  const auto state = everything();
  const auto read = parse_port_state(format_port_state(state), "f");
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(static_cast<const PortConfig&>(state), static_cast<const PortConfig&>(*read));
  EXPECT_EQ("vnet0", read->interface);
  EXPECT_EQ("lab", read->network);
  EXPECT_EQ(state.addresses, read->addresses);
  EXPECT_EQ(state.totals, read->totals);
}

TEST(PortFile, AnAttachedPortHasTheSameSettings) {
  const auto state = everything();
  PortConfig attached;
  apply_request(attached, request_of(state));
  EXPECT_EQ(static_cast<const PortConfig&>(state), attached);
  PortConfig plain;
  apply_request(plain, request_of(PortState{}));
  EXPECT_EQ(PortConfig{}.vlan, plain.vlan);
  EXPECT_EQ(PortConfig{}.inbound, plain.inbound);
}

TEST(PortFile, SomethingElseIsRefused) {
  for (const char* text : {"", "{", "[]", "{}", R"({"version":2})", R"({"version":"1"})",
                           R"({"version":1,"interface":"vnet0","network":"lab"})"}) {
    const auto read = parse_port_state(text, "f.json");
    ASSERT_FALSE(read) << text;
    EXPECT_EQ(ErrorKind::Invalid, read.error().kind);
    EXPECT_EQ("f.json", read.error().file);
    EXPECT_THAT(read.error().message, HasSubstr("not what `vnet-bpf port export` writes"));
  }
}

}  // namespace
}  // namespace vnet
