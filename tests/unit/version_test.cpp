// SPDX-License-Identifier: GPL-2.0-or-later
// CMakeLists.txt has the version; the files of the packages say the same, or `make deb` would package another
// one.
#include <gtest/gtest.h>

#include <fstream>
#include <regex>
#include <string>

#include "cli/options.h"

namespace vnet {
namespace {

// The first group of the first line that matches.
std::string first_match(const std::string& path, const std::string& pattern) {
  std::ifstream file(VNET_SOURCE_DIR "/" + path);
  EXPECT_TRUE(file) << path;
  const std::regex regex(pattern);
  std::smatch match;
  for (std::string line; std::getline(file, line);)
    if (std::regex_match(line, match, regex)) return match[1];
  return path + " has none";
}

TEST(VersionTest, IsTheSameInEveryPackage) {
  EXPECT_EQ(VNET_VERSION, first_match("debian/changelog", R"(vnet-bpf \(([^)]*)\) .*)"));
  EXPECT_EQ(VNET_VERSION, first_match("packaging/rpm/vnet-bpf.spec", R"(Version:\s*(\S+))"));
  EXPECT_EQ(VNET_VERSION, first_match("CHANGELOG.md", R"(## \[([^\]]*)\].*)"));
}

TEST(VersionTest, IsPrinted) {
  auto parsed = cli::parse_options({"--version"});
  ASSERT_TRUE(parsed);
  EXPECT_EQ("vnet-bpf " VNET_VERSION "\n", std::get<cli::Notice>(*parsed).text);
}

}  // namespace
}  // namespace vnet
