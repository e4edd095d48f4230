// SPDX-License-Identifier: GPL-2.0-or-later
// Sections of `update` that are lists of addresses, hosts, routes and interfaces.
#include <fmt/format.h>

#include "loader/config/update_parts.h"
#include "loader/config/xml_parts.h"

namespace vnet {
namespace {

// The <ip> whose <dhcp> is meant.
Result<IpConfig*> chosen_ip(Network& network, int index) {
  auto& ips = network.ips;
  if (index >= 0) {
    if (static_cast<std::size_t>(index) < ips.size()) return &ips[static_cast<std::size_t>(index)];
    return failed(
        fmt::format("couldn't update dhcp host entry - no <ip> element found at index {} in network '{}'",
                    index, network.name));
  }
  auto serves = [](const IpConfig& ip) { return !ip.ranges.empty() || !ip.hosts.empty(); };
  auto found = std::ranges::find_if(ips, serves);
  for (auto family : {Family::V4, Family::V6})
    if (found == ips.end())
      found =
          std::ranges::find_if(ips, [&](const IpConfig& ip) { return ip.gateway.address.family == family; });
  if (found != ips.end()) return &*found;
  return failed(
      fmt::format("couldn't update dhcp host entry - no <ip> element found in network '{}'", network.name));
}

// Of a family one <ip> alone.
Result<void> check_one_serves(const Network& network, const IpConfig& chosen) {
  auto family = chosen.gateway.address.family;
  for (const auto& ip : network.ips)
    if (&ip != &chosen && ip.gateway.address.family == family && !(ip.ranges.empty() && ip.hosts.empty()))
      return failed(fmt::format("dhcp is supported only for a single {} address on each network",
                                family == Family::V4 ? "IPv4" : "IPv6"));
  return {};
}

template <typename T>
std::string or_unknown(const std::optional<T>& value) {
  return value ? value->text() : "unknown";
}

// What is enough to find one by: any of its attributes.
Result<DhcpHost> parse_partial_dhcp_host(const XmlNode& node) {
  DhcpHost host;
  VNET_ASSIGN(host.mac, node.unicast_mac("mac"));
  VNET_ASSIGN(host.id, node.string_or_empty("id"));
  VNET_ASSIGN(host.name, node.string_or_empty("name"));
  VNET_ASSIGN(host.ip, node.address("ip"));
  return host;
}

bool shares_anything(const DhcpHost& a, const DhcpHost& b) {
  return (a.mac && a.mac == b.mac) || (a.ip && a.ip == b.ip) || (!a.name.empty() && a.name == b.name) ||
         (!a.id.empty() && a.id == b.id);
}

bool fits(const DhcpHost& wanted, const DhcpHost& host) {
  return (!wanted.mac || wanted.mac == host.mac) && (!wanted.ip || wanted.ip == host.ip) &&
         (wanted.name.empty() || wanted.name == host.name) && (wanted.id.empty() || wanted.id == host.id);
}

// As the definition's own reader takes it.
Result<IpConfig> parse_in_dhcp(const SectionCall& call, const IpConfig& ip) {
  IpConfig alone{.gateway = ip.gateway};
  VNET_TRY(parse_dhcp(call.parent, alone));
  return alone;
}

Result<DhcpHost> parse_whole_host(const SectionCall& call, const IpConfig& ip) {
  VNET_ASSIGN(auto address, call.element.address("ip"));
  if (address && address->family != ip.gateway.address.family)
    return failed(
        "the address family of a host entry IP must match the address family of the dhcp element's "
        "parent");
  VNET_ASSIGN(auto dhcp, parse_in_dhcp(call, ip));
  return dhcp.hosts.front();
}

std::unexpected<Error> cannot_be_modified(const char* what) {
  return failed(fmt::format("{} cannot be modified, only added or deleted", what));
}

// <nat>'s own: there is one, or none.
template <typename T>
Result<void> update_one(std::optional<T>& value, T wanted, const SectionCall& call,
                        const std::string& where) {
  if (call.adds() && value) return failed("there is an existing " + where);
  if (!call.adds() && !value) return failed("couldn't find any " + where);
  if (call.command == UpdateCommand::Delete && value != wanted)
    return failed("couldn't locate a matching " + where);
  if (call.command == UpdateCommand::Delete)
    value.reset();
  else
    value = std::move(wanted);
  return {};
}

Result<Nat> parse_in_nat(const SectionCall& call, const Network& network) {
  if (network.mode != Mode::Nat)
    return failed(fmt::format("network '{}' has no <forward mode='nat'>", network.name));
  Nat nat;
  VNET_TRY(parse_nat(call.parent, nat));
  return nat;
}

}  // namespace

Result<void> update_dhcp_host(Network& network, const SectionCall& call) {
  VNET_ASSIGN(IpConfig * ip, chosen_ip(network, call.parent_index));
  auto& hosts = ip->hosts;
  if (call.command == UpdateCommand::Delete) {
    VNET_ASSIGN(auto wanted, parse_partial_dhcp_host(call.element));
    auto found = std::ranges::find_if(hosts, [&](const DhcpHost& host) { return fits(wanted, host); });
    if (found == hosts.end())
      return failed(fmt::format("couldn't locate a matching dhcp host entry in network '{}'", network.name));
    hosts.erase(found);
    return {};
  }
  VNET_ASSIGN(auto host, parse_whole_host(call, *ip));
  auto found = std::ranges::find_if(hosts, [&](const DhcpHost& one) { return shares_anything(host, one); });
  if (call.command == UpdateCommand::Modify) {
    if (found == hosts.end())
      return failed(
          fmt::format("couldn't locate an existing dhcp host entry with \"mac='{}'\" \"name='{}'\" "
                      "\"ip='{}'\" in network "
                      "'{}'",
                      or_unknown(host.mac), host.name.empty() ? "unknown" : host.name, or_unknown(host.ip),
                      network.name));
    *found = std::move(host);
    return {};
  }
  VNET_TRY(check_one_serves(network, *ip));
  if (found != hosts.end())
    return failed(fmt::format(
        "there is an existing dhcp host entry in network '{}' that matches \"<host mac='{}' name='{}' "
        "ip='{}'/>\"",
        network.name, or_unknown(host.mac), host.name.empty() ? "unknown" : host.name, or_unknown(host.ip)));
  ip->dhcp = true;
  insert(hosts, std::move(host), call.command);
  return {};
}

Result<void> update_dhcp_range(Network& network, const SectionCall& call) {
  VNET_ASSIGN(IpConfig * ip, chosen_ip(network, call.parent_index));
  if (call.command == UpdateCommand::Modify) return cannot_be_modified("dhcp ranges");
  VNET_ASSIGN(auto start, call.element.address("start"));
  if (start && start->family != ip->gateway.address.family)
    return failed(
        "the address family of a dhcp range must match the address family of the dhcp element's "
        "parent");
  VNET_ASSIGN(auto dhcp, parse_in_dhcp(call, *ip));
  DhcpRange range = dhcp.ranges.front();
  auto& ranges = ip->ranges;
  auto found = std::ranges::find_if(
      ranges, [&](const DhcpRange& one) { return one.start == range.start && one.end == range.end; });
  if (call.command == UpdateCommand::Delete) {
    if (found == ranges.end())
      return failed(fmt::format("couldn't locate a matching dhcp range entry in network '{}'", network.name));
    ranges.erase(found);
    return {};
  }
  VNET_TRY(check_one_serves(network, *ip));
  if (found != ranges.end())
    return failed(fmt::format(
        "there is an existing dhcp range entry in network '{}' that matches \"<range start='{}' end='{}'/>\"",
        network.name, range.start.text(), range.end.text()));
  ip->dhcp = true;
  insert(ranges, std::move(range), call.command);
  return {};
}

Result<void> update_interface(Network& network, const SectionCall& call) {
  if (call.command == UpdateCommand::Modify) return cannot_be_modified("forward interface entries");
  VNET_ASSIGN(auto device, call.element.attribute("dev"));
  if (!device) return invalid("missing dev attribute in <interface> element");
  auto& devices = network.devices;
  auto found = std::ranges::find(devices, *device);
  if (call.command == UpdateCommand::Delete) {
    if (found == devices.end())
      return failed(
          fmt::format("couldn't find an interface entry in network '{}' matching <interface dev='{}'>",
                      network.name, *device));
    devices.erase(found);
    return {};
  }
  if (found != devices.end())
    return failed(
        fmt::format("there is an existing interface entry in network '{}' that matches \"<interface "
                    "dev='{}'>\"",
                    network.name, *device));
  insert(devices, std::move(*device), call.command);
  return {};
}

Result<void> update_portgroup(Network& network, const SectionCall& call) {
  VNET_ASSIGN(auto group, parse_portgroup(call.element));
  auto& groups = network.portgroups;
  auto found = std::ranges::find(groups, group.name, &PortGroup::name);
  if (!call.adds() && found == groups.end())
    return failed(
        fmt::format("couldn't find a portgroup entry in network '{}' matching <portgroup name='{}'>",
                    network.name, group.name));
  if (call.adds() && found != groups.end())
    return failed(
        fmt::format("there is an existing portgroup entry in network '{}' that matches \"<portgroup "
                    "name='{}'>\"",
                    network.name, group.name));
  if (call.command == UpdateCommand::Delete) {
    groups.erase(found);
    return {};
  }
  bool other_default = std::ranges::any_of(
      groups, [&](const PortGroup& other) { return other.is_default && other.name != group.name; });
  if (group.is_default && other_default)
    return failed(fmt::format(
        "a different portgroup entry in network '{}' is already set as the default. Only one default is "
        "allowed.",
        network.name));
  if (call.command == UpdateCommand::Modify)
    *found = std::move(group);
  else
    insert(groups, std::move(group), call.command);
  return {};
}

Result<void> update_address(Network& network, const SectionCall& call) {
  VNET_ASSIGN(auto ip, parse_ip(call.element));
  auto found = std::ranges::find_if(
      network.ips, [&](const IpConfig& one) { return one.gateway.address == ip.gateway.address; });
  const auto address = ip.gateway.address.text();
  if (!call.adds() && found == network.ips.end())
    return failed(fmt::format("couldn't find an ip entry in network '{}' matching <ip address='{}'>",
                              network.name, address));
  if (call.adds() && found != network.ips.end())
    return failed(
        fmt::format("there is an existing ip entry in network '{}' that matches \"<ip address='{}'>\"",
                    network.name, address));
  if (call.command == UpdateCommand::Delete)
    network.ips.erase(found);
  else if (call.command == UpdateCommand::Modify)
    *found = std::move(ip);
  else
    insert(network.ips, std::move(ip), call.command);
  return {};
}

Result<void> update_route(Network& network, const SectionCall& call) {
  VNET_ASSIGN(auto route, parse_route(call.element));
  auto& routes = network.routes;
  auto found = std::ranges::find(routes, route.destination, &StaticRoute::destination);
  if (!call.adds() && found == routes.end())
    return failed(fmt::format("couldn't find a route entry in network '{}' matching <route address='{}'>",
                              network.name, route.destination.text()));
  if (call.adds() && found != routes.end())
    return failed(
        fmt::format("there is an existing route entry in network '{}' that matches \"<route address='{}'>\"",
                    network.name, route.destination.text()));
  if (call.command == UpdateCommand::Delete)
    routes.erase(found);
  else if (call.command == UpdateCommand::Modify)
    *found = route;
  else
    insert(routes, route, call.command);
  return {};
}

Result<void> update_nat_addresses(Network& network, const SectionCall& call) {
  VNET_ASSIGN(auto nat, parse_in_nat(call, network));
  return update_one(network.nat.addresses, *nat.addresses, call,
                    fmt::format("address entry in the <nat> of network '{}'", network.name));
}

Result<void> update_nat_ports(Network& network, const SectionCall& call) {
  VNET_ASSIGN(auto nat, parse_in_nat(call, network));
  return update_one(network.nat.ports, *nat.ports, call,
                    fmt::format("port entry in the <nat> of network '{}'", network.name));
}

}  // namespace vnet
