// SPDX-License-Identifier: GPL-2.0-or-later
// What the kernel's reasons mean to us, whatever their numbers are.
#include "loader/observe/kernel_reasons.h"

#include <gtest/gtest.h>

#include "maps/reasons.h"

namespace vnet {
namespace {

TEST(KernelReasons, MeanTheSameUnderAnyNumber) {
  KernelReasons reasons({"NOT_DROPPED_YET", "NOT_SPECIFIED", "CONSUMED", "", "TC_EGRESS", "NETFILTER_DROP"});
  auto ours = reasons.ours();
  EXPECT_EQ(VNET_DROP_NONE, ours[0]);
  EXPECT_EQ(VNET_DROP_HOST_STACK, ours[1]);
  EXPECT_EQ(VNET_DROP_NONE, ours[2]);
  EXPECT_EQ(VNET_DROP_HOST_STACK, ours[3]);
  EXPECT_EQ(VNET_DROP_NONE, ours[4]);
  EXPECT_EQ(VNET_DROP_HOST_FIREWALL, ours[5]);
  EXPECT_EQ(VNET_DROP_HOST_STACK, ours[VNET_KERNEL_REASONS - 1]);
}

TEST(KernelReasons, WithoutANameItIsTheNumber) {
  KernelReasons reasons({"NOT_DROPPED_YET", "NOT_SPECIFIED", ""});
  EXPECT_EQ("NOT_SPECIFIED", reasons.name(1));
  EXPECT_TRUE(reasons.is_unspecified(1));
  EXPECT_EQ("2", reasons.name(2));
  EXPECT_EQ("131073", reasons.name(0x20001));
  EXPECT_FALSE(reasons.is_unspecified(0x20001));
}

TEST(KernelReasons, ThisKernelNamesThem) {
  auto reasons = KernelReasons::load();
  if (!reasons) GTEST_SKIP() << reasons.error().message;
  auto ours = reasons->ours();
  for (unsigned reason = 0; reason < ours.size(); ++reason)
    EXPECT_EQ(reasons->name(reason) == "NETFILTER_DROP", ours[reason] == VNET_DROP_HOST_FIREWALL);
}

}  // namespace
}  // namespace vnet
