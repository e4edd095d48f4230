// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/verbs/upgrade.h"

#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <thread>

#include "cli/render.h"
#include "cli/stop.h"
#include "cli/text.h"
#include "maps/abi.h"

namespace vnet::cli::verbs {
namespace {

// JSON: {"layout","layout_before" (of the maps; 0: nothing runs),"done": bool (false: --dry-run),"steps":[]}
void report(const Common& common, unsigned before, unsigned now, const Plan& plan) {
  Json steps = Json::array();
  for (const auto& step : plan.steps) steps.push_back(text(step.change));
  if (common.json) {
    print(document(
        Json{{"layout", now}, {"layout_before", before}, {"done", !common.dry_run}, {"steps", steps}}));
    return;
  }
  if (common.dry_run)
    for (const auto& step : plan.steps) print(printable(text(step.change)) + "\n");
  else if (auto done = plan.done.find(""); done != plan.done.end())
    print(printable(done->second) + "\n");
  for (const auto& note : plan.notes) print_note(note);
}

// The other version's first command puts its programs in the places of ours.
Result<void> hand_over(const Common& common, Host& host, unsigned layout) {
  stop_on_signals();
  {
    VNET_ASSIGN(auto transaction, host.begin(common.verb));
    VNET_TRY(transaction.hand_over(layout));
  }
  print(fmt::format(
      "The maps are in layout {} now, and nothing is interrupted. Start the other version: `vnet-bpf "
      "run`, or a command of it that changes something. Waiting for it; ^C takes it back.\n",
      layout));
  std::fflush(stdout);
  while (!stopping()) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    auto transaction = host.begin(common.verb);
    if (!transaction) continue;  // the other version works
    VNET_ASSIGN(bool taken, transaction->finish_hand_over());
    if (!taken) continue;
    print("The other version has taken over\n");
    return {};
  }
  VNET_ASSIGN(auto transaction, host.begin(common.verb));
  VNET_TRY(transaction.take_back());
  return failed("no other version has come: taken back");
}

Result<void> upgrade(const Common& common, UpgradeOptions& options) {
  VNET_ASSIGN(auto host, Host::open(common.state_dir, common.verbose));
  if (options.to_abi) return hand_over(common, host, static_cast<unsigned>(options.to_abi));
  unsigned before = host.layout(), after = before ? VNET_ABI_VERSION : 0;
  if (common.dry_run) {
    VNET_ASSIGN(auto plan, host.plan(Upgrade{}));
    report(common, before, after, plan);
    return {};
  }
  VNET_ASSIGN(auto transaction, host.begin(common.verb));
  VNET_ASSIGN(auto plan, transaction.run(Upgrade{}));
  report(common, before, after, plan);
  return {};
}

}  // namespace

std::vector<Option> UpgradeOptions::list() {
  return {{"--to-abi N", "Hand over to an older version, whose maps have this layout", into(to_abi, 1000)}};
}

Result<void> UpgradeOptions::check(const Common& common) const {
  if (to_abi && (common.dry_run || common.json))
    return invalid("--to-abi takes neither --dry-run nor --json");
  return {};
}

Action upgrade_action() {
  return [] {
    Call call = make_call<UpgradeOptions>([](const UpgradeOptions&) { return true; }, upgrade);
    call.reports = true;
    return call;
  };
}

}  // namespace vnet::cli::verbs
