// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/verbs/synopsis.h"

#include "cli/command_table.h"
#include "cli/text.h"

namespace vnet::cli::verbs {
namespace {

std::string written(const Option& option) {
  std::string value = option.choices.empty() ? "Ar " + option.value : "Cm " + join(option.choices, " | ");
  if (option.is_argument()) return option.choices.empty() ? "Ar " + option.name : value;
  std::string flag = "Fl " + option.name.substr(1);
  if (option.is_flag()) return flag;
  return flag + (option.value_may_be_missing ? " Op " : " ") + value;
}

bool exclude_each_other(const Option& one, const Option& other) {
  auto names = [](const Option& which, const Option& option) {
    return std::ranges::find(which.excludes, option.name) != which.excludes.end();
  };
  return names(one, other) || names(other, one);
}

// One line per option, or per run of options that exclude each other.
std::string lines_of(const std::vector<Option>& options) {
  std::string lines;
  for (auto option = options.begin(); option != options.end(); ++option) {
    std::string line = written(*option);
    bool repeatable = option->target.repeatable && !option->is_single;
    while (std::next(option) != options.end() && exclude_each_other(*option, *std::next(option))) {
      line += " | " + written(*++option);
      repeatable = false;
    }
    std::string more = repeatable ? " ..." : "";
    if (option->is_required)
      lines += "." + line + more + "\n";
    else if (repeatable && !option->is_argument())
      lines += ".Oo " + line + " Oc" + more + "\n";
    else
      lines += ".Op " + line + more + "\n";
  }
  return lines;
}

}  // namespace

std::string manual_synopsis() {
  Common common;
  std::string text = ".Nm\n" + lines_of(common_options(common)) + ".Ar VERB\n.Op Ar ARGUMENT ...\n";
  for (const auto& command : commands()) {
    if (command.shown == Shown::No) continue;
    text += ".Nm\n.Cm " + command.name + (command.alias.empty() ? "" : " | " + command.alias) + "\n";
    text += lines_of(command.action().options);
  }
  return text;
}

Result<void> synopsis(const Common&, const NoOptions&) {
  print(manual_synopsis());
  return {};
}

}  // namespace vnet::cli::verbs
