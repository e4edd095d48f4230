// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/model/port_rules.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>

namespace vnet {

Result<AllowRule> parse_allow_rule(const std::string& text) {
  auto bad = [&](const char* why) {
    return invalid(fmt::format("--allow: '{}': {} (PROTO/PORT[@CIDR], like tcp/22@192.0.2.0/24)", text, why));
  };
  auto slash = text.find('/');
  if (slash == std::string::npos) return bad("no port");
  AllowRule rule{.proto = text.substr(0, slash)};
  if (rule.proto != "tcp" && rule.proto != "udp") return bad("the protocol is tcp or udp");
  auto at = text.find('@', slash);
  auto port = text.substr(slash + 1, at == std::string::npos ? at : at - slash - 1);
  unsigned number = 0;
  auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
  if (error != std::errc{} || end != port.data() + port.size() || number < 1 || number > 65535)
    return bad("the port is a number from 1 to 65535");
  rule.port = static_cast<std::uint16_t>(number);
  if (at == std::string::npos) return rule;
  rule.from = Prefix::parse(text.substr(at + 1));
  if (!rule.from) return bad("no prefix behind the @");
  return rule;
}

namespace {

struct Name {
  const char* name;
  bool Filters::*member;
};
constexpr Name names[] = {{"clean-traffic", &Filters::clean},
                          {"no-mac-spoofing", &Filters::mac_spoofing},
                          {"no-ip-spoofing", &Filters::ip_spoofing},
                          {"no-arp-spoofing", &Filters::arp_spoofing},
                          {"no-ipv6-spoofing", &Filters::ipv6_spoofing},
                          {"no-ip-multicast", &Filters::ip_multicast},
                          {"allow-dhcp-server", &Filters::dhcp_server}};

}  // namespace

const std::vector<std::string>& filter_names() {
  static const std::vector<std::string> all = [] {
    std::vector<std::string> list;
    for (const auto& known : names) list.emplace_back(known.name);
    return list;
  }();
  return all;
}

Result<Filters> parse_filters(const std::vector<std::string>& list) {
  Filters filters;
  for (const auto& text : list) {
    bool known = false;
    for (const auto& [name, member] : names) {
      if (text != name) continue;
      filters.*member = known = true;
    }
    if (!known)
      return invalid(fmt::format("--filter: '{}' is not one of {}", text, fmt::join(filter_names(), ", ")));
  }
  if (filters.clean)
    filters.mac_spoofing = filters.ip_spoofing = filters.arp_spoofing = filters.ipv6_spoofing = true;
  return filters;
}

}  // namespace vnet
