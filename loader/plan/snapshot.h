// SPDX-License-Identifier: GPL-2.0-or-later
// The host as a command finds it, read once under the lock (loader/apply/read_snapshot.h). Plans are made of
// it alone: nothing is asked of the kernel, or of a file, while planning.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "loader/model/bus_services.h"
#include "loader/model/guest_port.h"
#include "loader/model/host_socket.h"
#include "loader/model/link.h"
#include "loader/model/pass_rule.h"
#include "loader/model/records.h"
#include "maps/abi.h"

namespace vnet {

// What plans ask of a network's entry in the maps.
struct NetworkEntry {
  int bridge = 0;           // ifindex: its gateway, or the host's bridge
  std::uint32_t flags = 0;  // VNET_NETWORK_F_*
  bool entered = false;     // else the slot is empty
};

// What another build than this one has loaded, or made.
struct Outdated {
  std::set<std::string> networks, uplinks, parents;  // whose programs
  std::set<std::string> limits;                      // of ports
  bool fence = false, socket_redirect = false;
  unsigned layout = VNET_ABI_VERSION;  // of the maps
  bool begun = false;                  // an upgrade was interrupted
  bool operator==(const Outdated&) const = default;
};

struct Snapshot {
  std::filesystem::path definitions_folder, autostart_folder;
  std::vector<Network> definitions;  // by name
  std::set<std::string> autostart;

  // The records. A network whose start or stop was interrupted is among them, and not complete.
  std::vector<ActiveNetwork> active;  // by name
  std::vector<PortRecord> ports;
  std::vector<GuestPort> guest_ports;
  std::vector<UplinkRecord> uplinks;  // a bridged network's members, too
  std::vector<ParentRecord> parents;
  std::map<std::string, std::string> changed_sysctls;  // with their values before
  std::set<Prefix> blocked;

  // The kernel's.
  std::vector<LinkInfo> links;
  std::map<int, std::vector<AddressInfo>> addresses;  // by ifindex
  std::vector<RouteInfo> routes;
  std::vector<int> default_links;              // with a default route, the lowest metric first
  std::map<std::string, std::string> sysctls;  // forwarding, and accept_ra where routes are advertised
  std::vector<HostSocket> sockets;             // in the way of port forwards that are or shall be
  bool bridges_are_filtered = false;           // a firewall looks into bridges
  std::map<int, std::uint64_t> xdp_features;   // where the kernel tells (6.3)

  // The datapath's maps.
  bool datapath = false;
  std::map<std::uint16_t, NetworkEntry> entries;  // by slot
  std::map<int, vnet_device_role>
      devices;  // by ifindex; those that are believed (SharedMaps::trusted_devices)
  std::map<int, std::vector<Address>> uplink_addresses;  // by ifindex: to masquerade to, one a family
  std::set<int> xdp_targets;
  std::vector<std::pair<Prefix, std::uint16_t>> subnets;  // whose, by slot

  // Guests' addresses by network, of those with several subnets of a family: leased, or known to the host as
  // its neighbours'.
  std::map<std::string, std::set<Address>> guest_addresses;

  // What was seen to stand: every program at its hook, and the entry by which it is found.
  std::set<std::string> guarded_networks, guarded_ports, guarded_uplinks, guarded_parents;
  std::set<std::string> uplinks_with_xdp;  // or with the reason why not
  std::set<std::string> services;          // networks whose dnsmasq runs
  bool fence = false;                      // as the active networks want it
  bool fence_is_table = false;             // which is written anew when uplinks change
  bool socket_redirect = false;            // bpf/host.bpf.c
  std::set<Address> host_addresses;        // as it knows them
  Outdated outdated;

  // The host's own services. nullopt: there is none for this network namespace.
  std::vector<PassState> passes;
  std::optional<Firewalld> firewalld;
  std::optional<std::map<std::string, LinkNames>> resolver;  // by gateway

  const LinkInfo* link(const std::string& name) const;
  const LinkInfo* link(int ifindex) const;
  const Network* definition(const std::string& name) const;
  const ActiveNetwork* network(const std::string& name) const;
  const PortRecord* port(const std::string& interface) const;
  const UplinkRecord* uplink(const std::string& interface) const;
  const ParentRecord* parent(const std::string& interface) const;
  const NetworkEntry* entry(std::uint16_t slot) const;
  std::string sysctl(const std::string& name) const;  // "": not there

  bool is_device(int ifindex, vnet_device_role role) const;
  // Complete, and what it stands on is there: a reboot, or `ip link delete`, leaves the record alone.
  bool is_running(const std::string& network) const;
  // By whose routes a packet can leave, in any table.
  std::set<int> routed_links() const;
  // The bridge that the network's programs were attached to; 0: not known.
  int attached_bridge(const NetworkRecord& record) const;
};

// The key in Snapshot::sysctls.
std::string accept_ra_of(const std::string& interface);

}  // namespace vnet
