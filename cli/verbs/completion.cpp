// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/verbs/completion.h"

#include "cli/command_table.h"
#include "cli/text.h"

namespace vnet::cli::verbs {
namespace {

std::string names_of(const std::vector<Option>& options) {
  std::string names;
  for (const auto& option : options)
    if (!option.is_argument()) names += " " + option.name;
  return names;
}

// The lines of `case "$previous"`: one for each set of words, with the options that take one.
class ValueCases {
 public:
  void add(const std::vector<Option>& options) {
    for (const auto& option : options) {
      if (option.is_argument() || option.completion.empty()) continue;
      auto known = std::ranges::find(cases_, option.completion, &Case::completion);
      if (known == cases_.end()) known = cases_.insert(known, {option.completion, {}});
      if (std::ranges::find(known->names, option.name) == known->names.end())
        known->names.push_back(option.name);
    }
  }

  std::string text() const {
    std::string all;
    for (const auto& one : cases_) {
      std::string how = one.completion.starts_with("-") ? one.completion : "-W \"" + one.completion + "\"";
      all +=
          "    " + join(one.names, "|") + ") COMPREPLY=($(compgen " + how + " -- \"$current\")); return ;;\n";
    }
    return all;
  }

 private:
  struct Case {
    std::string completion;
    Words names;
  };
  std::vector<Case> cases_;
};

std::string verb_case(const Command& command, const std::vector<Option>& options) {
  std::string text = "    " + command.name + (command.alias.empty() ? "" : "|" + command.alias) + ")\n";
  text += "      options=\"--help" + names_of(options) + "\"\n";
  for (const auto& option : options) {
    if (!option.is_argument() || option.completion.empty()) continue;
    text += option.completion == complete_files ? "      files=1\n"
                                                : "      words=\"" + option.completion + "\"\n";
  }
  return text + "      ;;\n";
}

}  // namespace

std::vector<Option> CompletionOptions::list() {
  return {Option("SHELL", "bash, zsh or fish", into(shell)).required().only({"bash", "zsh", "fish"})};
}

Result<void> completion(const Common&, const CompletionOptions& options) {
  print(options.shell == "fish"  ? fish_completion()
        : options.shell == "zsh" ? zsh_completion()
                                 : bash_completion());
  return {};
}

std::string bash_completion() {
  Common common;
  auto common_list = common_options(common);
  std::string verbs, verb_cases;
  ValueCases value_cases;
  for (const auto& command : commands()) {
    if (command.shown == Shown::No) continue;
    Call call = command.action();
    verbs += command.name + " ";
    verb_cases += verb_case(command, call.options);
    value_cases.add(call.options);
  }
  value_cases.add(common_list);
  return R"sh(# bash completion for vnet-bpf
_vnet_bpf_networks() { vnet-bpf list --all 2>/dev/null | awk 'NR > 2 { print $1 }'; }
_vnet_bpf_ports() { vnet-bpf ports 2>/dev/null | awk 'NR > 2 { print $1 }'; }
_vnet_bpf_links() { ip -o link 2>/dev/null | awk -F '[ @:]+' '{ print $2 }'; }
_vnet_bpf() {
  local current="${COMP_WORDS[COMP_CWORD]}" previous="${COMP_WORDS[COMP_CWORD-1]}"
  local verb="" options="" words="" files="" i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "${COMP_WORDS[i]}" in
      --state-dir) ((i++)) ;;
      -*) ;;
      *) verb="${COMP_WORDS[i]}"; break ;;
    esac
  done
  case "$previous" in
)sh" + value_cases.text() +
         R"sh(  esac
  case "$verb" in
    "") words=")sh" +
         verbs + R"sh(" ;;
)sh" + verb_cases +
         R"sh(  esac
  options+=")sh" +
         names_of(common_list) + R"sh( --help"
  if [[ "$current" == -* ]]; then
    COMPREPLY=($(compgen -W "$options" -- "$current"))
  elif [[ -n "$files" ]]; then
    COMPREPLY=($(compgen -f -- "$current"))
  else
    COMPREPLY=($(compgen -W "$words" -- "$current"))
  fi
}
complete -o filenames -F _vnet_bpf vnet-bpf
)sh";
}

// zsh understands bash's; when it loads the file, it calls it for the word that is being completed.
std::string zsh_completion() {
  return "#compdef vnet-bpf\nautoload -U +X bashcompinit && bashcompinit\n" + bash_completion() +
         "(( ${+compstate} )) && _bash_complete -o filenames -F _vnet_bpf\n";
}

}  // namespace vnet::cli::verbs
