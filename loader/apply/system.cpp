// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/apply/system.h"

#include <algorithm>

#include "loader/apply/port_guard.h"
#include "loader/apply/port_limits.h"
#include "loader/apply/sessions.h"
#include "loader/config/guest_port_xml.h"
#include "loader/config/network_xml.h"

namespace vnet {
Result<Datapath*> System::need_datapath() {
  if (!datapath) {
    VNET_TRY(dirs.ensure());
    VNET_TRY(dirs.ensure_bpffs());
    VNET_ASSIGN(datapath, Datapath::open_or_create(dirs.pins()));
  }
  return &*datapath;
}

Dnsmasq System::dnsmasq(const std::string& network) const {
  auto folder = dirs.runtime() / "dnsmasq";
  return {folder / (network + ".conf"), dirs.leases() / (network + ".leases"), folder / (network + ".pid")};
}

Result<std::optional<ActiveNetwork>> active_network(System& system, const std::string& name) {
  VNET_ASSIGN(auto record, system.records.network(name));
  if (!record) return std::nullopt;
  VNET_ASSIGN(auto network, parse_network(record->xml, "the running definition of " + name));
  return ActiveNetwork{std::move(*record), std::move(network)};
}

Result<std::vector<ActiveNetwork>> active_networks(System& system) {
  VNET_ASSIGN(auto records, system.records.networks());
  std::vector<ActiveNetwork> all;
  for (auto& record : records) {
    VNET_ASSIGN(auto network, parse_network(record.xml, "the running definition of " + record.name));
    all.push_back({std::move(record), std::move(network)});
  }
  std::ranges::sort(all, {}, [](const ActiveNetwork& a) { return a.network.name; });
  return all;
}

Result<std::vector<GuestPort>> guest_ports(System& system) {
  VNET_ASSIGN(auto all, system.records.guest_ports());
  std::erase_if(all, [](GuestPort& port) {
    auto parsed = parse_guest_port(port.xml);
    if (parsed) port.request = std::move(parsed->request);
    return !parsed;
  });
  return all;
}

Result<bool> is_running(System& system, const ActiveNetwork& active) {
  if (!active.record.complete) return false;
  if (is_direct(active.network)) {
    auto entry = system.datapath ? system.datapath->maps().networks.get(active.record.slot) : std::nullopt;
    return entry && entry->max_sessions;
  }
  VNET_ASSIGN(auto bridge, system.netlink.find_link(active.network.bridge));
  return bridge.has_value();
}

Result<void> clear_slot(SharedMaps& maps, std::uint16_t slot) {
  VNET_TRY(maps.traffic.clear(slot));
  VNET_TRY(forget_limits(maps, slot));
  for (const auto& key : maps.port_vlans.keys())
    if (key.slot == slot) VNET_TRY(maps.port_vlans.erase(key));
  VNET_TRY(maps.quota_usage.set(slot, vnet_quota_usage{}));
  for (const auto& key : maps.drops.keys())
    if (key.slot == slot) VNET_TRY(maps.drops.erase(key));
  return {};
}

Result<void> forget_network(SharedMaps& maps, std::uint16_t slot) {
  for (const auto& key : maps.fdb.keys())
    if (key.network == slot) VNET_TRY(maps.fdb.erase(key));
  VNET_TRY(forget_sessions(maps, slot));
  VNET_TRY(forget_addresses(maps, slot));
  VNET_TRY(clear_slot(maps, slot));
  return maps.networks.set(slot, vnet_network{});
}

}  // namespace vnet
