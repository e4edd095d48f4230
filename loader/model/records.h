// SPDX-License-Identifier: GPL-2.0-or-later
// What is written down of everything that runs: plain values; loader/state keeps them on disk.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "loader/model/added_address.h"
#include "loader/model/network.h"
#include "loader/model/port_config.h"

namespace vnet {

struct NetworkRecord {
  std::string name;
  std::uint16_t slot = 0;
  bool complete = false;  // false: a start or stop was interrupted
  std::string xml;        // the active definition, whatever is stored
  std::vector<AddedAddress> added;
  // While a change of the definition is under way: those of which something may still stand.
  std::vector<std::string> before = {};
};

struct PortRecord : PortConfig {
  std::string interface, network;
  int ifindex = 0;
  std::uint16_t slot = 0;
  bool enslaved_by_us = false;  // it was on no bridge before
  bool settled = false;         // false: an attach or set was interrupted
  bool leaving = false;         // a detach has begun: to be finished, not to be put back
  std::string parent;           // direct attachment: the physical interface
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

// A network that has been started, and its active definition.
struct ActiveNetwork {
  NetworkRecord record;
  Network network;
};

}  // namespace vnet
