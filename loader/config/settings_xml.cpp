// SPDX-License-Identifier: GPL-2.0-or-later
// vnet-bpf's own settings in <metadata>. Unlike libvirt's elements, an unknown one is an error: it would be a
// misspelt setting that silently does nothing.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <set>
#include <sstream>

#include "loader/config/xml_parts.h"

namespace vnet {
namespace {

Result<void> only_attributes(const XmlNode& node, std::initializer_list<std::string_view> allowed) {
  for (const auto& name : node.attribute_names())
    if (std::ranges::find(allowed, name) == allowed.end())
      return node.error(fmt::format("unknown attribute {}; allowed: {}", name,
                                    allowed.size() ? fmt::format("{}", fmt::join(allowed, ", ")) : "none"));
  return {};
}

template <typename T>
Result<void> set_choice(const XmlNode& node, const char* attribute,
                        std::initializer_list<std::pair<const char*, T>> allowed, T& target) {
  VNET_TRY(only_attributes(node, {attribute}));
  VNET_TRY(node.required(attribute));
  VNET_ASSIGN(const auto value, node.choice<T>(attribute, allowed));
  target = *value;
  return {};
}

Result<void> parse_sessions(const XmlNode& node, Settings& settings) {
  constexpr std::uint64_t most = 1 << 24;
  VNET_TRY(only_attributes(node, {"max", "perPort"}));
  VNET_ASSIGN(const auto max, node.number("max", 1, most));
  VNET_ASSIGN(const auto per_port, node.number("perPort", 1, most));
  if (max) settings.max_sessions = static_cast<std::uint32_t>(*max);
  if (per_port) {
    if (*per_port > settings.max_sessions)
      return node.wrong_value("perPort", std::to_string(*per_port),
                              fmt::format("more than max, which is {}", settings.max_sessions));
    settings.max_sessions_per_port = static_cast<std::uint32_t>(*per_port);
  }
  settings.max_sessions_per_port = std::min(settings.max_sessions_per_port, settings.max_sessions);
  return {};
}

Result<void> parse_xdp(const XmlNode& node, Settings& settings) {
  VNET_TRY(only_attributes(node, {"mode", "generic", "newFlows"}));
  VNET_TRY(node.required("mode"));
  VNET_ASSIGN(const auto mode, node.choice<XdpMode>("mode", {{"auto", XdpMode::Auto},
                                                             {"off", XdpMode::Off},
                                                             {"filter", XdpMode::Filter},
                                                             {"forward", XdpMode::Forward}}));
  VNET_ASSIGN(const auto generic, node.choice<bool>("generic", {{"yes", true}, {"no", false}}));
  VNET_ASSIGN(const auto new_flows, node.number("newFlows", 1, 1'000'000));
  settings.xdp = *mode;
  settings.xdp_generic = generic.value_or(false);
  settings.new_flows = static_cast<std::uint32_t>(new_flows.value_or(0));
  return {};
}

// from="198.51.100.0/24, 192.0.2.7"
Result<std::vector<Prefix>> parse_prefixes(const XmlNode& node, const char* name) {
  std::vector<Prefix> prefixes;
  VNET_ASSIGN(auto text, node.attribute(name));
  if (!text) return prefixes;
  std::string words = *text;
  std::ranges::replace(words, ',', ' ');
  std::istringstream stream(words);
  for (std::string word; stream >> word;) {
    const auto prefix = Prefix::parse(word);
    if (!prefix)
      return node.wrong_value(name, *text, fmt::format("'{}' is no prefix like 192.0.2.0/24", word));
    prefixes.push_back(prefix->network());
  }
  if (prefixes.empty()) return node.wrong_value(name, *text, "needs a prefix like 192.0.2.0/24");
  return prefixes;
}

Result<void> parse_port_forward(const XmlNode& node, Settings& settings) {
  VNET_TRY(only_attributes(node, {"proto", "port", "to", "toPort", "listen", "from"}));
  PortForward forward;
  for (const char* name : {"proto", "port", "to"}) VNET_TRY(node.required(name));
  VNET_ASSIGN(const auto proto,
              node.choice<std::string>("proto", {{"tcp", "tcp"}, {"udp", "udp"}, {"sctp", "sctp"}}));
  VNET_ASSIGN(const auto port, node.required("port"));
  const auto ports = parse_port_range(port);
  if (!ports) return node.wrong_value("port", port, "a port from 1 to 65535, or a range like 8000-8010");
  VNET_ASSIGN(const auto to, node.address("to"));
  VNET_ASSIGN(const auto to_port, node.number("toPort", 1, 65535));
  VNET_ASSIGN(forward.listen, node.address("listen"));
  VNET_ASSIGN(forward.from, parse_prefixes(node, "from"));
  forward.proto = *proto;
  forward.ports = *ports;
  forward.to = *to;
  forward.to_port = static_cast<std::uint16_t>(to_port.value_or(ports->start));
  if (auto fits = check_forward(forward); !fits) return node.error(fits.error().message);
  for (const auto& other : settings.port_forwards)
    if (do_overlap(other, forward))
      return node.wrong_value("port", port,
                              other.ports == forward.ports && other.listen == forward.listen
                                  ? "this port is forwarded twice"
                                  : fmt::format("overlaps with {}", forward_text(other)));
  settings.port_forwards.push_back(std::move(forward));
  return {};
}

// Without portgroup= of the whole network.
Result<void> parse_guard(const XmlNode& node, Settings& settings) {
  VNET_TRY(only_attributes(node, {"portgroup", "mac"}));
  VNET_ASSIGN(const auto group, node.attribute("portgroup"));
  if (group && group->empty()) return node.wrong_value("portgroup", "", "needs a name");
  VNET_TRY(node.required("mac"));
  VNET_ASSIGN(const auto any, node.choice<bool>("mac", {{"fixed", false}, {"any", true}}));
  if (!settings.any_mac.emplace(group.value_or(""), *any).second)
    return group ? node.wrong_value("portgroup", *group, "only one is allowed for each portgroup")
                 : node.error("only one without portgroup= is allowed");
  return {};
}

// As a Linux bridge's group_fwd_mask, which refuses the first three, too: they are between a bridge and its
// neighbour, and a bridge that passes them on breaks what they are for.
struct LinkProtocol {
  const char* name;
  unsigned bit;  // of 01:80:c2:00:00:0n
};
constexpr LinkProtocol link_protocols[] = {{"stp", 0}, {"pause", 1}, {"lacp", 2}, {"eapol", 3}, {"lldp", 14}};
constexpr std::uint16_t never_forwarded = 0x7;

std::optional<std::uint16_t> protocol_mask(const std::string& word) {
  for (const auto& [name, bit] : link_protocols)
    if (word == name) return static_cast<std::uint16_t>(1U << bit);
  const bool hexadecimal = word.starts_with("0x");
  const char *begin = word.data() + (hexadecimal ? 2 : 0), *last = word.data() + word.size();
  std::uint16_t mask = 0;
  const auto [end, error] = std::from_chars(begin, last, mask, hexadecimal ? 16 : 10);
  if (error != std::errc{} || end != last) return std::nullopt;
  return mask;
}

Result<void> parse_link_protocols(const XmlNode& node, Settings& settings) {
  VNET_TRY(only_attributes(node, {"forward"}));
  VNET_ASSIGN(const auto text, node.required("forward"));
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    const auto mask = protocol_mask(word);
    if (!mask)
      return node.wrong_value("forward", text,
                              fmt::format("'{}' is none of lldp, eapol, and no mask like 0x4008", word));
    if (*mask & never_forwarded)
      return node.wrong_value(
          "forward", text,
          fmt::format("'{}': STP, pause frames and LACP (bits 0, 1 and 2) are for the next bridge alone",
                      word));
    settings.link_protocols |= *mask;
  }
  return {};
}

Result<void> parse_uplink(const XmlNode& node, Settings& settings) {
  VNET_TRY(only_attributes(node, {"dev"}));
  VNET_ASSIGN(auto dev, node.required("dev"));
  settings.uplinks.push_back(std::move(dev));
  return {};
}

Result<void> parse_host_firewall(const XmlNode& node, Settings& settings) {
  return set_choice<HostFirewall>(
      node, "mode",
      {{"honor", HostFirewall::Honor}, {"bypass", HostFirewall::Bypass}, {"auto", HostFirewall::Auto}},
      settings.host_firewall);
}

Result<void> parse_inbound(const XmlNode& node, Settings& settings) {
  return set_choice<Inbound>(
      node, "default",
      {{"accept", Inbound::Accept}, {"established", Inbound::Established}, {"drop", Inbound::Drop}},
      settings.inbound);
}

Result<void> parse_host(const XmlNode& node, Settings& settings) {
  return set_choice<HostAccess>(
      node, "access",
      {{"all", HostAccess::All}, {"services", HostAccess::Services}, {"none", HostAccess::None}},
      settings.host_access);
}

// Without filtering=: of one mapping for all, whoever the guest has sent to may send to it.
Result<void> parse_nat(const XmlNode& node, Settings& settings) {
  using enum NatFiltering;
  VNET_TRY(only_attributes(node, {"mapping", "filtering"}));
  VNET_TRY(node.required("mapping"));
  VNET_ASSIGN(
      const auto mapping,
      node.choice<NatMapping>("mapping", {{"endpoint-dependent", NatMapping::EndpointDependent},
                                          {"endpoint-independent", NatMapping::EndpointIndependent}}));
  VNET_ASSIGN(
      const auto filtering,
      node.choice<NatFiltering>("filtering", {{"endpoint-independent", EndpointIndependent},
                                              {"address-dependent", AddressDependent},
                                              {"address-and-port-dependent", AddressAndPortDependent}}));
  const bool independent = *mapping == NatMapping::EndpointIndependent;
  if (!independent && filtering && *filtering != AddressAndPortDependent)
    return node.wrong_value("filtering", nat_filtering_name(*filtering),
                            "needs mapping='endpoint-independent': a port that differs from peer to peer is "
                            "reached by that peer alone");
  settings.nat_mapping = *mapping;
  settings.nat_filtering = filtering.value_or(independent ? AddressDependent : AddressAndPortDependent);
  return {};
}

// A day of 86400 s, and a year.
struct TimeoutBounds {
  const char* name;
  std::uint32_t Timeouts::*member;
  std::uint64_t least, most;
};
constexpr TimeoutBounds timeout_bounds[] = {{"tcp", &Timeouts::tcp, 60, 31'536'000},
                                            {"udp", &Timeouts::udp, 10, 86'400},
                                            {"icmp", &Timeouts::icmp, 5, 86'400},
                                            {"other", &Timeouts::other, 10, 86'400}};

Result<void> parse_timeouts(const XmlNode& node, Settings& settings) {
  VNET_TRY(only_attributes(node, {"tcp", "udp", "icmp", "other"}));
  if (node.attribute_names().empty())
    return node.error("needs at least one of tcp, udp, icmp, other (seconds)");
  for (const auto& bounds : timeout_bounds) {
    VNET_ASSIGN(const auto seconds, node.number(bounds.name, bounds.least, bounds.most));
    if (seconds) settings.timeouts.*bounds.member = static_cast<std::uint32_t>(*seconds);
  }
  return {};
}

Result<void> parse_mac_nat(const XmlNode& node, Settings& settings) {
  VNET_TRY(only_attributes(node, {"mode"}));
  VNET_ASSIGN(
      const auto mode,
      node.choice<MacNat>("mode", {{"auto", MacNat::Auto}, {"on", MacNat::On}, {"off", MacNat::Off}}));
  settings.mac_nat = mode.value_or(MacNat::On);
  return {};
}

Result<void> parse_announce(const XmlNode& node, Settings& settings) {
  constexpr std::uint64_t most = 4'294'967'294;  // RFC 7300: the last one is reserved
  VNET_TRY(only_attributes(node, {"bgp", "hosts"}));
  VNET_ASSIGN(const auto as, node.number("bgp", 1, most));
  VNET_ASSIGN(const auto hosts, node.choice<bool>("hosts", {{"yes", true}, {"no", false}}));
  settings.announce =
      Announce{.as = static_cast<std::uint32_t>(as.value_or(0)), .hosts = hosts.value_or(false)};
  return {};
}

constexpr SettingElement elements[] = {
    {"hostFirewall", parse_host_firewall, false, {}},
    {"xdp", parse_xdp, false, {}},
    {"sessions", parse_sessions, false, {}},
    {"inbound", parse_inbound, false, {}},
    {"portForward", parse_port_forward, true, {"proto", "port", "listen"}},
    {"host", parse_host, false, {}},
    {"uplink", parse_uplink, true, {"dev"}},
    {"guard", parse_guard, true, {"portgroup"}},
    {"link-protocols", parse_link_protocols, false, {}},
    {"nat", parse_nat, false, {}},
    {"timeouts", parse_timeouts, false, {}},
    {"macNat", parse_mac_nat, false, {}},
    {"announce", parse_announce, false, {}},
};

Result<const SettingElement*> find_element(const XmlNode& node) {
  const auto* found = std::ranges::find(elements, node.name(), &SettingElement::name);
  if (found != std::end(elements)) return found;
  std::string names;
  for (const auto& element : elements) names += (names.empty() ? "" : ", ") + std::string(element.name);
  return node.error("unknown setting of vnet-bpf; allowed: " + names);
}

}  // namespace

std::span<const SettingElement> setting_elements() {
  return elements;
}

Result<Settings> parse_settings(const XmlNode& metadata) {
  Settings settings;
  std::set<std::string> seen;
  for (const auto& top : metadata.child_elements()) {
    if (top.namespace_uri() != settings_namespace) continue;  // another program's metadata
    if (top.name() != "network") return top.error("unknown setting of vnet-bpf; allowed: network");
    if (!seen.insert("network").second)
      return top.error("only one <network> with vnet-bpf's settings is allowed");
    VNET_TRY(only_attributes(top, {}));
    for (const auto& node : top.child_elements()) {
      if (node.namespace_uri() != settings_namespace)
        return node.error(fmt::format("not in the namespace {}", settings_namespace));
      VNET_ASSIGN(const auto* element, find_element(node));
      if (!element->repeatable && !seen.insert(node.name()).second) return node.error("only one is allowed");
      VNET_TRY(element->parse(node, settings));
    }
  }
  return settings;
}

}  // namespace vnet
