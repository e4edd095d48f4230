// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/verbs/block.h"

#include <algorithm>
#include <sstream>

#include "cli/input.h"
#include "cli/render.h"

namespace vnet::cli::verbs {
namespace {

Result<Prefix> parse_prefix(const std::string& word) {
  auto prefix = Prefix::parse(word);
  if (!prefix) return invalid("block: '" + word + "' is neither ADDR nor ADDR/LENGTH");
  return *prefix;
}

// One prefix per line or word; # begins a comment.
Result<void> add_prefixes(const Input& input, std::vector<Prefix>& to) {
  std::istringstream lines(input.text);
  int number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    line.resize(std::min(line.find('#'), line.size()));
    std::istringstream words(line);
    for (std::string word; words >> word;) {
      auto prefix = Prefix::parse(word);
      if (!prefix)
        return std::unexpected(
            Error{ErrorKind::Invalid, "'" + word + "' is neither ADDR nor ADDR/LENGTH", input.name, number});
      to.push_back(*prefix);
    }
  }
  return {};
}

}  // namespace

std::vector<Option> BlockOptions::list() {
  return {Option("ACTION", "add, remove or list", into(action)).required().only({"add", "remove", "list"}),
          {"CIDR", "ADDR or ADDR/LENGTH of the senders, IPv4 or IPv6", into(prefixes, parse_prefix)},
          {"--file FILE", "Read them from FILE, one a line, # begins a comment; - for standard input",
           into(file), complete_files}};
}

Result<void> BlockOptions::check(const Common&) const {
  bool names_some = !prefixes.empty() || file;
  if (changes() && !names_some) return invalid("block " + action + ": name a CIDR, or --file");
  if (!changes() && names_some) return invalid("block list: takes no CIDR and no --file");
  return {};
}

Result<void> BlockOptions::load() {
  if (!file) return {};
  VNET_ASSIGN(auto input, read_input(*file));
  return add_prefixes(input, prefixes);
}

Result<Intent> block(const BlockOptions& options) {
  if (options.action == "add") return Block{options.prefixes};
  return Unblock{options.prefixes};
}

Result<void> blocked(Host& host, const Common& common, const BlockOptions&) {
  return print_facts(host.blocked(), common.json);
}

}  // namespace vnet::cli::verbs
