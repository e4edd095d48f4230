// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/observe/rates.h"

#include <gtest/gtest.h>

namespace vnet {
namespace {

Stats with(Counters counters) {
  Stats stats;
  stats.networks.push_back({"lab", 1, 0, 0, counters});
  stats.ports.push_back({"vnet0", "lab", 0, counters});
  return stats;
}

TEST(Rates, PerSecond) {
  auto rates =
      compute_rates(with({.rx_packets = 10, .rx_bytes = 1000, .drops = {{"bpdu", 1}}}),
                    with({.rx_packets = 30, .rx_bytes = 3000, .drops = {{"bpdu", 5}, {"no-session", 9}}}), 2);
  EXPECT_DOUBLE_EQ(10, rates.ports[0].rate.rx_packets);
  EXPECT_DOUBLE_EQ(8000, rates.total.rx_bits);
  EXPECT_DOUBLE_EQ(6.5, rates.networks[0].rate.drops);
  ASSERT_EQ(2U, rates.drops.size());
  EXPECT_EQ("no-session", rates.drops[0].reason);  // the most frequent first
  EXPECT_EQ(5U, rates.drops[1].total);
}

TEST(Rates, NeverNegative) {
  auto rates = compute_rates(with({.rx_packets = 30, .tx_bytes = 9, .drops = {{"bpdu", 7}}}),
                             with({.rx_packets = 1, .drops = {{"bpdu", 1}}}), 1);
  EXPECT_EQ(0, rates.total.rx_packets);
  EXPECT_EQ(0, rates.total.tx_bits);
  EXPECT_EQ(0, rates.total.drops);
}

TEST(Rates, NoTimeNoRate) {
  auto rates = compute_rates(with({}), with({.rx_packets = 30}), 0);
  EXPECT_EQ(0, rates.total.rx_packets);
}

TEST(Rates, WhatHasJustComeStandsStill) {
  auto rates = compute_rates({}, with({.rx_packets = 30}), 1);
  EXPECT_EQ(0, rates.ports[0].rate.rx_packets);
}

}  // namespace
}  // namespace vnet
