// SPDX-License-Identifier: GPL-2.0-or-later
// Definitions that a test has changed as values.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "loader/config/network_xml.h"
#include "tests/support/simulated_host.h"

namespace vnet::test {

// Settings that the XML has in <metadata>, of which there is an element only where a test changes it.
inline Network with_settings(Network network) {
  const Settings& s = network.settings;
  std::string xml;
  if (s.any_mac.contains("")) xml += "<v:guard mac='any'/>";
  if (s.host_firewall != HostFirewall::Auto)
    xml += std::string("<v:hostFirewall mode='") + host_firewall_name(s.host_firewall) + "'/>";
  if (s.xdp == XdpMode::Off) xml += "<v:xdp mode='off'/>";
  if (s.new_flows) xml += "<v:xdp mode='auto' newFlows='" + std::to_string(s.new_flows) + "'/>";
  if (s.max_sessions == 1000) xml += "<v:sessions max='1000'/>";
  if (s.inbound == Inbound::Drop) xml += "<v:inbound default='drop'/>";
  if (s.host_access == HostAccess::None) xml += "<v:host access='none'/>";
  if (s.link_protocols) xml += "<v:link-protocols forward='lldp'/>";
  if (s.nat_mapping == NatMapping::EndpointIndependent)
    xml += std::string("<v:nat mapping='endpoint-independent' filtering='") +
           nat_filtering_name(s.nat_filtering) + "'/>";
  if (s.timeouts != Timeouts{}) xml += "<v:timeouts udp='" + std::to_string(s.timeouts.udp) + "'/>";
  if (s.mac_nat != MacNat::Off) xml += std::string("<v:macNat mode='") + mac_nat_name(s.mac_nat) + "'/>";
  if (s.announce) xml += s.announce->hosts ? "<v:announce hosts='yes'/>" : "<v:announce/>";
  for (const auto& uplink : s.uplinks) xml += "<v:uplink dev='" + uplink + "'/>";
  for (const auto& f : s.port_forwards)
    xml += "<v:portForward proto='" + f.proto + "' port='" + range_text(f.ports) + "' to='" + f.to.text() +
           "' toPort='" + std::to_string(f.to_port) + "'/>";
  if (!xml.empty())
    network.metadata_xml =
        "<metadata><v:network xmlns:v='urn:vnet-bpf:network:1'>" + xml + "</v:network></metadata>";
  auto parsed = parse_network(format_network(network), "a test");
  EXPECT_TRUE(parsed) << parsed.error().message;
  return parsed.value_or(network);
}

inline std::vector<std::string> addresses_of(const SimulatedHost& host) {
  std::vector<std::string> all;
  for (const auto& [ifindex, addresses] : host.snapshot.addresses)
    for (const auto& address : addresses) all.push_back(address.prefix.text());
  std::ranges::sort(all);
  return all;
}

}  // namespace vnet::test
