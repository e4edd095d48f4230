// SPDX-License-Identifier: GPL-2.0-or-later
// The parts of the network parser, by concern. Internal to loader/config.
#pragma once

#include "loader/config/xml_node.h"

namespace vnet {

Result<IpConfig> parse_ip(const XmlNode& node);                 // ip_xml.cpp
Result<StaticRoute> parse_route(const XmlNode& node);           // ip_xml.cpp
Result<Dns> parse_dns(const XmlNode& node);                     // dns_xml.cpp
Result<Settings> parse_settings(const XmlNode& metadata);       // settings_xml.cpp
Result<void> validate(const Network& network, const XmlNode& root);  // validate.cpp

constexpr const char* settings_namespace = "urn:vnet-bpf:network:1";
constexpr const char* dnsmasq_namespace = "http://libvirt.org/schemas/network/dnsmasq/1.0";

}  // namespace vnet
