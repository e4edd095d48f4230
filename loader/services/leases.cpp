// SPDX-License-Identifier: GPL-2.0-or-later
// The file, as dnsmasq writes it:
//   EXPIRY MAC IPV4 HOSTNAME CLIENT-ID      one line a lease, "*" for what is unknown
//   duid SERVER-DUID                        the IPv6 part begins
//   EXPIRY IAID IPV6 HOSTNAME DUID
#include "loader/services/leases.h"

#include <charconv>
#include <sstream>

namespace vnet {
namespace {

std::string known(const std::string& field) {
  return field == "*" ? "" : field;
}

// A hardware type other than Ethernet comes in front: "06-52:54:00:...".
std::optional<Mac> hardware_address(std::string_view field) {
  if (const auto dash = field.find('-'); dash != std::string_view::npos) field.remove_prefix(dash + 1);
  return Mac::parse(field);
}

// RFC 8415 11.2 and 11.4: type, hardware type 1 (Ethernet), for type 1 four bytes of time, then the address.
std::optional<Mac> mac_in_duid(std::string_view duid) {
  constexpr std::size_t mac_length = 17, byte_length = 3;
  std::size_t at = 0;
  if (duid.starts_with("00:01:00:01:"))
    at = 8 * byte_length;
  else if (duid.starts_with("00:03:00:01:"))
    at = 4 * byte_length;
  if (at == 0 || duid.size() != at + mac_length) return std::nullopt;
  return Mac::parse(duid.substr(at));
}

unsigned prefix_length_of(const Address& ip, const Network& network) {
  for (const auto& config : network.ips)
    if (config.gateway.contains(ip)) return config.gateway.length;
  return ip.bits();
}

std::optional<LeaseEntry> parse_line(const std::string& line, const Network& network) {
  std::istringstream words(line);
  std::string expiry, owner, ip, hostname, client_id;
  if (!(words >> expiry >> owner >> ip >> hostname >> client_id)) return std::nullopt;

  LeaseEntry entry;
  const char* last = expiry.data() + expiry.size();
  const auto [end, code] = std::from_chars(expiry.data(), last, entry.expiry);
  const auto address = Address::parse(ip);
  if (code != std::errc() || end != last || !address) return std::nullopt;

  entry.ip = *address;
  entry.family = address->family;
  entry.mac = entry.family == Family::V4 ? hardware_address(owner) : mac_in_duid(client_id);
  entry.prefix_length = prefix_length_of(entry.ip, network);
  entry.hostname = known(hostname);
  entry.client_id = known(client_id);
  return entry;
}

}  // namespace

std::vector<LeaseEntry> parse_leases(std::string_view text, const Network& network) {
  std::vector<LeaseEntry> entries;
  std::istringstream lines{std::string(text)};
  for (std::string line; std::getline(lines, line);)
    if (auto entry = parse_line(line, network)) entries.push_back(std::move(*entry));
  return entries;
}

}  // namespace vnet
