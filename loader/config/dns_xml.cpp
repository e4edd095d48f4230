// SPDX-License-Identifier: GPL-2.0-or-later
// <dns>, <domain> and the raw <dnsmasq:options>.
#include <fmt/format.h>

#include "loader/config/xml_parts.h"

namespace vnet {
namespace {

Result<std::string> name_attribute(const XmlNode& node, const char* attribute) {
  VNET_ASSIGN(auto value, node.string_or_empty(attribute));
  return checked_name(node, attribute, std::move(value));
}

Result<DnsForwarder> parse_forwarder(const XmlNode& node) {
  DnsForwarder forwarder;
  VNET_ASSIGN(forwarder.address, node.address("addr"));
  VNET_ASSIGN(forwarder.port, node.number("port", 1, 65535));
  VNET_ASSIGN(forwarder.domain, name_attribute(node, "domain"));
  if (!forwarder.address && forwarder.domain.empty()) return node.error("needs addr, domain or both");
  if (forwarder.port && !forwarder.address) return node.error("port= needs addr=");
  return forwarder;
}

Result<DnsHost> parse_dns_host(const XmlNode& node) {
  VNET_TRY(node.required("ip"));
  VNET_ASSIGN(const auto ip, node.address("ip"));
  DnsHost host{*ip, {}};
  for (const auto& hostname : node.children("hostname")) {
    VNET_ASSIGN(auto name, checked_name(hostname, nullptr, trimmed(hostname.text())));
    if (name.empty()) return hostname.error("is empty");
    host.names.push_back(std::move(name));
  }
  if (host.names.empty()) return node.error("needs at least one <hostname>");
  return host;
}

Result<DnsTxt> parse_txt(const XmlNode& node) {
  DnsTxt txt;
  VNET_TRY(node.required("name"));
  VNET_ASSIGN(txt.name, name_attribute(node, "name"));
  VNET_ASSIGN(txt.value, node.required("value"));
  return txt;
}

Result<DnsSrv> parse_srv(const XmlNode& node) {
  DnsSrv srv;
  VNET_TRY(node.required("service"));
  VNET_ASSIGN(srv.service, name_attribute(node, "service"));
  VNET_TRY(node.required("protocol"));
  VNET_ASSIGN(srv.protocol, name_attribute(node, "protocol"));
  VNET_ASSIGN(srv.domain, name_attribute(node, "domain"));
  VNET_ASSIGN(srv.target, name_attribute(node, "target"));
  VNET_ASSIGN(srv.port, node.number("port", 1, 65535));
  VNET_ASSIGN(srv.priority, node.number("priority", 0, 65535));
  VNET_ASSIGN(srv.weight, node.number("weight", 0, 65535));
  if (srv.target.empty() && (srv.port || srv.priority || srv.weight))
    return node.error("port, priority and weight need a target");
  return srv;
}

template <typename T>
Result<void> parse_all(const XmlNode& parent, const char* name, Result<T> (*parse)(const XmlNode&),
                       std::vector<T>& into) {
  for (const auto& node : parent.children(name)) {
    VNET_ASSIGN(auto value, parse(node));
    into.push_back(std::move(value));
  }
  return {};
}

}  // namespace

Result<std::string> checked_name(const XmlNode& node, const char* attribute, std::string value) {
  if (value.find_first_of(" ,/#\"\\") == std::string::npos && !has_control_character(value)) return value;
  constexpr auto message = "no space, comma, slash, backslash, # or quote is allowed in a name";
  return attribute ? node.wrong_value(attribute, value, message) : node.error(message);
}

Result<Dns> parse_dns(const XmlNode& node) {
  Dns dns;
  VNET_ASSIGN(const auto enable, node.yes_no("enable"));
  dns.enable = enable.value_or(true);
  VNET_ASSIGN(const auto plain, node.yes_no("forwardPlainNames"));
  dns.forward_plain_names = plain.value_or(true);
  VNET_TRY(parse_all(node, "forwarder", parse_forwarder, dns.forwarders));
  VNET_TRY(parse_all(node, "host", parse_dns_host, dns.hosts));
  VNET_TRY(parse_all(node, "txt", parse_txt, dns.txts));
  VNET_TRY(parse_all(node, "srv", parse_srv, dns.srvs));
  if (!dns.enable && !(dns.forwarders.empty() && dns.hosts.empty() && dns.txts.empty() && dns.srvs.empty()))
    return node.wrong_value("enable", "no", "no forwarder, host, txt or srv is allowed in it");
  return dns;
}

Result<DnsDomain> parse_dns_domain(const XmlNode& node) {
  DnsDomain domain;
  VNET_ASSIGN(domain.name, name_attribute(node, "name"));
  VNET_ASSIGN(const auto local_only, node.yes_no("localOnly"));
  domain.local_only = local_only.value_or(false);
  VNET_ASSIGN(const auto registered, node.yes_no("register"));
  domain.register_ = registered.value_or(false);
  if (domain.register_ && !domain.local_only)
    return node.wrong_value("register", "yes", "needs localOnly='yes'");
  return domain;
}

Result<std::vector<std::string>> parse_dnsmasq_options(const XmlNode& network) {
  std::vector<std::string> options;
  const auto list = network.child("options", dnsmasq_namespace);
  if (!list) return options;
  for (const auto& option : list->children("option", dnsmasq_namespace)) {
    VNET_ASSIGN(auto value, option.required("value"));
    options.push_back(std::move(value));
  }
  return options;
}

}  // namespace vnet
