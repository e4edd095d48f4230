// SPDX-License-Identifier: GPL-2.0-or-later
// FRR's running configuration as far as it is ours, and the commands that make it what it should be. Pure.
//
// Ours is what has our mark, and nothing else: `network PREFIX route-map vnet-bpf` of the default instance of
// BGP, and static routes to guests with our tag. So there is no list elsewhere that could say something else:
// whatever was interrupted, the next run finds what is there. Without the route map such a network is not
// announced.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "loader/model/announcement.h"

namespace vnet {

inline constexpr const char* frr_route_map = "vnet-bpf";
inline constexpr std::uint32_t frr_tag = 0x766e6574;  // "vnet"

// A guest's address as a route of the host's: what BGP announces has to be a route first.
struct FrrHostRoute {
  Prefix prefix;
  std::string gateway;
  auto operator<=>(const FrrHostRoute&) const = default;
};

struct FrrConfig {
  std::optional<std::uint32_t> as;  // of `router bgp`; nullopt: there is none
  bool route_map = false;           // ours
  bool bare_route_map = false;      // ... as we have made it
  std::set<Prefix> networks;        // ours
  std::set<Prefix> foreign;         // networks that the administrator announces
  std::set<FrrHostRoute> routes;    // ours
};

// What `show running-config` of bgpd and of staticd says.
void read_bgp_config(std::string_view text, FrrConfig& config);
void read_static_config(std::string_view text, FrrConfig& config);

// What FRR should have of those. An AS that is not FRR's is why one is left out.
bool fits(const FrrConfig& config, const Announcement& announcement);
std::string why_not(const FrrConfig& config, const Announcement& announcement);
FrrConfig wanted_config(const FrrConfig& now, const std::vector<Announcement>& announcements);

// What is ours in FRR and not wanted.
std::vector<Prefix> stale_prefixes(const FrrConfig& now, const FrrConfig& wanted);

std::vector<std::string> bgp_commands(const FrrConfig& now, const FrrConfig& wanted);
std::vector<std::string> static_commands(const FrrConfig& now, const FrrConfig& wanted);

}  // namespace vnet
