// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/apply/read_outdated.h"

#include <algorithm>

#include "loader/apply/guards.h"
#include "loader/bpf/before.h"
#include "loader/bpf/fence.h"
#include "loader/bpf/socket_redirect.h"

namespace vnet {

// Programs on maps of another layout are another build's, whatever they say.
Result<Outdated> read_outdated(System& system) {
  Outdated outdated;
  if (!system.datapath) return outdated;
  const Datapath& datapath = *system.datapath;
  outdated.layout = datapath.layout();
  outdated.begun = Before(datapath.pins()).exists();
  const bool all = outdated.layout != VNET_ABI_VERSION;
  VNET_ASSIGN(auto active, active_networks(system));
  for (const auto& [record, network] : active)
    if (!is_direct(network) && (all || !datapath.is_current({.role = Role::Port, .owner = network.name})))
      outdated.networks.insert(network.name);
  VNET_ASSIGN(auto parents, system.records.parents());
  for (const auto& parent : parents)
    if (all || !datapath.is_current({.role = Role::Parent, .owner = parent.interface}))
      outdated.parents.insert(parent.interface);
  VNET_ASSIGN(auto uplinks, system.records.uplinks());
  for (const auto& uplink : uplinks)
    if (uplink.network.empty() &&
        (all || !datapath.is_current({.role = Role::Uplink, .owner = uplink.interface}) ||
         !datapath.is_xdp_current(uplink.interface, uplink.ifindex)))
      outdated.uplinks.insert(uplink.interface);
  VNET_ASSIGN(auto ports, system.records.ports());
  for (const auto& port : ports)
    if (datapath.has_old_limit(port.interface, port.ifindex)) outdated.limits.insert(port.interface);
  bool any_gateway =
      std::ranges::any_of(active, [](const ActiveNetwork& one) { return has_gateway(one.network); });
  outdated.fence = any_gateway && (all || !Fence::is_current(datapath.pins()));
  outdated.socket_redirect =
      SocketRedirect::is_there(datapath.pins()) && (all || !SocketRedirect::is_current(datapath.pins()));
  return outdated;
}

std::vector<std::string> what_is_outdated(const Outdated& outdated) {
  std::vector<std::string> all;
  for (const auto& name : outdated.networks) all.push_back("network " + name);
  for (const auto& name : outdated.parents) all.push_back("parent " + name);
  for (const auto& name : outdated.uplinks) all.push_back("uplink " + name);
  for (const auto& name : outdated.limits) all.push_back("bandwidth of " + name);
  if (outdated.fence) all.emplace_back("the fence");
  if (outdated.socket_redirect) all.emplace_back("the host's way to port forwards");
  return all;
}

}  // namespace vnet
