// SPDX-License-Identifier: GPL-2.0-or-later
// <ip> with <tftp> and <dhcp>, and <route>.
#include <fmt/format.h>

#include "loader/config/parts.h"

namespace vnet {
namespace {

std::optional<unsigned> mask_length(const Address& mask) {
  unsigned length = 0;
  bool ended = false;
  for (unsigned i = 0; i < mask.bits(); ++i) {
    bool set = mask.bytes[i / 8] >> (7 - i % 8) & 1;
    if (set && ended) return std::nullopt;
    ended = ended || !set;
    length += set;
  }
  return length;
}

// libvirt's defaults: the address class (IPv4), 64 (IPv6).
unsigned default_length(const Address& address) {
  if (address.family == Family::V6) return 64;
  if (address.bytes[0] < 128) return 8;
  return address.bytes[0] < 192 ? 16 : 24;
}

// @family, @address, @netmask or @prefix, as <ip> and <route> share them.
struct AddressAttributes {
  Prefix prefix;
  bool prefix_given = false, netmask_given = false;
};

Result<AddressAttributes> parse_address_attributes(const XmlNode& node) {
  AddressAttributes result;
  VNET_ASSIGN(auto family, node.one_of("family", {"ipv4", "ipv6"}));
  VNET_ASSIGN(auto address, node.address("address"));
  if (!address) return node.error(fmt::format("<{}> needs the attribute 'address'", node.name()));
  bool v6 = family && *family == 1;
  if (v6 != (address->family == Family::V6))
    return node.error(fmt::format("<{} address='{}'>: not an IPv{} address; IPv6 needs family='ipv6'", node.name(),
                                  address->text(), v6 ? 6 : 4));
  VNET_ASSIGN(auto length, node.number("prefix", 0, address->bits()));
  VNET_ASSIGN(auto mask, node.address("netmask"));
  if (mask && v6) return node.error(fmt::format("<{}>: netmask is not allowed with IPv6; use prefix", node.name()));
  if (mask && length) return node.error(fmt::format("<{}>: netmask and prefix exclude each other", node.name()));
  result.prefix = {*address, default_length(*address)};
  if (length) result.prefix.length = static_cast<unsigned>(*length);
  if (mask) {
    auto from_mask = mask->family == Family::V4 ? mask_length(*mask) : std::nullopt;
    if (!from_mask) return node.error(fmt::format("<{} netmask='{}'>: not a netmask", node.name(), mask->text()));
    result.prefix.length = *from_mask;
  }
  result.prefix_given = length || mask;
  result.netmask_given = mask.has_value();
  return result;
}

Result<std::optional<Lease>> parse_lease(const XmlNode& parent) {
  VNET_ASSIGN(auto node, parent.child("lease"));
  if (!node) return std::nullopt;
  VNET_ASSIGN(auto expiry, node->number("expiry", 0, 0xffffffff));
  if (!expiry) return node->error("<lease> needs the attribute 'expiry'");
  VNET_ASSIGN(auto unit, node->one_of("unit", {"seconds", "minutes", "hours"}));
  constexpr unsigned factors[] = {1, 60, 3600};
  constexpr char letters[] = {'s', 'm', 'h'};
  std::size_t index = unit.value_or(1);
  Lease lease{*expiry * factors[index], fmt::format("{}{}", *expiry, letters[index])};
  if (*expiry == 0) lease.text = "infinite";
  else if (lease.seconds < 120) return node->error("<lease>: the expiry must be at least 2 minutes, or 0 for infinite");
  return lease;
}

Result<DhcpRange> parse_range(const XmlNode& node, const Prefix& subnet) {
  VNET_ASSIGN(auto start, node.address("start"));
  VNET_ASSIGN(auto end, node.address("end"));
  if (!start || !end) return node.error("<range> needs the attributes 'start' and 'end'");
  auto text = fmt::format("<range start='{}' end='{}'>", start->text(), end->text());
  if (!subnet.contains(*start) || !subnet.contains(*end))
    return node.error(fmt::format("{}: not entirely within the network {}", text, subnet.network().text()));
  if (*end < *start) return node.error(text + ": reversed");
  if (subnet.address.family == Family::V4 && subnet.length < 31 &&
      (*start == subnet.network().address || *end == subnet.broadcast()))
    return node.error(text + ": holds the network's own or its broadcast address");
  VNET_ASSIGN(auto lease, parse_lease(node));
  return DhcpRange{*start, *end, lease};
}

Result<DhcpHost> parse_host(const XmlNode& node, Family family) {
  DhcpHost host;
  VNET_ASSIGN(host.mac, node.mac("mac"));
  VNET_ASSIGN(auto id, node.attribute("id"));
  VNET_ASSIGN(auto name, node.attribute("name"));
  VNET_ASSIGN(host.ip, node.address("ip"));
  host.id = id.value_or("");
  host.name = name.value_or("");
  if (host.name.find_first_of(", \t") != std::string::npos)
    return node.error(fmt::format("<host name='{}'>: not a host name", host.name));
  if (host.id.find_first_not_of("0123456789abcdefABCDEF:") != std::string::npos)
    return node.error(fmt::format("<host id='{}'>: a DUID is bytes in hexadecimal, separated by colons", host.id));
  if (family == Family::V4) {
    if (!host.mac && host.name.empty()) return node.error("<host>: an IPv4 lease needs 'mac' or 'name'");
    if (!host.id.empty()) return node.error("<host>: 'id' is for IPv6");
    if (!host.ip && (!host.mac || host.name.empty()))
      return node.error("<host>: needs an 'ip', or both 'mac' and 'name'");
  } else {
    if (host.mac) return node.error("<host>: 'mac' is not allowed with IPv6; use 'id' or 'name'");
    if (host.id.empty() && host.name.empty()) return node.error("<host>: an IPv6 lease needs 'id' or 'name'");
    if (!host.ip) return node.error("<host>: an IPv6 lease needs an 'ip'");
  }
  if (host.ip && host.ip->family != family)
    return node.error(fmt::format("<host ip='{}'>: of the other address family than its <ip>", host.ip->text()));
  VNET_ASSIGN(host.lease, parse_lease(node));
  return host;
}

Result<void> parse_dhcp(const XmlNode& node, IpConfig& ip) {
  ip.dhcp = true;
  for (const auto& child : node.children("range")) {
    VNET_ASSIGN(auto range, parse_range(child, ip.gateway));
    ip.ranges.push_back(std::move(range));
  }
  for (const auto& child : node.children("host")) {
    VNET_ASSIGN(auto host, parse_host(child, ip.gateway.address.family));
    ip.hosts.push_back(std::move(host));
  }
  VNET_ASSIGN(auto bootp, node.child("bootp"));
  if (!bootp) return {};
  if (ip.gateway.address.family == Family::V6) return bootp->error("<bootp> is not allowed with IPv6");
  Bootp boot;
  VNET_ASSIGN(boot.file, bootp->required("file"));
  VNET_ASSIGN(auto server, bootp->attribute("server"));
  boot.server = server.value_or("");
  ip.bootp = std::move(boot);
  return {};
}

}  // namespace

Result<IpConfig> parse_ip(const XmlNode& node) {
  IpConfig ip;
  VNET_ASSIGN(auto attributes, parse_address_attributes(node));
  ip.gateway = attributes.prefix;
  ip.prefix_given = attributes.prefix_given;
  ip.netmask_given = attributes.netmask_given;
  if (ip.gateway.address.is_multicast())
    return node.error(fmt::format("<ip address='{}'>: a gateway cannot have a multicast address", ip.gateway.address.text()));
  VNET_ASSIGN(auto local_ptr, node.yes_no("localPtr"));
  ip.local_ptr = local_ptr.value_or(false);
  unsigned step = ip.gateway.address.family == Family::V4 ? 8 : 4;
  if (ip.local_ptr && ip.gateway.length % step)
    return node.error(fmt::format("<ip localPtr='yes'>: the prefix {} is not a multiple of {}", ip.gateway.length, step));
  VNET_ASSIGN(auto tftp, node.child("tftp"));
  if (tftp) {
    if (ip.gateway.address.family == Family::V6) return tftp->error("<tftp> is not allowed with IPv6");
    VNET_ASSIGN(ip.tftp_root, tftp->required("root"));
  }
  VNET_ASSIGN(auto dhcp, node.child("dhcp"));
  if (dhcp) VNET_TRY(parse_dhcp(*dhcp, ip));
  return ip;
}

Result<StaticRoute> parse_route(const XmlNode& node) {
  VNET_ASSIGN(auto attributes, parse_address_attributes(node));
  VNET_ASSIGN(auto gateway, node.address("gateway"));
  if (!gateway) return node.error("<route> needs the attribute 'gateway'");
  if (gateway->family != attributes.prefix.address.family)
    return node.error("<route>: address and gateway are of different families");
  if (attributes.prefix.network().address != attributes.prefix.address)
    return node.error(fmt::format("<route address='{}'>: has bits set beyond its prefix {}", attributes.prefix.address.text(),
                                  attributes.prefix.length));
  VNET_ASSIGN(auto metric, node.number("metric", 1, 0xffffffff));
  StaticRoute route{attributes.prefix, *gateway, {}};
  if (metric) route.metric = static_cast<unsigned>(*metric);
  return route;
}

}  // namespace vnet
