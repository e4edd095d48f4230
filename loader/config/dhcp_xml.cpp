// SPDX-License-Identifier: GPL-2.0-or-later
// <dhcp>: pools, static leases, boot files.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <string>
#include <string_view>

#include "loader/config/xml_parts.h"

namespace vnet {
namespace {

// Addresses that may differ within one pool: the last 16 bits.
bool same_block(const Address& a, const Address& b) {
  const std::size_t common = a.bits() / 8 - 2;
  return std::equal(a.bytes.begin(), a.bytes.begin() + common, b.bytes.begin());
}

Result<std::optional<Lease>> lease_of(const XmlNode& parent) {
  const auto node = parent.child("lease");
  if (!node) return std::nullopt;
  VNET_ASSIGN(auto lease, parse_lease(*node));
  return lease;
}

Result<DhcpRange> parse_range(const XmlNode& node, const Prefix& subnet) {
  DhcpRange range;
  for (auto [name, target] : {std::pair{"start", &range.start}, std::pair{"end", &range.end}}) {
    VNET_TRY(node.required(name));
    VNET_ASSIGN(const auto address, node.address(name));
    if (!subnet.contains(*address))
      return node.wrong_value(name, address->text(), "outside the subnet " + subnet.network().text());
    *target = *address;
  }
  if (range.end < range.start) return node.error("start is after end");
  if (!same_block(range.start, range.end)) return node.error("the range has more than 65536 addresses");
  if (subnet.address.family == Family::V4) {
    if (range.start == subnet.network().address)
      return node.wrong_value("start", range.start.text(), "the network's own address cannot be given out");
    if (range.end == subnet.broadcast())
      return node.wrong_value("end", range.end.text(), "the broadcast address cannot be given out");
  }
  VNET_ASSIGN(range.lease, lease_of(node));
  return range;
}

// What dnsmasq, which knows the fields of a host by their looks, would take for something else than a name:
// "2h" is a lease time.
bool misread_by_dnsmasq(const std::string& name) {
  if (name == "infinite" || name == "ignore" || name.contains(':') || Address::parse(name)) return true;
  const auto digits = std::min(name.find_first_not_of("0123456789"), name.size());
  const auto unit = std::string_view(name).substr(digits);
  return digits > 0 &&
         (unit.empty() || (unit.size() == 1 && std::string_view("sSmMhHdDwW").contains(unit[0])));
}

Result<std::string> parse_host_name(const XmlNode& node) {
  VNET_ASSIGN(auto value, node.string_or_empty("name"));
  VNET_ASSIGN(auto name, checked_name(node, "name", std::move(value)));
  if (name.empty()) return name;
  if (!std::isalnum(static_cast<unsigned char>(name[0])))
    return node.wrong_value("name", name, "must begin with a letter or a digit");
  if (misread_by_dnsmasq(name))
    return node.wrong_value("name", name, "dnsmasq would take it for an address, a lease time or an order");
  return name;
}

Result<DhcpHost> parse_host(const XmlNode& node, Family family) {
  DhcpHost host;
  VNET_ASSIGN(host.mac, node.unicast_mac("mac"));
  if (host.mac && family == Family::V6)
    return node.wrong_value("mac", host.mac->text(), "not allowed for IPv6; use id or name");

  VNET_ASSIGN(host.id, node.string_or_empty("id"));
  if (host.id.find_first_not_of("0123456789abcdefABCDEF:") != std::string::npos)
    return node.wrong_value("id", host.id, "allowed: hexadecimal digits and colons");

  VNET_ASSIGN(host.name, parse_host_name(node));

  VNET_ASSIGN(host.ip, node.address("ip"));
  if (!host.ip) return node.error("the attribute ip is missing");
  if (host.ip->family != family)
    return node.wrong_value("ip", host.ip->text(), "must be of the same family as its <ip>");
  if (family == Family::V6 && host.id.empty() && host.name.empty())
    return node.error("an IPv6 host needs id or name");
  if (family == Family::V4 && !host.mac && host.name.empty())
    return node.error("an IPv4 host needs mac or name");

  VNET_ASSIGN(host.lease, lease_of(node));
  return host;
}

Result<Bootp> parse_bootp(const XmlNode& node) {
  Bootp bootp;
  VNET_ASSIGN(bootp.file, node.string_or_empty("file"));
  // dnsmasq reads what follows a comma as the server.
  if (bootp.file.contains(',')) return node.wrong_value("file", bootp.file, "a comma is not allowed");
  VNET_ASSIGN(const auto server, node.address("server"));
  if (server) bootp.server = server->text();
  return bootp;
}

}  // namespace

Result<Lease> parse_lease(const XmlNode& node) {
  enum class Unit { Seconds, Minutes, Hours };
  VNET_TRY(node.required("expiry"));
  VNET_ASSIGN(const auto expiry, node.number("expiry", 0, UINT32_MAX));
  VNET_ASSIGN(const auto unit,
              node.choice<Unit>(
                  "unit", {{"seconds", Unit::Seconds}, {"minutes", Unit::Minutes}, {"hours", Unit::Hours}}));
  if (*expiry == 0) return Lease{0, "infinite"};

  const auto [factor, letter] = [&]() -> std::pair<unsigned, char> {
    switch (unit.value_or(Unit::Minutes)) {
      case Unit::Seconds:
        return {1, 's'};
      case Unit::Hours:
        return {3600, 'h'};
      default:
        return {60, 'm'};
    }
  }();
  const auto seconds = *expiry * factor;
  if (seconds < 120 || seconds > UINT32_MAX)
    return node.wrong_value("expiry", std::to_string(*expiry),
                            "a lease must last from 2 minutes to 4294967295 seconds, or 0 for ever");
  return Lease{seconds, fmt::format("{}{}", *expiry, letter)};
}

Result<void> parse_dhcp(const XmlNode& node, IpConfig& ip) {
  const auto family = ip.gateway.address.family;
  for (const auto& range : node.children("range")) {
    VNET_ASSIGN(auto parsed, parse_range(range, ip.gateway));
    ip.ranges.push_back(std::move(parsed));
  }
  for (const auto& host : node.children("host")) {
    VNET_ASSIGN(auto parsed, parse_host(host, family));
    ip.hosts.push_back(std::move(parsed));
  }
  if (family != Family::V4) return {};  // <bootp> has no meaning for IPv6 and is ignored
  for (const auto& bootp : node.children("bootp")) {
    VNET_ASSIGN(auto parsed, parse_bootp(bootp));
    if (!parsed.file.empty()) ip.bootp = std::move(parsed);
  }
  return {};
}

}  // namespace vnet
