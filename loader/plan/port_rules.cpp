// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/plan/port_rules.h"

#include <fmt/format.h>

#include <algorithm>

#include "loader/model/port_rules.h"
#include "loader/plan/bandwidth.h"

namespace vnet {
namespace {

// Where the programs are the switch; on a bridge of the host's own it is the bridge.
std::uint32_t vlan_flags(const PortRecord& record, const Network& network) {
  auto vlan = switched_vlan_of(record, network);
  if (!vlan) return 0;
  bool native_tagged = std::ranges::any_of(vlan->tags, &VlanTag::native_tagged);
  return VNET_PORT_F_VLAN | (vlan->trunk ? VNET_PORT_F_TRUNK : 0) |
         (native_tagged ? VNET_PORT_F_NATIVE_TAGGED : 0);
}

std::uint32_t direct_flags(const Network& network) {
  if (!is_direct(network)) return 0;
  if (network.direct_mode == DirectMode::Vepa) return VNET_PORT_F_VEPA;
  return network.direct_mode == DirectMode::Private ? VNET_PORT_F_PRIVATE : 0;
}

}  // namespace

std::optional<BandwidthPair> bandwidth_of(const PortRecord& record, const Network& network) {
  const PortGroup* group = portgroup_of(network, record.portgroup);
  return record.bandwidth || !group ? record.bandwidth : group->bandwidth;
}

std::optional<Vlan> vlan_of(const PortRecord& record, const Network& network) {
  if (record.vlan) return record.vlan;
  const PortGroup* group = portgroup_of(network, record.portgroup);
  return group && group->vlan ? group->vlan : network.vlan;
}

std::optional<Vlan> switched_vlan_of(const PortRecord& record, const Network& network) {
  return is_bridged(network) ? std::nullopt : vlan_of(record, network);
}

std::uint16_t untagged_vlan(const std::optional<Vlan>& vlan) {
  if (!vlan) return 0;
  auto tag = std::ranges::find_if(vlan->tags, [&](const VlanTag& one) { return one.native || !vlan->trunk; });
  return tag == vlan->tags.end() ? std::uint16_t{0} : static_cast<std::uint16_t>(tag->id);
}

Inbound inbound_of(const PortRecord& record, const Network& network) {
  return record.inbound.value_or(network.settings.inbound);
}

bool is_isolated(const PortRecord& record, const Network& network) {
  return record.isolated.value_or(network.isolated_ports);
}

bool takes_any_mac(const PortRecord& record, const Network& network) {
  return record.any_mac.value_or(takes_any_mac(network, record.portgroup));
}

std::optional<Mac> fixed_mac(const PortRecord& record, const Network& network) {
  return takes_any_mac(record, network) ? std::nullopt : record.mac;
}

bool has_fixed(const PortRecord& record, Family family) {
  return std::ranges::any_of(record.ips, [&](const Address& ip) { return ip.family == family; });
}

// With DHCPv6 the advertisements say that no address is made up.
bool has_autoconf(const Network& network) {
  bool dhcp = std::ranges::any_of(network.ips, [](const IpConfig& ip) {
    return ip.gateway.address.family == Family::V6 && (!ip.ranges.empty() || !ip.hosts.empty());
  });
  return network.has(Family::V6) && !dhcp;
}

bool is_only_fixed(const PortRecord& record, const Network& network, Family family) {
  return has_fixed(record, family) && (record.ip_only || family == Family::V4 || !has_autoconf(network));
}

std::string ip_only_note(const PortRecord& record, const Network& network) {
  auto filters = parse_filters(record.filters);
  if (!record.ip_only || !filters || !filters->ipv6_spoofing || !has_fixed(record, Family::V6) ||
      !has_autoconf(network))
    return "";
  return fmt::format(
      "guests of network {} make up IPv6 addresses from its router advertisements; with --ip-only what {} "
      "sends from such a one is dropped (spoofed-source)",
      network.name, record.interface);
}

Result<std::uint32_t> port_flags(const PortRecord& record, const Network& network) {
  VNET_ASSIGN(auto filters, parse_filters(record.filters));
  std::uint32_t flags = direct_flags(network) | vlan_flags(record, network);
  auto set = [&](bool condition, std::uint32_t flag) { flags |= condition ? flag : 0; };
  set(filters.mac_spoofing && !takes_any_mac(record, network), VNET_PORT_F_NO_MAC_SPOOFING);
  set(filters.ip_spoofing, VNET_PORT_F_NO_IP_SPOOFING);
  set(filters.arp_spoofing, VNET_PORT_F_NO_ARP_SPOOFING);
  set(filters.ipv6_spoofing, VNET_PORT_F_NO_IPV6_SPOOFING);
  set(filters.ip_multicast, VNET_PORT_F_NO_IP_MULTICAST);
  set(filters.clean, VNET_PORT_F_CLEAN);
  set(filters.dhcp_server, VNET_PORT_F_DHCP_SERVER);
  set(is_only_fixed(record, network, Family::V4), VNET_PORT_F_FIXED4);
  set(is_only_fixed(record, network, Family::V6), VNET_PORT_F_FIXED6);
  set(has_autoconf(network), VNET_PORT_F_AUTOCONF);
  set(inbound_of(record, network) == Inbound::Established, VNET_PORT_F_ESTABLISHED);
  set(inbound_of(record, network) == Inbound::Drop, VNET_PORT_F_SHUT);
  set(is_isolated(record, network), VNET_PORT_F_ISOLATED);
  set(!record.plugged, VNET_PORT_F_DOWN);
  set(is_limited(record, network, VNET_IN), VNET_PORT_F_LIMIT_IN);
  set(is_limited(record, network, VNET_OUT), VNET_PORT_F_LIMIT_OUT);
  return flags;
}

std::vector<Address> fixed_addresses(const PortRecord& record, const Network& network) {
  std::vector<Address> all = record.ips;
  for (const auto& ip : network.ips)
    for (const auto& host : ip.hosts)
      if (host.ip && record.mac && host.mac == record.mac && !has_fixed(record, host.ip->family))
        all.push_back(*host.ip);
  return all;
}

bool same_rules(const PortRecord& record, const Network& before, const Network& after) {
  return port_flags(record, before).value_or(0) == port_flags(record, after).value_or(0) &&
         fixed_mac(record, before) == fixed_mac(record, after) &&
         fixed_addresses(record, before) == fixed_addresses(record, after) &&
         bandwidth_of(record, before) == bandwidth_of(record, after) && before.bandwidth == after.bandwidth &&
         vlan_of(record, before) == vlan_of(record, after) &&
         before.settings.mac_nat == after.settings.mac_nat;
}

}  // namespace vnet
