// SPDX-License-Identifier: GPL-2.0-or-later
// What a port's options say, as values: its filters, and what is let in all the same.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "loader/base/error.h"
#include "loader/model/address.h"

namespace vnet {

// PROTO/PORT[@CIDR]: new connections to the guest's PORT, from CIDR or from everywhere.
struct AllowRule {
  std::string proto;  // tcp or udp
  std::uint16_t port = 0;
  std::optional<Prefix> from;
  bool operator==(const AllowRule&) const = default;
};
Result<AllowRule> parse_allow_rule(const std::string& text);

const std::vector<std::string>& filter_names();  // as --filter takes them

// What a list of filters sums up to.
struct Filters {
  bool mac_spoofing = false, ip_spoofing = false, arp_spoofing = false, ipv6_spoofing = false;  // "no-..."
  bool ip_multicast = false;
  bool clean = false;        // clean-traffic: the four above, and nothing but IP and ARP
  bool dhcp_server = false;  // a permission: the guest may be a DHCP server and a router
  bool operator==(const Filters&) const = default;
};
Result<Filters> parse_filters(const std::vector<std::string>& names);

}  // namespace vnet
