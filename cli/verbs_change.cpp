// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>

#include <iostream>
#include <iterator>

#include "cli/text.h"
#include "cli/verbs.h"
#include "loader/kernel/files.h"

namespace vnet::cli {
namespace {

struct Input {
  std::optional<std::string> xml;  // nullopt: no FILE was given
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
  return {};
}

}  // namespace vnet::cli
