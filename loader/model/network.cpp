// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/model/network.h"

#include "loader/model/announcement.h"

#include <algorithm>

namespace vnet {

bool needs_dnsmasq(const Network& network) {
  auto serves = [](const IpConfig& ip) {
    return !ip.ranges.empty() || !ip.hosts.empty() || !ip.tftp_root.empty();
  };
  return !network.ips.empty() && (network.dns.enable || std::ranges::any_of(network.ips, serves));
}

bool registers_names(const Network& network) {
  return has_gateway(network) && network.domain && network.domain->register_ &&
         !network.domain->name.empty() && network.dns.enable && !network.ips.empty();
}

const PortGroup* portgroup_of(const Network& network, const std::string& name) {
  auto group = std::ranges::find_if(network.portgroups, [&](const PortGroup& one) {
    return name.empty() ? one.is_default : one.name == name;
  });
  return group == network.portgroups.end() ? nullptr : &*group;
}

bool takes_any_mac(const Network& network, const std::string& portgroup) {
  const PortGroup* group = portgroup_of(network, portgroup);
  auto guard_of = [&](const std::string& name) -> std::optional<bool> {
    auto guard = network.settings.any_mac.find(name);
    return guard == network.settings.any_mac.end() ? std::nullopt : std::optional(guard->second);
  };
  if (group) {
    if (auto guard = guard_of(group->name)) return *guard;
    if (group->trust_guest_rx_filters) return *group->trust_guest_rx_filters;
  }
  return guard_of("").value_or(network.trust_guest_rx_filters);
}

Network default_network() {
  const auto address = [](std::uint8_t last) { return Address{Family::V4, {192, 168, 122, last}}; };

  IpConfig ip;
  ip.gateway = {address(1), 24};
  ip.netmask_given = true;
  ip.dhcp = true;
  ip.ranges.push_back({address(2), address(254), std::nullopt});

  Network network;
  network.name = "default";
  network.mode = Mode::Nat;
  network.bridge = "virbr0";
  network.ips.push_back(std::move(ip));
  return network;
}

const char* announced_state_name(AnnouncedState state) {
  switch (state) {
    case AnnouncedState::NotAsked:
      return "not-asked";
    case AnnouncedState::Announced:
      return "announced";
    case AnnouncedState::ByOthers:
      return "by-others";
    case AnnouncedState::NoRoute:
      return "no-route";
    case AnnouncedState::Missing:
      return "missing";
    case AnnouncedState::Refused:
      return "refused";
  }
  return "";
}

const char* host_firewall_name(HostFirewall mode) {
  switch (mode) {
    case HostFirewall::Honor:
      return "honor";
    case HostFirewall::Bypass:
      return "bypass";
    case HostFirewall::Auto:
      return "auto";
  }
  return "";
}

const char* xdp_mode_name(XdpMode mode) {
  switch (mode) {
    case XdpMode::Auto:
      return "auto";
    case XdpMode::Off:
      return "off";
    case XdpMode::Filter:
      return "filter";
    case XdpMode::Forward:
      return "forward";
  }
  return "";
}

const char* nat_mapping_name(NatMapping mapping) {
  return mapping == NatMapping::EndpointIndependent ? "endpoint-independent" : "endpoint-dependent";
}

const char* nat_filtering_name(NatFiltering filtering) {
  switch (filtering) {
    case NatFiltering::EndpointIndependent:
      return "endpoint-independent";
    case NatFiltering::AddressDependent:
      return "address-dependent";
    case NatFiltering::AddressAndPortDependent:
      return "address-and-port-dependent";
  }
  return "";
}

const char* mac_nat_name(MacNat mac_nat) {
  return mac_nat == MacNat::On ? "on" : mac_nat == MacNat::Auto ? "auto" : "off";
}

const char* inbound_name(Inbound inbound) {
  switch (inbound) {
    case Inbound::Accept:
      return "accept";
    case Inbound::Established:
      return "established";
    case Inbound::Drop:
      return "drop";
  }
  return "";
}

}  // namespace vnet
