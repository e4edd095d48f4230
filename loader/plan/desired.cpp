// SPDX-License-Identifier: GPL-2.0-or-later
// What each intent makes of the host.
#include <fmt/format.h>

#include <algorithm>

#include "loader/config/network_xml.h"
#include "loader/plan/block_rules.h"
#include "loader/plan/builder.h"
#include "loader/plan/forwards.h"
#include "loader/plan/upgrade.h"

namespace vnet {
namespace {

std::unexpected<Error> no_network(const std::string& name) {
  return not_found(fmt::format("no network with matching name '{}'", name));
}

// An interrupted upgrade is finished by the next command: some programs use the old maps, some the new ones.
void finish_upgrade(Builder& builder) {
  if (builder.snapshot.outdated.begun) builder.wanted.resources.outdated = {};
}

// What all networks share with the host.
void want_of_host(Builder& builder) {
  want_uplinks(builder);
  want_fence(builder);
  want_socket_redirect(builder);
  want_passes(builder);
  want_zones(builder);
  want_link_names(builder);
}

// Every command that touches a network mends what has died or changed since the last one.
void mend(Builder& builder, const std::set<std::string>& except_ports = {}) {
  mend_networks(builder);
  want_of_host(builder);
  mend_ports(builder, except_ports);
  finish_upgrade(builder);
}

Result<void> want(Builder& builder, const Define& intent) {
  const Network& network = intent.network;
  builder.wanted.resources.definitions[network.name].xml = format_network(network);
  builder.wanted.done[""] = intent.file_name.empty()
                                ? fmt::format("Network {} defined", network.name)
                                : fmt::format("Network {} defined from {}", network.name, intent.file_name);
  return {};
}

Result<void> want(Builder& builder, const Undefine& intent) {
  if (!builder.wanted.resources.definitions.erase(intent.name)) return no_network(intent.name);
  builder.wanted.done[""] = fmt::format("Network {} has been undefined", intent.name);
  return {};
}

Result<void> want(Builder& builder, const Autostart& intent) {
  auto definition = builder.wanted.resources.definitions.find(intent.name);
  if (definition == builder.wanted.resources.definitions.end()) return no_network(intent.name);
  definition->second.autostart = intent.enable;
  builder.wanted.done[""] =
      fmt::format("Network {} {}marked as autostarted", intent.name, intent.enable ? "" : "un");
  return {};
}

Result<void> want(Builder& builder, const Start& intent) {
  const Network* network = builder.snapshot.definition(intent.name);
  if (!network) return no_network(intent.name);
  if (builder.snapshot.is_running(intent.name))
    return failed(fmt::format("network {} is already active", intent.name));
  VNET_TRY(check_ports_free(builder.snapshot, *network));
  VNET_TRY(want_network(builder, *network));
  mend(builder);
  builder.wanted.done[""] = fmt::format("Network {} started", intent.name);
  return {};
}

Result<void> want(Builder& builder, const Create& intent) {
  const Network& network = intent.network;
  if (builder.snapshot.is_running(network.name))
    return failed(fmt::format("network {} is already active", network.name));
  VNET_TRY(check_ports_free(builder.snapshot, network));
  VNET_TRY(want_network(builder, network));
  mend(builder);
  builder.wanted.done[""] = fmt::format("Network {} created", network.name);
  return {};
}

Result<void> want(Builder& builder, const Up& intent) {
  const Network& network = *intent.network;
  const Network* before = builder.snapshot.definition(network.name);
  if (!before || format_network(*before) != format_network(network))
    builder.wanted.resources.definitions[network.name].xml = format_network(network);
  std::string done = fmt::format("Network {} started", network.name);
  if (builder.snapshot.is_running(network.name)) {
    VNET_TRY(want_definition(builder, *builder.snapshot.network(network.name), network));
    done = builder.wanted.changed.contains(network.name)
               ? fmt::format("Network {} changed", network.name)
               : fmt::format("Network {} is already up", network.name);
  } else {
    VNET_TRY(check_ports_free(builder.snapshot, network));
    VNET_TRY(want_network(builder, network));
  }
  mend(builder);
  builder.wanted.done[""] = done;
  return {};
}

Result<const ActiveNetwork*> need_running(const Builder& builder, const std::string& name) {
  if (!builder.snapshot.network(name) && !builder.snapshot.definition(name)) return no_network(name);
  if (!builder.snapshot.is_running(name)) return failed(fmt::format("network '{}' is not active", name));
  return builder.snapshot.network(name);
}

Result<void> want(Builder& builder, const Apply& intent) {
  const std::string& name = intent.name;
  VNET_ASSIGN(const ActiveNetwork* active, need_running(builder, name));
  const Network* stored = intent.definition ? &*intent.definition : builder.snapshot.definition(name);
  const Network* network = intent.active ? &*intent.active : stored;
  if (!network)
    return failed(fmt::format("network {} is transient: it has no stored definition; name a file", name));
  if (intent.definition) builder.wanted.resources.definitions[name].xml = format_network(*intent.definition);
  VNET_TRY(want_definition(builder, *active, *network));
  mend(builder);
  builder.wanted.done[""] = builder.wanted.changed.contains(name)
                                ? fmt::format("Network {} changed", name)
                                : fmt::format("Network {} is as its definition says", name);
  return {};
}

// libvirt's words, and its order: both are changed, or none.
Result<void> want(Builder& builder, const Update& intent) {
  const std::string& name = intent.name;
  const Network* stored = builder.snapshot.definition(name);
  if (!stored && !builder.snapshot.network(name)) return no_network(name);
  bool runs = builder.snapshot.is_running(name);
  bool neither = !intent.live && !intent.config;
  bool live = intent.live || (neither && runs), config = intent.config || (neither && !runs);
  if (live && !runs) return failed("network is not running");
  if (config && !stored) return failed("cannot change persistent config of a transient network");
  if (live) {
    const ActiveNetwork* active = builder.snapshot.network(name);
    VNET_ASSIGN(auto changed, intent.change(active->network));
    VNET_TRY(want_definition(builder, *active, changed));
  }
  if (config) {
    VNET_ASSIGN(auto changed, intent.change(*stored));
    builder.wanted.resources.definitions[name].xml = format_network(changed);
  }
  if (live) mend(builder);
  const char* where = !live    ? "persistent config"
                      : config ? "persistent config and live state"
                               : "live state";
  builder.wanted.done[""] = intent.done.empty() ? fmt::format("Updated network {} {}", name, where)
                                                : fmt::format("{} ({})", intent.done, where);
  return {};
}

Result<void> want(Builder& builder, const Stop& intent) {
  if (!builder.snapshot.network(intent.name)) {
    if (!builder.snapshot.definition(intent.name)) return no_network(intent.name);
    return failed(fmt::format("network '{}' is not active", intent.name));
  }
  want_no_network(builder, intent.name);
  want_of_host(builder);
  finish_upgrade(builder);
  builder.wanted.done[""] = fmt::format("Network {} destroyed", intent.name);
  return {};
}

Result<void> want(Builder& builder, const Attach& intent) {
  std::set<std::string> named;
  for (const auto& request : intent.requests) named.insert(request.interface);
  mend(builder, named);
  for (const auto& request : intent.requests) {
    VNET_TRY(want_port(builder, request));
    builder.wanted.done[""] = builder.wanted.done["port " + request.interface];
  }
  if (intent.requests.size() > 1)
    builder.wanted.done[""] = fmt::format("{} interfaces attached to network {}", intent.requests.size(),
                                          intent.requests[0].network);
  return {};
}

Result<void> want(Builder& builder, const AttachMembers& intent) {
  VNET_ASSIGN(auto active, need_complete(builder, intent.request.network));
  VNET_ASSIGN(auto names, guests_in_bridge(builder.snapshot, active.network));
  Attach attach;
  for (const auto& name : names) {
    attach.requests.push_back(intent.request);
    attach.requests.back().interface = name;
  }
  VNET_TRY(want(builder, attach));
  if (names.empty())
    builder.wanted.done[""] =
        fmt::format("Network {}: no guest's interface is in {}", active.network.name, active.network.bridge);
  return {};
}

Result<void> want(Builder& builder, const SetPort& intent) {
  mend(builder);
  VNET_TRY(want_change(builder, intent.request));
  builder.wanted.done[""] = fmt::format("Interface {} changed", intent.request.interface);
  return {};
}

Result<void> want(Builder& builder, const Detach& intent) {
  const PortRecord* record = builder.snapshot.port(intent.interface);
  if (!record) return not_found(fmt::format("{} is not attached to any network", intent.interface));
  mend(builder, {intent.interface});
  want_no_port(builder, intent.interface);
  builder.wanted.done[""] = builder.wanted.done["port " + intent.interface];
  return {};
}

Result<void> want_blocked(Builder& builder, const std::vector<Prefix>& prefixes, bool block) {
  auto& blocked = builder.wanted.resources.blocked;
  std::set<Prefix> named;
  for (const auto& prefix : prefixes) {
    if (block) VNET_TRY(check_blockable(prefix));
    named.insert(prefix.network());
  }
  std::size_t changed = 0;
  for (const auto& prefix : named) changed += block ? blocked.insert(prefix).second : blocked.erase(prefix);
  std::string& done = builder.wanted.done[""];
  done = fmt::format("{} {}", changed, block ? "blocked" : "unblocked");
  if (changed < named.size())
    done += fmt::format(", {} {}", named.size() - changed, block ? "already were" : "were not");
  return {};
}

Result<void> want(Builder& builder, const Block& intent) {
  return want_blocked(builder, intent.prefixes, true);
}
Result<void> want(Builder& builder, const Unblock& intent) {
  return want_blocked(builder, intent.prefixes, false);
}

Result<void> want(Builder& builder, const PlugIn& intent) {
  return want_port(builder, intent.request);
}

Result<void> want(Builder& builder, const ForgetGone& intent) {
  for (const auto& port : builder.snapshot.ports) {
    if (intent.interface && port.interface != *intent.interface) continue;
    const LinkInfo* link = builder.snapshot.link(port.interface);
    if (!link || link->ifindex != port.ifindex) want_no_port(builder, port.interface);
  }
  return {};
}

Result<void> want(Builder& builder, const Follow& intent) {
  for (const auto& name : intent.start) {
    const Network* network = builder.snapshot.definition(name);
    auto wanted = network ? want_network(builder, *network) : Result<void>(no_network(name));
    if (!wanted) builder.refuse("network " + name, std::move(wanted).error());
  }
  follow_networks(builder);
  mend_networks(builder);
  want_of_host(builder);
  follow_ports(builder);
  finish_upgrade(builder);
  return {};
}

Result<void> want(Builder& builder, const Upgrade&) {
  mend(builder);
  bool is_needed = builder.snapshot.outdated != Outdated{};
  builder.wanted.resources.outdated = {};
  builder.wanted.done[""] =
      is_needed ? "The datapath is this version's now" : "The datapath is this version's already";
  return {};
}

bool is_about_definitions(const Intent& intent) {
  return std::holds_alternative<Define>(intent) || std::holds_alternative<Undefine>(intent) ||
         std::holds_alternative<Autostart>(intent);
}

// Maps of an older layout are only read, until they have been moved; `stop` goes by the pins.
Result<void> check_layout(unsigned layout, const Intent& intent) {
  if (layout == VNET_ABI_VERSION || is_about_definitions(intent) || std::holds_alternative<Stop>(intent))
    return {};
  if (layout > VNET_ABI_VERSION) return unknown_layout(layout);
  if (std::holds_alternative<Upgrade>(intent)) return {};
  return older_layout(layout);
}

}  // namespace

std::unexpected<Error> unknown_layout(unsigned layout) {
  return failed(
      fmt::format("what runs is of another version of vnet-bpf, with map layout {}, and this one has {}: use "
                  "that one, or run "
                  "its `vnet-bpf upgrade --to-abi {}` first",
                  layout, VNET_ABI_VERSION, VNET_ABI_VERSION));
}

std::unexpected<Error> older_layout(unsigned layout) {
  return failed(fmt::format(
      "what runs is of an older version of vnet-bpf, with map layout {}, and this one has {}: run `vnet-bpf "
      "upgrade` first, which interrupts no connection",
      layout, VNET_ABI_VERSION));
}

Result<Wanted> desired(const Snapshot& snapshot, const Intent& intent) {
  VNET_TRY(check_layout(snapshot.outdated.layout, intent));
  Builder builder(snapshot);
  VNET_TRY(std::visit([&](const auto& one) { return want(builder, one); }, intent));
  return std::move(builder.wanted);
}

Result<Plan> make_plan(const Snapshot& snapshot, const Intent& intent) {
  VNET_ASSIGN(auto wanted, desired(snapshot, intent));
  auto steps = diff(snapshot, observe(snapshot), wanted);
  // `stop`: nothing is put up or written down there.
  if (snapshot.outdated.layout != VNET_ABI_VERSION && std::holds_alternative<Stop>(intent))
    std::erase_if(steps, [](const Step& step) { return !only_takes_away(step.change); });
  return Plan{.steps = std::move(steps),
              .refusals = std::move(wanted.refusals),
              .done = std::move(wanted.done),
              .notes = std::move(wanted.notes)};
}

}  // namespace vnet
