// SPDX-License-Identifier: GPL-2.0-or-later
// Tables of the documents that list what the program has.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "loader/doctor/doctor.h"
#include "loader/model/port_rules.h"
#include "tests/support/document.h"

namespace vnet {
namespace {

// What the first column of each row has in backticks.
std::vector<std::string> first_words(const std::vector<std::string>& rows) {
  std::vector<std::string> words;
  for (const auto& row : rows)
    if (row.starts_with("| `")) words.push_back(row.substr(3, row.find('`', 3) - 3));
  return words;
}

TEST(Docs, HaveEveryCheckOfDoctor) {
  std::vector<std::string> checks;
  for (const auto& check : doctor_checks()) checks.emplace_back(check.name);
  EXPECT_EQ(checks, first_words(test::table_rows("observability.md", "| check | looks at |")));
}

TEST(Docs, HaveEveryFilterOfPorts) {
  EXPECT_THAT(first_words(test::table_rows("ports.md", "| `--filter` | the guest may not send | reason |")),
              testing::UnorderedElementsAreArray(filter_names()));
}

}  // namespace
}  // namespace vnet
