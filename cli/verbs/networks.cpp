// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/verbs/networks.h"

#include "cli/render.h"
#include "cli/text.h"

namespace vnet::cli::verbs {
namespace {

Option network_argument(std::string& to) {
  return Option("NET", "Name of the network", into(to), complete_networks).required();
}

Option file_argument(Target target) {
  return {"FILE", "Network XML; - for standard input", std::move(target), complete_files};
}

}  // namespace

std::vector<Option> DefineOptions::list() {
  return {file_argument(into(file)).required()};
}

Result<void> DefineOptions::load() {
  VNET_ASSIGN(xml, read_input(file));
  return {};
}

Result<Intent> define(const DefineOptions& options) {
  VNET_ASSIGN(auto network, read_definition(options.xml));
  return Define{std::move(network), options.xml.name};
}

std::vector<Option> UpOptions::list() {
  return {file_argument(into(file))};
}

Result<void> UpOptions::load() {
  if (!file) return {};
  VNET_ASSIGN(xml, read_input(*file));
  return {};
}

Result<Intent> up(const UpOptions& options) {
  if (!options.xml) return Up{};
  VNET_ASSIGN(auto network, read_definition(*options.xml));
  return Up{std::move(network), options.xml->name};
}

std::vector<Option> ApplyOptions::list() {
  return {network_argument(network), file_argument(into(file))};
}

Result<void> ApplyOptions::load() {
  if (!file) return {};
  VNET_ASSIGN(xml, read_input(*file));
  return {};
}

Result<Intent> apply(const ApplyOptions& options) {
  Apply intent{.name = options.network};
  if (!options.xml) return intent;
  VNET_ASSIGN(intent.definition, read_definition(*options.xml));
  intent.file_name = options.xml->name;
  return intent;
}

std::vector<Option> NetworkOptions::list() {
  return {network_argument(network)};
}

Result<Intent> undefine(const NetworkOptions& options) {
  return Undefine{options.network};
}

Result<Intent> start(const NetworkOptions& options) {
  return Start{options.network};
}

Result<Intent> stop(const NetworkOptions& options) {
  return Stop{options.network};
}

Result<void> leases(Host& host, const Common& common, const NetworkOptions& options) {
  return print_facts(host.leases(options.network), common.json);
}

std::vector<Option> AutostartOptions::list() {
  return {network_argument(network), {"--disable", "Do not start it at boot any longer", flag_into(disable)}};
}

Result<Intent> autostart(const AutostartOptions& options) {
  return Autostart{options.network, !options.disable};
}

std::vector<Option> ListOptions::list() {
  return {{"--all", "Inactive ones too", flag_into(all)}};
}

Result<void> list(Host& host, const Common& common, const ListOptions& options) {
  auto networks = host.list();
  if (networks && !options.all)
    std::erase_if(*networks, [](const NetworkSummary& network) { return !network.active; });
  return print_facts(networks, common.json);
}

std::vector<Option> ShowOptions::list() {
  return {network_argument(network),
          {"--xml", "The normalised libvirt XML", flag_into(xml)},
          {"--inactive", "Of the stored definition, which the next start takes", flag_into(inactive)}};
}

Result<void> ShowOptions::check(const Common& common) const {
  if (xml && common.json) return invalid("--xml and --json exclude each other");
  if (inactive && !xml) return invalid("--inactive needs --xml");
  return {};
}

Result<void> show(Host& host, const Common& common, const ShowOptions& options) {
  if (options.inactive) {
    VNET_ASSIGN(auto network, host.definition(options.network));
    print(network_xml(network));
    return {};
  }
  auto details = host.show(options.network);
  if (!details || !options.xml) return print_facts(details, common.json);
  print(network_xml(details->network));
  return {};
}

}  // namespace vnet::cli::verbs
