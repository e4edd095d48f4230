// SPDX-License-Identifier: GPL-2.0-or-later
// What is written down of a port comes back, also what an older version has written.
#include "loader/state/records.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "loader/base/files.h"
#include "tests/support/temporary_folder.h"

namespace vnet {
namespace {

class RecordsTest : public testing::Test {
 protected:
  std::optional<bool> any_mac_of(const std::string& interface) {
    auto record = records_.port(interface);
    EXPECT_TRUE(record && *record);
    return (*record)->any_mac;
  }

  test::TemporaryFolder folder_;
  StateDir dirs_{folder_.path()};
  Records records_{dirs_};
};

TEST_F(RecordsTest, WhetherAPortTakesAnyMac) {
  for (std::optional<bool> any : {std::optional<bool>{}, std::optional(true), std::optional(false)}) {
    PortRecord record;
    record.interface = "vnet0";
    record.network = "lab";
    record.mac = Mac{{2, 0, 0, 0, 0, 1}};
    record.any_mac = any;
    ASSERT_TRUE(records_.save(record));
    EXPECT_EQ(any, any_mac_of("vnet0"));
  }
}

// What was fixed before anybody could say otherwise stays so.
TEST_F(RecordsTest, WithoutAWordOfItAMacStaysFixed) {
  auto path = dirs_.runtime() / "ports" / "vnet0.json";
  for (bool has_mac : {true, false}) {
    PortRecord record;
    record.interface = "vnet0";
    record.network = "lab";
    if (has_mac) record.mac = Mac{{2, 0, 0, 0, 0, 1}};
    ASSERT_TRUE(records_.save(record));
    auto json = nlohmann::json::parse(**read_file(path));
    ASSERT_EQ(1U, json.erase("any_mac"));
    ASSERT_TRUE(write_file(path, json.dump()));
    EXPECT_EQ(has_mac ? std::optional(false) : std::nullopt, any_mac_of("vnet0"));
  }
}

}  // namespace
}  // namespace vnet
