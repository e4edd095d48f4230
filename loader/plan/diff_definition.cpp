// SPDX-License-Identifier: GPL-2.0-or-later
// A change that was interrupted is a network of which parts of several definitions may stand: what any of
// them has, and the wanted one has not, goes; what one of them has not may have to be made.
#include "loader/plan/diff_definition.h"

#include <algorithm>

#include "loader/config/network_xml.h"
#include "loader/plan/live.h"
#include "loader/plan/network_rules.h"
#include "loader/plan/port_rules.h"
#include "loader/plan/subnets.h"
#include "loader/services/dnsmasq_config.h"

namespace vnet {
namespace {

constexpr unsigned kernels_mtu = 1500;

bool has(const auto& all, const auto& one) {
  return std::ranges::find(all, one) != std::ranges::end(all);
}

bool fills_other_entry(const Network& before, const Network& after) {
  const Settings &a = before.settings, &b = after.settings;
  return a.max_sessions != b.max_sessions || a.max_sessions_per_port != b.max_sessions_per_port ||
         a.new_flows != b.new_flows || a.link_protocols != b.link_protocols || before.nat != after.nat ||
         before.vlan != after.vlan || before.devices != after.devices ||
         program_flags(before) != program_flags(after) || entry_flags(before) != entry_flags(after) ||
         a.timeouts != b.timeouts;
}

bool has_other_tree(const Network& before, const Network& after) {
  return before.stp != after.stp || before.delay_seconds != after.delay_seconds;
}

bool has_other_mtu(const Network& before, const Network& after) {
  return before.mtu != after.mtu;
}

bool has_other_conf(const Network& before, const Network& after) {
  return dnsmasq_files(before, {}, "").conf != dnsmasq_files(after, {}, "").conf;
}

bool has_other_hosts(const Network& before, const Network& after) {
  auto a = dnsmasq_files(before, {}, ""), b = dnsmasq_files(after, {}, "");
  return a.hostsfile != b.hostsfile || a.addnhosts != b.addnhosts;
}

const std::vector<StaticRoute>& routes(const Network& network) {
  return network.routes;
}
const std::vector<PortForward>& port_forwards(const Network& network) {
  return network.settings.port_forwards;
}

}  // namespace

DefinitionDiff::DefinitionDiff(const Snapshot& snapshot, const Resources& now, const Wanted& wanted,
                               const std::string& name)
    : snapshot_(snapshot),
      now_(now),
      wanted_(wanted),
      record_(snapshot.network(name)->record),
      standing_(wanted.changed.at(name)),
      network_(wanted.networks.at(name)),
      previous_(standing_.back()) {}

template <typename Values>
auto DefinitionDiff::gone(Values values) const {
  std::remove_cvref_t<decltype(values(network_))> all;
  for (const auto& before : standing_)
    for (const auto& one : values(before))
      if (!has(values(network_), one) && !has(all, one)) all.push_back(one);
  return all;
}

template <typename Values>
auto DefinitionDiff::come(Values values) const {
  std::remove_cvref_t<decltype(values(network_))> all;
  for (const auto& one : values(network_))
    if (std::ranges::any_of(standing_, [&](const Network& before) { return !has(values(before), one); }))
      all.push_back(one);
  return all;
}

bool DefinitionDiff::differs(bool (*differs)(const Network&, const Network&)) const {
  return std::ranges::any_of(standing_, [&](const Network& before) { return differs(before, network_); });
}

std::vector<Change> DefinitionDiff::close() const {
  std::vector<Change> changes;
  NetworkRecord record = record_;
  record.xml = wanted_.resources.networks.at(record.name).xml;
  record.before.clear();
  for (const auto& before : standing_) record.before.push_back(format_network(before));
  if (record.xml != record_.xml || record.before != record_.before)
    changes.push_back(ChangeDefinition{record, record_, differences(previous_, network_)});
  auto slot = record.slot;
  for (const auto& forward : gone(port_forwards))
    changes.push_back(RemovePortForward{forward, network_.name, slot});
  if (differs(needs_other_programs)) changes.push_back(LoadProgramsAnew{network_, previous_, slot});
  if (differs(fills_other_entry)) changes.push_back(WriteNetworkEntry{network_, previous_, slot});
  if (!has_gateway(network_)) return changes;
  for (const auto& route : gone(routes)) changes.push_back(RemoveRoute{network_, route});
  for (const auto& address : gone(gateways_of))
    changes.push_back(RemoveGatewayAddress{network_, address, slot});
  for (const auto& subnet : gone(prefixes_of)) changes.push_back(LeaveSubnet{subnet, network_.name, slot});
  if (differs(has_other_tree))
    changes.push_back(SetSpanningTree{network_.bridge, network_.stp, previous_.stp, network_.delay_seconds,
                                      previous_.delay_seconds});
  if (differs(has_other_mtu))
    changes.push_back(SetGatewayMtu{network_.bridge, network_.mtu.value_or(kernels_mtu),
                                    previous_.mtu.value_or(kernels_mtu)});
  return changes;
}

std::vector<Change> DefinitionDiff::open() const {
  std::vector<Change> changes;
  auto slot = record_.slot;
  if (has_gateway(network_)) {
    for (const auto& subnet : come(prefixes_of)) changes.push_back(EnterSubnet{subnet, network_.name, slot});
    for (const auto& address : come(gateways_of))
      changes.push_back(AddGatewayAddress{network_, address, slot});
    for (const auto& route : come(routes)) changes.push_back(AddRoute{network_, route});
    for (const auto& forward : come(port_forwards))
      changes.push_back(AddPortForward{forward, network_.name, slot});
  }
  const auto& now = now_.networks.at(network_.name);
  if (!now.dnsmasq) return changes;  // started with the others, if it is wanted
  if (!wanted_.resources.networks.at(network_.name).dnsmasq)
    changes.push_back(StopDnsmasq{network_.name, network_.bridge});
  else if (differs(has_other_conf))
    changes.push_back(RestartDnsmasq{network_, previous_});
  else if (differs(has_other_hosts))
    changes.push_back(ReloadDnsmasq{network_, previous_});
  return changes;
}

void DefinitionDiff::refresh_ports(std::vector<Change>& changes) const {
  for (const auto& [interface, port] : wanted_.resources.ports) {
    const LinkInfo* link = snapshot_.link(interface);
    if (port.record.network != network_.name || !link || link->ifindex != port.record.ifindex) continue;
    if (unsigned mtu = network_.mtu.value_or(kernels_mtu);
        has_gateway(network_) && differs(has_other_mtu) && link->mtu != mtu)
      changes.push_back(SetPortMtu{port.record, mtu, link->mtu});
    if (std::ranges::any_of(
            standing_, [&](const Network& before) { return !same_rules(port.record, before, network_); }))
      changes.push_back(RefreshPort{port.record, network_, previous_});
  }
}

std::vector<Change> DefinitionDiff::finish() const {
  std::vector<Change> changes;
  refresh_ports(changes);
  if (differs(translates_otherwise)) changes.push_back(EndSessions{network_, record_.slot});
  NetworkRecord record = record_;
  record.xml = wanted_.resources.networks.at(record.name).xml;
  record.added = wanted_.resources.networks.at(record.name).added;
  record.before.clear();
  changes.push_back(CompleteNetwork{std::move(record)});
  return changes;
}

}  // namespace vnet
