// SPDX-License-Identifier: GPL-2.0-or-later
// `make demo MODE=...`: it checks each of its answers itself, and that it leaves nothing behind.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "tests/support/shell.h"

namespace vnet::test {
namespace {

class Demo : public testing::TestWithParam<const char*> {};

TEST_P(Demo, ShowsItsRowOfTheTable) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root";
  Output output = execute({VNET_SOURCE_DIR "/scripts/demo-mode", GetParam()}, std::chrono::seconds(60));
  EXPECT_EQ(0, output.status) << output.out << output.err;
  EXPECT_THAT(output.out, testing::HasSubstr("nothing is left"));
}
INSTANTIATE_TEST_SUITE_P(Mode, Demo, testing::Values("isolated", "route", "open", "bridge", "direct"),
                         [](const auto& mode) { return std::string(mode.param); });

}  // namespace
}  // namespace vnet::test
