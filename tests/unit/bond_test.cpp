// SPDX-License-Identifier: GPL-2.0-or-later
// Which bonds guests may hang on. The bonding driver itself is tested where a kernel has it (vmtest).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "loader/plan/modes/bond_check.h"

namespace vnet {
namespace {

using testing::HasSubstr;

Result<void> check(unsigned mode, unsigned arp_interval = 0) {
  return check_bond(
      {.name = "lan"},
      {.name = "bond0", .kind = "bond", .bond = BondOptions{.mode = mode, .arp_interval = arp_interval}});
}

TEST(Bond, FitModesPass) {
  for (unsigned mode : {1U, 2U, 4U}) EXPECT_TRUE(check(mode)) << mode;
  EXPECT_TRUE(check_bond({.name = "lan"}, {.name = "eth0"}));
}

TEST(Bond, OthersAreRefusedWithTheReason) {
  for (auto [mode, name] :
       {std::pair{0U, "balance-rr"}, {3U, "broadcast"}, {5U, "balance-tlb"}, {6U, "balance-alb"}}) {
    auto result = check(mode);
    ASSERT_FALSE(result) << mode;
    EXPECT_EQ(ErrorKind::Failed, result.error().kind);
    EXPECT_THAT(result.error().message, HasSubstr("network lan: bond bond0 has mode " + std::string(name)));
    EXPECT_THAT(result.error().message, HasSubstr("active-backup (1)"));
  }
  EXPECT_FALSE(check(9));
}

TEST(Bond, ArpMonitoringIsRefused) {
  auto result = check(1, 1000);
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().message, HasSubstr("arp_interval 1000"));
}

}  // namespace
}  // namespace vnet
