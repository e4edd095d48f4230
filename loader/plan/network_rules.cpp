// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/plan/network_rules.h"

#include <algorithm>

#include "maps/abi.h"

namespace vnet {

std::uint32_t program_flags(const Network& network) {
  const ModeSpec& mode = mode_spec(network.mode);
  std::uint32_t flags = 0;
  auto set = [&](bool condition, std::uint32_t flag) { flags |= condition ? flag : 0; };
  set(mode.masquerades, VNET_NETWORK_F_MASQUERADE4);
  set(mode.masquerades && network.nat.ipv6, VNET_NETWORK_F_MASQUERADE6);
  set(mode.is_visible, VNET_NETWORK_F_VISIBLE);
  set(mode.any_uplink, VNET_NETWORK_F_OPEN);
  set(!mode.is_routed, VNET_NETWORK_F_ISOLATED);
  set(network.settings.host_access == HostAccess::Services, VNET_NETWORK_F_HOST_SERVICES);
  set(network.settings.host_access == HostAccess::None, VNET_NETWORK_F_HOST_CLOSED);
  set(network.settings.host_firewall == HostFirewall::Bypass, VNET_NETWORK_F_BYPASS);
  return flags;
}

std::uint32_t entry_flags(const Network& network) {
  const Settings& settings = network.settings;
  if (!masquerades(network) || settings.nat_mapping != NatMapping::EndpointIndependent) return 0;
  switch (settings.nat_filtering) {
    case NatFiltering::EndpointIndependent:
      return VNET_NETWORK_F_ONE_MAPPING | VNET_NETWORK_F_FROM_ANYBODY;
    case NatFiltering::AddressDependent:
      return VNET_NETWORK_F_ONE_MAPPING | VNET_NETWORK_F_FROM_PEERS;
    case NatFiltering::AddressAndPortDependent:
      break;
  }
  return VNET_NETWORK_F_ONE_MAPPING;
}

std::optional<Address> gateway_of(const Network& network, Family family) {
  for (const auto& ip : network.ips)
    if (ip.gateway.address.family == family) return ip.gateway.address;
  return std::nullopt;
}

bool needs_other_programs(const Network& before, const Network& after) {
  return has_gateway(after) && (program_flags(before) != program_flags(after) ||
                                gateway_of(before, Family::V4) != gateway_of(after, Family::V4) ||
                                gateway_of(before, Family::V6) != gateway_of(after, Family::V6));
}

bool translates_otherwise(const Network& before, const Network& after) {
  return before.nat != after.nat || before.devices != after.devices ||
         entry_flags(before) != entry_flags(after) ||
         std::ranges::any_of(before.settings.port_forwards, [&](const PortForward& forward) {
           return !std::ranges::count(after.settings.port_forwards, forward);
         });
}

std::vector<Prefix> gateways_of(const Network& network) {
  std::vector<Prefix> all;
  for (const auto& ip : network.ips) all.push_back(ip.gateway);
  return all;
}

}  // namespace vnet
