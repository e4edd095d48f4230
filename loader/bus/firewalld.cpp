// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/bus/firewalld.h"

#include <systemd/sd-bus.h>

#include "loader/bus/bus.h"

namespace vnet {
namespace {

constexpr const char* firewalld_name = "org.fedoraproject.FirewallD1";

constexpr BusMethod of_zones(const char* name) {
  return {firewalld_name, "/org/fedoraproject/FirewallD1", "org.fedoraproject.FirewallD1.zone", name};
}

Result<std::string> zone_of(Bus& bus, const std::string& interface) {
  VNET_ASSIGN(auto answer, bus.call(of_zones("getZoneOfInterface"), [&](sd_bus_message* message) {
    return sd_bus_message_append(message, "s", interface.c_str());
  }));
  const char* zone = nullptr;
  return sd_bus_message_read(answer.get(), "s", &zone) > 0 && zone ? zone : "";
}

Result<std::set<std::string>> zones_of(Bus& bus) {
  VNET_ASSIGN(auto answer, bus.call(of_zones("getZones"), [](sd_bus_message*) { return 0; }));
  std::set<std::string> zones;
  const char* zone = nullptr;
  if (sd_bus_message_enter_container(answer.get(), 'a', "s") > 0)
    while (sd_bus_message_read(answer.get(), "s", &zone) > 0) zones.insert(zone);
  return zones;
}

}  // namespace

std::optional<Firewalld> read_firewalld(const std::vector<std::string>& interfaces) {
  auto bus = Bus::open();
  if (!bus || !bus->serves(firewalld_name)) return std::nullopt;
  auto zones = zones_of(*bus);
  if (!zones) return std::nullopt;
  Firewalld firewalld{.zones = std::move(*zones), .zone_of = {}};
  for (const auto& interface : interfaces)
    if (auto zone = zone_of(*bus, interface); zone && !zone->empty()) firewalld.zone_of[interface] = *zone;
  return firewalld;
}

Result<void> set_zone(const std::string& interface, const std::string& zone) {
  auto bus = Bus::open();
  if (!bus || !bus->serves(firewalld_name)) return {};  // gone: what it knew has gone with it
  std::string before;
  if (zone.empty()) {
    VNET_ASSIGN(before, zone_of(*bus, interface));
    if (before.empty()) return {};
  }
  const char* method = zone.empty() ? "removeInterface" : "changeZoneOfInterface";
  VNET_TRY(bus->call(of_zones(method), [&](sd_bus_message* message) {
    return sd_bus_message_append(message, "ss", zone.empty() ? before.c_str() : zone.c_str(),
                                 interface.c_str());
  }));
  return {};
}

}  // namespace vnet
