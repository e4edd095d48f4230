// SPDX-License-Identifier: GPL-2.0-or-later
// `vnet-bpf completion` prints the bash completion: made from the options themselves, so it is never behind.
#include <fmt/format.h>

#include "cli/verbs.h"

namespace vnet::cli {
namespace {

std::string words_of(const CLI::App& app) {
  std::string words;
  for (const auto* option : app.get_options())
    for (const auto& name : option->get_lnames()) words += " --" + name;
  return words;
}

std::string script(const CLI::App& app) {
  std::string verbs, cases;
  for (const auto* sub : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (sub->get_group().empty()) continue;  // hidden
    verbs += " " + sub->get_name();
    cases += fmt::format("    {}) words=\"{}\" ;;\n", sub->get_name(), words_of(*sub));
  }
  return fmt::format(R"bash(# bash completion of vnet-bpf
_vnet_bpf() {{
  local cur=${{COMP_WORDS[COMP_CWORD]}} prev=${{COMP_WORDS[COMP_CWORD-1]}} verb="" words="" word
  for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
    case $word in -*) ;; *) verb=$word; break ;; esac
  done
  case $prev in
    --network|start|stop|destroy|undefine|show|leases|autostart)
      COMPREPLY=($(compgen -W "$(vnet-bpf list --all 2>/dev/null | awk 'NR > 1 {{print $1}}')" -- "$cur")); return ;;
    attach) COMPREPLY=($(compgen -W "$(ls /sys/class/net)" -- "$cur")); return ;;
    detach|set|--port)
      COMPREPLY=($(compgen -W "$(vnet-bpf ports 2>/dev/null | awk 'NR > 1 {{print $1}}')" -- "$cur")); return ;;
    define|up) COMPREPLY=($(compgen -f -- "$cur")); return ;;
  esac
  case $verb in
    "") words="{} {}" ;;
{}  esac
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}}
complete -F _vnet_bpf vnet-bpf
)bash", verbs, words_of(app), cases);
}

}  // namespace

void add_completion(Commands& commands) {
  auto* sub = commands.add("completion", "Print the bash completion", "vnet-bpf completion > /etc/bash_completion.d/vnet-bpf");
  sub->group("");
  sub->callback([&commands] { fmt::print("{}", script(commands.app)); });
}

}  // namespace vnet::cli
