// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/verbs/port_options.h"

#include <algorithm>

#include "loader/model/link.h"
#include "loader/model/port_rules.h"

namespace vnet::cli::verbs {
namespace {

Result<void> take_mac(PortRequest& to, const std::string& word) {
  to.any_mac = word == "any";
  if (*to.any_mac) return {};
  to.mac = Mac::parse(word);
  if (!to.mac)
    return invalid("--mac: '" + word + "' is neither a MAC address (like 52:54:00:12:34:56) nor any");
  if (to.mac->is_multicast()) return invalid("--mac: " + word + " is a multicast address");
  if (*to.mac == Mac{}) return invalid("--mac: all zeros is no address");
  return {};
}

Result<Address> parse_ip(const std::string& word) {
  auto address = Address::parse(word);
  if (!address) return invalid("--ip: '" + word + "' is not an IP address");
  if (address->is_multicast() || *address == Address{} || *address == Address{Family::V6, {}})
    return invalid("--ip: " + word + " is not an address of a guest");
  return *address;
}

Result<std::string> parse_filter(const std::string& word) {
  VNET_TRY(parse_filters({word}));
  return word;
}

Result<Inbound> parse_inbound(const std::string& word) {
  for (auto inbound : {Inbound::Accept, Inbound::Established})
    if (word == inbound_name(inbound)) return inbound;
  return Inbound::Drop;  // the last of the choices
}

Result<std::string> parse_allow(const std::string& word) {
  VNET_TRY(parse_allow_rule(word));
  return word;
}

Target name_into(const char* option, std::optional<std::string>& to) {
  return {[option, &to](const Words& words) -> Result<void> {
    bool good = std::ranges::all_of(words.back(), [](unsigned char c) { return c > ' ' && c != 0x7f; });
    if (!good) return invalid(std::string(option) + ": a word without spaces or control characters");
    to = words.back();
    return {};
  }};
}

}  // namespace

std::vector<Option> port_options(PortRequest& to) {
  return {
      {"--mac MAC",
       "The guest's MAC address, the only one allowed; any: whatever it sends from; default: learned",
       {[&to](const Words& words) { return take_mac(to, words.back()); }}},
      {"--ip ADDR", "An address of the guest (repeatable); none: no fixed ones", into(to.ips, parse_ip)},
      {"--ip-only", "No IPv6 address that the guest makes up beside --ip", flag_into(to.ip_only)},
      Option("--no-ip-only", "These, too, where the network advertises a prefix",
             flag_into(to.ip_only, false))
          .instead_of({"--ip-only"}),
      {"--filter NAME",
       "What the guest may not send (repeatable): clean-traffic, no-mac-spoofing, no-ip-spoofing, "
       "no-arp-spoofing, no-ipv6-spoofing, no-ip-multicast; allow-dhcp-server; none: no filter",
       into(to.filters, parse_filter), join(filter_names(), " ") + " none"},
      Option("--inbound POLICY",
             "What may reach the guest: accept (all), established (answers) or drop (nothing)",
             into(to.inbound, parse_inbound))
          .only({"accept", "established", "drop"}),
      {"--allow PROTO/PORT[@CIDR]", "PROTO/PORT[@CIDR] let in all the same (repeatable); none: no rule",
       into(to.allow, parse_allow)},
      {"--isolated", "No traffic with other isolated ports", flag_into(to.isolated)},
      Option("--no-isolated", "Traffic with every port", flag_into(to.isolated, false))
          .instead_of({"--isolated"}),
      {"--model NAME", "The guest's network card, for display", name_into("--model", to.model)},
      {"--guest NAME", "The guest's name, for display", name_into("--guest", to.guest)},
      {"--portgroup NAME", "Port group of the network", name_into("--portgroup", to.portgroup)},
  };
}

Result<std::string> parse_interface(const std::string& word) {
  if (!valid_interface_name(word))
    return invalid("'" + word + "' cannot be the name of an interface (1 to 15 bytes, no slash or space)");
  return word;
}

}  // namespace vnet::cli::verbs
