// SPDX-License-Identifier: GPL-2.0-or-later
// The model as libvirt's XML: two spaces of indentation, attributes in single quotes, libvirt's order.
#include <fmt/format.h>

#include "loader/config/network_xml.h"
#include "loader/config/parts.h"

namespace vnet {
namespace {

// One element: attributes are added, then it is closed or holds children.
class Writer {
 public:
  void line(int depth, const std::string& text) { out_ += std::string(static_cast<std::size_t>(depth) * 2, ' ') + text + "\n"; }
  void element(int depth, const char* name, const std::string& text) {
    line(depth, fmt::format("<{}>{}</{}>", name, xml_escape(text), name));
  }
  const std::string& text() const { return out_; }

 private:
  std::string out_;
};

std::string attr(const char* name, const std::string& value) {
  return value.empty() ? "" : fmt::format(" {}='{}'", name, xml_escape(value));
}
template <typename Number>
std::string attr(const char* name, const std::optional<Number>& value) {
  return value ? fmt::format(" {}='{}'", name, *value) : "";
}
std::string yes(const char* name, bool value) { return value ? fmt::format(" {}='yes'", name) : ""; }

std::string prefix_attributes(const Prefix& prefix, bool given, bool netmask) {
  std::string out;
  if (prefix.address.family == Family::V6) out += " family='ipv6'";
  out += attr("address", prefix.address.text());
  if (!given) return out;
  return out + (netmask ? attr("netmask", prefix.netmask().text()) : fmt::format(" prefix='{}'", prefix.length));
}

void write_lease(Writer& w, const char* element, const std::string& attributes, const std::optional<Lease>& lease) {
  if (!lease) {
    w.line(3, fmt::format("<{}{}/>", element, attributes));
    return;
  }
  w.line(3, fmt::format("<{}{}>", element, attributes));
  w.line(4, lease->seconds ? fmt::format("<lease expiry='{}' unit='seconds'/>", lease->seconds) : "<lease expiry='0'/>");
  w.line(3, fmt::format("</{}>", element));
}

void write_ip(Writer& w, const IpConfig& ip) {
  std::string open = "<ip" + prefix_attributes(ip.gateway, ip.prefix_given, ip.netmask_given) + yes("localPtr", ip.local_ptr);
  if (ip.tftp_root.empty() && !ip.dhcp) {
    w.line(1, open + "/>");
    return;
  }
  w.line(1, open + ">");
  if (!ip.tftp_root.empty()) w.line(2, "<tftp" + attr("root", ip.tftp_root) + "/>");
  if (ip.dhcp) {
    w.line(2, "<dhcp>");
    for (const auto& range : ip.ranges)
      write_lease(w, "range", attr("start", range.start.text()) + attr("end", range.end.text()), range.lease);
    for (const auto& host : ip.hosts)
      write_lease(w, "host", attr("mac", host.mac ? host.mac->text() : "") + attr("id", host.id) + attr("name", host.name) +
                                 attr("ip", host.ip ? host.ip->text() : ""), host.lease);
    if (ip.bootp) w.line(3, "<bootp" + attr("file", ip.bootp->file) + attr("server", ip.bootp->server) + "/>");
    w.line(2, "</dhcp>");
  }
  w.line(1, "</ip>");
}

void write_dns(Writer& w, const Dns& dns) {
  if (dns.enable && dns.forward_plain_names && dns.forwarders.empty() && dns.hosts.empty() && dns.txts.empty() && dns.srvs.empty())
    return;
  w.line(1, std::string("<dns") + (dns.enable ? "" : " enable='no'") + (dns.forward_plain_names ? "" : " forwardPlainNames='no'") + ">");
  for (const auto& f : dns.forwarders)
    w.line(2, "<forwarder" + attr("domain", f.domain) + attr("addr", f.address ? f.address->text() : "") + "/>");
  for (const auto& txt : dns.txts) w.line(2, "<txt" + attr("name", txt.name) + attr("value", txt.value) + "/>");
  for (const auto& srv : dns.srvs)
    w.line(2, "<srv" + attr("service", srv.service) + attr("protocol", srv.protocol) + attr("domain", srv.domain) +
                  attr("target", srv.target) + attr("port", srv.port) + attr("priority", srv.priority) + attr("weight", srv.weight) + "/>");
  for (const auto& host : dns.hosts) {
    w.line(2, "<host" + attr("ip", host.ip.text()) + ">");
    for (const auto& name : host.names) w.element(3, "hostname", name);
    w.line(2, "</host>");
  }
  w.line(1, "</dns>");
}

void write_bandwidth(Writer& w, int depth, const std::optional<BandwidthPair>& pair) {
  if (!pair) return;
  w.line(depth, "<bandwidth>");
  for (auto [name, side] : {std::pair{"inbound", pair->inbound}, {"outbound", pair->outbound}}) {
    if (!side) continue;
    auto number = [](const char* key, std::uint64_t value) { return value ? fmt::format(" {}='{}'", key, value) : ""; };
    w.line(depth + 1, fmt::format("<{}{}{}{}/>", name, number("average", side->average), number("peak", side->peak), number("burst", side->burst)));
  }
  w.line(depth, "</bandwidth>");
}

void write_vlan(Writer& w, int depth, const std::optional<Vlan>& vlan) {
  if (!vlan) return;
  w.line(depth, "<vlan" + yes("trunk", vlan->trunk) + ">");
  for (const auto& tag : vlan->tags)
    w.line(depth + 1, fmt::format("<tag id='{}'{}/>", tag.id, tag.native ? " nativeMode='untagged'" : ""));
  w.line(depth, "</vlan>");
}

void write_forward(Writer& w, const Network& network) {
  if (network.mode == Mode::Isolated) return;
  const char* mode = mode_name(network.mode);
  if (network.mode == Mode::Direct) {
    constexpr const char* names[] = {"bridge", "private", "vepa", "passthrough"};
    mode = names[static_cast<int>(network.direct_mode)];
  }
  std::string open = fmt::format("<forward mode='{}'", mode);
  if (!network.devices.empty()) open += attr("dev", network.devices.front());
  bool nat = network.nat.ipv6 || network.nat.addresses || network.nat.ports;
  if (!nat && network.devices.empty() && network.physical_function.empty()) {
    w.line(1, open + "/>");
    return;
  }
  w.line(1, open + ">");
  if (nat) {
    w.line(2, "<nat" + yes("ipv6", network.nat.ipv6) + ">");
    if (network.nat.addresses)
      w.line(3, "<address" + attr("start", network.nat.addresses->start.text()) + attr("end", network.nat.addresses->end.text()) + "/>");
    if (network.nat.ports) w.line(3, fmt::format("<port start='{}' end='{}'/>", network.nat.ports->start, network.nat.ports->end));
    w.line(2, "</nat>");
  }
  if (!network.physical_function.empty()) w.line(2, "<pf" + attr("dev", network.physical_function) + "/>");
  for (const auto& device : network.devices) w.line(2, "<interface" + attr("dev", device) + "/>");
  w.line(1, "</forward>");
}

void write_bridge(Writer& w, const Network& network) {
  bool own = network.mode != Mode::Bridge && network.mode != Mode::Direct;
  if (network.bridge.empty() && !own) return;
  std::string line = "<bridge" + attr("name", network.bridge) + attr("zone", network.zone);
  if (own) line += fmt::format(" stp='{}' delay='{}'", network.stp ? "on" : "off", network.delay_seconds);
  if (network.mac_table_libvirt) line += " macTableManager='libvirt'";
  w.line(1, line + "/>");
}

}  // namespace

std::string format_network(const Network& network) {
  Writer w;
  std::string open = "<network";
  if (!network.dnsmasq_options.empty()) open += fmt::format(" xmlns:dnsmasq='{}'", dnsmasq_namespace);
  w.line(0, open + yes("ipv6", network.ipv6_attribute) + yes("trustGuestRxFilters", network.trust_guest_rx_filters) + ">");
  w.element(1, "name", network.name);
  if (!network.uuid.empty()) w.element(1, "uuid", network.uuid);
  if (!network.title.empty()) w.element(1, "title", network.title);
  if (!network.description.empty()) w.element(1, "description", network.description);
  if (!network.metadata_xml.empty()) w.line(1, network.metadata_xml);
  write_forward(w, network);
  write_bridge(w, network);
  if (network.mtu) w.line(1, fmt::format("<mtu size='{}'/>", *network.mtu));
  if (network.mac) w.line(1, "<mac" + attr("address", network.mac->text()) + "/>");
  if (network.domain)
    w.line(1, "<domain" + attr("name", network.domain->name) + yes("localOnly", network.domain->local_only) + yes("register", network.domain->register_) + "/>");
  write_dns(w, network.dns);
  for (const auto& ip : network.ips) write_ip(w, ip);
  for (const auto& route : network.routes)
    w.line(1, "<route" + prefix_attributes(route.destination, true, false) + attr("gateway", route.gateway.text()) + attr("metric", route.metric) + "/>");
  write_bandwidth(w, 1, network.bandwidth);
  write_vlan(w, 1, network.vlan);
  if (network.isolated_ports) w.line(1, "<port isolated='yes'/>");
  for (const auto& group : network.portgroups) {
    w.line(1, "<portgroup" + attr("name", group.name) + yes("default", group.is_default) + ">");
    write_bandwidth(w, 2, group.bandwidth);
    write_vlan(w, 2, group.vlan);
    w.line(1, "</portgroup>");
  }
  if (!network.dnsmasq_options.empty()) {
    w.line(1, "<dnsmasq:options>");
    for (const auto& option : network.dnsmasq_options) w.line(2, "<dnsmasq:option" + attr("value", option) + "/>");
    w.line(1, "</dnsmasq:options>");
  }
  w.line(0, "</network>");
  return w.text();
}

}  // namespace vnet
