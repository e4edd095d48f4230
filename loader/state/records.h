// SPDX-License-Identifier: GPL-2.0-or-later
// What is running, on disk: one JSON file each under the runtime directory. A record is written before
// what it describes is made and removed after that is gone, so an interrupted command leaves nothing that
// the next one does not know of.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "loader/base/error.h"
#include "loader/model/added_address.h"
#include "loader/model/network.h"
#include "loader/state/state_dir.h"

namespace vnet {

struct NetworkRecord {
  std::string name;
  std::uint16_t slot = 0;
  bool complete = false;  // false: a start or stop was interrupted
  std::string xml;        // the definition as it was started
  std::vector<AddedAddress> added;
};

struct PortRecord {
  std::string interface, network;
  int ifindex = 0;
  std::uint16_t slot = 0;
  bool enslaved_by_us = false;  // it was on no bridge before
  std::optional<Mac> mac;       // the guest's own, as far as it is known
  std::optional<bool> any_mac;  // it may send from others; nullopt: the network's <guard mac>
  std::vector<Address> ips;
  bool ip_only = false;  // beside them nothing that the guest makes up
  std::string model, portgroup;
  std::optional<BandwidthPair> bandwidth;
  std::optional<Vlan> vlan;
  bool plugged = true;
  std::vector<std::string> filters, allow;
  std::optional<Inbound> inbound;  // nullopt: the network's default
  std::optional<bool> isolated;    // nullopt: the network's <port isolated>
  bool settled = false;            // false: an attach or set was interrupted
  bool leaving = false;            // a detach has begun: to be finished, not to be put back
  std::string parent;              // direct attachment: the physical interface
  bool operator==(const PortRecord&) const = default;
};

// What the networks behind an uplink want of XDP there, together.
struct UplinkXdp {
  XdpMode mode = XdpMode::Off;  // never Auto: the interface has decided that
  bool generic = false;
  bool limits_new_flows = false;
  std::string no_forward;            // filter, where forward was wished for: why
  bool distrusts_checksums = false;  // forward: not a network card
  std::optional<Mac> mac;            // forward: the uplink's
  bool operator==(const UplinkXdp&) const = default;
};

struct UplinkRecord {
  std::string interface;
  std::string network;  // whose bridge it leads out of; empty: the host's routes lead there
  int ifindex = 0;
  std::uint16_t slot = 0;
  UplinkXdp xdp;        // what its networks want
  std::string xdp_why;  // why it is not attached all the same
  bool primary =
      true;  // named by a network, or has a default route; others are guarded ways, and may be used
};

// A physical interface of direct attachment, with what we changed of it.
struct ParentRecord {
  std::string interface;
  int ifindex = 0;
  std::uint16_t slot = 0;  // counters, and the guests' MACs
  Mac mac;                 // the host's; what its programs were loaded with
  bool passthrough = false;
  bool was_promiscuous = false, was_up = true;
  std::optional<Mac> own_mac;  // while it has its guest's (passthrough)
};

class Records {
 public:
  explicit Records(const StateDir& dirs) : dirs_(&dirs) {}

  Result<std::vector<NetworkRecord>> networks() const;
  Result<std::vector<PortRecord>> ports() const;
  Result<std::vector<UplinkRecord>> uplinks() const;
  Result<std::vector<ParentRecord>> parents() const;
  Result<std::optional<NetworkRecord>> network(const std::string& name) const;
  Result<std::optional<PortRecord>> port(const std::string& interface) const;
  Result<std::optional<UplinkRecord>> uplink(const std::string& interface) const;
  Result<std::optional<ParentRecord>> parent(const std::string& interface) const;
  // Sysctls that we changed, with their values before.
  Result<std::map<std::string, std::string>> sysctls() const;

  Result<void> save(const NetworkRecord& record) const;
  Result<void> save(const PortRecord& record) const;
  Result<void> save(const UplinkRecord& record) const;
  Result<void> save(const ParentRecord& record) const;
  Result<void> save_sysctls(const std::map<std::string, std::string>& previous) const;
  Result<void> remove_network(const std::string& name) const;
  Result<void> remove_port(const std::string& interface) const;
  Result<void> remove_uplink(const std::string& interface) const;
  Result<void> remove_parent(const std::string& interface) const;

  // What an interrupted write has left; only with the lock held.
  void sweep() const;
  Result<std::set<std::uint16_t>> taken_slots() const;

 private:
  const StateDir* dirs_;
};

}  // namespace vnet
