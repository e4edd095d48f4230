// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/services/leases.h"

#include <sstream>

namespace vnet {
namespace {

std::string or_empty(const std::string& field) { return field == "*" ? "" : field; }

// DUID-LLT (type 1) and DUID-LL (type 3) end in the Ethernet address (RFC 8415, 11.2 and 11.4).
std::optional<Mac> mac_of_duid(const std::string& duid) {
  bool llt = duid.starts_with("00:01:00:01:"), ll = duid.starts_with("00:03:00:01:");
  std::size_t at = llt ? 24 : 12;
  if ((!llt && !ll) || duid.size() != at + 17) return std::nullopt;
  return Mac::parse(duid.substr(at));
}

}  // namespace

std::vector<LeaseEntry> parse_leases(const std::string& text, const Network& network) {
  std::vector<LeaseEntry> leases;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream fields(line);
    LeaseEntry lease;
    std::string link, ip, hostname, id;
    if (!(fields >> lease.expiry >> link >> ip >> hostname >> id)) continue;  // the "duid ..." line, too
    auto address = Address::parse(ip);
    if (!address) continue;
    lease.ip = *address;
    lease.hostname = or_empty(hostname);
    lease.client_id = or_empty(id);
    lease.mac = address->family == Family::V4 ? Mac::parse(link) : mac_of_duid(lease.client_id);
    lease.prefix_length = address->bits();
    for (const auto& config : network.ips)
      if (config.gateway.contains(*address)) lease.prefix_length = config.gateway.length;
    leases.push_back(std::move(lease));
  }
  return leases;
}

}  // namespace vnet
