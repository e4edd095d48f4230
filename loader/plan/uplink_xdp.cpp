// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/plan/uplink_xdp.h"

#include <fmt/format.h>

#include <algorithm>

namespace vnet {
namespace {

bool is_card(const LinkInfo& link) {
  return link.kind.empty() || link.kind == "bond" || link.kind == "team";
}

XdpMode decide(XdpMode wish, const LinkInfo& uplink, const std::vector<LinkInfo>& links) {
  if (!uplink.ethernet) return XdpMode::Off;
  if (wish != XdpMode::Auto) return wish;
  bool has_vlans = std::ranges::any_of(links, [&](const LinkInfo& other) {
    return other.kind == "vlan" && other.link == uplink.ifindex && !other.peer_netns_id;
  });
  return is_card(uplink) && !has_vlans ? XdpMode::Filter : XdpMode::Off;
}

}  // namespace

UplinkXdp wanted_xdp(const LinkInfo& uplink, const std::vector<LinkInfo>& links,
                     const std::vector<Network>& users) {
  UplinkXdp wanted;
  for (const auto& network : users) {
    wanted.mode = std::max(wanted.mode, decide(network.settings.xdp, uplink, links));
    wanted.generic |= network.settings.xdp_generic;
    wanted.limits_new_flows |= network.settings.new_flows > 0;
  }
  if (wanted.mode == XdpMode::Off) wanted.generic = false;
  return wanted;
}

std::string describe_xdp(const UplinkRecord& record, const XdpState& state) {
  if (record.xdp.mode == XdpMode::Off) return "";
  std::string mode = xdp_mode_name(record.xdp.mode);
  if (state.how == XdpHow::Not)
    return fmt::format("not attached: {}", record.xdp_why.empty() ? "somebody has taken it away, a command "
                                                                    "that changes something puts it back"
                                                                  : record.xdp_why);
  return fmt::format("{}, {}, {}", mode, state.generic ? "generic" : "native",
                     state.how == XdpHow::Dispatcher ? "shared by libxdp's dispatcher" : "alone at the hook");
}

}  // namespace vnet
