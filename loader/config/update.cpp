// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/config/update.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string_view>

#include "loader/config/network_xml.h"
#include "loader/config/update_parts.h"
#include "loader/config/xml_parts.h"

namespace vnet {
namespace {

struct Section {
  std::string_view name;
  const char* element;
  Result<void> (*update)(Network& network, const SectionCall& call);  // nullptr: not while it is defined
};

// libvirt's, those that it knows and refuses included; then ours, which go by the path to their element.
// Those of our own namespace are vnet:NAME (setting_elements()).
constexpr Section of_libvirts_namespace[] = {
    {"bridge", "bridge", nullptr},
    {"domain", "domain", nullptr},
    {"ip", "ip", nullptr},
    {"ip-dhcp-host", "host", update_dhcp_host},
    {"ip-dhcp-range", "range", update_dhcp_range},
    {"forward", "forward", nullptr},
    {"forward-interface", "interface", update_interface},
    {"forward-pf", "pf", nullptr},
    {"portgroup", "portgroup", update_portgroup},
    {"dns-host", "host", update_dns_host},
    {"dns-txt", "txt", update_dns_txt},
    {"dns-srv", "srv", update_dns_srv},
    {"ip-address", "ip", update_address},
    {"route", "route", update_route},
    {"forward-nat-address", "address", update_nat_addresses},
    {"forward-nat-port", "port", update_nat_ports},
};

// libvirt has a space in this one.
std::string words_of(const Section& section) {
  return section.name == "forward-pf" ? "forward pf" : std::string(section.name);
}

std::optional<Section> find_section(std::string_view name) {
  const auto* section = std::ranges::find(of_libvirts_namespace, name, &Section::name);
  if (section != std::end(of_libvirts_namespace)) return *section;
  for (const auto& setting : setting_elements())
    if (name == std::string("vnet:") + setting.name) return Section{name, setting.name, update_setting};
  return std::nullopt;
}

// With the prefix `vnet` declared, so that one element can be written as in a definition.
Result<XmlDocument> parse_element(const SectionUpdate& update) {
  std::string_view xml = update.xml;
  if (xml.starts_with("<?xml"))
    if (auto end = xml.find("?>"); end != xml.npos) xml.remove_prefix(end + 2);
  return XmlDocument::parse(fmt::format("<element xmlns:vnet='{}'>{}</element>", settings_namespace, xml),
                            update.file_name);
}

}  // namespace

std::vector<std::string> section_names() {
  std::vector<std::string> names;
  for (const auto& section : of_libvirts_namespace) names.emplace_back(section.name);
  for (const auto& setting : setting_elements()) names.push_back(std::string("vnet:") + setting.name);
  return names;
}

Result<Network> updated(const Network& network, const SectionUpdate& update) {
  const auto section = find_section(update.section);
  if (!section)
    return invalid(fmt::format("unrecognized section name '{}'; known: {}", update.section,
                               fmt::join(section_names(), ", ")));
  if (!section->update)
    return failed(fmt::format("can't update '{}' section of network '{}'", words_of(*section), network.name));
  VNET_ASSIGN(auto document, parse_element(update));
  auto elements = document.root().child_elements();
  if (elements.size() != 1)
    return invalid("the XML must be one element <" + std::string(section->element) + ">");
  const XmlNode& element = elements.front();
  bool is_setting = section->update == update_setting;
  if (element.name() != section->element || (!is_setting && !element.namespace_uri().empty()))
    return invalid(fmt::format("unexpected element <{}>, expecting <{}>, while updating network '{}'",
                               element.name(), section->element, network.name));
  Network changed = network;
  VNET_TRY(section->update(changed, {update.command, update.parent_index, document.root(), element}));
  return parse_network(format_network(changed), "the new definition of " + network.name);
}

}  // namespace vnet
