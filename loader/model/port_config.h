// SPDX-License-Identifier: GPL-2.0-or-later
// The settings of a port, a row each (port_fields): what `attach` and `set` can ask for, what is written
// down, and what `ports` shows.
#pragma once

#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <vector>

#include "loader/model/network.h"

namespace vnet {

struct PortConfig {
  std::optional<Mac> mac;       // the guest's own, as far as it is known
  std::optional<bool> any_mac;  // it may send from others; nullopt: the network's <guard mac>
  std::vector<Address> ips;
  bool ip_only = false;  // beside them nothing that the guest makes up
  std::string model, portgroup;
  std::string guest, guest_uuid;  // whose it is, for display
  std::optional<BandwidthPair> bandwidth;
  std::optional<Vlan> vlan;
  bool plugged = true;
  std::vector<std::string> filters, allow;
  std::optional<Inbound> inbound;  // nullopt: the network's default
  std::optional<bool> isolated;    // nullopt: the network's <port isolated>
  bool operator==(const PortConfig&) const = default;
};

// Of <bandwidth>, what is asked for; a direction that is not named stays.
struct BandwidthRequest {
  std::optional<std::optional<Bandwidth>> inbound, outbound;  // nullopt inside: no word of the port's own
};

// What `attach` and `set` were asked for; nullopt: leave as it is (attach: the default).
struct PortRequest {
  std::string interface, network;  // network: only for attach
  std::optional<Mac> mac;
  std::optional<bool> any_mac;  // or `mac` and no other; without it the network's default
  std::optional<std::vector<Address>> ips;
  std::optional<bool> ip_only;
  std::optional<std::vector<std::string>> filters;
  std::optional<Inbound> inbound;
  std::optional<std::vector<std::string>> allow;
  std::optional<bool> isolated;
  std::optional<std::string> model, portgroup, guest;
  std::optional<std::string> guest_uuid;  // only by a hypervisor's hook
  std::optional<BandwidthRequest> bandwidth;
  std::optional<std::optional<Vlan>> vlan;
  std::optional<bool> link_up;
};

template <typename Setting, typename Wish>
struct PortField {
  const char* key;  // in the record
  Setting PortConfig::*setting;
  Wish PortRequest::*wish;
};

inline constexpr std::tuple port_fields{
    PortField{"mac", &PortConfig::mac, &PortRequest::mac},
    PortField{"any_mac", &PortConfig::any_mac, &PortRequest::any_mac},
    PortField{"ips", &PortConfig::ips, &PortRequest::ips},
    PortField{"ip_only", &PortConfig::ip_only, &PortRequest::ip_only},
    PortField{"model", &PortConfig::model, &PortRequest::model},
    PortField{"portgroup", &PortConfig::portgroup, &PortRequest::portgroup},
    PortField{"guest", &PortConfig::guest, &PortRequest::guest},
    PortField{"guest_uuid", &PortConfig::guest_uuid, &PortRequest::guest_uuid},
    PortField{"bandwidth", &PortConfig::bandwidth, &PortRequest::bandwidth},
    PortField{"vlan", &PortConfig::vlan, &PortRequest::vlan},
    PortField{"plugged", &PortConfig::plugged, &PortRequest::link_up},
    PortField{"filters", &PortConfig::filters, &PortRequest::filters},
    PortField{"allow", &PortConfig::allow, &PortRequest::allow},
    PortField{"inbound", &PortConfig::inbound, &PortRequest::inbound},
    PortField{"isolated", &PortConfig::isolated, &PortRequest::isolated},
};

template <typename Visit>
void for_each_port_field(Visit visit) {
  std::apply([&](const auto&... field) { (visit(field), ...); }, port_fields);
}

inline void take_wish(auto& setting, const auto& wish) {
  setting = wish;
}
inline void take_wish(std::optional<BandwidthPair>& pair, const BandwidthRequest& wish) {
  BandwidthPair now = pair.value_or(BandwidthPair{});
  if (wish.inbound) now.inbound = *wish.inbound;
  if (wish.outbound) now.outbound = *wish.outbound;
  bool empty = !now.inbound && !now.outbound;
  pair = empty ? std::nullopt : std::optional(now);
}

// What the request does not name stays.
inline void apply_request(PortConfig& config, const PortRequest& request) {
  for_each_port_field([&](const auto& field) {
    auto& setting = config.*field.setting;
    const auto& wish = request.*field.wish;
    if (!wish) return;
    if constexpr (std::is_same_v<decltype(setting), std::remove_cvref_t<decltype(wish)>&>)
      setting = wish;
    else
      take_wish(setting, *wish);
  });
}

}  // namespace vnet
