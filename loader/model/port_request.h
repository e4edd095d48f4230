// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "loader/model/network.h"

namespace vnet {

// What `attach` and `set` were asked for; nullopt: leave as it is (attach: the default).
struct PortRequest {
  std::string interface, network;  // network: only for attach
  std::optional<Mac> mac;
  std::optional<bool> any_mac;  // or `mac` and no other; without it the network's default
  std::optional<std::vector<Address>> ips;
  std::optional<bool> ip_only;
  std::optional<std::vector<std::string>> filters;
  std::optional<Inbound> inbound;
  std::optional<std::vector<std::string>> allow;
  std::optional<bool> isolated;
  std::optional<std::string> model, portgroup;
  std::optional<BandwidthPair> bandwidth;  // these two only by a hypervisor's hook
  std::optional<Vlan> vlan;
  std::optional<bool> link_up;
};

}  // namespace vnet
