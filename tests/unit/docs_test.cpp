// SPDX-License-Identifier: GPL-2.0-or-later
// The documents among themselves, and tables of theirs that list what the program has.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cctype>
#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>

#include "loader/doctor/doctor.h"
#include "loader/model/port_rules.h"
#include "loader/plan/live.h"
#include "tests/support/document.h"

namespace vnet {
namespace {

namespace fs = std::filesystem;

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

TEST(Docs, HaveEveryDifferenceThatApplyKnows) {
  std::vector<std::string> rows;
  for (const auto& row : live_rows()) rows.emplace_back(row.name);
  EXPECT_EQ(rows, first_words(test::table_rows("changing.md", "| difference | while the network runs |")));
}

// Each promise has a test, of that name.
TEST(Docs, NameTestsThatExist) {
  std::string sources;
  for (const auto& entry : fs::recursive_directory_iterator(fs::path(VNET_SOURCE_DIR) / "tests"))
    if (entry.path().extension() == ".cpp") {
      std::stringstream text;
      text << std::ifstream(entry.path()).rdbuf();
      sources += text.str();
    }
  auto rows = test::table_rows("security.md", "| promise | test |");
  EXPECT_FALSE(rows.empty());
  const std::regex name("`([A-Za-z0-9]+)\\.([A-Za-z0-9]+)`");
  for (const auto& row : rows) {
    std::sregex_iterator found(row.begin(), row.end(), name), none;
    EXPECT_NE(found, none) << row;
    for (; found != none; ++found)
      EXPECT_TRUE(sources.contains((*found)[1].str() + ", " + (*found)[2].str() + ")")) << found->str();
  }
}

// One name a concept, and each where the glossary says that it lives.
TEST(Docs, HaveAGlossaryOfFilesThatExist) {
  std::set<std::string> terms;
  auto rows = test::table_rows("glossary.md", "| term | meaning | where |");
  EXPECT_FALSE(rows.empty());
  for (const auto& row : rows) {
    EXPECT_TRUE(terms.insert(row.substr(0, row.find('|', 1))).second) << row;
    std::size_t end = row.rfind(" |"), begin = row.rfind("| ", end - 1) + 2;
    EXPECT_TRUE(fs::exists(fs::path(VNET_SOURCE_DIR) / row.substr(begin, end - begin))) << row;
  }
}

// As the forges make it: lower case, words joined by hyphens, punctuation gone.
std::string anchor_of(const std::string& heading) {
  std::string anchor;
  for (char c : heading.substr(heading.find(' ') + 1)) {
    if (std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_')
      anchor += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    else if (c == ' ')
      anchor += '-';
  }
  return anchor;
}

std::set<std::string> anchors_in(const fs::path& path) {
  std::set<std::string> anchors;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);)
    if (line.starts_with("#")) anchors.insert(anchor_of(line));
  return anchors;
}

std::vector<fs::path> documents() {
  std::vector<fs::path> all;
  for (const char* folder : {".", "docs", "vmtest"})
    for (const auto& entry : fs::directory_iterator(fs::path(VNET_SOURCE_DIR) / folder))
      if (entry.path().extension() == ".md") all.push_back(entry.path());
  return all;
}

TEST(Docs, LinkToWhatIsThere) {
  const std::regex link(R"(\]\(([^)#]*)(#([^)]*))?\))");
  for (const auto& path : documents()) {
    std::stringstream text;
    text << std::ifstream(path).rdbuf();
    const std::string all = text.str();
    for (std::sregex_iterator at(all.begin(), all.end(), link), end; at != end; ++at) {
      const std::string target = (*at)[1], anchor = (*at)[3];
      if (target.find("://") != std::string::npos) continue;
      fs::path file = target.empty() ? path : path.parent_path() / target;
      EXPECT_TRUE(fs::exists(file)) << path << ": " << at->str();
      EXPECT_TRUE(anchor.empty() || anchors_in(file).contains(anchor)) << path << ": " << at->str();
    }
  }
}

// docs/README.md is their index.
TEST(Docs, AreAllInTheIndex) {
  std::set<std::string> there, linked;
  for (const auto& entry : fs::directory_iterator(VNET_SOURCE_DIR "/docs"))
    if (entry.path().extension() != ".svg" && entry.path().extension() != ".png" &&
        entry.path().filename() != "README.md")
      there.insert(entry.path().filename());
  const std::regex link(R"(^\| \[[^\]]*\]\(([^)/]*)\))");
  std::smatch match;
  for (const auto& line : test::document_lines("README.md"))
    if (std::regex_search(line, match, link)) linked.insert(match[1]);
  EXPECT_EQ(there, linked);
}

}  // namespace
}  // namespace vnet
