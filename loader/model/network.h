// SPDX-License-Identifier: GPL-2.0-or-later
// A virtual network as the user described it: libvirt's network XML as plain values.
// Source: libvirt's "Network XML format" (formatnetwork); vnet-bpf's own settings: docs/xml.md.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "loader/model/address.h"
#include "loader/model/mode.h"
#include "loader/model/port_forward.h"

namespace vnet {

enum class DirectMode { Bridge, Private, Vepa, Passthrough };  // <forward mode=...> without a Linux bridge

struct AddressRange {
  Address start, end;  // closed interval
  bool operator==(const AddressRange&) const = default;
};

struct Lease {
  std::uint64_t seconds = 0;  // 0: infinite
  std::string text;           // dnsmasq's notation of what was written: "30m", "infinite"
  bool operator==(const Lease&) const = default;
};

struct DhcpRange {
  Address start, end;
  std::optional<Lease> lease;
  bool operator==(const DhcpRange&) const = default;
};

struct DhcpHost {
  std::optional<Mac> mac;  // IPv4 only
  std::string id;          // IPv6 only: DUID
  std::string name;
  std::optional<Address> ip;
  std::optional<Lease> lease;
  bool operator==(const DhcpHost&) const = default;
};

struct Bootp {
  std::string file, server;
  bool operator==(const Bootp&) const = default;
};

// <ip>: one gateway address with its subnet and services.
struct IpConfig {
  Prefix gateway;
  bool prefix_given = true;    // false: libvirt's default by address class
  bool netmask_given = false;  // written back as netmask= rather than prefix=
  bool local_ptr = false;
  std::string tftp_root;
  bool dhcp = false;  // a <dhcp> element is there
  std::vector<DhcpRange> ranges;
  std::vector<DhcpHost> hosts;
  std::optional<Bootp> bootp;
  bool operator==(const IpConfig&) const = default;
};

struct DnsForwarder {
  std::optional<Address> address;
  std::optional<unsigned> port;  // libvirt 12.0; DNS's own without
  std::string domain;
  bool operator==(const DnsForwarder&) const = default;
};
struct DnsHost {
  Address ip;
  std::vector<std::string> names;
  bool operator==(const DnsHost&) const = default;
};
struct DnsTxt {
  std::string name, value;
  bool operator==(const DnsTxt&) const = default;
};
struct DnsSrv {
  std::string service, protocol, domain, target;
  std::optional<unsigned> port, priority, weight;
  bool operator==(const DnsSrv&) const = default;
};
struct Dns {
  bool enable = true;
  bool forward_plain_names = true;
  std::vector<DnsForwarder> forwarders;
  std::vector<DnsHost> hosts;
  std::vector<DnsTxt> txts;
  std::vector<DnsSrv> srvs;
  bool operator==(const Dns&) const = default;
};

struct DnsDomain {
  std::string name;
  bool local_only = false;
  bool register_ = false;
  bool operator==(const DnsDomain&) const = default;
};

struct StaticRoute {  // <route>: through a guest of this network
  Prefix destination;
  Address gateway;
  std::optional<unsigned> metric;
  bool netmask_given = false;  // written back as netmask= rather than prefix=
  bool operator==(const StaticRoute&) const = default;
};

// <nat> below <forward mode='nat'>.
struct Nat {
  bool ipv6 = false;
  std::optional<AddressRange> addresses;  // IPv4 only; empty: masquerade to the route's own address
  std::optional<PortRange> ports;         // empty: 1024-65535 less the host's ephemeral range
  bool operator==(const Nat&) const = default;
};

struct Bandwidth {  // average and peak in kB/s (1000 bytes), burst in KiB
  std::uint64_t average = 0, peak = 0, burst = 0;
  bool operator==(const Bandwidth&) const = default;
};
struct BandwidthPair {
  std::optional<Bandwidth> inbound, outbound;  // the guest's point of view
  bool operator==(const BandwidthPair&) const = default;
};

struct VlanTag {
  unsigned id = 0;
  bool native = false;         // nativeMode= is there
  bool native_tagged = false;  // ... and says 'tagged'
  bool operator==(const VlanTag&) const = default;
};
struct Vlan {
  bool trunk = false;
  std::vector<VlanTag> tags;
  bool operator==(const Vlan&) const = default;
};

struct PortGroup {
  std::string name;
  bool is_default = false;
  std::optional<bool> trust_guest_rx_filters;
  std::optional<BandwidthPair> bandwidth;
  std::optional<Vlan> vlan;
  bool operator==(const PortGroup&) const = default;
};

// vnet-bpf's own settings, from <metadata>, namespace urn:vnet-bpf:network:1.
enum class HostFirewall { Honor, Bypass, Auto };
const char* host_firewall_name(HostFirewall mode);  // honor bypass auto
enum class XdpMode { Auto, Off, Filter, Forward };
const char* xdp_mode_name(XdpMode mode);  // auto off filter forward
enum class Inbound { Accept, Established, Drop };
const char* inbound_name(Inbound inbound);  // accept established drop
enum class HostAccess { All, Services, None };
// <nat mapping, filtering>: of UDP, in RFC 4787's words.
enum class NatMapping { EndpointDependent, EndpointIndependent };
enum class NatFiltering { EndpointIndependent, AddressDependent, AddressAndPortDependent };
const char* nat_mapping_name(NatMapping mapping);
const char* nat_filtering_name(NatFiltering filtering);
// <timeouts>: seconds after which an idle session ends; tcp: of an established one, udp: of an answered one.
struct Timeouts {
  std::uint32_t tcp = 432000, udp = 300, icmp = 60, other = 600;
  bool operator==(const Timeouts&) const = default;
};
enum class MacNat { Off, On, Auto };
const char* mac_nat_name(MacNat mac_nat);  // off on auto
// <announce>: the host's BGP daemon tells the routers outside where the network is.
struct Announce {
  std::uint32_t as = 0;  // <announce bgp>: the daemon's AS; 0: whichever it has
  bool hosts = false;    // each guest's address as a route of its own, beside the subnets
  bool operator==(const Announce&) const = default;
};
struct Settings {
  // <guard mac>: whether guests may send from any MAC, by portgroup; "": the network's own word.
  std::map<std::string, bool> any_mac;
  HostFirewall host_firewall = HostFirewall::Auto;
  XdpMode xdp = XdpMode::Auto;
  bool xdp_generic = false;     // may be generic where the driver has no XDP
  std::uint32_t new_flows = 0;  // from outside, per second and source; 0: no limit
  std::uint32_t max_sessions = 262144;
  std::uint32_t max_sessions_per_port = 65536;
  Inbound inbound = Inbound::Accept;
  HostAccess host_access = HostAccess::All;
  std::uint16_t link_protocols = 0;  // <link-protocols forward>: bit n for 01:80:c2:00:00:0n
  std::vector<std::string> uplinks;  // <uplink dev>: bridged mode, where the bridge's way out is not obvious
  std::vector<PortForward> port_forwards;
  NatMapping nat_mapping = NatMapping::EndpointDependent;
  NatFiltering nat_filtering = NatFiltering::AddressAndPortDependent;
  Timeouts timeouts;
  MacNat mac_nat = MacNat::Off;      // outside, guests have the physical interface's MAC
  std::optional<Announce> announce;  // nullopt: nothing of the network is announced
  bool operator==(const Settings&) const = default;
};

// What programs may keep in a definition. libvirt's numbers.
enum class MetadataKind : int { Description = 0, Title = 1, Element = 2 };

struct Network {
  std::string name;
  std::string uuid;  // lower case, with dashes; empty until defined
  std::string title, description;
  std::string metadata_xml;             // the whole <metadata> element, kept as written
  bool ipv6_attribute = false;          // network/@ipv6
  bool trust_guest_rx_filters = false;  // network/@trustGuestRxFilters

