// SPDX-License-Identifier: GPL-2.0-or-later
// The verbs that only look.
#include <fmt/format.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <chrono>

#include "loader/apply/guards.h"
#include "loader/apply/read_snapshot.h"
#include "loader/apply/uplink_xdp.h"
#include "loader/apply/xdp_target.h"
#include "loader/base/files.h"
#include "loader/bpf/block_list.h"
#include "loader/bpf/shared_maps.h"
#include "loader/doctor/facts.h"
#include "loader/engine/host_state.h"
#include "loader/plan/port_rules.h"

namespace vnet {
namespace {

// Where a port is, in virsh's words; the same for every mode that has a gateway bridge.
PortInfo describe(const PortRecord& record, const Network& network) {
  PortInfo info{record};
  info.interface = record.interface;
  info.network = record.network;
  info.type = is_bridged(network) ? "bridge" : is_direct(network) ? "direct" : "network";
  info.source = is_direct(network) ? record.parent : network.bridge;
  info.bandwidth = bandwidth_of(record, network);
  info.vlan = vlan_of(record, network);
  info.any_mac = takes_any_mac(record, network);
  info.inbound = inbound_of(record, network);
  info.isolated = is_isolated(record, network);
  return info;
}

void learn_mac(PortInfo& info, Datapath* datapath, int ifindex) {
  if (info.mac || !datapath) return;
  datapath->maps().fdb.for_each([&](const vnet_fdb_key& key, const vnet_fdb_entry& entry) {
    if (entry.ifindex != static_cast<__u32>(ifindex) || info.mac) return;
    Mac mac;
    std::copy(std::begin(key.mac), std::end(key.mac), mac.bytes.begin());
    info.mac = mac;
  });
}

std::uint32_t session_count(Datapath* datapath, std::uint16_t slot) {
  if (!datapath) return 0;
  auto usage = datapath->maps().quota_usage.get(slot);
  return usage ? usage->sessions + usage->inbound : 0;
}

bool is_uplink_of(const UplinkRecord& uplink, const Network& network) {
  if (!has_gateway(network)) return uplink.network == network.name;
  return is_routed(network) && uplink.network.empty() &&
         (network.devices.empty() || network.devices.front() == uplink.interface);
}

// An interface may be both: what guests send is the uplink's to count then, what they get only the parent's.
void add_parent(std::vector<UplinkStats>& uplinks, const std::string& interface, Counters counters) {
  auto both = std::ranges::find(uplinks, interface, &UplinkStats::interface);
  if (both == uplinks.end()) {
    uplinks.push_back({interface, std::move(counters)});
    return;
  }
  counters.tx_packets = counters.tx_bytes = 0;
  both->counters += counters;
}

// Hosts outside do not find the way to a visible network by themselves: the routes, by each uplink's own
// address.
Result<std::vector<std::string>> routes_to(System& system, const NetworkDetails& details) {
  const Network& network = details.network;
  std::vector<std::string> routes;
  if (!has_gateway(network) || !is_visible(network)) return routes;
  std::vector<Prefix> subnets;
  for (const auto& ip : network.ips) subnets.push_back(ip.gateway.network());
  for (const auto& [address, refused] : details.added)
    if (refused.empty()) subnets.push_back(address.network());
  for (const auto& uplink : details.uplinks) {
    VNET_ASSIGN(auto link, system.netlink.find_link(uplink));
    if (!link) continue;
    VNET_ASSIGN(auto addresses, system.netlink.addresses(link->ifindex));
    for (const auto& subnet : subnets) {
      auto via = std::ranges::find_if(addresses, [&](const AddressInfo& info) {
        return info.scope == RT_SCOPE_UNIVERSE && info.prefix.address.family == subnet.address.family;
      });
      if (via != addresses.end())
        routes.push_back(fmt::format("{} via {}", subnet.text(), via->prefix.address.text()));
    }
  }
  return routes;
}

}  // namespace

Result<std::vector<NetworkSummary>> Host::list() {
  VNET_ASSIGN(auto definitions, read_definitions(state_->system.dirs));
  VNET_ASSIGN(auto active, active_networks(state_->system));
  VNET_ASSIGN(auto ports, state_->system.records.ports());
  VNET_ASSIGN(auto missing, missing_guards(state_->system));
  std::vector<NetworkSummary> all;
  auto add = [&](const Network& network) -> Result<void> {
    NetworkSummary summary{
        .name = network.name, .uuid = network.uuid, .gateway = network.bridge, .mode = network.mode};
    auto running = std::ranges::find(active, network.name, [](const auto& one) { return one.record.name; });
    if (running != active.end()) {
      VNET_ASSIGN(summary.active, is_running(state_->system, *running));
    }
    std::error_code error;
    summary.autostart =
        std::filesystem::is_symlink(state_->system.dirs.autostart() / (network.name + ".xml"), error);
    summary.ports = static_cast<unsigned>(
        std::ranges::count_if(ports, [&](const PortRecord& port) { return port.network == network.name; }));
    for (const auto& guard : missing)
      if (guard.network == network.name || (guard.network.empty() && summary.active && has_gateway(network)))
        summary.unguarded.push_back(guard.interface + " " + guard.what);
    all.push_back(std::move(summary));
    return {};
  };
  for (const auto& network : definitions) VNET_TRY(add(network));
  // Undefined while it ran: it goes on until it is stopped.
  for (const auto& [record, network] : active)
    if (std::ranges::none_of(definitions, [&](const Network& known) { return known.name == record.name; }))
      VNET_TRY(add(network));
  std::ranges::sort(all, {}, &NetworkSummary::name);
  return all;
}

Result<NetworkDetails> Host::show(const std::string& name) {
  NetworkDetails details;
  VNET_ASSIGN(auto all, list());
  auto summary = std::ranges::find(all, name, &NetworkSummary::name);
  if (summary == all.end()) return not_found(fmt::format("no network with matching name '{}'", name));
  details.summary = *summary;
  VNET_ASSIGN(auto active, active_network(state_->system, name));
  if (active) {
    details.network = active->network;
    details.added = active->record.added;
    details.dnsmasq_running = state_->system.dnsmasq(name).running();
    Datapath* datapath = state_->system.datapath ? &*state_->system.datapath : nullptr;
    details.sessions = session_count(datapath, active->record.slot);
    VNET_ASSIGN(auto uplinks, state_->system.records.uplinks());
    bool any_primary = std::ranges::any_of(uplinks, &UplinkRecord::primary);
    for (const auto& uplink : uplinks) {
      if (!is_uplink_of(uplink, active->network) || uplink.primary != any_primary) continue;
      details.uplinks.push_back(uplink.interface);
      if (!datapath) continue;
      auto xdp = describe_xdp(uplink, datapath->uplink_xdp(uplink.interface, uplink.ifindex));
      if (!xdp.empty()) details.xdp[uplink.interface] = xdp;
    }
    VNET_ASSIGN(details.xdp_ports, describe_targets(state_->system, active->network));
    if (is_direct(active->network)) details.uplinks = active->network.devices;
    VNET_ASSIGN(details.routes, routes_to(state_->system, details));
    if (is_bridged(active->network) && datapath)
      if (auto entry = datapath->maps().networks.get(active->record.slot))
        details.shortcut = (entry->flags & VNET_NETWORK_F_SHORTCUT) != 0;
  } else {
    VNET_ASSIGN(auto definition, state_->definition(name));
    if (definition) details.network = *definition;
  }
  return details;
}

Result<std::vector<Prefix>> Host::blocked() {
  VNET_ASSIGN(auto list, BlockList::open(state_->system.dirs.pins()));
  return list ? list->all() : std::vector<Prefix>{};
}

Result<std::vector<LeaseEntry>> Host::leases(const std::string& name) {
  VNET_ASSIGN(auto details, show(name));
  VNET_ASSIGN(auto text, read_file(state_->system.dirs.leases() / (name + ".leases")));
  if (!text) return std::vector<LeaseEntry>{};
  return parse_leases(*text, details.network);
}

Result<std::vector<PortInfo>> Host::ports(const std::optional<std::string>& network) {
  if (network) VNET_TRY(show(*network));
  VNET_ASSIGN(auto records, state_->system.records.ports());
  VNET_ASSIGN(auto missing, missing_guards(state_->system));
  Datapath* datapath = state_->system.datapath ? &*state_->system.datapath : nullptr;
  std::vector<PortInfo> all;
  std::map<std::string, std::vector<LeaseEntry>> leases_of;
  for (const auto& record : records) {
    if (network && record.network != *network) continue;
    VNET_ASSIGN(auto active, active_network(state_->system, record.network));
    if (!active) continue;
    PortInfo info = describe(record, active->network);
    learn_mac(info, datapath, record.ifindex);
    VNET_ASSIGN(auto link, state_->system.netlink.find_link(record.interface));
    info.vlan_held = info.vlan && !is_bridged(active->network);
    if (info.vlan && is_bridged(active->network)) {
      VNET_ASSIGN(auto bridge, state_->system.netlink.find_link(active->network.bridge));
      info.vlan_held = bridge && bridge->bridge && bridge->bridge->vlan_filtering;
    }
    info.up = record.plugged && link && link->ifindex == record.ifindex && link->up;
    if (info.ips.empty() && info.mac) {
      if (!leases_of.contains(record.network)) {
        VNET_ASSIGN(auto leases, this->leases(record.network));
        leases_of[record.network] = std::move(leases);
      }
      for (const auto& lease : leases_of[record.network])
        if (lease.mac == *info.mac) info.ips.push_back(lease.ip);
    }
    for (const auto& guard : missing)
      if (guard.interface == record.interface) info.unguarded.push_back(guard.what);
    all.push_back(std::move(info));
  }
  VNET_ASSIGN(auto strangers, unattached_members(state_->system));
  for (const auto& [link, of] : strangers)
    if (!network || of.name == *network) {
      PortInfo info;
      info.interface = link.name;
      info.network = of.name;
      info.type = "network";
      info.source = of.bridge;
      info.up = link.up;
      info.attached = false;
      all.push_back(std::move(info));
    }
  std::ranges::sort(all, {}, &PortInfo::interface);
  return all;
}

Result<Stats> Host::stats(const std::optional<std::string>& network, const std::optional<std::string>& port) {
  if (network) VNET_TRY(show(*network));
  Stats stats;
  stats.time = std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  VNET_ASSIGN(auto ports, state_->system.records.ports());
  if (port && std::ranges::none_of(ports, [&](const PortRecord& r) { return r.interface == *port; }))
    return not_found(fmt::format("{} is not attached to any network", *port));
  if (!state_->system.datapath) return stats;
  const SharedMaps& maps = state_->system.datapath->maps();
  auto drops = read_drops(maps);
  auto counters = [&](std::uint16_t slot) {
    Counters all = read_traffic(maps, slot);
    all.drops = drops[slot];  // of one walk: asking for each reason of a thousand ports takes long
    return all;
  };
  VNET_ASSIGN(auto networks, state_->system.records.networks());
  for (const auto& record : networks) {
    if (network && record.name != *network) continue;
    NetworkStats of_network{.network = record.name,
                            .sessions = session_count(&*state_->system.datapath, record.slot),
                            .counters = counters(record.slot)};
    std::uint32_t max_per_port = 0;
    if (auto entry = maps.networks.get(record.slot)) {
      of_network.max_sessions = entry->max_sessions;
      max_per_port = entry->max_sessions_per_port;
    }
    for (const auto& r : ports) {
      if (r.network != record.name) continue;
      PortStats of_port{.interface = r.interface,
                        .network = r.network,
                        .sessions = session_count(&*state_->system.datapath, r.slot),
                        .counters = counters(r.slot),
                        .max_sessions = max_per_port};
      ++of_network.ports;
      of_network.counters += of_port.counters;
      if (!port || r.interface == *port) stats.ports.push_back(std::move(of_port));
    }
    if (!port) stats.networks.push_back(std::move(of_network));
  }
  if (!network && !port) {
    VNET_ASSIGN(auto uplinks, state_->system.records.uplinks());
    for (const auto& uplink : uplinks) stats.uplinks.push_back({uplink.interface, counters(uplink.slot)});
    VNET_ASSIGN(auto parents, state_->system.records.parents());
    for (const auto& parent : parents) add_parent(stats.uplinks, parent.interface, counters(parent.slot));
  }
  std::ranges::sort(stats.ports, {}, &PortStats::interface);
  return stats;
}

Result<std::vector<SessionInfo>> Host::flows(const std::optional<std::string>& network) {
  if (network) VNET_TRY(show(*network));
  std::vector<SessionInfo> flows;
  if (!state_->system.datapath) return flows;
  VNET_ASSIGN(auto networks, state_->system.records.networks());
  std::map<std::uint16_t, std::string> names;
  for (const auto& record : networks) names[record.slot] = record.name;
  VNET_ASSIGN(auto ports, state_->system.records.ports());
  std::map<std::uint16_t, std::string> interfaces;
  for (const auto& record : ports) interfaces[record.slot] = record.interface;
  for (auto& flow : read_sessions(state_->system.datapath->maps())) {
    flow.network = names[flow.network_slot];
    flow.interface = interfaces[flow.port_slot];
    if (!network || flow.network == *network) flows.push_back(std::move(flow));
  }
  return flows;
}

Result<std::map<std::string, unsigned>> Host::pool_sizes() {
  std::map<std::string, unsigned> sizes;
  if (!state_->system.datapath) return sizes;
  VNET_ASSIGN(auto networks, state_->system.records.networks());
  auto size = [](vnet_port_span span) { return span.first > span.last ? 0U : span.last - span.first + 1U; };
  for (const auto& record : networks)
    if (auto entry = state_->system.datapath->maps().networks.get(record.slot))
      sizes[record.name] = size(entry->ports[0]) + size(entry->ports[1]);
  return sizes;
}

Result<Findings> Host::doctor() {
  VNET_ASSIGN(auto facts, gather_facts(state_->system));
  return examine(facts);
}

Result<Allocations> Host::allocations() {
  return state_->system.datapath ? read_allocations(state_->system.datapath->maps()) : Allocations{};
}

}  // namespace vnet
