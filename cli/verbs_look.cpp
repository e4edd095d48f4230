// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>

#include <algorithm>

#include "cli/render.h"
#include "cli/verbs.h"
#include "loader/config/network_xml.h"

namespace vnet::cli {
namespace {

template <typename Facts>
Result<void> show_facts(const Options& options, Result<Facts> facts, std::string (*text)(const Facts&),
                        Json (*json)(const Facts&)) {
  if (!facts) return std::unexpected(std::move(facts).error());
  print(options.json ? document(json(*facts)) : text(*facts));
  return {};
}

Result<std::vector<NetworkSummary>> networks(Host& host, bool all) {
  auto list = host.list();
  if (list && !all) std::erase_if(*list, [](const NetworkSummary& network) { return !network.active; });
  return list;
}

Result<Usage> usage(Host& host, const std::optional<std::string>& network) {
  Usage all;
  VNET_ASSIGN(all.stats, host.stats(network, std::nullopt));
  VNET_ASSIGN(auto flows, host.flows(network));
  VNET_ASSIGN(auto sizes, host.pool_sizes());
  VNET_ASSIGN(all.allocations, host.allocations());
  all.pools = pool_use(flows, sizes);
  return all;
}

}  // namespace

Result<void> look(Host& host, const Options& options) {
  if (options.verb == "list") return show_facts(options, networks(host, options.all), list_text, list_json);
  if (options.verb == "show" && options.xml) {
    VNET_ASSIGN(auto details, host.show(options.network));
    print(format_network(details.network));
    return {};
  }
  if (options.verb == "show") return show_facts(options, host.show(options.network), show_text, show_json);
  if (options.verb == "doctor") {
    VNET_ASSIGN(auto facts, host.doctor_facts());
    auto findings = examine(facts);
    print(options.json ? document(doctor_json(findings)) : doctor_text(findings));
    auto problems = std::ranges::count(findings, Severity::Problem, &Finding::severity);
    if (problems) return failed(fmt::format("{} problem{} on this host", problems, problems == 1 ? "" : "s"));
    return {};
  }
  if (options.verb == "leases")
    return show_facts(options, host.leases(options.network), leases_text, leases_json);
  if (options.verb == "ports")
    return show_facts(options, host.ports(options.only_network), ports_text, ports_json);
  if (options.verb == "flows" && options.usage)
    return show_facts(options, usage(host, options.only_network), usage_text, usage_json);
  if (options.verb == "flows") {
    VNET_ASSIGN(auto flows, host.flows(options.only_network));
    return show_facts<std::vector<SessionInfo>>(options, choose_flows(std::move(flows), options.flow_filter),
                                                flows_text, flows_json);
  }
  if (options.verb == "block") return show_facts(options, host.blocked(), blocked_text, blocked_json);
  if (options.verb == "explain")
    return show_facts(options, host.explain(options.question), explain_text, explain_json);
  return show_facts(options, host.stats(options.only_network, options.only_port), stats_text, stats_json);
}

}  // namespace vnet::cli
