// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/verbs/port.h"

#include "cli/input.h"
#include "cli/text.h"

namespace vnet::cli::verbs {
namespace {

Result<void> import(Host& host, const Common& common, const PortOptions& options) {
  VNET_ASSIGN(auto input, read_input(options.what));
  VNET_ASSIGN(auto state, read_port(input.text, input.name));
  if (!options.interface.empty()) state.interface = options.interface;
  if (!options.network.empty()) state.network = options.network;
  if (common.dry_run) {
    VNET_ASSIGN(auto plan, host.plan_import(state));
    for (const auto& step : plan.steps) print(printable(text(step.change)) + "\n");
    return {};
  }
  VNET_ASSIGN(auto transaction, host.begin(common.verb));
  VNET_ASSIGN(auto plan, transaction.import_port(state));
  print(printable("Interface " + state.interface + " imported to network " + state.network) + "\n");
  for (const auto& note : plan.notes) print_note(note);
  return {};
}

}  // namespace

std::vector<Option> PortOptions::list() {
  return {Option("ACTION", "export or import", into(action)).required().only({"export", "import"}),
          Option("IFACE|FILE", "export: the interface; import: the file, - for standard input", into(what),
                 complete_ports)
              .required(),
          {"--interface IFACE", "import: to this interface instead of the one that is named in the file",
           into(interface), complete_links},
          {"--network NET", "import: to this network", into(network), complete_networks}};
}

Result<void> PortOptions::check(const Common&) const {
  if (!changes() && !(interface.empty() && network.empty()))
    return invalid("port export: takes no --interface and no --network");
  return {};
}

Result<void> port(Host& host, const Common& common, const PortOptions& options) {
  if (options.changes()) return import(host, common, options);
  VNET_ASSIGN(auto document, host.export_port(options.what));
  print(document);
  return {};
}

}  // namespace vnet::cli::verbs
