// SPDX-License-Identifier: GPL-2.0-or-later
// Sections of `update` below <dns>: records are added and deleted, never modified.
#include <fmt/format.h>

#include "loader/config/update_parts.h"
#include "loader/config/xml_parts.h"

namespace vnet {
namespace {

struct Words {
  std::string there;    // there is one already
  std::string missing;  // there is none
  std::string many;     // which one is meant?
};

template <typename T>
Result<void> update_records(std::vector<T>& records, const SectionCall& call, T record, const auto& matches,
                            const Words& words) {
  auto count = std::ranges::count_if(records, matches);
  if (call.adds()) {
    if (count) return failed(words.there);
    insert(records, std::move(record), call.command);
    return {};
  }
  if (!count) return failed(words.missing);
  if (count > 1) return failed(words.many);
  std::erase_if(records, matches);
  return {};
}

Result<void> check_command(const SectionCall& call, const char* what) {
  if (call.command != UpdateCommand::Modify) return {};
  return failed(fmt::format("{} cannot be modified, only added or deleted", what));
}

// The element as a definition has it, in a <dns> of its own.
Result<Dns> parse_whole(const SectionCall& call) {
  return parse_dns(call.parent);
}

Result<DnsHost> parse_partial_dns_host(const XmlNode& node) {
  DnsHost host;
  VNET_ASSIGN(auto ip, node.address("ip"));
  if (ip) host.ip = *ip;
  for (const auto& name : node.children("hostname")) host.names.push_back(trimmed(name.text()));
  if (!ip && host.names.empty()) return node.error("needs ip or <hostname>");
  return host;
}

Result<DnsSrv> parse_partial_srv(const XmlNode& node) {
  DnsSrv srv;
  VNET_ASSIGN(srv.service, node.string_or_empty("service"));
  VNET_ASSIGN(srv.protocol, node.string_or_empty("protocol"));
  VNET_ASSIGN(srv.domain, node.string_or_empty("domain"));
  VNET_ASSIGN(srv.target, node.string_or_empty("target"));
  return srv;
}

}  // namespace

Result<void> update_dns_host(Network& network, const SectionCall& call) {
  VNET_TRY(check_command(call, "DNS HOST records"));
  DnsHost host;
  if (call.adds()) {
    VNET_ASSIGN(auto dns, parse_whole(call));
    host = dns.hosts.front();
  } else {
    VNET_ASSIGN(host, parse_partial_dns_host(call.element));
  }
  // Several addresses may have the same name.
  auto matches = [adds = call.adds(), host](const DnsHost& one) {
    return one.ip == host.ip || (!adds && std::ranges::any_of(host.names, [&](const std::string& name) {
             return std::ranges::count(one.names, name) > 0;
           }));
  };
  const auto& name = network.name;
  return update_records(
      network.dns.hosts, call, host, matches,
      {.there = "there is already at least one DNS HOST record with a matching field in network " + name,
       .missing = "couldn't locate a matching DNS HOST record in network " + name,
       .many = "multiple matching DNS HOST records were found in network " + name});
}

Result<void> update_dns_txt(Network& network, const SectionCall& call) {
  VNET_TRY(check_command(call, "DNS TXT records"));
  DnsTxt txt;
  if (call.adds()) {
    VNET_ASSIGN(auto dns, parse_whole(call));
    txt = dns.txts.front();
  } else {
    VNET_ASSIGN(txt.name, call.element.required("name"));
  }
  auto matches = [name = txt.name](const DnsTxt& one) { return one.name == name; };
  const auto missing = "couldn't locate a matching DNS TXT record in network " + network.name;
  return update_records(
      network.dns.txts, call, txt, matches,
      {.there = fmt::format("there is already a DNS TXT record with name '{}' in network {}", txt.name,
                            network.name),
       .missing = missing,
       .many = "multiple matching DNS TXT records were found in network " + network.name});
}

Result<void> update_dns_srv(Network& network, const SectionCall& call) {
  VNET_TRY(check_command(call, "DNS SRV records"));
  DnsSrv srv;
  if (call.adds()) {
    VNET_ASSIGN(auto dns, parse_whole(call));
    srv = dns.srvs.front();
  } else {
    VNET_ASSIGN(srv, parse_partial_srv(call.element));
  }
  auto matches = [srv](const DnsSrv& one) {
    return (srv.service.empty() || srv.service == one.service) &&
           (srv.protocol.empty() || srv.protocol == one.protocol) &&
           (srv.domain.empty() || srv.domain == one.domain) &&
           (srv.target.empty() || srv.target == one.target);
  };
  const auto& name = network.name;
  return update_records(
      network.dns.srvs, call, srv, matches,
      {.there =
           "there is already at least one DNS SRV record matching all specified fields in network " + name,
       .missing = "couldn't locate a matching DNS SRV record in network " + name,
       .many = "multiple DNS SRV records matching all specified fields were found in network " + name});
}

}  // namespace vnet
