// SPDX-License-Identifier: GPL-2.0-or-later
// Every reader with damaged input, the same in every run; and with what a fuzzer has found once.
#include <gtest/gtest.h>

#include "loader/base/files.h"
#include "tests/fuzz/mutate.h"
#include "tests/fuzz/readers.h"

namespace vnet::test {
namespace {

class Fuzz : public testing::TestWithParam<Reader> {};

TEST_P(Fuzz, TakesTheSeeds) {
  unsigned taken = 0;
  for (const auto& seed : GetParam().seeds) {
    const Read read = GetParam().read(seed);
    EXPECT_EQ(read.broken, "") << seed;
    taken += read.taken;
  }
  EXPECT_GT(taken, 0U);
}

TEST_P(Fuzz, SurvivesDamage) {
  const Reader& reader = GetParam();
  unsigned taken = 0;
  Mutator mutator(reader.seeds, reader.words);
  on_damaged(mutator, [&](const std::string& input) {
    const Read read = reader.read(input);
    EXPECT_EQ(read.broken, "");
    taken += read.taken;
  });
  EXPECT_GE(taken, rounds() * reader.per_thousand_taken / 1000) << "not all that is damaged is refused";
}

// tests/fuzz/regressions/READER/: inputs that once crashed it or broke a promise.
TEST_P(Fuzz, KeepsWhatWasMended) {
  const std::filesystem::path folder =
      std::filesystem::path(VNET_SOURCE_DIR) / "tests/fuzz/regressions" / GetParam().name;
  auto files = list_files(folder, "");
  ASSERT_TRUE(files) << files.error().message;
  for (const auto& file : *files) {
    auto input = read_file(folder / file);
    ASSERT_TRUE(input && *input) << file;
    EXPECT_EQ(GetParam().read(**input).broken, "") << file;
  }
}

INSTANTIATE_TEST_SUITE_P(Reader, Fuzz, testing::ValuesIn(readers()), [](const auto& info) {
  std::string name = info.param.name;
  std::ranges::replace(name, '-', '_');
  return name;
});

}  // namespace
}  // namespace vnet::test
