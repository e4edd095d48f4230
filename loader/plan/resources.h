// SPDX-License-Identifier: GPL-2.0-or-later
// What vnet-bpf keeps on a host, as values: what stands (observe()), and what shall stand (desired()). Where
// the two are equal there is nothing to do.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "loader/model/records.h"
#include "loader/plan/intent.h"
#include "loader/plan/plan.h"
#include "loader/plan/snapshot.h"

namespace vnet {

struct DefinitionResource {
  std::string xml;
  bool autostart = false;
  bool operator==(const DefinitionResource&) const = default;
};

// An active network. `complete`: all of it was made, and what it stands on is there.
struct NetworkResource {
  std::uint16_t slot = 0;
  std::string xml;
  bool complete = true;
  bool guarded = true;              // its gateway's programs; always so without a gateway
  std::vector<AddedAddress> added;  // on the gateway, beside the definition's
  std::uint32_t bridged_flags = 0;  // VNET_NETWORK_F_*, where it is bridged
  bool dnsmasq = false;
  bool operator==(const NetworkResource&) const = default;
};

struct UplinkResource {
  std::string network;  // "": an uplink of all; else a bridged network's member
  int ifindex = 0;
  std::uint16_t slot = 0;
  UplinkXdp xdp;
  bool primary = true;
  bool guarded = true;
  std::vector<Address> addresses;  // to masquerade to, one a family
  bool operator==(const UplinkResource&) const = default;
};

struct ParentResource {
  int ifindex = 0;
  std::uint16_t slot = 0;
  bool passthrough = false;
  bool guarded = true;  // programs, promiscuous mode, the MAC it was loaded with
  bool operator==(const ParentResource&) const = default;
};

struct PortResource {
  PortRecord record;
  bool in_place = true;     // guarded, and where it belongs
  bool xdp_target = false;  // XDP forward may deliver to it
  bool operator==(const PortResource&) const = default;
};

// hostFirewall='auto': rules of ours in one of the host's tables.
struct PassResource {
  std::vector<PassRule> rules;
  bool in_place = true;
  bool operator==(const PassResource&) const = default;
};

struct Resources {
  std::map<std::string, DefinitionResource> definitions;
  std::map<std::string, NetworkResource> networks;
  std::map<std::string, UplinkResource> uplinks;
  std::map<std::string, ParentResource> parents;
  std::map<std::string, PortResource> ports;
  std::set<int> vrfs;                // by ifindex: whose members are all uplinks of ours
  std::set<std::string> forwarding;  // sysctls that are to be 1
  std::set<Prefix> blocked;
  bool fence = false;
  bool socket_redirect = false;      // the host's own to port forwards
  std::set<Address> host_addresses;  // that it is for
  std::map<PassTable, PassResource> passes;
  std::map<std::string, std::string> zones;     // firewalld's, by gateway
  std::map<std::string, LinkNames> link_names;  // systemd-resolved's, by gateway
  Outdated outdated;
  bool operator==(const Resources&) const = default;
};

Resources observe(const Snapshot& snapshot);

// What the intent makes of the host: what cannot be is refused, and stays as it is.
struct Wanted {
  Resources resources;
  std::map<std::string, Network> networks;  // of the active ones, by name
  std::set<std::string> restart;            // complete, and to be made anew all the same
  // Networks that go on running with another definition: those of which something may stand now.
  std::map<std::string, std::vector<Network>> changed;
  std::vector<Refusal> refusals;
  std::map<std::string, std::string> done;
  std::vector<std::string> notes;
};
Result<Wanted> desired(const Snapshot& snapshot, const Intent& intent);

// From what stands to what is wanted. Guards come before what they guard can be reached, and go behind it.
std::vector<Step> diff(const Snapshot& snapshot, const Resources& now, const Wanted& wanted);

// What is said of a datapath whose maps this version cannot read, and of one that it can only read.
std::unexpected<Error> unknown_layout(unsigned layout);
std::unexpected<Error> older_layout(unsigned layout);

// The three together.
Result<Plan> make_plan(const Snapshot& snapshot, const Intent& intent);

}  // namespace vnet
