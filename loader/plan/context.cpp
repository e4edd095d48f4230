// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/plan/context.h"

#include <fmt/format.h>

#include <algorithm>

#include "loader/bpf/shared_maps.h"
#include "loader/config/network_xml.h"

namespace vnet {

Result<Datapath*> Context::need_datapath() {
  if (!datapath) {
    VNET_TRY(dirs.ensure());
    VNET_TRY(dirs.ensure_bpffs());
    VNET_ASSIGN(datapath, Datapath::open_or_create(dirs.pins()));
  }
  return &*datapath;
}

Result<std::uint16_t> Context::take_slot() {
  if (!slots) {
    VNET_ASSIGN(slots, records.taken_slots());
  }
  for (std::uint16_t slot = 1; slot < VNET_SLOTS; ++slot)
    if (slots->insert(slot).second) return slot;
  return failed(fmt::format("no room for more than {} ports, networks and uplinks together", VNET_SLOTS - 1));
}

Dnsmasq Context::dnsmasq(const std::string& network) const {
  auto folder = dirs.runtime() / "dnsmasq";
  return {folder / (network + ".conf"), dirs.leases() / (network + ".leases"), folder / (network + ".pid")};
}

Result<std::optional<ActiveNetwork>> active_network(Context& context, const std::string& name) {
  VNET_ASSIGN(auto record, context.records.network(name));
  if (!record) return std::nullopt;
  VNET_ASSIGN(auto network, parse_network(record->xml, "the running definition of " + name));
  return ActiveNetwork{std::move(*record), std::move(network)};
}

Result<ActiveNetwork> need_active(Context& context, const std::string& name) {
  VNET_ASSIGN(auto active, active_network(context, name));
  if (active && active->record.complete) return std::move(*active);
  return not_found(fmt::format("network {0} is not active; start it first (vnet-bpf start {0})", name));
}

Result<std::vector<ActiveNetwork>> active_networks(Context& context) {
  VNET_ASSIGN(auto records, context.records.networks());
  std::vector<ActiveNetwork> all;
  for (auto& record : records) {
    VNET_ASSIGN(auto network, parse_network(record.xml, "the running definition of " + record.name));
    all.push_back({std::move(record), std::move(network)});
  }
  std::ranges::sort(all, {}, [](const ActiveNetwork& a) { return a.network.name; });
  return all;
}

void forget_sessions(SharedMaps& maps, std::uint16_t slot) {
  std::vector<std::pair<vnet_flow, vnet_session>> gone;
  maps.sessions.for_each([&](const vnet_flow& key, const vnet_session& session) {
    if (session.network == slot || session.port == slot) gone.emplace_back(key, session);
  });
  auto give_back = [&](std::uint16_t of, const vnet_session& session) {
    auto usage = maps.usage.get(of);
    if (!usage) return;
    auto& count = session.flags & VNET_SESSION_F_INBOUND ? usage->inbound : usage->sessions;
    if (!count) return;
    --count;
    (void)maps.usage.set(of, *usage);
  };
  for (const auto& [key, session] : gone) {
    vnet_flow answer{};
    answer.src = key.dst;
    answer.dst = session.nat;
    answer.sport_be = key.dport_be;
    answer.dport_be = session.nat_port_be;
    answer.proto = key.proto;
    (void)maps.sessions.erase(key);
    (void)maps.reverse.erase(answer);
    give_back(session.network, session);
    if (session.port) give_back(session.port, session);
  }
}

Result<void> clear_slot(SharedMaps& maps, std::uint16_t slot) {
  VNET_TRY(maps.traffic.clear(slot));
  VNET_TRY(maps.usage.set(slot, vnet_usage{}));
  for (const auto& key : maps.drops.keys())
    if (key.slot == slot) VNET_TRY(maps.drops.erase(key));
  return {};
}

std::set<std::string> gateway_names(const std::vector<Network>& networks) {
  std::set<std::string> names;
  for (const auto& network : networks)
    if (network.mode != Mode::Bridge) names.insert(network.bridge);  // the host's own may be an uplink
  return names;
}

}  // namespace vnet
