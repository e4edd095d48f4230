// SPDX-License-Identifier: GPL-2.0-or-later
// <ip> with its <tftp>, and <route>.
#include <fmt/format.h>

#include "loader/config/xml_parts.h"

namespace vnet {
namespace {

struct Subnet {
  Prefix prefix;
  bool length_given = false, netmask_given = false;
};

// address=, family=, netmask= and prefix=, which <ip> and <route> share. A length that is not given is 0.
Result<Subnet> parse_subnet(const XmlNode& node) {
  VNET_ASSIGN(const auto family, node.choice<Family>("family", {{"ipv4", Family::V4}, {"ipv6", Family::V6}}));
  VNET_TRY(node.required("address"));
  VNET_ASSIGN(const auto address, node.address("address"));
  if (address->family != family.value_or(Family::V4))
    return node.wrong_value("address", address->text(),
                            address->family == Family::V6 ? "an IPv6 address needs family='ipv6'"
                                                          : "family='ipv6' needs an IPv6 address");
  Subnet subnet{{*address, 0}};

  VNET_ASSIGN(const auto length, node.number("prefix", 0, address->bits()));
  if (length) subnet.prefix.length = static_cast<unsigned>(*length);
  subnet.length_given = length.has_value();

  VNET_ASSIGN(const auto netmask, node.address("netmask"));
  if (!netmask) return subnet;
  if (address->family == Family::V6)
    return node.wrong_value("netmask", netmask->text(), "not allowed for IPv6; use prefix");
  if (length) return node.error("netmask and prefix exclude each other");
  const auto masked = netmask->family == Family::V4 ? Prefix::length_of(*netmask) : std::nullopt;
  if (!masked) return node.wrong_value("netmask", netmask->text(), "not a contiguous IPv4 netmask");
  subnet.prefix.length = *masked;
  subnet.netmask_given = true;
  return subnet;
}

// What a subnet without a length means: the address class, for IPv6 /64.
std::optional<unsigned> default_length(const Address& address) {
  if (address.family == Family::V6) return 64;
  if (address.bytes[0] < 128) return 8;
  if (address.bytes[0] < 192) return 16;
  if (address.bytes[0] < 224) return 24;
  return std::nullopt;
}

}  // namespace

Result<IpConfig> parse_ip(const XmlNode& node) {
  VNET_ASSIGN(const auto subnet, parse_subnet(node));
  IpConfig ip;
  ip.gateway = subnet.prefix;
  ip.netmask_given = subnet.netmask_given;
  ip.prefix_given = subnet.length_given || subnet.netmask_given;
  const auto& address = ip.gateway.address;
  if (address.is_multicast()) return node.wrong_value("address", address.text(), "a multicast address");
  if (ip.gateway.length == 0) {  // prefix='0' counts as not given
    const auto length = default_length(address);
    if (!length)
      return node.wrong_value("address", address.text(), "its class has no default prefix; give one");
    ip.gateway.length = *length;
    ip.prefix_given = ip.netmask_given = false;
  }

  VNET_ASSIGN(const auto local_ptr, node.yes_no("localPtr"));
  ip.local_ptr = local_ptr.value_or(false);

  for (const auto& tftp : node.children("tftp")) {
    if (address.family == Family::V6) return tftp.error("only allowed in an IPv4 <ip>");
    VNET_ASSIGN(auto root, tftp.string_or_empty("root"));
    // dnsmasq reads what follows a comma as an interface name.
    if (root.contains(',')) return tftp.wrong_value("root", root, "a comma is not allowed");
    if (!root.empty()) ip.tftp_root = std::move(root);
  }
  for (const auto& dhcp : node.children("dhcp")) {
    ip.dhcp = true;
    VNET_TRY(parse_dhcp(dhcp, ip));
  }
  return ip;
}

Result<StaticRoute> parse_route(const XmlNode& node) {
  VNET_ASSIGN(const auto subnet, parse_subnet(node));
  StaticRoute route;
  route.destination = subnet.prefix;
  route.netmask_given = subnet.netmask_given;
  if (route.destination.network() != route.destination)
    return node.wrong_value("address", route.destination.address.text(),
                            fmt::format("not a network address with prefix {}", route.destination.length));

  VNET_TRY(node.required("gateway"));
  VNET_ASSIGN(const auto gateway, node.address("gateway"));
  if (gateway->family != route.destination.address.family)
    return node.wrong_value("gateway", gateway->text(), "must be of the same family as address");
  route.gateway = *gateway;

  VNET_ASSIGN(const auto metric, node.number("metric", 1, UINT32_MAX));
  if (metric) route.metric = static_cast<unsigned>(*metric);
  return route;
}

}  // namespace vnet
