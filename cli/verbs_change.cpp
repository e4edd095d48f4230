// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>

#include <algorithm>
#include <iostream>
#include <iterator>
#include <sstream>

#include "cli/text.h"
#include "cli/verbs.h"
#include "loader/kernel/files.h"

namespace vnet::cli {
namespace {

struct Input {
  std::optional<std::string> xml;  // the text; nullopt: no FILE was given
  std::string name;
};

Result<Input> read_input(const Options& options) {
  if (!options.file) return Input{};
  if (*options.file == "-")
    return Input{std::string(std::istreambuf_iterator<char>(std::cin), {}), "<stdin>"};
  auto text = read_file(*options.file);
  if (!text) return invalid(text.error().message);
  if (!*text) return invalid(fmt::format("{}: no such file", *options.file));
  return Input{std::move(*text), *options.file};
}

// One a line; blank lines and what follows a # mean nothing.
Result<std::vector<Prefix>> parse_prefixes(const std::string& text, const std::string& file) {
  std::vector<Prefix> all;
  std::istringstream lines(text);
  int number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    line.resize(std::min(line.find('#'), line.size()));
    std::istringstream words(line);
    for (std::string word; words >> word;) {
      auto prefix = Prefix::parse(word);
      if (!prefix)
        return std::unexpected(Error{
            ErrorKind::Invalid, fmt::format("'{}' is neither ADDR nor ADDR/LENGTH", word), file, number});
      all.push_back(*prefix);
    }
  }
  return all;
}

Result<Plan> make_plan(Host& host, const Options& options, const Input& input) {
  if (options.verb == "define") return host.define(*input.xml, input.name);
  if (options.verb == "up") return host.up(input.xml, input.name);
  if (options.verb == "undefine") return host.undefine(options.network);
  if (options.verb == "start") return host.start(options.network);
  if (options.verb == "stop") return host.stop(options.network);
  if (options.verb == "autostart") return host.autostart(options.network, !options.disable);
  if (options.verb == "attach")
    return options.all_members ? host.attach_members(options.ports[0]) : host.attach(options.ports);
  if (options.verb == "set") return host.set(options.ports[0]);
  if (options.verb == "block") {
    std::vector<Prefix> prefixes = options.prefixes;
    if (input.xml) {
      VNET_ASSIGN(auto listed, parse_prefixes(*input.xml, input.name));
      prefixes.insert(prefixes.end(), listed.begin(), listed.end());
    }
    return options.action == "add" ? host.block(prefixes) : host.unblock(prefixes);
  }
  return host.detach(options.interface);
}

}  // namespace

Result<void> change(Host& host, const Options& options) {
  VNET_ASSIGN(auto input, read_input(options));
  if (options.dry_run) {  // without the lock, which would make folders
    VNET_ASSIGN(auto plan, make_plan(host, options, input));
    for (const auto& step : plan.steps()) print(printable(step.text) + "\n");
    return {};
  }
  VNET_ASSIGN(auto lock, host.lock(options.verb));
  VNET_ASSIGN(auto plan, make_plan(host, options, input));
  VNET_TRY(plan.run());
  if (!plan.done.empty()) print(printable(plan.done) + "\n");
  for (const auto& note : plan.notes) std::cerr << "vnet-bpf: note: " << printable(note) << "\n";
  return {};
}

}  // namespace vnet::cli
