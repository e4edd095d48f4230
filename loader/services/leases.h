// SPDX-License-Identifier: GPL-2.0-or-later
// What dnsmasq has leased out, from its lease file.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "loader/model/network.h"

namespace vnet {

struct LeaseEntry {
  std::int64_t expiry = 0;  // seconds since the epoch; 0: never
  std::optional<Mac> mac;   // for IPv6 taken from the DUID, where it holds one
  Address ip;
  unsigned prefix_length = 0;  // of the network's subnet that the address is in
  std::string hostname;        // empty: none given
  std::string client_id;       // client id (IPv4) or DUID (IPv6); empty: none
};

// Lines that are not understood are passed over: the file is dnsmasq's, which may write more than we know.
std::vector<LeaseEntry> parse_leases(const std::string& text, const Network& network);

}  // namespace vnet
