// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/verbs/ports.h"

#include <algorithm>

#include "cli/render.h"
#include "cli/verbs/port_options.h"

namespace vnet::cli::verbs {
namespace {

std::vector<Option> followed_by(std::vector<Option> first, std::vector<Option> rest) {
  std::ranges::move(rest, std::back_inserter(first));
  return first;
}

}  // namespace

std::vector<Option> AttachOptions::list() {
  return followed_by({{"IFACE", "Taps, veths or other interfaces of guests",
                       into(interfaces, parse_interface), complete_links},
                      {"--network NET", "Network to attach to", into(port.network), complete_networks},
                      Option("--all-members NET", "Every guest's interface in the bridge of this network",
                             into(all_members), complete_networks)
                          .instead_of({"IFACE", "--network"})},
                     port_options(port));
}

Result<void> AttachOptions::check(const Common&) const {
  if (!all_members && interfaces.empty()) return invalid("attach: IFACE is required, or --all-members NET");
  if (!all_members && port.network.empty()) return invalid("attach: --network is required");
  bool names_a_guest = port.mac || port.ips;
  if ((all_members || interfaces.size() > 1) && names_a_guest)
    return invalid("--mac and --ip are one guest's: attach its interface alone");
  return {};
}

std::vector<PortRequest> AttachOptions::requests() const {
  std::vector<PortRequest> all;
  for (const auto& interface : interfaces) {
    if (std::ranges::find(all, interface, &PortRequest::interface) != all.end()) continue;
    all.push_back(port);
    all.back().interface = interface;
  }
  return all;
}

Result<Intent> attach(const AttachOptions& options) {
  if (!options.all_members) return Attach{options.requests()};
  PortRequest request = options.port;
  request.network = *options.all_members;
  return AttachMembers{std::move(request)};
}

std::vector<Option> DetachOptions::list() {
  return {Option("IFACE", "Attached interface", into(interface), complete_ports).required()};
}

Result<Intent> detach(const DetachOptions& options) {
  return Detach{options.interface};
}

std::vector<Option> SetOptions::list() {
  auto take_link = [this](const Words& words) -> Result<void> {
    port.link_up = words.back() == "up";
    return {};
  };
  auto all =
      followed_by({Option("IFACE", "Attached interface", into(interfaces, parse_interface), complete_ports)
                       .required()
                       .single()},
                  port_options(port));
  all.push_back(Option("--link STATE", "down unplugs, up plugs", {take_link}).only({"up", "down"}));
  return all;
}

Result<void> SetOptions::check(const Common&) const {
  if (interfaces.size() > 1) return invalid("set: one interface at a time");
  return {};
}

Result<Intent> set(const SetOptions& options) {
  PortRequest request = options.port;
  request.interface = options.interfaces.front();
  return SetPort{std::move(request)};
}

std::vector<Option> PortsOptions::list() {
  return {{"--network NET", "Only this network's", into(network), complete_networks}};
}

Result<void> ports(Host& host, const Common& common, const PortsOptions& options) {
  return print_facts(host.ports(options.network), common.json);
}

}  // namespace vnet::cli::verbs
