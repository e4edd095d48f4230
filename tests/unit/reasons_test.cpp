// SPDX-License-Identifier: GPL-2.0-or-later
// docs/reasons.md is the list of maps/reasons.h, word for word.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "loader/model/drop_reason.h"
#include "tests/support/document.h"

namespace vnet {
namespace {

// Equal, not included: a row too many would document a reason that no program counts by.
TEST(Reasons, TheDocumentListsThemAndNothingElse) {
  std::vector<std::string> expected{"| reason | meaning |", "|---|---|"}, found;
  for (unsigned reason = 1; reason < VNET_DROP_MAX; ++reason)
    expected.push_back(std::string("| `") + reason_word(reason) + "` | " + reason_meaning(reason) + " |");
  for (const auto& line : test::document_lines("reasons.md"))
    if (line.starts_with("|")) found.push_back(line);
  EXPECT_THAT(found, testing::ElementsAreArray(expected));
}

TEST(Reasons, TheHooksAreDocumented) {
#define VNET_HOOK_ROW(name, word, meaning) "| `" word "` | " meaning " |",
  EXPECT_THAT(test::table_rows("observability.md", "| hook | what passes there |"),
              testing::ElementsAreArray({VNET_HOOKS(VNET_HOOK_ROW)}));
#undef VNET_HOOK_ROW
}

TEST(Reasons, WordsAndNumbersAreTheSame) {
  for (unsigned reason = 1; reason < VNET_DROP_MAX; ++reason)
    EXPECT_EQ(reason, reason_number(reason_word(reason)));
  EXPECT_EQ(std::nullopt, reason_number("none"));
  EXPECT_EQ(std::nullopt, reason_number("bad-luck"));
  EXPECT_STREQ("port-ingress", hook_word(VNET_HOOK_PORT_INGRESS));
  EXPECT_STREQ("unknown", hook_word(VNET_HOOK_MAX));
}

TEST(Reasons, EveryWordIsItsOwn) {
  std::set<std::string> words;
  for (unsigned reason = 0; reason < VNET_DROP_MAX; ++reason)
    EXPECT_TRUE(words.insert(reason_word(reason)).second);
  EXPECT_STREQ("unknown", reason_word(VNET_DROP_MAX));
}

}  // namespace
}  // namespace vnet
