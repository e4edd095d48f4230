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
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "loader/base/error.h"
#include "loader/model/address.h"
#include "loader/model/link.h"

struct nl_sock;

namespace vnet {

struct AddressOptions {
  bool nodad = false;  // IPv6: usable at once, without duplicate address detection
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
  bool is_static = false;  // does not age: added, not learned
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
  Result<void> set_spanning_tree(int bridge, bool on, unsigned forward_delay_seconds);
  Result<void> set_promiscuous(int ifindex, bool on);

  // Bridge ports. Failed when `port` is not enslaved to a bridge.
  Result<PortFlags> port_flags(int port);
  Result<void> set_port_flags(int port, const PortFlags& flags);
  Result<std::vector<PortVlan>> port_vlans(int port);
  Result<void> set_port_vlans(int port,
                              const std::vector<PortVlan>& vlans);  // these and no others; idempotent

  Result<std::vector<AddressInfo>> addresses(int ifindex);  // both families; NotFound without the interface
  Result<std::map<int, std::vector<AddressInfo>>> addresses();  // of all interfaces, by ifindex
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

}  // namespace vnet
