// SPDX-License-Identifier: GPL-2.0-or-later
// The manual pages that are made of tables have every row of them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>

#include "maps/reasons.h"
#include "tests/support/document.h"

namespace vnet {
namespace {

using testing::HasSubstr;

std::string generated(const std::string& name) {
  std::ifstream file(VNET_BUILD_DIR "/docs/" + name);
  EXPECT_TRUE(file) << name;
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(GeneratedPages, TellEveryReason) {
  const std::string page = generated("vnet-bpf-reasons.7");
#define ROW(name, word, meaning) EXPECT_THAT(page, HasSubstr(".It Sy " word "\n" meaning ".\n"));
  VNET_REASONS(ROW)
#undef ROW
}

TEST(GeneratedPages, TellEverySetting) {
  const std::string page = generated("vnet-bpf-network.5");
  auto rows = test::table_rows("xml.md", "| element | values | default | what it does |");
  EXPECT_FALSE(rows.empty());
  for (std::string row : rows) {
    std::erase(row, '`');
    EXPECT_THAT(page, HasSubstr("\n.It Sy " + row.substr(2, row.find(" |", 2) - 2) + "\n")) << row;
  }
  EXPECT_THAT(page, HasSubstr("\nValues: auto, honor, bypass.\nDefault: auto.\n"));
  EXPECT_THAT(page, testing::Not(HasSubstr("](")));  // no link of the document's
}

TEST(GeneratedPages, HaveNoPlaceholder) {
  for (const char* name : {"vnet-bpf-reasons.7", "vnet-bpf-network.5"})
    EXPECT_THAT(generated(name), testing::Not(HasSubstr("@"))) << name;
}

}  // namespace
}  // namespace vnet
