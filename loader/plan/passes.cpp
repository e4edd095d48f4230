// SPDX-License-Identifier: GPL-2.0-or-later
// Peace with the host's firewall and resolver. hostFirewall='auto': where no rule of the host's decides about
// a guest's packet, and a policy would drop it, a rule of ours lets it pass; with firewalld, which has no
// policies but zones, the gateway is put into one of ours.
#include <fmt/format.h>

#include <algorithm>

#include "loader/plan/builder.h"

namespace vnet {
namespace {

// An open network is one of which the administrator's rules alone decide.
bool is_passed(const Network& network) {
  return has_gateway(network) && !mode_spec(network.mode).any_uplink &&
         network.settings.host_firewall == HostFirewall::Auto && is_nameable(network.bridge);
}

bool serves_tftp(const Network& network) {
  return std::ranges::any_of(network.ips, [](const IpConfig& ip) { return !ip.tftp_root.empty(); });
}

bool concerns(const PassTable& table, Family family) {
  return table.family == "inet" || table.family == (family == Family::V4 ? "ip" : "ip6");
}

// What dnsmasq is asked for, and how neighbours find each other.
void add_services(const PassTable& table, const Network& network, std::vector<PassRule>& rules) {
  auto add = [&](const char* protocol, std::uint16_t port) {
    rules.push_back({.interface = network.bridge, .protocol = protocol, .port = port});
  };
  auto has_dhcp = [&](Family family) {
    return std::ranges::any_of(
        network.ips, [&](const IpConfig& ip) { return ip.gateway.address.family == family && ip.dhcp; });
  };
  if (concerns(table, Family::V4) && has_dhcp(Family::V4)) add("udp", 67);
  if (concerns(table, Family::V6) && has_dhcp(Family::V6)) add("udp", 547);
  if (concerns(table, Family::V6) && network.has(Family::V6)) add("ipv6-icmp", 0);
  if (!needs_dnsmasq(network)) return;
  add("udp", 53);
  add("tcp", 53);
  if (serves_tftp(network)) add("udp", 69);
}

void add_forwarding(const Network& network, std::vector<PassRule>& rules) {
  if (!is_routed(network)) return;
  for (bool leaves : {false, true}) rules.push_back({.interface = network.bridge, .leaves = leaves});
}

bool shares_a_family(const PassTable& table, const Network& network) {
  return (concerns(table, Family::V4) && network.has(Family::V4)) ||
         (concerns(table, Family::V6) && network.has(Family::V6));
}

bool has_own_zone(const Network& network) {
  return network.zone.empty() && is_passed(network);
}

}  // namespace

void want_passes(Builder& builder) {
  auto& passes = builder.wanted.resources.passes;
  passes.clear();
  for (const auto& state : builder.snapshot.passes) {
    PassResource resource;
    for (const auto& [name, network] : builder.wanted.networks) {
      if (!is_passed(network) || !shares_a_family(state.table, network)) continue;
      if (state.table.hook == "forward")
        add_forwarding(network, resource.rules);
      else
        add_services(state.table, network, resource.rules);
    }
    if (!state.policies.empty() && !resource.rules.empty()) passes[state.table] = std::move(resource);
  }
}

// Who has put a gateway into a zone by other means has decided.
void want_zones(Builder& builder) {
  auto& zones = builder.wanted.resources.zones;
  if (!builder.snapshot.firewalld) return zones.clear();
  auto forget = [&](const Network& network) {
    auto zone = zones.find(network.bridge);
    if (zone != zones.end() && (zone->second == own_zone || zone->second == network.zone)) zones.erase(zone);
  };
  for (const auto& active : builder.snapshot.active)
    if (!builder.wanted.networks.contains(active.network.name)) forget(active.network);
  for (const auto& [name, standing] : builder.wanted.changed)
    for (const auto& before : standing) forget(before);
  for (const auto& [name, network] : builder.wanted.networks) {
    if (!has_gateway(network)) continue;
    if (!network.zone.empty())
      zones[network.bridge] = network.zone;
    else if (has_own_zone(network) && builder.snapshot.firewalld->zones.contains(own_zone))
      zones.emplace(network.bridge, own_zone);
  }
}

Result<void> check_zone(const Snapshot& snapshot, const Network& network) {
  if (network.zone.empty()) return {};
  if (!snapshot.firewalld)
    return failed(fmt::format(
        "network {}: <bridge zone='{}'> asks for firewalld, which does not run; start it, or leave out zone=",
        network.name, network.zone));
  if (!snapshot.firewalld->zones.contains(network.zone))
    return failed(fmt::format("network {}: firewalld has no zone '{}'; see `firewall-cmd --get-zones`",
                              network.name, network.zone));
  return {};
}

void want_link_names(Builder& builder) {
  auto& names = builder.wanted.resources.link_names;
  names.clear();
  if (!builder.snapshot.resolver) return;
  for (const auto& [name, network] : builder.wanted.networks) {
    bool stands = builder.wanted.restart.contains(name) || builder.snapshot.link(network.bridge);
    if (!stands || !registers_names(network)) continue;
    LinkNames wanted{.servers = {}, .domain = network.domain->name};
    for (const auto& ip : network.ips) wanted.servers.push_back(ip.gateway.address);
    names[network.bridge] = std::move(wanted);
  }
}

}  // namespace vnet
