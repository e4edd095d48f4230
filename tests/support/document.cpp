// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/support/document.h"

#include <gtest/gtest.h>

#include <fstream>

namespace vnet::test {

std::vector<std::string> document_lines(const std::string& name) {
  std::ifstream file(VNET_SOURCE_DIR "/docs/" + name);
  EXPECT_TRUE(file) << name;
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

std::vector<std::string> table_rows(const std::string& name, const std::string& heading) {
  std::vector<std::string> rows;
  bool inside = false;
  for (const auto& line : document_lines(name)) {
    if (line == heading)
      inside = true;
    else if (!line.starts_with("|"))
      inside = false;
    else if (inside && !line.starts_with("|---"))
      rows.push_back(line);
  }
  return rows;
}

}  // namespace vnet::test
