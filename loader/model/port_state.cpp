// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/model/port_state.h"

namespace vnet {
namespace {

template <typename Setting>
void wish_for(std::optional<Setting>& wish, const Setting& setting) {
  wish = setting;
}
// Without a word of its own the default holds, as in a port that is attached anew.
template <typename Setting>
void wish_for(std::optional<Setting>& wish, const std::optional<Setting>& setting) {
  wish = setting;
}
void wish_for(std::optional<BandwidthRequest>& wish, const std::optional<BandwidthPair>& pair) {
  const auto all = pair.value_or(BandwidthPair{});
  wish = BandwidthRequest{.inbound = all.inbound, .outbound = all.outbound};
}
void wish_for(std::optional<std::optional<Vlan>>& wish, const std::optional<Vlan>& vlan) {
  wish.emplace(vlan);
}

}  // namespace

PortRequest request_of(const PortState& state) {
  PortRequest request{.interface = state.interface, .network = state.network};
  for_each_port_field([&](const auto& field) { wish_for(request.*field.wish, state.*field.setting); });
  return request;
}

}  // namespace vnet
