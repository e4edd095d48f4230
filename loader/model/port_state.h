// SPDX-License-Identifier: GPL-2.0-or-later
// What goes with a guest to another host: its port's settings, the addresses that it has by DHCP or by
// duplicate address detection, and its counters.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "loader/model/port_config.h"

namespace vnet {

struct PortAddress {
  Address address;
  bool leased = false;        // else it is claimed
  std::uint64_t seconds = 0;  // of a lease: how long it lasts; 0: for ever
  bool operator==(const PortAddress&) const = default;
};

struct PortTotals {
  std::uint64_t rx_packets = 0, rx_bytes = 0, tx_packets = 0, tx_bytes = 0;
  std::map<std::string, std::uint64_t> drops;  // by reason word
  bool operator==(const PortTotals&) const = default;
};

struct PortState : PortConfig {
  std::string interface, network;
  std::vector<PortAddress> addresses;
  PortTotals totals;
};

// What `attach` has to be asked for, so that a port has these settings.
PortRequest request_of(const PortState& state);

}  // namespace vnet
