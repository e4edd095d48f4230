// SPDX-License-Identifier: GPL-2.0-or-later
// Who has which address and MAC, as far as it is known without asking anybody.
#include <fmt/format.h>

#include <algorithm>

#include "loader/base/files.h"
#include "loader/bpf/map_address.h"
#include "loader/explain/walk.h"
#include "loader/services/leases.h"

namespace vnet {

// The fixed one, else the one that is learned.
std::optional<Mac> Walk::port_mac(const PortRecord& port) const {
  std::optional<Mac> mac = port.mac;
  system_->datapath->maps().fdb.for_each([&](const vnet_fdb_key& key, const vnet_fdb_entry& entry) {
    if (mac || entry.ifindex != static_cast<__u32>(port.ifindex)) return;
    mac.emplace();
    std::copy(std::begin(key.mac), std::end(key.mac), mac->bytes.begin());
  });
  return mac;
}

Result<std::optional<Mac>> Walk::neighbour_mac(int ifindex, const Address& address) {
  VNET_ASSIGN(auto neighbours, system_->netlink.neighbours(ifindex));
  for (const auto& each : neighbours)
    if (each.address == address) return each.mac;
  return std::nullopt;
}

// As ARP or neighbour discovery would find it, without asking: known neighbours, then whose address it is
// according to the datapath, then leases.
Result<std::optional<Mac>> Walk::mac_of(const ActiveNetwork& network, const Address& address) {
  if (!network.network.bridge.empty()) {
    VNET_ASSIGN(auto link, system_->netlink.link(network.network.bridge));
    VNET_ASSIGN(auto mac, neighbour_mac(link.ifindex, address));
    if (mac) return mac;
  }
  auto known =
      system_->datapath->maps().addresses.get({.addr = from_address(address), .slot = network.record.slot});
  if (known)
    if (const PortRecord* port = port_of(known->port)) return port_mac(*port);
  VNET_ASSIGN(auto text, read_file(system_->dirs.leases() / (network.record.name + ".leases")));
  if (text)
    for (const auto& lease : parse_leases(*text, network.network))
      if (lease.ip == address && lease.mac) return *lease.mac;
  return std::nullopt;
}

bool Walk::is_group(const Network& network, const Address& to) {
  return to.is_multicast() || to == *Address::parse("255.255.255.255") ||
         std::ranges::any_of(network.ips, [&](const IpConfig& ip) {
           return to.family == Family::V4 && ip.gateway.address.family == Family::V4 &&
                  ip.gateway.broadcast() == to;
         });
}

// The MAC that a guest sends to. Its own subnets it asks for directly, the rest goes to the gateway; where
// that is not ours (bridged, direct) both are taken to be as the host has them on that link.
Result<std::optional<Mac>> Walk::mac_towards(const ActiveNetwork& network, const PortRecord& port,
                                             const Address& to) {
  const Network& config = network.network;
  bool own = false, gateway = false;
  for (const IpConfig& ip : config.ips) {
    own |= ip.gateway.contains(to);
    gateway |= ip.gateway.address == to;
  }
  if (is_group(config, to)) return group_mac(to);
  if (has_gateway(config)) {
    if (own && !gateway) return mac_of(network, to);
    return config.mac;
  }
  VNET_ASSIGN(auto mac, mac_of(network, to));
  VNET_ASSIGN(auto link, system_->netlink.link(port.parent.empty() ? config.bridge : port.parent));
  if (mac) return mac;
  VNET_ASSIGN(mac, neighbour_mac(link.ifindex, to));
  if (mac) return mac;
  VNET_ASSIGN(auto addresses, system_->netlink.addresses(link.ifindex));
  bool on_link = std::ranges::any_of(addresses, [&](const auto& each) { return each.prefix.contains(to); });
  VNET_ASSIGN(auto route, system_->netlink.route_of({{to.family, {}}, to, 0}));
  if (!route.error && route.type == RTN_BROADCAST) return group_mac(to);
  if (on_link && !route.error && route.type == RTN_LOCAL) return link.mac;
  if (!on_link) {
    VNET_ASSIGN(auto router, router_of(link.ifindex, to.family));
    return router ? neighbour_mac(link.ifindex, *router) : std::optional<Mac>();
  }
  return std::nullopt;
}

// Where that interface's default route leads.
Result<std::optional<Address>> Walk::router_of(int ifindex, Family family) {
  VNET_ASSIGN(auto routes, system_->netlink.routes());
  for (const auto& route : routes)
    if (!route.destination && route.oif == ifindex && route.family == family && route.gateway &&
        route.gateway->family == family)
      return route.gateway;
  return std::nullopt;
}

Result<Address> Walk::own_address(const Question& question, const ActiveNetwork& network,
                                  const PortRecord& port, const std::optional<Mac>& mac) {
  if (question.from) return *question.from;
  Family family = question.to.family;
  for (const auto& ip : port.ips)
    if (ip.family == family) return ip;
  std::optional<Address> noted;
  system_->datapath->maps().addresses.for_each([&](const vnet_address_key& key, const vnet_address& entry) {
    Address address = to_address(key.addr);
    if (key.slot == port.slot && entry.port == port.slot && address.family == family &&
        !address.is_link_local())
      noted = address;
  });
  if (noted) return *noted;
  VNET_ASSIGN(auto text, read_file(system_->dirs.leases() / (network.record.name + ".leases")));
  if (text && mac)
    for (const auto& lease : parse_leases(*text, network.network))
      if (lease.mac == mac && lease.ip.family == family) return lease.ip;
  VNET_ASSIGN(auto link, system_->netlink.link(port.parent.empty() ? network.network.bridge : port.parent));
  VNET_ASSIGN(auto neighbours, system_->netlink.neighbours(link.ifindex));
  for (const auto& each : neighbours)
    if (mac && each.mac == *mac && each.address.family == family && !each.address.is_link_local())
      return each.address;
  return invalid(fmt::format("no address of the guest at {} is known: give one with --from", port.interface));
}

}  // namespace vnet
