// SPDX-License-Identifier: GPL-2.0-or-later
// What is told of networks and ports.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "loader/model/added_address.h"
#include "loader/model/network.h"
#include "loader/model/port_config.h"

namespace vnet {

struct NetworkSummary {
  std::string name, uuid, gateway;
  Mode mode = Mode::Nat;
  bool active = false, autostart = false;
  unsigned ports = 0;
  std::vector<std::string> unguarded;  // "virbr0 gateway-ingress": programs of ours that somebody took away
};

// A network as it is written down.
struct KnownNetwork {
  std::string name, uuid;
  std::optional<Network> definition, active;  // without a definition: transient; active: it runs
  bool autostart = false;
  std::string stamp = {};  // of the definition's file: changes whenever that is written
};

struct NetworkDetails {
  NetworkSummary summary;
  Network network;  // the active one where active, else the definition
  std::vector<std::string> uplinks;
  std::vector<AddedAddress> added;
  bool dnsmasq_running = false;
  std::uint32_t sessions = 0;
  std::vector<std::string> routes;  // routed and open: "PREFIX via ADDRESS", what the next routers must know
  std::optional<bool> shortcut;     // bridged: whether known frames go past the bridge
  std::map<std::string, std::string> xdp;  // by uplink, where a network wants it: how it is done, or why not
  std::map<std::string, std::string> xdp_ports;  // XDP forward, by port: "" or why tc delivers everything
};

struct ForwardInfo {
  std::string network;
  bool active = false;  // of a network that is: as it is in effect; else as it is stored
  PortForward forward;
  std::size_t sessions = 0;
};

// A port's settings as they hold, the network's defaults filled in, and what is seen of it.
struct PortInfo : PortConfig {
  std::string interface, network, type, source;  // type: network, bridge, direct
  bool up = true;                                // plugged in, and the interface is there and up
  bool vlan_held = false;                        // by the programs, or by a bridge that keeps VLANs apart
  bool attached = true;                          // false: it is in the network's bridge, and gets no traffic
  std::vector<std::string> unguarded;            // hooks without our program
};

}  // namespace vnet
