// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/command_table.h"
#include "cli/text.h"
#include "cli/verbs/completion.h"

namespace vnet::cli::verbs {
namespace {

// In single quotes of fish.
std::string fish_quoted(const std::string& text) {
  std::string all = "'";
  for (char c : text) {
    if (c == '\'' || c == '\\') all += '\\';
    all += c;
  }
  return all + "'";
}

// What fish offers for a word: files, or words, or what a function prints.
std::string fish_offers(const std::string& completion) {
  if (completion == complete_files) return " -F";
  if (completion == complete_folders) return " -a '(__fish_complete_directories)'";
  if (completion.starts_with("$(")) return " -a '" + completion.substr(1) + "'";
  return completion.empty() ? "" : " -a " + fish_quoted(completion);
}

std::string fish_line(const std::string& where, const Option& option) {
  std::string text = "complete -c vnet-bpf -n " + fish_quoted(where);
  if (option.is_argument())
    return option.completion.empty() ? "" : text + fish_offers(option.completion) + "\n";
  text += " -l " + option.name.substr(2) + " -d " + fish_quoted(option.help);
  if (option.is_flag()) return text + "\n";
  return text + (option.completion == complete_files ? " -r" : " -x") + fish_offers(option.completion) + "\n";
}

}  // namespace

std::string fish_completion() {
  Common common;
  std::string text = R"sh(# fish completion for vnet-bpf
function _vnet_bpf_networks; vnet-bpf list --all 2>/dev/null | awk 'NR > 2 { print $1 }'; end
function _vnet_bpf_ports; vnet-bpf ports 2>/dev/null | awk 'NR > 2 { print $1 }'; end
function _vnet_bpf_links; ip -o link 2>/dev/null | awk -F '[ @:]+' '{ print $2 }'; end
complete -c vnet-bpf -f
)sh";
  for (const auto& option : common_options(common)) text += fish_line("true", option);
  for (const auto& command : commands()) {
    if (command.shown == Shown::No) continue;
    text += "complete -c vnet-bpf -n __fish_use_subcommand -a " + command.name + " -d " +
            fish_quoted(command.help) + "\n";
    Call call = command.action();
    for (const auto& option : call.options)
      text += fish_line(
          "__fish_seen_subcommand_from " + command.name + (command.alias.empty() ? "" : " " + command.alias),
          option);
  }
  return text;
}

}  // namespace vnet::cli::verbs
