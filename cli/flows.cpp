// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/flows.h"

#include <algorithm>
#include <set>
#include <tuple>

namespace vnet::cli {

bool FlowFilter::accepts(const SessionInfo& flow) const {
  auto at_any_end = [&](auto matches) {
    return matches(flow.inside) || matches(flow.outside) || matches(flow.translated);
  };
  if (interface && flow.interface != *interface) return false;
  if (protocol && flow.protocol != *protocol) return false;
  if (state && flow.state != *state) return false;
  if (port && (!(flow.protocol == "tcp" || flow.protocol == "udp") ||
               !at_any_end([&](const Endpoint& end) { return end.port == *port; })))
    return false;
  return !address || at_any_end([&](const Endpoint& end) { return address->contains(end.address); });
}

std::vector<SessionInfo> choose_flows(std::vector<SessionInfo> flows, const FlowFilter& filter) {
  std::erase_if(flows, [&](const SessionInfo& flow) { return !filter.accepts(flow); });
  std::ranges::stable_sort(flows, [](const SessionInfo& a, const SessionInfo& b) {
    return std::tuple(-a.bits_per_second, a.age_seconds) < std::tuple(-b.bits_per_second, b.age_seconds);
  });
  return flows;
}

std::vector<PoolUse> pool_use(const std::vector<SessionInfo>& flows,
                              const std::map<std::string, unsigned>& sizes) {
  constexpr std::size_t echo_ids = 65536;  // not limited to the port range
  struct Tally {
    std::size_t sessions = 0;
    std::set<std::uint16_t> ports;
    std::map<std::pair<Address, std::uint16_t>, std::size_t> destinations;
  };
  std::map<std::tuple<std::string, Address, std::string>, Tally> tallies;
  for (const auto& flow : flows) {
    bool translated = flow.translated.address != flow.inside.address;
    if (!flow.is_flow() || !translated || flow.inbound || !flow.translated.port)
      continue;  // no port was chosen for it
    auto& tally = tallies[{flow.network, flow.translated.address, flow.protocol}];
    ++tally.sessions;
    tally.ports.insert(flow.translated.port);
    ++tally.destinations[{flow.outside.address, flow.outside.port}];
  }
  std::vector<PoolUse> all;
  for (const auto& [key, tally] : tallies) {
    const auto& [network, address, protocol] = key;
    auto size = sizes.find(network);
    auto busiest =
        std::ranges::max_element(tally.destinations, {}, [](const auto& entry) { return entry.second; });
    all.push_back({.network = network,
                   .protocol = protocol,
                   .address = address,
                   .sessions = tally.sessions,
                   .ports_in_use = tally.ports.size(),
                   .ports = protocol.starts_with("icmp") ? echo_ids
                            : size == sizes.end()        ? 0
                                                         : size->second,
                   .busiest = {busiest->first.first, busiest->first.second},
                   .busiest_sessions = busiest->second});
  }
  return all;
}

}  // namespace vnet::cli
