// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/services/leases.h"

#include <gtest/gtest.h>

namespace vnet {
namespace {

Network dual_stack() {
  auto network = default_network();
  IpConfig v6;
  v6.gateway = *Prefix::parse("2001:db8::1/60");
  network.ips.push_back(v6);
  return network;
}

TEST(Leases, BothFamilies) {
  const auto leases = parse_leases(
      "1700000000 52:54:00:00:00:01 192.168.122.50 web 01:52:54:00:00:00:01\n"
      "0 06-52:54:00:00:00:02 192.168.122.51 * *\n"
      "duid 00:01:00:01:2c:00:00:00:52:54:00:ff:ff:ff\n"
      "1700000100 1234567 2001:db8::50 six 00:03:00:01:52:54:00:00:00:03\n"
      "1700000200 T99 2001:db8::51 * 00:01:00:01:2c:11:22:33:52:54:00:00:00:04\n"
      "1700000300 7 2001:db8::52 * 00:04:7e:7d\n",
      dual_stack());
  ASSERT_EQ(leases.size(), 5U);
  EXPECT_EQ(leases[0].expiry, 1700000000U);
  EXPECT_EQ(leases[0].mac->text(), "52:54:00:00:00:01");
  EXPECT_EQ(leases[0].ip.text(), "192.168.122.50");
  EXPECT_EQ(leases[0].prefix_length, 24U);
  EXPECT_EQ(leases[0].hostname, "web");
  EXPECT_EQ(leases[0].client_id, "01:52:54:00:00:00:01");
  EXPECT_EQ(leases[1].expiry, 0U);
  EXPECT_EQ(leases[1].mac->text(), "52:54:00:00:00:02");
  EXPECT_EQ(leases[1].hostname, "");
  EXPECT_EQ(leases[1].client_id, "");
  EXPECT_EQ(leases[2].family, Family::V6);
  EXPECT_EQ(leases[2].mac->text(), "52:54:00:00:00:03");
  EXPECT_EQ(leases[2].prefix_length, 60U);
  EXPECT_EQ(leases[3].mac->text(), "52:54:00:00:00:04");
  EXPECT_FALSE(leases[4].mac);
}

TEST(Leases, WhatIsNotALeaseIsPassedOver) {
  EXPECT_TRUE(parse_leases("", dual_stack()).empty());
  const auto leases = parse_leases(
      "garbage\n\n1700000000 52:54:00:00\nx 52:54:00:00:00:01 192.168.122.50 a *\n"
      "17 52:54:00:00:00:01 192.168.122 a *\n17 52:54:00:00:00:01 10.9.9.9 a *",
      dual_stack());
  ASSERT_EQ(leases.size(), 1U);
  EXPECT_EQ(leases[0].prefix_length, 32U);  // in no subnet of this network
}

}  // namespace
}  // namespace vnet
