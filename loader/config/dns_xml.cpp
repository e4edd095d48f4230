// SPDX-License-Identifier: GPL-2.0-or-later
// <dns>: forwarders and records.
#include <fmt/format.h>

#include "loader/config/parts.h"

namespace vnet {
namespace {

// Commas and slashes separate fields of dnsmasq's options.
Result<std::string> field(const XmlNode& node, const char* name, const char* forbidden) {
  VNET_ASSIGN(auto value, node.required(name));
  if (value.find_first_of(forbidden) != std::string::npos)
    return node.error(fmt::format("<{} {}='{}'>: must not contain any of \"{}\"", node.name(), name, value, forbidden));
  return value;
}

Result<DnsForwarder> parse_forwarder(const XmlNode& node) {
  DnsForwarder forwarder;
  VNET_ASSIGN(forwarder.address, node.address("addr"));
  VNET_ASSIGN(auto domain, node.attribute("domain"));
  if (domain && domain->find_first_of("/ ") != std::string::npos)
    return node.error(fmt::format("<forwarder domain='{}'>: not a domain", *domain));
  forwarder.domain = domain.value_or("");
  if (!forwarder.address && forwarder.domain.empty()) return node.error("<forwarder> needs 'addr' or 'domain'");
  return forwarder;
}

Result<DnsHost> parse_host(const XmlNode& node) {
  VNET_ASSIGN(auto ip, node.address("ip"));
  if (!ip) return node.error("<host> in <dns> needs the attribute 'ip'");
  DnsHost host{*ip, {}};
  for (const auto& child : node.children("hostname")) {
    VNET_ASSIGN(auto name, child.text());
    if (name.empty() || name.find_first_of(" \t\r\n#") != std::string::npos)
      return child.error(fmt::format("<hostname>{}</hostname>: not a host name", name));
    host.names.push_back(std::move(name));
  }
  if (host.names.empty()) return node.error("<host> in <dns> needs a <hostname>");
  return host;
}

Result<DnsSrv> parse_srv(const XmlNode& node) {
  DnsSrv srv;
  VNET_ASSIGN(srv.service, field(node, "service", ",. "));
  VNET_ASSIGN(srv.protocol, field(node, "protocol", ",. "));
  VNET_ASSIGN(auto domain, node.attribute("domain"));
  VNET_ASSIGN(auto target, node.attribute("target"));
  for (const auto& value : {domain, target})
    if (value && value->find_first_of(", ") != std::string::npos)
      return node.error(fmt::format("<srv>: '{}' is not a domain", *value));
  srv.domain = domain.value_or("");
  srv.target = target.value_or("");
  auto take = [&](const char* name, std::uint64_t min, std::optional<unsigned>& to) -> Result<void> {
    VNET_ASSIGN(auto value, node.number(name, min, 65535));
    if (value && srv.target.empty()) return node.error(fmt::format("<srv {}=...> needs a 'target'", name));
    if (value) to = static_cast<unsigned>(*value);
    return {};
  };
  VNET_TRY(take("port", 1, srv.port));
  VNET_TRY(take("priority", 0, srv.priority));
  VNET_TRY(take("weight", 0, srv.weight));
  return srv;
}

}  // namespace

Result<Dns> parse_dns(const XmlNode& node) {
  Dns dns;
  VNET_ASSIGN(auto enable, node.yes_no("enable"));
  VNET_ASSIGN(auto plain, node.yes_no("forwardPlainNames"));
  dns.enable = enable.value_or(true);
  dns.forward_plain_names = plain.value_or(true);
  for (const auto& child : node.children()) {
    if (child.name() == "forwarder") {
      VNET_ASSIGN(auto forwarder, parse_forwarder(child));
      dns.forwarders.push_back(std::move(forwarder));
    } else if (child.name() == "host") {
      VNET_ASSIGN(auto host, parse_host(child));
      dns.hosts.push_back(std::move(host));
    } else if (child.name() == "txt") {
      DnsTxt txt;
      VNET_ASSIGN(txt.name, field(child, "name", ", "));
      VNET_ASSIGN(txt.value, child.required("value"));
      dns.txts.push_back(std::move(txt));
    } else if (child.name() == "srv") {
      VNET_ASSIGN(auto srv, parse_srv(child));
      dns.srvs.push_back(std::move(srv));
    }
  }
  bool any = !dns.forwarders.empty() || !dns.hosts.empty() || !dns.txts.empty() || !dns.srvs.empty();
  if (!dns.enable && any) return node.error("<dns enable='no'>: Extra data in disabled network");
  return dns;
}

}  // namespace vnet
