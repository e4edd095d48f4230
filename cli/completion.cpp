// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>

#include "cli/verbs.h"
#include "maps/maps.h"

namespace vnet::cli {

std::string bash_completion() {
  std::string verbs, cases;
  for (const auto& verb : describe_verbs()) {
    verbs += verb.name + " ";
    cases += fmt::format("    {})\n      options=\"{}\"\n", verb.name, fmt::join(verb.options, " "));
    if (verb.takes_network) cases += "      words=\"$(_vnet_bpf_networks)\"\n";
    if (verb.takes_interface && verb.name == "attach")
      cases += "      words=\"$(_vnet_bpf_links)\"\n";
    else if (verb.takes_interface)
      cases += "      words=\"$(_vnet_bpf_ports)\"\n";
    if (verb.name == "block") cases += "      words=\"add remove list\"\n";
    if (verb.takes_file) cases += "      files=1\n";
    cases += "      ;;\n";
  }
  std::string reasons;
  for (unsigned reason = 1; reason < VNET_DROP_MAX; ++reason)
    reasons += std::string(reason_word(reason)) + " ";
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
    --network|--all-members) COMPREPLY=($(compgen -W "$(_vnet_bpf_networks)" -- "$current")); return ;;
    --port) COMPREPLY=($(compgen -W "$(_vnet_bpf_ports)" -- "$current")); return ;;
    --filter) COMPREPLY=($(compgen -W "clean-traffic no-mac-spoofing no-ip-spoofing no-arp-spoofing no-ipv6-spoofing no-ip-multicast allow-dhcp-server none" -- "$current")); return ;;
    --inbound) COMPREPLY=($(compgen -W "accept established drop" -- "$current")); return ;;
    --reason) COMPREPLY=($(compgen -W ")sh" +
         reasons + R"sh(" -- "$current")); return ;;
    --proto) COMPREPLY=($(compgen -W "tcp udp icmp" -- "$current")); return ;;
    --state) COMPREPLY=($(compgen -W "new established closing closed" -- "$current")); return ;;
    --textfile|--file) COMPREPLY=($(compgen -f -- "$current")); return ;;
    --pcap) COMPREPLY=($(compgen -f -- "$current")); return ;;
    --link) COMPREPLY=($(compgen -W "up down" -- "$current")); return ;;
    --state-dir) COMPREPLY=($(compgen -d -- "$current")); return ;;
  esac
  case "$verb" in
    "") words=")sh" +
         verbs + R"sh(" ;;
    destroy) words="$(_vnet_bpf_networks)" ;;
)sh" + cases +
         R"sh(  esac
  options+=" --state-dir --json --dry-run --verbose --help"
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

}  // namespace vnet::cli
