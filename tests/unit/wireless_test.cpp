// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/os/wireless.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "tests/support/temporary_folder.h"

namespace vnet {
namespace {

TEST(Wireless, IsWhatSysfsHasAPhyOf) {
  test::TemporaryFolder sysfs;
  for (const char* folder : {"class/net/wlan0/phy80211", "class/net/old0/wireless", "class/net/eth0/queues"})
    std::filesystem::create_directories(sysfs.path() / folder);
  EXPECT_TRUE(is_wireless("wlan0", sysfs.path()));
  EXPECT_TRUE(is_wireless("old0", sysfs.path()));
  EXPECT_FALSE(is_wireless("eth0", sysfs.path()));
  EXPECT_FALSE(is_wireless("gone0", sysfs.path()));
}

}  // namespace
}  // namespace vnet
