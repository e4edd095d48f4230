// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/takeover/lease_lines.h"

#include <fmt/format.h>

namespace vnet::takeover {
namespace {

// A word of a line: what dnsmasq would take for two, or for none, is left out.
std::string word(const std::optional<std::string>& text) {
  if (!text || text->empty() || text->find_first_of(" \t\r\n") != std::string::npos) return "*";
  return *text;
}

}  // namespace

std::vector<std::string> lease_lines(const std::vector<rpc::LeaseRow>& leases) {
  constexpr std::int32_t v6 = 1;
  std::vector<std::string> lines, of_v6;
  for (const auto& lease : leases) {
    const auto owner = word(lease.type == v6 ? lease.iaid : lease.mac);
    if (owner == "*" || word(lease.address) == "*") continue;
    (lease.type == v6 ? of_v6 : lines)
        .push_back(fmt::format("{} {} {} {} {}", lease.expiry, owner, lease.address, word(lease.hostname),
                               word(lease.client_id)));
  }
  lines.insert(lines.end(), of_v6.begin(), of_v6.end());  // dnsmasq has them behind those of IPv4
  return lines;
}

}  // namespace vnet::takeover
