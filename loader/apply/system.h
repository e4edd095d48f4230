// SPDX-License-Identifier: GPL-2.0-or-later
// What changes are carried out on, and facts are read from.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "loader/bpf/datapath.h"
#include "loader/model/records.h"
#include "loader/netlink/netlink.h"
#include "loader/services/dnsmasq.h"
#include "loader/state/records.h"
#include "loader/state/state_dir.h"

namespace vnet {

struct System {
  StateDir dirs;
  Netlink netlink;
  Records records;
  std::optional<Datapath> datapath;  // there once a network has been started

  Result<Datapath*> need_datapath();  // opens or makes it
  Dnsmasq dnsmasq(const std::string& network) const;
};

Result<std::optional<ActiveNetwork>> active_network(System& system, const std::string& name);
Result<std::vector<ActiveNetwork>> active_networks(System& system);  // by name

// With what they ask for; without those whose XML cannot be read.
Result<std::vector<GuestPort>> guest_ports(System& system);

// Complete, and what it stands on is there: a reboot, or `ip link delete`, leaves the record alone.
Result<bool> is_running(System& system, const ActiveNetwork& active);

// A slot begins at zero.
Result<void> clear_slot(SharedMaps& maps, std::uint16_t slot);
// An empty map entry for the network, its counters and what it had learned gone.
Result<void> forget_network(SharedMaps& maps, std::uint16_t slot);

}  // namespace vnet
