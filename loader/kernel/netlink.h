// SPDX-License-Identifier: GPL-2.0-or-later
// The network as the kernel's rtnetlink tells it: links, addresses, routes, bridge ports, neighbours.
// Facts come from here and never from /sys/class/net, which may show another namespace's devices.
//
// Addresses and MACs are in network order as everywhere in the model; numbers are in host order.
// Every error carries what was tried and the kernel's words: "creating bridge virbr0: File exists".
// "Idempotent" below: asking for what is already so is a success.
#pragma once

#include <linux/rtnetlink.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "loader/error.h"
#include "loader/model/address.h"

struct nl_sock;

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
  bool dad_failed = false;  // IPv6: somebody else has it
  std::uint8_t scope = 0;   // RT_SCOPE_UNIVERSE, RT_SCOPE_LINK, ...
};

struct AddressOptions {
  bool nodad = false;  // IPv6: usable at once, without duplicate address detection
};

// One next hop: a multipath route comes as several of these.
struct RouteInfo {
  Family family = Family::V4;
  std::optional<Prefix> destination;  // nullopt: the default route
  int oif = 0;                        // 0: none (blackhole, unreachable)
  std::optional<Address> gateway;     // may be of the other family (RTA_VIA)
  unsigned metric = 0;                // 0 when adding: the kernel's default, 0 for IPv4 and 1024 for IPv6
  unsigned table = RT_TABLE_MAIN;
  std::uint8_t protocol = RTPROT_STATIC;
  std::uint8_t type = RTN_UNICAST;
  bool operator==(const RouteInfo&) const = default;
};

// What the host's stack would do with a packet.
struct RouteQuery {
  Address source, destination;
  int iif = 0;  // where it came in; 0: the host sends it itself
};
struct RouteAnswer {
  int error = 0;  // errno: ENETUNREACH, EHOSTUNREACH, EACCES, EXDEV (the source is not plausible there), ...
  std::uint8_t type = RTN_UNICAST;  // RTN_LOCAL: the host itself
  int oif = 0;
  std::optional<Address> gateway;  // nullopt: the destination is on the link
};

struct FdbEntry {
  Mac mac;
  int port = 0;            // ifindex; the bridge's own for its local entries
  unsigned vlan = 0;       // 0: untagged
  bool is_static = false;  // does not age: added by somebody
  bool permanent = false;  // local: delivered to the host's stack
};

struct Neighbour {
  Address address;
  Mac mac;
  std::uint16_t state = 0;  // NUD_REACHABLE, ...
};

// A NETLINK_ROUTE socket in the network namespace that was current when it was opened. Not thread-safe.
class Netlink {
 public:
  static Result<Netlink> open();

  // Links. NotFound: "no such interface: eth7".
  Result<std::vector<LinkInfo>> links();
  Result<LinkInfo> link(const std::string& name);
  Result<LinkInfo> link(int ifindex);
  Result<std::optional<LinkInfo>> find_link(const std::string& name);  // nullopt: there is none
  Result<std::optional<LinkInfo>> find_link(int ifindex);

  // Made DOWN, so that nothing is exposed before its policy is there. Not idempotent: "File exists".
  // A MAC given here stays when ports come and go. mtu in bytes; nullopt: the kernel's (follows the ports).
  // Invalid: the name cannot be an interface's. Returns the ifindex.
  Result<int> create_bridge(const std::string& name, const Mac& mac, std::optional<unsigned> mtu,
                            const BridgeOptions& options);
  Result<void> delete_link(const std::string& name);  // idempotent
  Result<void> set_up(int ifindex);
  Result<void> set_down(int ifindex);
  Result<void> set_master(int port, int bridge);
  Result<void> clear_master(int port);  // idempotent
  Result<void> set_mtu(int ifindex, unsigned mtu);
  Result<void> set_mac(int ifindex, const Mac& mac);
  Result<void> set_promiscuous(int ifindex, bool on);

  // Bridge ports. Failed when `port` is not enslaved to a bridge.
  Result<PortFlags> port_flags(int port);
  Result<void> set_port_flags(int port, const PortFlags& flags);
  Result<std::vector<PortVlan>> port_vlans(int port);
  Result<void> set_port_vlans(int port,
                              const std::vector<PortVlan>& vlans);  // these and no others; idempotent

  Result<std::vector<AddressInfo>> addresses(int ifindex);  // both families; NotFound without the interface
  // IPv4 gets its broadcast address where the prefix has one. Idempotent.
  Result<void> add_address(int ifindex, const Prefix& prefix, AddressOptions options = {});
  Result<void> delete_address(int ifindex, const Prefix& prefix);  // idempotent

  Result<std::vector<RouteInfo>> routes();  // both families, every table
  Result<RouteAnswer> route_of(const RouteQuery& query);
  Result<void> add_route(const RouteInfo& route);     // idempotent for the same route
  Result<void> delete_route(const RouteInfo& route);  // idempotent
  // ifindexes that carry an IPv4 or IPv6 default route of table main, the lowest metric first, each once.
  Result<std::vector<int>> default_route_links();

  // A static entry in the port's bridge; an entry of the same MAC on another port moves here.
  // vlan 0: all of the port's VLANs, untagged included.
  Result<void> add_fdb(int port, const Mac& mac, unsigned vlan = 0);
  Result<void> delete_fdb(int port, const Mac& mac, unsigned vlan = 0);  // idempotent
  Result<std::vector<FdbEntry>> fdb(int bridge);

  Result<std::vector<Neighbour>> neighbours(int ifindex);  // those whose MAC is known, both families

 private:
  struct Close {
    void operator()(nl_sock* socket) const;
  };
  explicit Netlink(std::unique_ptr<nl_sock, Close> socket) : socket_(std::move(socket)) {}
  Result<void> change_flags(int ifindex, unsigned flags, unsigned mask, const char* action);

  std::unique_ptr<nl_sock, Close> socket_;
};

// What the kernel takes as an interface name: 1 to 15 bytes, no slash, no space, not "." or "..".
bool valid_interface_name(const std::string& name);

}  // namespace vnet
