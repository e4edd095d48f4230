// SPDX-License-Identifier: GPL-2.0-or-later
// docs/reasons.md is the list of maps/reasons.h, word for word.
#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>

#include "maps/maps.h"

namespace vnet {
namespace {

TEST(Reasons, TheDocumentListsThemAll) {
  std::ifstream file(VNET_SOURCE_DIR "/docs/reasons.md");
  ASSERT_TRUE(file);
  std::stringstream text;
  text << file.rdbuf();
  for (unsigned reason = 1; reason < VNET_DROP_MAX; ++reason) {
    std::string row = std::string("| `") + reason_word(reason) + "` | " + reason_meaning(reason) + " |\n";
    EXPECT_NE(text.str().find(row), std::string::npos) << row;
  }
}

TEST(Reasons, TheHooksAreDocumented) {
  std::ifstream file(VNET_SOURCE_DIR "/docs/observability.md");
  ASSERT_TRUE(file);
  std::stringstream text;
  text << file.rdbuf();
#define VNET_HOOK_ROW(name, word, meaning) "| `" word "` | " meaning " |\n",
  for (const char* row : {VNET_HOOKS(VNET_HOOK_ROW)})
    EXPECT_NE(text.str().find(row), std::string::npos) << row;
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
