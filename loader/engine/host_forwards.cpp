// SPDX-License-Identifier: GPL-2.0-or-later
// Port forwards, as they are told and changed.
#include <fmt/format.h>

#include <algorithm>

#include "loader/apply/read_snapshot.h"
#include "loader/apply/system.h"
#include "loader/engine/host.h"
#include "loader/engine/host_state.h"

namespace vnet {
namespace {

std::size_t sessions_of(const std::vector<SessionInfo>& flows, const ForwardInfo& info,
                        const std::vector<PortForward>& all) {
  return static_cast<std::size_t>(std::ranges::count_if(flows, [&](const SessionInfo& flow) {
    if (!flow.inbound || flow.network != info.network || flow.translated.address == flow.inside.address)
      return false;
    const auto* found = forward_for(all, flow.protocol, flow.translated.address, flow.translated.port);
    return found && *found == info.forward;
  }));
}

// What tells it from others, and all that must be the same to delete it; `from` only where it is added.
std::string xml_of(const PortForward& forward, bool added) {
  std::string from, more;
  for (const auto& prefix : forward.from) from += (from.empty() ? "" : ", ") + prefix.text();
  if (forward.listen) more += fmt::format(" listen='{}'", forward.listen->text());
  if (added && forward.to_port != forward.ports.start) more += fmt::format(" toPort='{}'", forward.to_port);
  if (added && !from.empty()) more += fmt::format(" from='{}'", from);
  return fmt::format("<vnet:portForward proto='{}' port='{}' to='{}'{}/>", forward.proto,
                     range_text(forward.ports), forward.to.text(), more);
}

void add(std::vector<ForwardInfo>& to, const Network& network, bool active) {
  for (const auto& forward : network.settings.port_forwards)
    to.push_back({.network = network.name, .active = active, .forward = forward});
}

}  // namespace

Result<std::vector<ForwardInfo>> Host::forwards(const std::optional<std::string>& network) {
  System& system = state_->system;
  VNET_ASSIGN(auto active, active_networks(system));
  VNET_ASSIGN(auto stored, read_definitions(system.dirs));
  VNET_ASSIGN(const auto sessions, flows(network));
  std::vector<ForwardInfo> all;
  bool known = !network;
  for (const auto& one : active) {
    std::erase_if(stored, [&](const Network& other) { return other.name == one.network.name; });
    if (network && one.network.name != *network) continue;
    known = true;
    std::size_t first = all.size();
    add(all, one.network, true);
    for (auto at = first; at < all.size(); ++at)
      all[at].sessions = sessions_of(sessions, all[at], one.network.settings.port_forwards);
  }
  for (const auto& one : stored) {
    if (network && one.name != *network) continue;
    known = true;
    add(all, one, false);
  }
  if (!known) return not_found("no network with matching name '" + *network + "'");
  std::ranges::stable_sort(all, {}, &ForwardInfo::network);
  return all;
}

Result<Network> add_forward(const Network& network, const PortForward& forward) {
  for (const auto& other : network.settings.port_forwards)
    if (do_overlap(other, forward))
      return failed(fmt::format("network {} forwards {} already, which is in the way of {}", network.name,
                                forward_line(other), forward_line(forward)));
  return update_network(network, {.command = UpdateCommand::AddLast,
                                  .section = "vnet:portForward",
                                  .xml = xml_of(forward, true),
                                  .file_name = "the port forward"});
}

Result<Network> remove_forward(const Network& network, const PortForward& named) {
  Network changed = network;
  bool found = false;
  for (const auto& forward : network.settings.port_forwards) {
    if (forward.proto != named.proto || forward.ports != named.ports || forward.listen != named.listen)
      continue;
    found = true;
    VNET_ASSIGN(changed, update_network(changed, {.command = UpdateCommand::Delete,
                                                  .section = "vnet:portForward",
                                                  .xml = xml_of(forward, false),
                                                  .file_name = "the port forward"}));
  }
  if (!found)
    return not_found(fmt::format("network {} does not forward {}", network.name, forward_text(named)));
  return changed;
}

}  // namespace vnet
