// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/bus/resolved.h"

#include <sys/socket.h>
#include <systemd/sd-bus.h>

#include <cstring>

#include "loader/bus/bus.h"

namespace vnet {
namespace {

constexpr const char* resolved_name = "org.freedesktop.resolve1";

constexpr BusMethod of_manager(const char* name) {
  return {resolved_name, "/org/freedesktop/resolve1", "org.freedesktop.resolve1.Manager", name};
}

Result<std::string> path_of(Bus& bus, int ifindex) {
  VNET_ASSIGN(auto answer, bus.call(of_manager("GetLink"), [&](sd_bus_message* message) {
    return sd_bus_message_append(message, "i", ifindex);
  }));
  const char* path = nullptr;
  return sd_bus_message_read(answer.get(), "o", &path) > 0 && path ? path : "";
}

Result<std::vector<Address>> servers_of(Bus& bus, const std::string& path) {
  VNET_ASSIGN(auto value,
              bus.property(resolved_name, path, "org.freedesktop.resolve1.Link", "DNS", "a(iay)"));
  std::vector<Address> servers;
  sd_bus_message* message = value.get();
  if (sd_bus_message_enter_container(message, 'a', "(iay)") <= 0) return servers;
  while (sd_bus_message_enter_container(message, 'r', "iay") > 0) {
    int family = 0;
    const void* bytes = nullptr;
    std::size_t size = 0;
    if (sd_bus_message_read(message, "i", &family) > 0 &&
        sd_bus_message_read_array(message, 'y', &bytes, &size) > 0) {
      Address address{family == AF_INET ? Family::V4 : Family::V6, {}};
      if (size == address.bits() / 8) {
        std::memcpy(address.bytes.data(), bytes, size);
        servers.push_back(address);
      }
    }
    sd_bus_message_exit_container(message);
  }
  return servers;
}

Result<std::string> domain_of(Bus& bus, const std::string& path) {
  VNET_ASSIGN(auto value,
              bus.property(resolved_name, path, "org.freedesktop.resolve1.Link", "Domains", "a(sb)"));
  std::string domain;
  const char* name = nullptr;
  int routing_only = 0;
  if (sd_bus_message_enter_container(value.get(), 'a', "(sb)") > 0)
    while (sd_bus_message_read(value.get(), "(sb)", &name, &routing_only) > 0)
      if (routing_only && domain.empty()) domain = name;
  return domain;
}

int append_servers(sd_bus_message* message, int ifindex, const std::vector<Address>& servers) {
  int error = sd_bus_message_append(message, "i", ifindex);
  if (error >= 0) error = sd_bus_message_open_container(message, 'a', "(iay)");
  for (const auto& server : servers) {
    if (error >= 0) error = sd_bus_message_open_container(message, 'r', "iay");
    if (error >= 0)
      error = sd_bus_message_append(message, "i", server.family == Family::V4 ? AF_INET : AF_INET6);
    if (error >= 0) error = sd_bus_message_append_array(message, 'y', server.bytes.data(), server.bits() / 8);
    if (error >= 0) error = sd_bus_message_close_container(message);
  }
  return error < 0 ? error : sd_bus_message_close_container(message);
}

}  // namespace

std::optional<std::map<std::string, LinkNames>> read_link_names(const std::map<std::string, int>& ifindexes) {
  auto bus = Bus::open();
  if (!bus || !bus->serves(resolved_name)) return std::nullopt;
  std::map<std::string, LinkNames> all;
  for (const auto& [interface, ifindex] : ifindexes) {
    auto path = path_of(*bus, ifindex);
    if (!path) continue;
    auto servers = servers_of(*bus, *path);
    auto domain = domain_of(*bus, *path);
    if (servers && domain && !servers->empty()) all[interface] = {std::move(*servers), std::move(*domain)};
  }
  return all;
}

Result<void> set_link_names(int ifindex, const LinkNames& names) {
  auto bus = Bus::open();
  if (!bus || !bus->serves(resolved_name)) return {};  // gone meanwhile
  if (names.servers.empty()) {
    VNET_TRY(bus->call(of_manager("RevertLink"), [&](sd_bus_message* message) {
      return sd_bus_message_append(message, "i", ifindex);
    }));
    return {};
  }
  VNET_TRY(bus->call(of_manager("SetLinkDNS"), [&](sd_bus_message* message) {
    return append_servers(message, ifindex, names.servers);
  }));
  VNET_TRY(bus->call(of_manager("SetLinkDomains"), [&](sd_bus_message* message) {
    return sd_bus_message_append(message, "ia(sb)", ifindex, 1, names.domain.c_str(), 1);
  }));
  // Nothing else is asked there: dnsmasq would ask the host in turn.
  VNET_TRY(bus->call(of_manager("SetLinkDefaultRoute"), [&](sd_bus_message* message) {
    return sd_bus_message_append(message, "ib", ifindex, 0);
  }));
  return {};
}

}  // namespace vnet
