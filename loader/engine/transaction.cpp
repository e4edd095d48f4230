// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/engine/transaction.h"

#include <fmt/format.h>

#include <algorithm>

#include "loader/apply/announce.h"
#include "loader/apply/executor.h"
#include "loader/apply/hand_over.h"
#include "loader/apply/read_snapshot.h"
#include "loader/config/network_xml.h"
#include "loader/engine/host_state.h"
#include "loader/plan/resources.h"

namespace vnet {
namespace {

// The definition as it will be stored: with libvirt's defaults written in, or what a redefinition keeps.
Result<Network> complete_definition(Network network, const std::vector<Network>& others) {
  std::vector<std::string> taken;
  for (const auto& other : others) {
    if (other.name == network.name) {
      if (!network.uuid.empty() && network.uuid != other.uuid)
        return invalid(fmt::format("network '{}' already exists with uuid {}", network.name, other.uuid));
      network.uuid = other.uuid;
      if (network.bridge.empty()) network.bridge = other.bridge;
      if (!network.mac) network.mac = other.mac;
      continue;
    }
    if (!network.uuid.empty() && network.uuid == other.uuid)
      return invalid(fmt::format("network '{}' is already defined with uuid {}", other.name, other.uuid));
    taken.push_back(other.bridge);
    if (!network.bridge.empty() && network.bridge == other.bridge && !is_bridged(network))
      return invalid(
          fmt::format("bridge name '{}' already in use by network '{}'", network.bridge, other.name));
  }
  return complete(std::move(network), taken);
}

// The stored definitions, and the active ones of networks that have none: those keep what was chosen for
// them.
std::vector<Network> known_networks(const Snapshot& snapshot) {
  auto all = snapshot.definitions;
  for (const auto& active : snapshot.active)
    if (!snapshot.definition(active.network.name)) all.push_back(active.network);
  return all;
}

// What is chosen for a definition is chosen here, so that plans depend on nothing but the snapshot.
Result<Intent> complete_intent(Intent intent, const Snapshot& snapshot) {
  if (auto* define = std::get_if<Define>(&intent)) {
    VNET_ASSIGN(define->network, complete_definition(std::move(define->network), known_networks(snapshot)));
  } else if (auto* create = std::get_if<Create>(&intent)) {
    VNET_ASSIGN(create->network, complete_definition(std::move(create->network), known_networks(snapshot)));
  } else if (auto* change = std::get_if<Apply>(&intent); change && change->definition) {
    if (change->definition->name != change->name)
      return invalid(fmt::format("{} defines network {}, not {}", change->file_name, change->definition->name,
                                 change->name));
    VNET_ASSIGN(change->definition,
                complete_definition(std::move(*change->definition), known_networks(snapshot)));
  } else if (auto* up = std::get_if<Up>(&intent)) {
    Network network = up->network.value_or(default_network());
    // The user's own `default` is not overwritten by the built-in one.
    const Network* known = up->network ? nullptr : snapshot.definition(network.name);
    if (known) network = *known;
    VNET_ASSIGN(up->network, complete_definition(std::move(network), known_networks(snapshot)));
  }
  return intent;
}

// Which the plan may be about, and no stored definition has.
std::vector<PortForward> new_forwards(const Snapshot& snapshot, const Intent& intent) {
  std::vector<PortForward> all;
  const auto add = [&](const std::optional<Network>& network) {
    if (!network) return;
    const auto& those = network->settings.port_forwards;
    all.insert(all.end(), those.begin(), those.end());
  };
  if (const auto* up = std::get_if<Up>(&intent)) add(up->network);
  if (const auto* create = std::get_if<Create>(&intent)) add(create->network);
  if (const auto* change = std::get_if<Apply>(&intent)) add(change->active), add(change->definition);
  if (const auto* update = std::get_if<Update>(&intent))
    for (const auto& active : snapshot.active)
      if (active.network.name == update->name)
        if (auto changed = update->change(active.network)) add(*changed);
  return all;
}

bool may_forward_anew(const Intent& intent) {
  return std::holds_alternative<Start>(intent) || std::holds_alternative<Up>(intent) ||
         std::holds_alternative<Create>(intent) || std::holds_alternative<Apply>(intent) ||
         std::holds_alternative<Update>(intent);
}

Result<Plan> plan_on(Snapshot snapshot, const Intent& intent) {
  VNET_ASSIGN(auto completed, complete_intent(intent, snapshot));
  if (may_forward_anew(completed)) read_sockets(snapshot, new_forwards(snapshot, completed));
  return make_plan(snapshot, completed);
}

// nullopt: there was nothing to tell it.
std::optional<Followed> tell_frr(System& system) {
  auto may = may_be_announced(system);
  if (may && !*may) return std::nullopt;
  auto given = may ? give_announcements(system) : std::unexpected(may.error());
  if (!given) return Followed{.about = "announce", .done = {}, .result = std::unexpected(given.error())};
  if (given->empty()) return std::nullopt;
  return Followed{.about = "announce", .done = *given, .result = {}};
}

}  // namespace

Result<Plan> Host::plan(const Intent& intent) {
  VNET_ASSIGN(auto snapshot, read_snapshot(state_->system));
  return plan_on(std::move(snapshot), intent);
}

Result<Transaction> Host::begin(const std::string& verb) {
  System& system = state_->system;
  VNET_TRY(system.dirs.ensure());
  VNET_ASSIGN(auto lock, system.dirs.lock(verb));
  system.records.sweep();
  // What another command has made or removed while we waited.
  VNET_ASSIGN(system.datapath, Datapath::open(system.dirs.pins()));
  return Transaction(*this, std::move(lock));
}

Result<Plan> Transaction::run(const Intent& intent) {
  System& system = host_->state_->system;
  VNET_ASSIGN(auto snapshot, read_snapshot(system));
  VNET_ASSIGN(auto plan, plan_on(std::move(snapshot), intent));
  VNET_TRY(carry_out(system, plan.steps));
  // What it would have mended on the way, and could not.
  for (const auto& refusal : plan.refusals)
    plan.notes.push_back(fmt::format("{}: {}", refusal.about, refusal.error.message));
  // What has been done stands, whatever FRR says.
  if (auto told = plan.empty() ? std::nullopt : tell_frr(system); told && !told->result)
    plan.notes.push_back(told->result.error().message);
  return plan;
}

Result<void> Transaction::hand_over(unsigned layout) {
  return vnet::hand_over(host_->state_->system, layout);
}
Result<bool> Transaction::finish_hand_over() {
  System& system = host_->state_->system;
  VNET_TRY(follow_hand_over(system));
  VNET_ASSIGN(bool taken, is_taken_over(system));
  if (taken) VNET_TRY(vnet::finish_hand_over(system));
  return taken;
}
Result<void> Transaction::take_back() {
  return vnet::take_back(host_->state_->system);
}

Result<std::vector<Followed>> Transaction::follow(std::set<std::string>& start) {
  System& system = host_->state_->system;
  VNET_ASSIGN(auto snapshot, read_snapshot(system));
  std::erase_if(start, [&](const std::string& name) { return snapshot.is_running(name); });
  VNET_ASSIGN(auto plan, make_plan(snapshot, Follow{start}));
  std::vector<Followed> all;
  for (auto& refusal : plan.refusals)
    all.push_back({.about = refusal.about, .done = {}, .result = std::unexpected(std::move(refusal.error))});
  for (auto& outcome : carry_out_apart(system, plan.steps)) {
    Followed followed{.about = outcome.about, .done = outcome.texts, .result = std::move(outcome.result)};
    auto done = plan.done.find(outcome.about);
    if (done != plan.done.end()) followed.done = {done->second};
    all.push_back(std::move(followed));
  }
  if (auto told = tell_frr(system)) all.push_back(std::move(*told));
  return all;
}

}  // namespace vnet
