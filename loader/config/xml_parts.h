// SPDX-License-Identifier: GPL-2.0-or-later
// The readers of single elements that parse_network is made of.
#pragma once

#include <array>
#include <span>
#include <string>
#include <vector>

#include "loader/config/xml_node.h"
#include "loader/model/network.h"

namespace vnet {

inline constexpr const char* dnsmasq_namespace = "http://libvirt.org/schemas/network/dnsmasq/1.0";
inline constexpr const char* settings_namespace = "urn:vnet-bpf:network:1";

// Mode, uplinks and <nat>; `bridge_named` tells a host bridge from macvtap for mode='bridge'.
Result<void> parse_forward(const XmlNode& forward, bool bridge_named, Network& network);
Result<void> parse_nat(const XmlNode& nat, Nat& result);
Result<void> parse_bridge(const XmlNode& bridge, Network& network);

Result<IpConfig> parse_ip(const XmlNode& ip);
Result<StaticRoute> parse_route(const XmlNode& route);
Result<Lease> parse_lease(const XmlNode& lease);
Result<void> parse_dhcp(const XmlNode& dhcp, IpConfig& ip);

Result<Dns> parse_dns(const XmlNode& dns);
Result<DnsDomain> parse_dns_domain(const XmlNode& domain);
Result<std::vector<std::string>> parse_dnsmasq_options(const XmlNode& network);

// Only a guest's card may have floor=, which is libvirt's business alone.
Result<BandwidthPair> parse_bandwidth(const XmlNode& bandwidth, bool of_a_card = false);
Result<Vlan> parse_vlan(const XmlNode& vlan);
Result<PortGroup> parse_portgroup(const XmlNode& portgroup);

Result<Settings> parse_settings(const XmlNode& metadata);

// The elements of settings_namespace, a row each.
struct SettingElement {
  const char* name;
  Result<void> (*parse)(const XmlNode& node, Settings& settings);
  bool repeatable;
  std::array<const char*, 3> keys;  // repeatable ones: the attributes that tell them from each other
};
std::span<const SettingElement> setting_elements();

// Rules that concern more than one element. `root` gives the lines.
Result<void> validate(const Network& network, const XmlNode& root);

// A DNS name or a part of one: without the characters that separate fields in dnsmasq's files.
Result<std::string> checked_name(const XmlNode& node, const char* attribute, std::string value);

}  // namespace vnet
