// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/option_table.h"

namespace vnet::cli {

Option::Option(const std::string& spelling, std::string help, Target target, std::string completion)
    : name(spelling.substr(0, spelling.find(' '))),
      help(std::move(help)),
      target(std::move(target)),
      completion(std::move(completion)) {
  if (name == spelling) return;
  value = spelling.substr(name.size() + 1);
  value_may_be_missing = value.starts_with("[");
  if (value_may_be_missing) value = value.substr(1, value.size() - 2);
}

Option Option::required() && {
  is_required = true;
  return std::move(*this);
}

Option Option::at_least(int words) && {
  minimum = words;
  return std::move(*this);
}

Option Option::single() && {
  is_single = true;
  return std::move(*this);
}

Option Option::only(Words words) && {
  choices = std::move(words);
  completion = join(choices, " ");
  return std::move(*this);
}

Option Option::instead_of(Words others) && {
  excludes = std::move(others);
  return std::move(*this);
}

Option Option::or_variable(std::string variable) && {
  environment = std::move(variable);
  return std::move(*this);
}

std::vector<Option> common_options(Common& to) {
  return {
      Option("--state-dir DIR", "Keep everything below this folder", into(to.state_dir), complete_folders)
          .or_variable("VNET_BPF_STATE_DIR"),
      {"--json", "Print one JSON document", flag_into(to.json)},
      {"--dry-run", "Print the steps, change nothing", flag_into(to.dry_run)},
      {"--verbose", "Messages of libbpf and the verifier on stderr", flag_into(to.verbose)},
  };
}

std::string join(const Words& words, const char* separator) {
  std::string all;
  for (const auto& word : words) all += (&word == words.data() ? "" : separator) + word;
  return all;
}

Result<void> one_of(const std::string& what, const std::string& word, const Words& choices) {
  if (std::ranges::find(choices, word) != choices.end()) return {};
  return invalid(what + ": '" + word + "' is not one of " + join(choices, ", "));
}

}  // namespace vnet::cli
