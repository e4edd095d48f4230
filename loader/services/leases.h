// SPDX-License-Identifier: GPL-2.0-or-later
// What dnsmasq has leased, from its lease file.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "loader/model/network.h"

namespace vnet {

struct LeaseEntry {
  std::uint64_t expiry = 0;  // seconds since the epoch; 0: never
  std::optional<Mac> mac;    // IPv6: from the DUID, when it holds one
  Family family = Family::V4;
  Address ip;
  unsigned prefix_length = 0;  // of the subnet of the network that holds the address
  std::string hostname;        // empty: unknown
  std::string client_id;       // client id or DUID; empty: unknown
};

// Lines that are not leases are passed over: dnsmasq may be in the middle of rewriting the file.
std::vector<LeaseEntry> parse_leases(std::string_view text, const Network& network);

}  // namespace vnet
