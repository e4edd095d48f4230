// SPDX-License-Identifier: GPL-2.0-or-later
// Facts as text and as JSON. Pure: values in, a string out.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "loader/host.h"

namespace vnet::cli {

// Columns, left-aligned, two spaces apart; empty cells become "-".
std::string table(const std::vector<std::string>& header, const std::vector<std::vector<std::string>>& rows);
std::string human_bytes(double bytes);  // 1.2 MiB
std::string human_rate(double per_second, const char* unit);  // 1.2 M<unit>/s, decimal

const char* inbound_word(Inbound inbound);  // accept established drop

std::string networks_text(const std::vector<NetworkSummary>& networks);
std::string ports_text(const std::vector<PortInfo>& ports);
std::string leases_text(const std::vector<LeaseEntry>& leases);
std::string flows_text(const std::vector<SessionInfo>& flows);
std::string stats_text(const Stats& stats);
std::string details_text(const NetworkDetails& details);

using Json = nlohmann::ordered_json;
Json networks_json(const std::vector<NetworkSummary>& networks);
Json ports_json(const std::vector<PortInfo>& ports);
// [{"expiry" (seconds since the epoch, 0: never),"mac","protocol","ip","prefix","hostname","client_id"}]
Json leases_json(const std::vector<LeaseEntry>& leases);
// [{"protocol","state","network","inside":{"address","port"},"outside":{..},"translated":{..},"inbound",
//   "age","idle" (seconds),"out_packets","out_bytes","in_packets","in_bytes"}]
Json flows_json(const std::vector<SessionInfo>& flows);
Json stats_json(const Stats& stats);
// list's keys, and "addresses":[],"uplinks":[],"sessions","max_sessions","dnsmasq","host_firewall"
Json details_json(const NetworkDetails& details);

}  // namespace vnet::cli
