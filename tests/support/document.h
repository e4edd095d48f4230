// SPDX-License-Identifier: GPL-2.0-or-later
// The documents of docs/, for tests that compare them with the program.
#pragma once

#include <string>
#include <vector>

namespace vnet::test {

// The lines of a file in docs/. A file that cannot be read is a test failure.
std::vector<std::string> document_lines(const std::string& name);

// The rows, as written, of every table of a document that has this heading row.
std::vector<std::string> table_rows(const std::string& name, const std::string& heading);

}  // namespace vnet::test
