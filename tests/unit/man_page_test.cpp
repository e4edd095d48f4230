// SPDX-License-Identifier: GPL-2.0-or-later
// docs/vnet-bpf.8 has the verbs and options of the command line, each where it belongs, and no others.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <sstream>

#include "cli/command_table.h"
#include "cli/options.h"
#include "tests/support/document.h"

namespace vnet::cli {
namespace {

using Names = std::set<std::string>;

struct ManPage {
  std::map<std::string, Names> verbs;  // with their options, as "--network"
  Names aliases;
  Names global;     // of "Common options"
  Names mentioned;  // every option, wherever it stands
};

// Reads as much of mdoc(7) as the page uses. A verb is an item `Cm` of an outer list; its options are in the
// item's heading, or items `Fl` of a list within the item. The items `Fl` of an outer list are global
// options, or, below "Ports", what verbs with the argument OPTIONS take.
class ManPageReader {
 public:
  ManPage read() {
    for (const auto& line : test::document_lines("vnet-bpf.8"))
      if (line.starts_with(".")) read_macro(line.substr(1));
    for (const auto& verb : with_port_options_)
      page_.verbs[verb].insert(port_options_.begin(), port_options_.end());
    return page_;
  }

 private:
  void read_macro(const std::string& line) {
    std::istringstream stream(line);
    std::vector<std::string> words;
    for (std::string word; stream >> word;) words.push_back(word);
    Names flags = flags_of(words);
    page_.mentioned.insert(flags.begin(), flags.end());
    if (words[0] == "Ss") section_ = line.substr(3);
    if (words[0] == "Bl") ++depth_;
    if (words[0] == "El") --depth_;
    if (words[0] != "It" || words.size() < 3) return;
    if (words[1] == "Cm" && depth_ == 1)
      read_verb(words, flags);
    else if (words[1] == "Fl")
      options_of_list().insert(flags.begin(), flags.end());
  }

  static Names flags_of(const std::vector<std::string>& words) {
    Names flags;
    bool flag = false;
    for (const auto& word : words) {
      if (word == "Fl" || word == ".Fl")
        flag = true;
      else if (flag && word.starts_with("-"))
        flags.insert("-" + word);
      else if (word != ",")
        flag = false;
    }
    return flags;
  }

  void read_verb(const std::vector<std::string>& words, const Names& flags) {
    verb_ = words[2];
    page_.verbs[verb_].insert(flags.begin(), flags.end());
    for (std::size_t i = 3; i < words.size(); ++i) {
      if (words[i] == "OPTIONS") with_port_options_.insert(verb_);
      if (words[i] == "Cm" && words[i - 1] == "," && i + 1 < words.size()) page_.aliases.insert(words[i + 1]);
    }
  }

  Names& options_of_list() {
    if (depth_ > 1) return page_.verbs[verb_];
    return section_ == "Ports" ? port_options_ : page_.global;
  }

  ManPage page_;
  Names port_options_, with_port_options_;
  std::string section_, verb_;
  int depth_ = 0;
};

// What `vnet-bpf --help` lists below a heading: "stop, destroy", "-h,--help".
Names help_names(const std::string& heading) {
  auto help = parse_options({"--help"});
  std::istringstream text(std::get<Notice>(*help).text);
  Names names;
  bool inside = false;
  for (std::string line; std::getline(text, line);) {
    if (!line.starts_with(" ")) inside = line == heading;
    bool names_something = line.starts_with("  ") && !line.starts_with("   ");
    if (!inside || !names_something) continue;
    std::istringstream words(line);
    for (std::string word; words >> word;) {
      bool more = word.ends_with(",");
      if (more) word.pop_back();
      auto comma = word.find(',');
      names.insert(comma == std::string::npos ? word : word.substr(comma + 1));
      if (!more) break;
    }
  }
  return names;
}

Names options_of(const Command& command) {
  Names names;
  for (const auto& option : command.action().options)
    if (!option.is_argument()) names.insert(option.name);
  return names;
}

TEST(ManPage, HasTheVerbsAndNoOthers) {
  ManPage page = ManPageReader().read();
  Names documented = page.aliases;
  for (const auto& [verb, options] : page.verbs) documented.insert(verb);
  Names expected = help_names("Subcommands:");
  expected.insert("completion");  // not in --help
  EXPECT_EQ(expected, documented);
}

TEST(ManPage, HasEachVerbsOptionsAndNoOthers) {
  ManPage page = ManPageReader().read();
  for (const auto& command : commands()) {
    if (command.shown == Shown::No) continue;
    EXPECT_EQ(options_of(command), page.verbs[command.name]) << command.name;
  }
}

TEST(ManPage, HasTheGlobalOptionsAndNoOthers) {
  EXPECT_EQ(help_names("Options:"), ManPageReader().read().global);
}

TEST(ManPage, MentionsNoOptionThatIsNotThere) {
  Names known = help_names("Options:");
  for (const auto& command : commands()) known.merge(options_of(command));
  EXPECT_THAT(ManPageReader().read().mentioned, testing::IsSubsetOf(known));
}

}  // namespace
}  // namespace vnet::cli
