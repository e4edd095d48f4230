// SPDX-License-Identifier: GPL-2.0-or-later
// The model as libvirt's XML, elements in libvirt's order.
#include "loader/config/network_xml.h"
#include "loader/config/xml_parts.h"
#include "loader/config/xml_writer.h"

namespace vnet {
namespace {

std::string yes_if(bool value) {
  return value ? "yes" : "";
}
std::string number(std::uint64_t value) {
  return std::to_string(value);
}
std::string nonzero(std::uint64_t value) {
  return value ? number(value) : "";
}
template <typename T>
std::string maybe(const std::optional<T>& value) {
  return value ? number(*value) : "";
}
template <typename T>
std::string maybe_text(const std::optional<T>& value) {
  return value ? value->text() : "";
}
std::string family(const Address& address) {
  return address.family == Family::V6 ? "ipv6" : "";
}

const char* forward_mode(const Network& network) {
  if (!mode_spec(network.mode).on_parents) return mode_name(network.mode);
  switch (network.direct_mode) {
    case DirectMode::Bridge:
      return "bridge";
    case DirectMode::Private:
      return "private";
    case DirectMode::Vepa:
      return "vepa";
    case DirectMode::Passthrough:
      return "passthrough";
  }
  return "bridge";
}

void write_forward(XmlWriter& xml, const Network& network) {
  if (network.mode == Mode::Isolated) return;
  // libvirt writes the first uplink as dev= as well, but not next to <pf>.
  const auto dev = network.devices.empty() ? "" : network.devices.front();
  xml.element("forward", {{"dev", dev}, {"mode", forward_mode(network)}}, [&](XmlWriter& inner) {
    const auto& nat = network.nat;
    if (nat.ipv6 || nat.addresses || nat.ports)
      inner.element("nat", {{"ipv6", yes_if(nat.ipv6)}}, [&](XmlWriter& range) {
        if (nat.addresses)
          range.empty("address",
                      {{"start", nat.addresses->start.text()}, {"end", nat.addresses->end.text()}});
        if (nat.ports)
          range.empty("port", {{"start", number(nat.ports->start)}, {"end", number(nat.ports->end)}});
      });
    if (!network.physical_function.empty()) inner.empty("pf", {{"dev", network.physical_function}});
    for (const auto& device : network.devices) inner.empty("interface", {{"dev", device}});
  });
}

void write_bridge(XmlWriter& xml, const Network& network) {
  const bool ours = mode_spec(network.mode).has_gateway;
  if (!ours && network.bridge.empty()) return;
  xml.empty("bridge", {{"name", network.bridge},
                       {"zone", network.zone},
                       {"stp", !ours         ? ""
                               : network.stp ? "on"
                                             : "off"},
                       {"delay", ours ? number(network.delay_seconds) : ""},
                       {"macTableManager", network.mac_table_libvirt ? "libvirt" : ""}});
}

void write_dns(XmlWriter& xml, const Dns& dns) {
  if (dns.enable && dns.forward_plain_names && dns.forwarders.empty() && dns.hosts.empty() &&
      dns.txts.empty() && dns.srvs.empty())
    return;
  xml.element(
      "dns", {{"enable", dns.enable ? "" : "no"}, {"forwardPlainNames", dns.forward_plain_names ? "" : "no"}},
      [&](XmlWriter& inner) {
        for (const auto& forwarder : dns.forwarders)
          inner.empty("forwarder", {{"domain", forwarder.domain},
                                    {"addr", maybe_text(forwarder.address)},
                                    {"port", maybe(forwarder.port)}});
        for (const auto& txt : dns.txts) inner.empty("txt", {{"name", txt.name}, {"value", txt.value}});
        for (const auto& srv : dns.srvs)
          inner.empty("srv", {{"service", srv.service},
                              {"protocol", srv.protocol},
                              {"domain", srv.domain},
                              {"target", srv.target},
                              {"port", maybe(srv.port)},
                              {"priority", maybe(srv.priority)},
                              {"weight", maybe(srv.weight)}});
        for (const auto& host : dns.hosts) {
          inner.open("host", {{"ip", host.ip.text()}});
          for (const auto& name : host.names) inner.text("hostname", name);
          inner.close("host");
        }
      });
}

void write_vlan(XmlWriter& xml, const std::optional<Vlan>& vlan) {
  if (!vlan) return;
  xml.open("vlan", {{"trunk", yes_if(vlan->trunk)}});
  for (const auto& tag : vlan->tags)
    xml.empty("tag", {{"id", number(tag.id)},
                      {"nativeMode", !tag.native         ? ""
                                     : tag.native_tagged ? "tagged"
                                                         : "untagged"}});
  xml.close("vlan");
}

void write_bandwidth(XmlWriter& xml, const std::optional<BandwidthPair>& pair) {
  if (!pair) return;
  xml.element("bandwidth", {}, [&](XmlWriter& inner) {
    const auto write = [&](const char* name, const std::optional<Bandwidth>& rate) {
      if (rate)
        inner.empty(name, {{"average", number(rate->average)},
                           {"peak", nonzero(rate->peak)},
                           {"burst", nonzero(rate->burst)}});
    };
    write("inbound", pair->inbound);
    write("outbound", pair->outbound);
  });
}

void write_lease(XmlWriter& xml, const std::optional<Lease>& lease) {
  if (!lease) return;
  if (lease->seconds == 0) return xml.empty("lease", {{"expiry", "0"}});
  // The unit that the user wrote, when the text tells it.
  const char letter = lease->text.empty() ? 's' : lease->text.back();
  const auto [factor, unit] = letter == 'h'   ? std::pair{3600U, "hours"}
                              : letter == 'm' ? std::pair{60U, "minutes"}
                                              : std::pair{1U, "seconds"};
  xml.empty("lease", {{"expiry", number(lease->seconds / factor)}, {"unit", unit}});
}

void write_ip(XmlWriter& xml, const IpConfig& ip) {
  const bool prefix = ip.prefix_given && !ip.netmask_given;
  const XmlWriter::Attributes attributes = {{"family", family(ip.gateway.address)},
                                            {"address", ip.gateway.address.text()},
                                            {"netmask", ip.netmask_given ? ip.gateway.netmask().text() : ""},
                                            {"prefix", prefix ? number(ip.gateway.length) : ""},
                                            {"localPtr", yes_if(ip.local_ptr)}};
  xml.element("ip", attributes, [&](XmlWriter& inner) {
    if (!ip.tftp_root.empty()) inner.empty("tftp", {{"root", ip.tftp_root}});
    if (!ip.dhcp) return;
    inner.element("dhcp", {}, [&](XmlWriter& dhcp) {
      for (const auto& range : ip.ranges)
        dhcp.element("range", {{"start", range.start.text()}, {"end", range.end.text()}},
                     [&](XmlWriter& lease) { write_lease(lease, range.lease); });
      for (const auto& host : ip.hosts)
        dhcp.element("host",
                     {{"mac", maybe_text(host.mac)},
                      {"id", host.id},
                      {"name", host.name},
                      {"ip", maybe_text(host.ip)}},
                     [&](XmlWriter& lease) { write_lease(lease, host.lease); });
      if (ip.bootp) dhcp.empty("bootp", {{"file", ip.bootp->file}, {"server", ip.bootp->server}});
    });
  });
}

void write_route(XmlWriter& xml, const StaticRoute& route) {
  const auto& to = route.destination;
  xml.empty("route", {{"family", family(to.address)},
                      {"address", to.address.text()},
                      {"netmask", route.netmask_given ? to.netmask().text() : ""},
                      {"prefix", route.netmask_given ? "" : number(to.length)},
                      {"gateway", route.gateway.text()},
                      {"metric", maybe(route.metric)}});
}

void write_portgroup(XmlWriter& xml, const PortGroup& group) {
  const auto& trust = group.trust_guest_rx_filters;
  xml.element("portgroup",
              {{"name", group.name},
               {"default", yes_if(group.is_default)},
               {"trustGuestRxFilters", !trust   ? ""
                                       : *trust ? "yes"
                                                : "no"}},
              [&](XmlWriter& inner) {
                write_vlan(inner, group.vlan);
                write_bandwidth(inner, group.bandwidth);
              });
}

}  // namespace

std::string format_network(const Network& network) {
  XmlWriter xml;
  xml.open("network", {{"xmlns:dnsmasq", network.dnsmasq_options.empty() ? "" : dnsmasq_namespace},
                       {"ipv6", yes_if(network.ipv6_attribute)},
                       {"trustGuestRxFilters", yes_if(network.trust_guest_rx_filters)}});
  xml.text("name", network.name);
  if (!network.uuid.empty()) xml.text("uuid", network.uuid);
  if (!network.title.empty()) xml.text("title", network.title);
  if (!network.description.empty()) xml.text("description", network.description);
  if (!network.metadata_xml.empty()) xml.raw(network.metadata_xml);
  write_forward(xml, network);
  write_bridge(xml, network);
  if (network.mtu) xml.empty("mtu", {{"size", number(*network.mtu)}});
  if (network.mac) xml.empty("mac", {{"address", network.mac->text()}});
  if (network.domain)
    xml.empty("domain", {{"name", network.domain->name},
                         {"localOnly", yes_if(network.domain->local_only)},
                         {"register", yes_if(network.domain->register_)}});
  write_dns(xml, network.dns);
  write_vlan(xml, network.vlan);
  write_bandwidth(xml, network.bandwidth);
  if (network.isolated_ports) xml.empty("port", {{"isolated", "yes"}});
  for (const auto& ip : network.ips) write_ip(xml, ip);
  for (const auto& route : network.routes) write_route(xml, route);
  for (const auto& group : network.portgroups) write_portgroup(xml, group);
  if (!network.dnsmasq_options.empty()) {
    xml.open("dnsmasq:options");
    for (const auto& option : network.dnsmasq_options) xml.empty("dnsmasq:option", {{"value", option}});
    xml.close("dnsmasq:options");
  }
  xml.close("network");
  return xml.take();
}

}  // namespace vnet
