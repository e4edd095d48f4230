// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/config/guest_port_xml.h"

#include <algorithm>
#include <array>
#include <limits>

#include "loader/config/xml_parts.h"
#include "loader/config/xml_writer.h"

namespace vnet {
namespace {

// What is read here, or left to us; others are given back as they came.
constexpr std::array<std::string_view, 10> known_elements{
    "uuid", "owner", "group", "mac", "virtualport", "bandwidth", "vlan", "port", "rxfilters", "plug"};
constexpr std::array<const char*, 2> directions{"inbound", "outbound"};
constexpr std::array<const char*, 4> rates{"average", "peak", "floor", "burst"};

Result<XmlDocument> parse_port_document(std::string_view xml) {
  VNET_ASSIGN(auto document, XmlDocument::parse(xml, ""));
  const auto root = document.root();
  if (root.name() != "networkport") return root.error("the outermost element must be <networkport>");
  return document;
}

const char* direct_mode_word(DirectMode mode) {
  switch (mode) {
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

// The guest's own word, else its portgroup's, else the network's.
bool trusts_guest(const PortRequest& request, const Network& network) {
  if (request.any_mac) return *request.any_mac;
  const PortGroup* group = portgroup_of(network, request.portgroup.value_or(""));
  return group && group->trust_guest_rx_filters ? *group->trust_guest_rx_filters
                                                : network.trust_guest_rx_filters;
}

void write_plug(XmlWriter& xml, const Network& network, const std::string& parent) {
  if (is_direct(network))
    return xml.empty("plug",
                     {{"type", "direct"}, {"dev", parent}, {"mode", direct_mode_word(network.direct_mode)}});
  xml.empty("plug", {{"type", is_bridged(network) ? "bridge" : "network"},
                     {"bridge", network.bridge},
                     {"macTableManager", network.mac_table_libvirt ? "libvirt" : ""}});
}

}  // namespace

Result<GuestPortXml> parse_guest_port(std::string_view xml) {
  VNET_ASSIGN(const auto document, parse_port_document(xml));
  const auto root = document.root();
  GuestPortXml port;
  PortRequest& request = port.request;
  if (const auto uuid = root.child("uuid")) port.uuid = trimmed(uuid->text());
  if (const auto owner = root.child("owner")) {
    if (const auto name = owner->child("name")) request.guest = name->text();
    if (const auto uuid = owner->child("uuid")) request.guest_uuid = trimmed(uuid->text());
  }
  if (const auto group = root.child("group")) request.portgroup = group->text();
  const auto mac = root.child("mac");
  if (!mac) return root.error("<mac> is missing");
  VNET_ASSIGN(request.mac, mac->unicast_mac("address"));
  if (!request.mac) return mac->error("the attribute address is missing");
  if (const auto bandwidth = root.child("bandwidth")) {
    VNET_ASSIGN(const auto rates, parse_bandwidth(*bandwidth, true));
    request.bandwidth = BandwidthRequest{rates.inbound, rates.outbound};
  }
  if (const auto vlan = root.child("vlan")) {
    VNET_ASSIGN(request.vlan, parse_vlan(*vlan));
  }
  if (const auto isolation = root.child("port")) {
    VNET_ASSIGN(request.isolated, isolation->yes_no("isolated"));
  }
  if (const auto filters = root.child("rxfilters")) {
    VNET_ASSIGN(request.any_mac, filters->yes_no("trustGuest"));
  }
  port.is_plugged = root.child("plug").has_value();
  return port;
}

Result<std::string> answer_guest_port(const GuestPort& port, const Network& network,
                                      const std::string& parent) {
  VNET_ASSIGN(const auto document, parse_port_document(port.xml));
  const PortRequest& request = port.request;
  XmlWriter xml;
  xml.open("networkport");
  xml.text("uuid", port.uuid);
  xml.open("owner");
  xml.text("name", request.guest.value_or(""));
  xml.text("uuid", request.guest_uuid.value_or(""));
  xml.close("owner");
  const PortGroup* group = portgroup_of(network, request.portgroup.value_or(""));
  if (group) xml.text("group", group->name);
  xml.empty("mac", {{"address", request.mac ? request.mac->text() : ""}});
  if (request.isolated.value_or(network.isolated_ports)) xml.empty("port", {{"isolated", "yes"}});
  if (trusts_guest(request, network)) xml.empty("rxfilters", {{"trustGuest", "yes"}});
  for (const auto& element : document.root().child_elements())
    if (std::ranges::find(known_elements, element.name()) == known_elements.end())
      xml.raw(element.serialized());
  write_plug(xml, network, parent);
  xml.close("networkport");
  return xml.take();
}

Result<BandwidthValues> bandwidth_values(std::string_view xml) {
  VNET_ASSIGN(const auto document, parse_port_document(xml));
  BandwidthValues values;
  const auto bandwidth = document.root().child("bandwidth");
  for (const char* direction : directions) {
    const auto node = bandwidth ? bandwidth->child(direction) : std::nullopt;
    if (!node) continue;
    for (const char* rate : rates) {
      VNET_ASSIGN(const auto value, node->number(rate, 0, std::numeric_limits<std::uint32_t>::max()));
      if (value) values[std::string(direction) + "." + rate] = static_cast<std::uint32_t>(*value);
    }
  }
  return values;
}

Result<std::string> with_bandwidth(std::string_view xml, const BandwidthValues& values) {
  VNET_ASSIGN(const auto document, parse_port_document(xml));
  const auto root = document.root();
  if (const auto before = root.child("bandwidth")) before->remove();
  XmlWriter writer;
  writer.element("bandwidth", {}, [&](XmlWriter& inner) {
    for (const char* direction : directions) {
      XmlWriter::Attributes attributes;
      for (const char* rate : rates)
        if (auto value = values.find(std::string(direction) + "." + rate);
            value != values.end() && value->second)
          attributes.emplace_back(rate, std::to_string(value->second));
      if (!attributes.empty()) inner.empty(direction, attributes);
    }
  });
  VNET_ASSIGN(const auto element, XmlDocument::parse(writer.take(), ""));
  root.add_copy(element.root(), false);
  return root.serialized();
}

}  // namespace vnet
