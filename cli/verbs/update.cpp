// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/verbs/update.h"

#include <charconv>

#include "cli/input.h"

namespace vnet::cli::verbs {
namespace {

const std::vector<std::pair<std::string, UpdateCommand>> commands{{"add", UpdateCommand::AddLast},
                                                                  {"add-last", UpdateCommand::AddLast},
                                                                  {"add-first", UpdateCommand::AddFirst},
                                                                  {"modify", UpdateCommand::Modify},
                                                                  {"delete", UpdateCommand::Delete}};

Words command_words() {
  Words words;
  for (const auto& [word, command] : commands) words.push_back(word);
  return words;
}

Result<int> parse_index(const std::string& word) {
  int index = 0;
  auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), index);
  if (error != std::errc{} || end != word.data() + word.size() || index < -1)
    return invalid("malformed parent-index argument '" + word + "'");
  return index;
}

}  // namespace

std::vector<Option> WhereOptions::list() {
  return {Option("--live", "Change the running network", flag_into(live)).instead_of({"--current"}),
          Option("--config", "Change the stored definition, which the next start takes", flag_into(config))
              .instead_of({"--current"}),
          {"--current", "The running network where it runs, else the stored definition; the default",
           flag_into(current)}};
}

std::vector<Option> UpdateOptions::list() {
  auto options = std::vector<Option>{
      Option("NET", "Name of the network", into(network), complete_networks).required(),
      Option("COMMAND", "add, add-first, modify or delete", into(command)).required().only(command_words()),
      Option("SECTION", "Which kind of element: ip-dhcp-host, vnet:portForward, ...", into(section),
             join(update_sections(), " "))
          .required(),
      Option("XML", "The element, or a file with it; - for standard input", into(xml), complete_files)
          .required(),
      {"--parent-index N", "Which <ip> it is in, from 0; default: the one with <dhcp>",
       into(parent_index, parse_index)},
  };
  for (auto& option : where.list()) options.push_back(std::move(option));
  return options;
}

Result<void> UpdateOptions::load() {
  if (xml.starts_with('<')) return {};
  VNET_ASSIGN(auto input, read_input(xml));
  xml = std::move(input.text);
  file_name = std::move(input.name);
  return {};
}

Result<Intent> update(const UpdateOptions& options) {
  SectionUpdate section{.section = options.section,
                        .xml = options.xml,
                        .file_name = options.file_name,
                        .parent_index = options.parent_index.value_or(-1)};
  for (const auto& [word, command] : commands)
    if (word == options.command) section.command = command;
  return Update{.name = options.network,
                .change = [section](const Network& network) { return update_network(network, section); },
                .live = options.where.live,
                .config = options.where.config};
}

}  // namespace vnet::cli::verbs
