// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>

#include <algorithm>

#include "cli/render.h"
#include "cli/verbs.h"
#include "loader/config/network_xml.h"
#include "loader/doctor/doctor.h"

namespace vnet::cli {
namespace {

template <typename Facts>
Result<void> show_facts(const Options& options, Result<Facts> facts) {
  if (!facts) return std::unexpected(std::move(facts).error());
  print(render(*facts, options.json));
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
  if (options.verb == "list") return show_facts(options, networks(host, options.all));
  if (options.verb == "show" && options.xml) {
    VNET_ASSIGN(auto details, host.show(options.network));
    print(format_network(details.network));
    return {};
  }
  if (options.verb == "show") return show_facts(options, host.show(options.network));
  if (options.verb == "doctor") {
    VNET_ASSIGN(auto facts, host.doctor_facts());
    auto findings = examine(facts);
    print(render(findings, options.json));
    auto problems = std::ranges::count(findings, Severity::Problem, &Finding::severity);
    if (problems) return failed(fmt::format("{} problem{} on this host", problems, problems == 1 ? "" : "s"));
    return {};
  }
  if (options.verb == "leases") return show_facts(options, host.leases(options.network));
  if (options.verb == "ports") return show_facts(options, host.ports(options.only_network));
  if (options.verb == "flows" && options.usage) return show_facts(options, usage(host, options.only_network));
  if (options.verb == "flows") {
    VNET_ASSIGN(auto flows, host.flows(options.only_network));
    return show_facts<std::vector<SessionInfo>>(options, choose_flows(std::move(flows), options.flow_filter));
  }
  if (options.verb == "block") return show_facts(options, host.blocked());
  if (options.verb == "explain") return show_facts(options, host.explain(options.question));
  return show_facts(options, host.stats(options.only_network, options.only_port));
}

}  // namespace vnet::cli