  Mode mode = Mode::Isolated;
  DirectMode direct_mode = DirectMode::Bridge;
  std::vector<std::string> devices;  // <forward dev>, <interface dev>: uplinks, or the pool of direct mode
  std::string physical_function;     // <pf dev>
  Nat nat;

  std::string bridge;  // the gateway's name; empty: chosen at define
  bool stp = true;
  unsigned delay_seconds = 0;
  bool mac_table_libvirt = false;  // macTableManager='libvirt'
  std::string zone;                // firewalld
  std::optional<unsigned> mtu;
  std::optional<Mac> mac;  // the gateway's; empty: chosen at define
  std::optional<DnsDomain> domain;
  Dns dns;
  std::vector<IpConfig> ips;
  std::vector<StaticRoute> routes;
  std::optional<BandwidthPair> bandwidth;
  std::optional<Vlan> vlan;
  bool isolated_ports = false;  // <port isolated='yes'/>
  std::vector<PortGroup> portgroups;
  std::vector<std::string> dnsmasq_options;
  Settings settings;

  bool has(Family family) const {
    for (const auto& ip : ips)
      if (ip.gateway.address.family == family) return true;
    return false;
  }
};

// What its mode says of a network (loader/model/mode.h).
inline bool has_gateway(const Network& network) {
  return mode_spec(network.mode).has_gateway;
}
inline bool is_routed(const Network& network) {
  return mode_spec(network.mode).is_routed;
}
inline bool masquerades(const Network& network) {
  return mode_spec(network.mode).masquerades;
}
inline bool is_visible(const Network& network) {
  return mode_spec(network.mode).is_visible;
}
inline bool is_bridged(const Network& network) {
  return mode_spec(network.mode).on_bridge;
}
inline bool is_direct(const Network& network) {
  return mode_spec(network.mode).on_parents;
}

// Whether there is anything for dnsmasq to do: DHCP, DNS, TFTP.
bool needs_dnsmasq(const Network& network);

// <domain register='yes'>: whether the host's resolver shall know its guests' names.
bool registers_names(const Network& network);

// The group of that name; "": the default one. nullptr: there is none.
const PortGroup* portgroup_of(const Network& network, const std::string& name);

// Whether the guests of a portgroup ("": none is named) may send from any MAC: as <vnet:guard> says, else
// libvirt's trustGuestRxFilters; the group's word before the network's.
bool takes_any_mac(const Network& network, const std::string& portgroup);

// The built-in `default` network: NAT, virbr0, 192.168.122.0/24, DHCP .2 to .254.
Network default_network();

}  // namespace vnet
