// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/services/frr_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <functional>
#include <iterator>
#include <sstream>

namespace vnet {
namespace {

using Words = std::vector<std::string>;

void for_each_line(std::string_view text, const std::function<void(const Words&, bool indented)>& visit) {
  std::istringstream lines{std::string(text)};
  for (std::string line; std::getline(lines, line);) {
    std::istringstream stream(line);
    const Words words{std::istream_iterator<std::string>(stream), {}};
    if (!words.empty()) visit(words, line.starts_with(' '));
  }
}

bool ends_in(const Words& words, const Words& end) {
  return words.size() >= end.size() && std::equal(end.rbegin(), end.rend(), words.rbegin());
}

template <typename T>
std::vector<T> missing_in(const std::set<T>& from, const std::set<T>& in) {
  std::vector<T> all;
  std::ranges::set_difference(from, in, std::back_inserter(all));
  return all;
}

std::string network_line(const Prefix& prefix) {
  return fmt::format("network {} route-map {}", prefix.text(), frr_route_map);
}

std::string route_line(const FrrHostRoute& route) {
  return fmt::format("{} route {} {} tag {}", route.prefix.address.family == Family::V4 ? "ip" : "ipv6",
                     route.prefix.text(), route.gateway, frr_tag);
}

void add_family(std::vector<std::string>& commands, Family family, const std::vector<Prefix>& gone,
                const std::vector<Prefix>& fresh) {
  const auto is_of = [&](const Prefix& prefix) { return prefix.address.family == family; };
  if (std::ranges::none_of(gone, is_of) && std::ranges::none_of(fresh, is_of)) return;
  commands.push_back(fmt::format("address-family {} unicast", family == Family::V4 ? "ipv4" : "ipv6"));
  for (const auto& prefix : gone)
    if (is_of(prefix)) commands.push_back("no " + network_line(prefix));
  for (const auto& prefix : fresh)
    if (is_of(prefix)) commands.push_back(network_line(prefix));
  commands.emplace_back("exit-address-family");
}

}  // namespace

void read_bgp_config(std::string_view text, FrrConfig& config) {
  bool in_bgp = false, in_family = false, in_map = false;
  for_each_line(text, [&](const Words& words, bool indented) {
    if (!indented && words[0] != "!" && words[0] != "exit") {
      // Others are of a VRF or a view.
      in_bgp = words.size() == 3 && words[0] == "router" && words[1] == "bgp";
      in_family = false;
      in_map = words.size() == 4 && words[0] == "route-map" && words[1] == frr_route_map;
      if (in_map) {
        config.bare_route_map = !config.route_map && words[2] == "permit" && words[3] == "10";
        config.route_map = true;
      }
      std::uint32_t as = 0;
      if (in_bgp && std::from_chars(words[2].data(), words[2].data() + words[2].size(), as).ec == std::errc{})
        config.as = as;
      return;
    }
    if (in_map && indented && words[0] != "!") config.bare_route_map = false;
    if (!in_bgp || !indented) return;
    if (words[0] == "address-family")
      in_family = words.size() == 3 && (words[1] == "ipv4" || words[1] == "ipv6") && words[2] == "unicast";
    if (words[0] == "exit-address-family") in_family = false;
    if (!in_family || words.size() < 2 || words[0] != "network") return;
    const auto prefix = Prefix::parse(words[1]);
    if (prefix)
      (ends_in(words, {"route-map", frr_route_map}) ? config.networks : config.foreign).insert(*prefix);
  });
}

void read_static_config(std::string_view text, FrrConfig& config) {
  for_each_line(text, [&](const Words& words, bool indented) {
    if (indented || words.size() != 6 || (words[0] != "ip" && words[0] != "ipv6") || words[1] != "route" ||
        !ends_in(words, {"tag", std::to_string(frr_tag)}))
      return;
    if (const auto prefix = Prefix::parse(words[2])) config.routes.insert({*prefix, words[3]});
  });
}

bool fits(const FrrConfig& config, const Announcement& announcement) {
  return config.as && (!announcement.as || announcement.as == *config.as);
}

std::string why_not(const FrrConfig& config, const Announcement& announcement) {
  if (fits(config, announcement)) return "";
  if (config.as)
    return fmt::format("it names bgp='{}', and FRR's AS is {}: change one of them", announcement.as,
                       *config.as);
  return "FRR has no `router bgp`: give it one, with its neighbors, in /etc/frr/frr.conf "
         "(docs/many-hosts.md), "
         "then systemctl reload frr";
}

std::vector<Prefix> stale_prefixes(const FrrConfig& now, const FrrConfig& wanted) {
  std::set<Prefix> all;
  for (const auto& prefix : missing_in(now.networks, wanted.networks)) all.insert(prefix);
  for (const auto& route : missing_in(now.routes, wanted.routes)) all.insert(route.prefix);
  return {all.begin(), all.end()};
}

FrrConfig wanted_config(const FrrConfig& now, const std::vector<Announcement>& announcements) {
  FrrConfig wanted{.as = now.as};
  for (const auto& one : announcements) {
    if (!one.asked || !fits(now, one)) continue;
    // What the administrator announces is announced.
    if (!now.foreign.contains(one.prefix)) wanted.networks.insert(one.prefix);
    if (one.is_host()) wanted.routes.insert({one.prefix, one.gateway});
  }
  // One that somebody has added to stays.
  wanted.route_map = !wanted.networks.empty() || (now.route_map && !now.bare_route_map);
  return wanted;
}

std::vector<std::string> bgp_commands(const FrrConfig& now, const FrrConfig& wanted) {
  std::vector<std::string> commands;
  if (wanted.route_map && !now.route_map)
    commands = {fmt::format("route-map {} permit 10", frr_route_map), "exit"};
  const auto gone = missing_in(now.networks, wanted.networks);
  const auto fresh = missing_in(wanted.networks, now.networks);
  if (now.as && !(gone.empty() && fresh.empty())) {
    commands.push_back(fmt::format("router bgp {}", *now.as));
    for (const auto family : {Family::V4, Family::V6}) add_family(commands, family, gone, fresh);
    commands.emplace_back("exit");
  }
  if (now.route_map && !wanted.route_map) commands.push_back(fmt::format("no route-map {}", frr_route_map));
  return commands;
}

std::vector<std::string> static_commands(const FrrConfig& now, const FrrConfig& wanted) {
  std::vector<std::string> commands;
  for (const auto& route : missing_in(now.routes, wanted.routes))
    commands.push_back("no " + route_line(route));
  for (const auto& route : missing_in(wanted.routes, now.routes)) commands.push_back(route_line(route));
  return commands;
}

}  // namespace vnet
