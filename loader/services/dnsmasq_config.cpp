// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/services/dnsmasq_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>

namespace vnet {
namespace {

bool is_v6(const IpConfig& ip) { return ip.gateway.address.family == Family::V6; }
bool serves_dhcp(const IpConfig& ip) { return !ip.ranges.empty() || !ip.hosts.empty(); }

class Conf {
 public:
  template <typename... Arguments>
  void line(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
    text_ += fmt::format(format, std::forward<Arguments>(arguments)...) + "\n";
  }
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

void forwarders(Conf& conf, const Dns& dns) {
  bool only_these = false;
  for (const auto& f : dns.forwarders) {
    auto address = f.address ? f.address->text() : "#";
    if (f.domain.empty()) conf.line("server={}", address);
    else conf.line("server=/{}/{}", f.domain, address);
    only_these = only_these || (f.address && f.domain.empty());
  }
  if (only_these) conf.line("no-resolv");
}

// 192.168.122.0/24 -> 122.168.192.in-addr.arpa
std::string reverse_zone(const Prefix& prefix) {
  std::string zone;
  const auto& bytes = prefix.address.bytes;
  if (prefix.address.family == Family::V4) {
    for (unsigned i = prefix.length / 8; i-- > 0;) zone += fmt::format("{}.", bytes[i]);
    return zone + "in-addr.arpa";
  }
  for (unsigned i = prefix.length / 4; i-- > 0;) zone += fmt::format("{:x}.", bytes[i / 2] >> (i % 2 ? 0 : 4) & 0xf);
  return zone + "ip6.arpa";
}

void srv_record(Conf& conf, const DnsSrv& srv) {
  std::string line = fmt::format("_{}._{}", srv.service, srv.protocol);
  if (!srv.domain.empty()) line += "." + srv.domain;
  // "." says that there is no such service.
  std::string target = srv.target == "." ? "" : srv.target;
  if (!srv.target.empty()) {
    line += "," + target;
    bool more = srv.priority || srv.weight;
    if (srv.port || more) line += fmt::format(",{}", srv.port.value_or(1));
    if (more) line += fmt::format(",{}", srv.priority.value_or(0));
    if (srv.weight) line += fmt::format(",{}", *srv.weight);
  }
  conf.line("srv-host={}", line);
}

std::uint64_t range_size(const DhcpRange& range) {
  std::uint64_t start = 0, end = 0;
  unsigned bytes = range.start.bits() / 8;
  for (unsigned i = bytes > 8 ? bytes - 8 : 0; i < bytes; ++i) {
    start = start << 8 | range.start.bytes[i];
    end = end << 8 | range.end.bytes[i];
  }
  return end - start + 1;
}

// Returns how many addresses the ranges hold.
std::uint64_t dhcp(Conf& conf, const IpConfig& ip) {
  std::uint64_t addresses = 0;
  for (const auto& range : ip.ranges) {
    auto width = is_v6(ip) ? std::to_string(ip.gateway.length) : ip.gateway.netmask().text();
    auto lease = range.lease ? "," + range.lease->text : "";
    conf.line("dhcp-range={},{},{}{}", range.start.text(), range.end.text(), width, lease);
    addresses += range_size(range);
  }
  if (ip.ranges.empty() && !ip.hosts.empty()) {
    if (is_v6(ip)) conf.line("dhcp-range={},static,{}", ip.gateway.address.text(), ip.gateway.length);
    else conf.line("dhcp-range={},static", ip.gateway.address.text());
  }
  if (!is_v6(ip) && serves_dhcp(ip)) {
    conf.line("dhcp-no-override");
    conf.line("dhcp-authoritative");
  }
  if (ip.bootp && !ip.bootp->server.empty()) conf.line("dhcp-boot={},,{}", ip.bootp->file, ip.bootp->server);
  else if (ip.bootp) conf.line("dhcp-boot={}", ip.bootp->file);
  return addresses;
}

std::string host_line(const DhcpHost& host, bool v6) {
  std::string lease = host.lease ? "," + host.lease->text : "";
  std::string ip = host.ip ? (v6 ? "[" + host.ip->text() + "]" : host.ip->text()) : "";
  if (v6) {
    std::string line = host.id.empty() ? "" : "id:" + host.id + ",";
    if (!host.name.empty()) line += host.name + ",";
    return line + ip + lease;
  }
  std::string line = host.mac ? host.mac->text() : host.name;
  if (!ip.empty()) line += "," + ip;
  if (host.mac && !host.name.empty()) line += "," + host.name;
  return line + lease;
}

}  // namespace

DnsmasqFiles dnsmasq_files(const Network& network, const DnsmasqPaths& paths) {
  DnsmasqFiles files;
  bool any_dhcp = std::ranges::any_of(network.ips, serves_dhcp);
  bool any_tftp = std::ranges::any_of(network.ips, [](const IpConfig& ip) { return !ip.tftp_root.empty(); });
  files.needed = !network.ips.empty() && (network.dns.enable || any_dhcp || any_tftp);
  if (!files.needed) return files;
  bool isolated = network.mode == Mode::Isolated;

  Conf conf;
  conf.line("strict-order");
  if (!network.dns.enable) conf.line("port=0");
  forwarders(conf, network.dns);
  if (network.domain) {
    if (network.domain->local_only) conf.line("local=/{}/", network.domain->name);
    conf.line("domain={}", network.domain->name);
    conf.line("expand-hosts");
  }
  for (const auto& ip : network.ips)
    if (ip.local_ptr) conf.line("local=/{}/", reverse_zone(ip.gateway));
  if (!network.dns.forward_plain_names) {
    conf.line("domain-needed");
    // With a local domain that line says it already.
    if (!network.domain || !network.domain->local_only) conf.line("local=//");
  }
  conf.line("pid-file={}", paths.pid_file);
  conf.line("except-interface=lo");
  // Only this way does dnsmasq stay deaf to other interfaces (CVE-2012-3411).
  conf.line("bind-dynamic");
  conf.line("interface={}", network.bridge);
  if (isolated) {
    conf.line("dhcp-option=3");
    conf.line("no-resolv");
    conf.line("ra-param=*,0,0");
  }
  for (const auto& txt : network.dns.txts) conf.line("txt-record={},{}", txt.name, txt.value);
  for (const auto& srv : network.dns.srvs) srv_record(conf, srv);
  bool tftp = false;
  std::uint64_t addresses = 0;
  for (const auto& ip : network.ips) {
    if (!ip.tftp_root.empty()) {
      if (!tftp) conf.line("enable-tftp");
      tftp = true;
      conf.line("tftp-root={}", ip.tftp_root);
    }
    addresses += dhcp(conf, ip);
  }
  if (addresses) conf.line("dhcp-lease-max={}", addresses);
  if (any_dhcp) conf.line("dhcp-hostsfile={}", paths.hostsfile);
  if (network.dns.enable) conf.line("addn-hosts={}", paths.addnhosts);
  if (network.mtu) conf.line("dhcp-option=option:mtu,{}", *network.mtu);
  bool dhcp6 = std::ranges::any_of(network.ips, [](const IpConfig& ip) { return is_v6(ip) && serves_dhcp(ip); });
  if (dhcp6) {
    conf.line("enable-ra");
  } else {
    for (const auto& ip : network.ips)
      if (is_v6(ip)) conf.line("dhcp-range={},ra-only", ip.gateway.address.text());
  }
  for (const auto& option : network.dnsmasq_options) conf.line("{}", option);
  files.conf = conf.take();

  for (const auto& ip : network.ips)
    for (const auto& host : ip.hosts) files.hostsfile += host_line(host, is_v6(ip)) + "\n";
  for (const auto& host : network.dns.hosts)
    files.addnhosts += fmt::format("{}\t{}\n", host.ip.text(), fmt::join(host.names, "\t"));
  return files;
}

}  // namespace vnet
