// SPDX-License-Identifier: GPL-2.0-or-later
// Interfaces, their addresses and routes, as plain values. Numbers are rtnetlink's, in host byte order;
// loader/netlink reads them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "loader/model/address.h"

namespace vnet {

struct BridgeOptions {
  bool stp = true;
  unsigned forward_delay_seconds = 0;  // with STP on the kernel raises 0 and 1 to its minimum of 2
  bool vlan_filtering = false;
  std::optional<unsigned> default_pvid;  // when making one with vlan_filtering; 0: new ports are in no VLAN
};

struct BondOptions {
  unsigned mode = 0;          // the kernel's number: 0 balance-rr, 1 active-backup, ... 6 balance-alb
  unsigned arp_interval = 0;  // ms; 0: no ARP monitoring
};

struct LinkInfo {
  int ifindex = 0;
  std::string name;
  std::string kind;  // "bridge", "veth", "tun" (taps too), "macvtap", ...; "" for a physical device and lo
  Mac mac;           // zeros when the device has none of six bytes
  unsigned mtu = 0;  // bytes
  bool up = false;   // administratively: IFF_UP
  bool carrier = false;              // IFF_LOWER_UP
  bool promiscuous = false;          // asked for by the administrator (or us), not by a bridge or a sniffer
  int master = 0;                    // ifindex of the bridge or bond it is enslaved to; 0: none
  int link = 0;                      // IFLA_LINK: a veth's peer, a macvtap's lower device; 0: none
  std::optional<int> peer_netns_id;  // set: `link` is an ifindex in the namespace of this id
  bool ethernet = false;             // ARPHRD_ETHER
  std::string tun_type;              // "tun" or "tap" where kind is "tun"
  bool tun_vnet_hdr = false;
  bool without_macs = false;            // netkit in mode l3
  std::optional<BridgeOptions> bridge;  // where kind is "bridge"
  std::optional<BondOptions> bond;      // where kind is "bond"
};

// A bridge port's switches. When setting, only those with a value are changed; when reading, all have one.
struct PortFlags {
  std::optional<bool> learning, unicast_flood, multicast_flood, broadcast_flood;
  std::optional<bool> isolated, neigh_suppress, hairpin;
};

// One VLAN of a bridge port.
struct PortVlan {
  unsigned id = 0;
  bool pvid = false;      // untagged frames that come in belong to it
  bool untagged = false;  // its frames leave without a tag
  bool operator==(const PortVlan&) const = default;
};

struct AddressInfo {
  Prefix prefix;            // the interface's own address, host bits kept
  bool permanent = false;   // not from DHCP or a router advertisement
  bool tentative = false;   // IPv6: duplicate address detection is still running
  bool dad_failed = false;  // IPv6: another host has it
  std::uint8_t scope = 0;   // RT_SCOPE_UNIVERSE, RT_SCOPE_LINK, ...
};

// One next hop: a multipath route comes as several of these.
struct RouteInfo {
  Family family = Family::V4;
  std::optional<Prefix> destination;  // nullopt: the default route
  int oif = 0;                        // 0: none (blackhole, unreachable)
  std::optional<Address> gateway;     // may be of the other family (RTA_VIA)
  unsigned metric = 0;                // 0 when adding: the kernel's default, 0 for IPv4 and 1024 for IPv6
  unsigned table = 254;               // RT_TABLE_MAIN
  std::uint8_t protocol = 4;          // RTPROT_STATIC
  std::uint8_t type = 1;              // RTN_UNICAST
  bool operator==(const RouteInfo&) const = default;
};

// enum netdev_xdp_act of the kernel, which Debian 12's headers do not have.
inline constexpr std::uint64_t xdp_act_basic = 1;     // programs, natively
inline constexpr std::uint64_t xdp_act_ndo_xmit = 4;  // takes frames that XDP redirects to it, now

// What the kernel takes as an interface name: 1 to 15 bytes, no slash, no space, not "." or "..".
bool valid_interface_name(const std::string& name);

}  // namespace vnet
