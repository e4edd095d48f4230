// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/plan/live.h"

#include <fmt/format.h>

#include <algorithm>

#include "loader/plan/network_rules.h"

namespace vnet {
namespace {

using Differs = bool (*)(const Network&, const Network&);
using WhyNot = std::string (*)(const Snapshot&, const Network&, const Network&);

template <auto member>
bool of(const Network& before, const Network& after) {
  return before.*member != after.*member;
}
template <auto member>
bool setting(const Network& before, const Network& after) {
  return before.settings.*member != after.settings.*member;
}
template <auto member>
bool dns(const Network& before, const Network& after) {
  return before.dns.*member != after.dns.*member;
}
template <auto member>
bool nat(const Network& before, const Network& after) {
  return before.nat.*member != after.nat.*member;
}

// Of every <ip>, whichever comes or goes.
template <typename Values>
bool of_ips(const Network& before, const Network& after, Values values) {
  auto all = [&](const Network& network) {
    std::vector<std::pair<Prefix, decltype(values(network.ips.front()))>> found;
    for (const auto& ip : network.ips)
      if (auto value = values(ip); value != decltype(value){}) found.emplace_back(ip.gateway, value);
    return found;
  };
  return all(before) != all(after);
}

std::vector<Prefix> removed_gateways(const Network& before, const Network& after) {
  auto gone = gateways_of(before);
  std::erase_if(gone, [&](const Prefix& one) { return std::ranges::count(gateways_of(after), one) > 0; });
  return gone;
}

bool mode(const Network& before, const Network& after) {
  return before.mode != after.mode || before.direct_mode != after.direct_mode ||
         before.physical_function != after.physical_function;
}

std::string live(const Snapshot&, const Network&, const Network&) {
  return "";
}

template <const char* const& why>
std::string never(const Snapshot&, const Network&, const Network&) {
  return why;
}
constexpr const char* another_network = "it would be another network";
constexpr const char* other_paths = "its guests' interfaces would have to be connected another way";
constexpr const char* another_bridge = "its bridge would have to be made anew";
constexpr const char* gateways_mac = "guests know their gateway by it";

std::string guests_list(const Snapshot& snapshot, auto is_on) {
  std::string names;
  for (const auto& port : snapshot.ports)
    if (is_on(port)) names += (names.empty() ? "" : ", ") + port.interface;
  return names;
}

bool keeps_another(const Network& before, const Network& after, const Prefix& gateway) {
  return std::ranges::any_of(gateways_of(before), [&](const Prefix& other) {
    return other.address.family == gateway.address.family &&
           std::ranges::count(gateways_of(after), other) > 0;
  });
}

std::string subnet_in_use(const Snapshot& snapshot, const Network& before, const Network& after) {
  auto guests = guests_list(snapshot, [&](const PortRecord& port) { return port.network == after.name; });
  if (guests.empty()) return "";
  auto known = snapshot.guest_addresses.find(after.name);
  for (const auto& gateway : removed_gateways(before, after)) {
    // The only subnet of its family is in use by whoever is there; of several, those that somebody is seen
    // in.
    if (!keeps_another(before, after, gateway))
      return fmt::format("{} is in use by the guests at {}", gateway.text(), guests);
    if (known == snapshot.guest_addresses.end()) continue;
    for (const auto& address : known->second)
      if (gateway.contains(address)) return fmt::format("{} is in use by {}", gateway.text(), address.text());
  }
  return "";
}

std::string device_in_use(const Snapshot& snapshot, const Network& before, const Network& after) {
  if (!is_direct(before)) return "";
  auto guests = guests_list(snapshot, [&](const PortRecord& port) {
    return port.network == after.name && !std::ranges::count(after.devices, port.parent);
  });
  return guests.empty() ? "" : "guests are attached by it: " + guests;
}

}  // namespace

const std::vector<LiveRow>& live_rows() {
  static const std::vector<LiveRow> all{
      {"UUID", of<&Network::uuid>, never<another_network>},
      {"mode", mode, never<other_paths>},
      {"bridge name", of<&Network::bridge>, never<another_bridge>},
      {"MAC address", of<&Network::mac>, never<gateways_mac>},
      {"addresses", [](const Network& a, const Network& b) { return gateways_of(a) != gateways_of(b); },
       subnet_in_use},
      {"interfaces", of<&Network::devices>, device_in_use},
      {"title", of<&Network::title>, live},
      {"description", of<&Network::description>, live},
      {"spanning tree",
       [](const Network& a, const Network& b) {
         return a.stp != b.stp || a.delay_seconds != b.delay_seconds;
       },
       live},
      {"macTableManager", of<&Network::mac_table_libvirt>, live},
      {"zone", of<&Network::zone>, live},
      {"MTU", of<&Network::mtu>, live},
      {"ipv6", of<&Network::ipv6_attribute>, live},
      {"NAT of IPv6", nat<&Nat::ipv6>, live},
      {"NAT addresses", nat<&Nat::addresses>, live},
      {"NAT ports", nat<&Nat::ports>, live},
      {"domain", of<&Network::domain>, live},
      {"DNS",
       [](const Network& a, const Network& b) {
         return dns<&Dns::enable>(a, b) || dns<&Dns::forward_plain_names>(a, b);
       },
       live},
      {"DNS forwarders", dns<&Dns::forwarders>, live},
      {"DNS hosts", dns<&Dns::hosts>, live},
      {"DNS TXT records", dns<&Dns::txts>, live},
      {"DNS SRV records", dns<&Dns::srvs>, live},
      {"reverse DNS",
       [](const Network& a, const Network& b) {
         return of_ips(a, b, [](const IpConfig& ip) { return ip.local_ptr; });
       },
       live},
      {"TFTP",
       [](const Network& a, const Network& b) {
         return of_ips(a, b, [](const IpConfig& ip) { return ip.tftp_root; });
       },
       live},
      {"DHCP ranges",
       [](const Network& a, const Network& b) {
         return of_ips(a, b, [](const IpConfig& ip) { return ip.ranges; });
       },
       live},
      {"DHCP hosts",
       [](const Network& a, const Network& b) {
         return of_ips(a, b, [](const IpConfig& ip) { return ip.hosts; });
       },
       live},
      {"boot files",
       [](const Network& a, const Network& b) {
         return of_ips(a, b, [](const IpConfig& ip) { return ip.bootp; });
       },
       live},
      {"dnsmasq's options", of<&Network::dnsmasq_options>, live},
      {"routes", of<&Network::routes>, live},
      {"bandwidth", of<&Network::bandwidth>, live},
      {"VLAN", of<&Network::vlan>, live},
      {"isolation of ports", of<&Network::isolated_ports>, live},
      {"trustGuestRxFilters", of<&Network::trust_guest_rx_filters>, live},
      {"portgroups", of<&Network::portgroups>, live},
      {"guard", setting<&Settings::any_mac>, live},
      {"host firewall", setting<&Settings::host_firewall>, live},
      {"XDP",
       [](const Network& a, const Network& b) {
         return setting<&Settings::xdp>(a, b) || setting<&Settings::xdp_generic>(a, b);
       },
       live},
      {"new flows", setting<&Settings::new_flows>, live},
      {"sessions",
       [](const Network& a, const Network& b) {
         return setting<&Settings::max_sessions>(a, b) || setting<&Settings::max_sessions_per_port>(a, b);
       },
       live},
      {"inbound", setting<&Settings::inbound>, live},
      {"host access", setting<&Settings::host_access>, live},
      {"link protocols", setting<&Settings::link_protocols>, live},
      {"NAT mapping",
       [](const Network& a, const Network& b) {
         return setting<&Settings::nat_mapping>(a, b) || setting<&Settings::nat_filtering>(a, b);
       },
       live},
      {"timeouts", setting<&Settings::timeouts>, live},
      {"MAC NAT", setting<&Settings::mac_nat>, live},
      {"announce", setting<&Settings::announce>, live},
      {"uplinks", setting<&Settings::uplinks>, live},
      {"port forwards", setting<&Settings::port_forwards>, live},
      // Last: what of it has a meaning here is in the rows above.
      {"metadata", of<&Network::metadata_xml>, live},
  };
  return all;
}

std::string differences(const Network& before, const Network& after) {
  std::string names;
  for (const auto& row : live_rows())
    if (row.differs(before, after) && (names.empty() || std::string(row.name) != "metadata"))
      names += (names.empty() ? "" : ", ") + std::string(row.name);
  return names.empty() ? "how it is written" : names;
}

Result<void> check_live(const Snapshot& snapshot, const Network& before, const Network& after) {
  std::string refused;
  for (const auto& row : live_rows()) {
    if (!row.differs(before, after)) continue;
    auto why = row.why_not(snapshot, before, after);
    if (!why.empty()) refused += fmt::format("{}{} ({})", refused.empty() ? "" : ", ", row.name, why);
  }
  if (refused.empty()) return {};
  return failed(fmt::format(
      "network {0}: cannot be changed while it runs: {1}; nothing has been changed. Store the definition "
      "(vnet-bpf define), then vnet-bpf stop {0} and vnet-bpf start {0}",
      after.name, refused));
}

}  // namespace vnet
