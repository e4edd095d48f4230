// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>

#include "cli/render.h"
#include "cli/verbs.h"

namespace vnet::cli {
namespace {

std::optional<std::string> given(const std::string& text) { return text.empty() ? std::nullopt : std::optional(text); }

void add_stats(Commands& commands) {
  auto* sub = commands.add("stats", "Counters of networks, ports and uplinks, and why packets were dropped", "vnet-bpf stats --watch");
  auto network = std::make_shared<std::string>();
  auto port = std::make_shared<std::string>();
  auto seconds = std::make_shared<double>(1);
  sub->add_option("--network", *network, "Only this network's");
  sub->add_option("--port", *port, "Only this interface's");
  auto* watch = sub->add_option("--watch", *seconds, "A live screen, every SECONDS (default 1)")->expected(0, 1)->type_name("SECONDS")->check(CLI::Range(0.1, 3600.0));
  sub->callback([&commands, network, port, seconds, watch] {
    bool live = watch->count() > 0;
    commands.chosen = [=](Host& host, const Globals& globals) -> Result<void> {
      if (live) return watch_stats(host, given(*network), given(*port), *seconds > 0 ? *seconds : 1);
      VNET_ASSIGN(auto stats, host.stats(given(*network), given(*port)));
      fmt::print("{}", globals.json ? stats_json(stats).dump(2) + "\n" : stats_text(stats));
      return {};
    };
  });
}

void add_flows(Commands& commands) {
  auto* sub = commands.add("flows", "The sessions: who talks to whom, translated as what", "vnet-bpf flows --network default");
  auto network = std::make_shared<std::string>();
  sub->add_option("--network", *network, "Only this network's");
  sub->callback([&commands, network] {
    commands.chosen = [=](Host& host, const Globals& globals) -> Result<void> {
      VNET_ASSIGN(auto flows, host.flows(given(*network)));
      fmt::print("{}", globals.json ? flows_json(flows).dump(2) + "\n" : flows_text(flows));
      return {};
    };
  });
}

}  // namespace

void add_observe_verbs(Commands& commands) {
  add_stats(commands);
  add_flows(commands);
}

}  // namespace vnet::cli
