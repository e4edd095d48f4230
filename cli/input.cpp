// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/input.h"

#include <iostream>
#include <iterator>

#include "cli/text.h"
#include "loader/base/files.h"
#include "loader/engine/host.h"

namespace vnet::cli {

std::string read_stdin() {
  return {std::istreambuf_iterator<char>(std::cin), {}};
}

Result<Input> read_input(const std::string& file) {
  if (file == "-") return Input{read_stdin(), "<stdin>"};
  auto text = read_file(file);
  if (!text) return invalid(text.error().message);
  if (!*text) return invalid(file + ": no such file");
  return Input{std::move(**text), file};
}

Result<Network> read_definition(const Input& xml) {
  std::vector<std::string> ignored;
  VNET_ASSIGN(auto network, read_network(xml.text, xml.name, &ignored));
  for (const auto& note : ignored) print_note(note);
  return network;
}

}  // namespace vnet::cli
