// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/plan/announce.h"

#include <algorithm>

namespace vnet {

std::vector<Announcement> announcements(const Network& network, const std::vector<AddedAddress>& added,
                                        const std::vector<GuestAddress>& guests) {
  std::vector<Announcement> all;
  if (!has_gateway(network) || !is_visible(network)) return all;
  const auto& wish = network.settings.announce;
  std::vector<Prefix> gateways;
  for (const auto& ip : network.ips) gateways.push_back(ip.gateway);
  for (const auto& [address, refused] : added)
    if (refused.empty()) gateways.push_back(address);
  auto add = [&](const Prefix& prefix, const std::string& port) {
    all.push_back({.prefix = prefix,
                   .network = network.name,
                   .gateway = network.bridge,
                   .port = port,
                   .as = wish ? wish->as : 0,
                   .asked = wish.has_value()});
  };
  for (const auto& gateway : gateways) add(gateway.network(), "");
  if (wish && wish->hosts)
    for (const auto& [port, address] : guests) {
      const bool inside =
          std::ranges::any_of(gateways, [&](const Prefix& gateway) { return gateway.contains(address); });
      const bool is_gateway = std::ranges::count(gateways, address, &Prefix::address) > 0;
      if (inside && !is_gateway && !address.is_link_local())
        add({address, address.family == Family::V4 ? 32U : 128U}, port);
    }
  // A guest may have an address by several ways, and an anycast address is several guests'.
  std::ranges::sort(all);
  const auto same = [](const Announcement& a, const Announcement& b) { return a.prefix == b.prefix; };
  all.erase(std::ranges::unique(all, same).begin(), all.end());
  return all;
}

}  // namespace vnet
