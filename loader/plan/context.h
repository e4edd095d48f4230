// SPDX-License-Identifier: GPL-2.0-or-later
// What the planners work with. Internal to the library.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "loader/bpf/datapath.h"
#include "loader/model/port_request.h"
#include "loader/netlink/netlink.h"
#include "loader/plan/plan.h"
#include "loader/services/dnsmasq.h"
#include "loader/state/records.h"
#include "loader/state/state_dir.h"

namespace vnet {

struct Context {
  StateDir dirs;
  Netlink netlink;
  Records records;
  std::optional<Datapath> datapath;  // there once a network has been started
  // Taken by a record, or given since the lock was taken: some are chosen while planning, others while the
  // plan is carried out. nullopt: not read yet.
  std::optional<std::set<std::uint16_t>> slots = std::nullopt;

  Result<Datapath*> need_datapath();  // opens or makes it
  Result<std::uint16_t> take_slot();  // the lowest that is free
  Dnsmasq dnsmasq(const std::string& network) const;
};

// An active network: its record and the definition it was started with.
struct ActiveNetwork {
  NetworkRecord record;
  Network network;
};
Result<std::optional<ActiveNetwork>> active_network(Context& context, const std::string& name);
// NotFound: it is not active, or its start was interrupted.
Result<ActiveNetwork> need_active(Context& context, const std::string& name);
Result<std::vector<ActiveNetwork>> active_networks(Context& context);

// Steps of the verbs, by concern.
Result<Plan> plan_start(Context& context, const Network& network);      // network_plan.cpp
Result<Plan> plan_stop(Context& context, const ActiveNetwork& active);  // network_plan.cpp
Result<Plan> plan_dnsmasq(Context& context, const Network& network);  // dnsmasq_plan.cpp: empty when it runs
void remove_dnsmasq_files(Context& context, const std::string& network);
// Uplinks as the routes want them now, for the given networks; attaches what is missing, lets go what nobody
// needs any more.
Result<Plan> plan_uplinks(Context& context, const std::vector<Network>& networks);  // uplink_plan.cpp
Result<std::set<int>> routed_links(Context& context);  // by whose routes a packet can leave, in any table
// Ports as they are, and as the command in hand has planned them so far.
using KnownPorts = std::vector<PortRecord>;
Result<Plan> plan_attach(Context& context, const PortRequest& request, KnownPorts& known);  // port_plan.cpp
Result<Plan> plan_set(Context& context, const PortRequest& request);
Result<Plan> plan_detach(Context& context, const PortRecord& record);
// Ports whose guard somebody has taken away, or whose attach or detach was interrupted.
Result<std::vector<Task>> port_heal_tasks(Context& context,
                                          const std::vector<ActiveNetwork>& active);  // plugged_ports.cpp
// Ports that somebody else has plugged into a network's bridge or taken out of it, and those that are gone.
Result<std::vector<Task>> port_tasks(Context& context,
                                     const std::vector<ActiveNetwork>& active);  // plugged_ports.cpp
// The block list: what is not (or is) there already; as it is.
Result<Plan> plan_block(Context& context, bool add, const std::vector<Prefix>& prefixes);  // block_plan.cpp
Result<std::vector<Prefix>> blocked_prefixes(Context& context);

// Every session of a slot (a network's or a port's) goes, and its share with it.
void forget_sessions(SharedMaps& maps, std::uint16_t slot);
// A slot begins at zero.
Result<void> clear_slot(SharedMaps& maps, std::uint16_t slot);
std::set<std::string> gateway_names(const std::vector<Network>& networks);

}  // namespace vnet
