// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/services/dnsmasq_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace vnet {
namespace {

using Out = std::back_insert_iterator<std::string>;

// A path as dnsmasq's reader takes it: a quote, a backslash and a '#' after a space are its syntax.
std::string quoted(const std::string& path) {
  if (path.find_first_of(" #\"\\") == std::string::npos) return path;
  std::string result = "\"";
  for (const char c : path) {
    if (c == '"' || c == '\\') result += '\\';
    result += c;
  }
  return result + '"';
}

bool has_dhcp(const IpConfig& ip) {
  return !ip.ranges.empty() || !ip.hosts.empty();
}

const IpConfig* dhcp_of(const Network& network, Family family) {
  const auto found = std::ranges::find_if(
      network.ips, [&](const IpConfig& ip) { return ip.gateway.address.family == family && has_dhcp(ip); });
  return found == network.ips.end() ? nullptr : &*found;
}

// "122.168.192.in-addr.arpa" for 192.168.122.0/24. The parser saw to it that the length ends at a label.
std::string reverse_zone(const Prefix& subnet) {
  std::string zone;
  const auto& bytes = subnet.address.bytes;
  if (subnet.address.family == Family::V4) {
    for (unsigned i = subnet.length / 8; i-- > 0;) zone += fmt::format("{}.", bytes[i]);
    return zone + "in-addr.arpa";
  }
  for (unsigned i = subnet.length / 4; i-- > 0;)
    zone += fmt::format("{:x}.", i % 2 ? bytes[i / 2] & 0xf : bytes[i / 2] >> 4);
  return zone + "ip6.arpa";
}

void write_forwarders(Out out, const Network& network) {
  bool replaces_resolv = false;
  for (const auto& forwarder : network.dns.forwarders) {
    std::string server = forwarder.address ? forwarder.address->text() : "#";
    if (forwarder.port) server += fmt::format("#{}", *forwarder.port);
    if (forwarder.domain.empty())
      fmt::format_to(out, "server={}\n", server);
    else
      fmt::format_to(out, "server=/{}/{}\n", forwarder.domain, server);
    replaces_resolv |= forwarder.domain.empty();
  }
  if (replaces_resolv) fmt::format_to(out, "no-resolv\n");
}

void write_domain(Out out, const Network& network) {
  if (const auto& domain = network.domain; domain && !domain->name.empty()) {
    if (domain->local_only) fmt::format_to(out, "local=/{}/\n", domain->name);
    fmt::format_to(out, "domain={}\nexpand-hosts\n", domain->name);
  }
  for (const auto& ip : network.ips)
    if (ip.local_ptr) fmt::format_to(out, "local=/{}/\n", reverse_zone(ip.gateway));
  if (!network.dns.forward_plain_names) fmt::format_to(out, "domain-needed\nlocal=//\n");
}

// The optional fields are known by their place, so that one that is given needs all before it.
void write_srv(Out out, const DnsSrv& srv) {
  fmt::format_to(out, "srv-host=_{}._{}", srv.service, srv.protocol);
  if (!srv.domain.empty()) fmt::format_to(out, ".{}", srv.domain);
  if (!srv.target.empty()) fmt::format_to(out, ",{}", srv.target == "." ? "" : srv.target);
  if (srv.port || srv.priority || srv.weight) fmt::format_to(out, ",{}", srv.port.value_or(1));
  if (srv.priority || srv.weight) fmt::format_to(out, ",{}", srv.priority.value_or(0));
  if (srv.weight) fmt::format_to(out, ",{}", *srv.weight);
  fmt::format_to(out, "\n");
}

void write_tftp(Out out, const Network& network) {
  bool enabled = false;
  for (const auto& ip : network.ips) {
    if (ip.tftp_root.empty()) continue;
    if (!enabled) fmt::format_to(out, "enable-tftp\n");
    enabled = true;
    fmt::format_to(out, "tftp-root={}\n", quoted(ip.tftp_root));
  }
}

// The parser allows only the last 16 bits to differ.
unsigned range_size(const DhcpRange& range) {
  const auto low = [](const Address& a) {
    const auto end = a.bits() / 8;
    return a.bytes[end - 2] * 256U + a.bytes[end - 1];
  };
  return low(range.end) - low(range.start) + 1;
}

void write_dhcp(Out out, const IpConfig& ip) {
  const bool v4 = ip.gateway.address.family == Family::V4;
  for (const auto& range : ip.ranges) {
    const auto subnet = v4 ? ip.gateway.netmask().text() : std::to_string(ip.gateway.length);
    fmt::format_to(out, "dhcp-range={},{},{}", range.start.text(), range.end.text(), subnet);
    if (range.lease) fmt::format_to(out, ",{}", range.lease->text);
    fmt::format_to(out, "\n");
  }
  // With hosts alone dnsmasq still has to be told to serve the subnet.
  if (ip.ranges.empty())
    fmt::format_to(out, "dhcp-range={},static{}\n", ip.gateway.address.text(),
                   v4 ? "" : "," + std::to_string(ip.gateway.length));
  if (!v4) return;
  fmt::format_to(out, "dhcp-no-override\ndhcp-authoritative\n");
  if (ip.bootp) {
    fmt::format_to(out, "dhcp-boot={}", ip.bootp->file);
    if (!ip.bootp->server.empty()) fmt::format_to(out, ",,{}", ip.bootp->server);
    fmt::format_to(out, "\n");
  }
}

void write_all_dhcp(Out out, const Network& network, const DnsmasqPaths& paths) {
  unsigned leases = 0;
  bool any = false;
  for (const auto family : {Family::V4, Family::V6}) {
    const auto* ip = dhcp_of(network, family);
    if (!ip) continue;
    any = true;
    write_dhcp(out, *ip);
    for (const auto& range : ip->ranges) leases += range_size(range);
  }
  if (leases > 0) fmt::format_to(out, "dhcp-lease-max={}\n", leases);
  if (any) fmt::format_to(out, "dhcp-hostsfile={}\n", quoted(paths.hostsfile));
}

void write_router_advertisements(Out out, const Network& network) {
  // One DHCPv6 subnet makes advertisements managed on the whole bridge.
  if (dhcp_of(network, Family::V6)) {
    fmt::format_to(out, "enable-ra\n");
    return;
  }
  for (const auto& ip : network.ips)
    if (ip.gateway.address.family == Family::V6)
      fmt::format_to(out, "dhcp-range={},ra-only\n", ip.gateway.address.text());
}

std::string conf(const Network& network, const DnsmasqPaths& paths, const std::string& bridge) {
  std::string text = "# Written by vnet-bpf at every start of the network; changes made here are lost.\n";
  const Out out(text);
  fmt::format_to(out, "strict-order\n");
  if (!network.dns.enable) fmt::format_to(out, "port=0\n");
  write_forwarders(out, network);
  write_domain(out, network);
  if (!paths.pid_file.empty()) fmt::format_to(out, "pid-file={}\n", quoted(paths.pid_file));
  if (!paths.lease_file.empty()) fmt::format_to(out, "dhcp-leasefile={}\n", quoted(paths.lease_file));
  // Bound to this bridge and never to a wildcard address: a resolver that answers the world is an amplifier.
  fmt::format_to(out, "except-interface=lo\nbind-dynamic\ninterface={}\n", bridge);
  // An isolated network has no router, so that no router is announced and nothing is asked upstream.
  if (!is_routed(network)) fmt::format_to(out, "dhcp-option=3\nno-resolv\nra-param=*,0,0\n");
  for (const auto& txt : network.dns.txts) fmt::format_to(out, "txt-record={},{}\n", txt.name, txt.value);
  for (const auto& srv : network.dns.srvs) write_srv(out, srv);
  write_tftp(out, network);
  write_all_dhcp(out, network, paths);
  if (network.dns.enable) fmt::format_to(out, "addn-hosts={}\n", quoted(paths.addnhosts));
  if (network.mtu) fmt::format_to(out, "dhcp-option=option:mtu,{}\n", *network.mtu);
  write_router_advertisements(out, network);
  for (const auto& option : network.dnsmasq_options) fmt::format_to(out, "{}\n", option);
  return text;
}

std::string host_line(const DhcpHost& host, Family family) {
  const auto ip = host.ip ? host.ip->text() : "";
  std::string line;
  if (family == Family::V6) {
    if (!host.id.empty()) line = "id:" + host.id;
    if (!host.name.empty()) line += (line.empty() ? "" : ",") + host.name;
    line += ",[" + ip + "]";
  } else if (host.mac) {
    line = host.mac->text() + "," + ip;
    if (!host.name.empty()) line += "," + host.name;
  } else {
    line = host.name + "," + ip;
  }
  if (host.lease) line += "," + host.lease->text;
  return line + "\n";
}

}  // namespace

DnsmasqFiles dnsmasq_files(const Network& network, const DnsmasqPaths& paths, const std::string& bridge) {
  DnsmasqFiles files;
  files.conf = conf(network, paths, bridge);
  for (const auto family : {Family::V4, Family::V6})
    if (const auto* ip = dhcp_of(network, family))
      for (const auto& host : ip->hosts) files.hostsfile += host_line(host, family);
  for (const auto& host : network.dns.hosts)
    files.addnhosts += fmt::format("{} {}\n", host.ip.text(), fmt::join(host.names, " "));
  files.needed = needs_dnsmasq(network);
  return files;
}

}  // namespace vnet
