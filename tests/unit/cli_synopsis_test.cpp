// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/verbs/synopsis.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "cli/command_table.h"

namespace vnet::cli {
namespace {

std::string section(const std::string& page, const std::string& heading) {
  std::string start = ".Sh " + heading + "\n";
  auto begin = page.find(start) + start.size();
  return page.substr(begin, page.find(".Sh ", begin) - begin);
}

std::string manual_page() {
  std::ifstream file(VNET_SOURCE_DIR "/docs/vnet-bpf.8");
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(CliSynopsis, TheManualPageHasThatOfTheTable) {
  EXPECT_EQ(verbs::manual_synopsis(), section(manual_page(), "SYNOPSIS"))
      << "put what `vnet-bpf synopsis` prints into docs/vnet-bpf.8";
}

TEST(CliSynopsis, TheManualPageTellsOfEveryVerb) {
  std::string description = section(manual_page(), "DESCRIPTION");
  for (const auto& command : commands()) {
    if (command.shown == Shown::No) continue;
    EXPECT_NE(std::string::npos, description.find(".It Cm " + command.name)) << command.name;
  }
}

}  // namespace
}  // namespace vnet::cli
