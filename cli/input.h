// SPDX-License-Identifier: GPL-2.0-or-later
// A file that the command line names.
#pragma once

#include <string>

#include "loader/base/error.h"
#include "loader/model/network.h"

namespace vnet::cli {

struct Input {
  std::string text;
  std::string name;  // for errors
};

std::string read_stdin();
Result<Input> read_input(const std::string& file);  // "-": standard input
// A network's XML. What is not known in it is said in notes.
Result<Network> read_definition(const Input& xml);

}  // namespace vnet::cli
