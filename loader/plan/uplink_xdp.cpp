// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/plan/uplink_xdp.h"

#include <fmt/format.h>

#include <algorithm>

namespace vnet {

bool is_card(const LinkInfo& link) {
  return link.kind.empty() || link.kind == "bond" || link.kind == "team";
}

namespace {

bool has_vlans(const LinkInfo& uplink, const std::vector<LinkInfo>& links) {
  return std::ranges::any_of(links, [&](const LinkInfo& other) {
    return other.kind == "vlan" && other.link == uplink.ifindex && !other.peer_netns_id;
  });
}

XdpMode decide(XdpMode wish, const LinkInfo& uplink, const std::vector<LinkInfo>& links) {
  // What a bridge takes in has a buffer already, and with br_netfilter the host's NAT has seen it.
  if (!uplink.ethernet || uplink.kind == "bridge") return XdpMode::Off;
  if (wish != XdpMode::Auto) return wish;
  return is_card(uplink) && !has_vlans(uplink, links) ? XdpMode::Filter : XdpMode::Off;
}

// Out of a tap nothing is forwarded: another machine's offloads are in its frames' metadata only. A veth's
// frames may have such, too, but most have not, and the program sees by the checksum which.
std::string why_no_forward(const LinkInfo& uplink, const std::vector<LinkInfo>& links) {
  if (!is_card(uplink) && uplink.kind != "veth") return fmt::format("not from a {}", uplink.kind);
  if (has_vlans(uplink, links)) return "its VLANs' frames may come to XDP without their tag";
  return "";
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
  if (wanted.mode != XdpMode::Forward) return wanted;
  wanted.no_forward = why_no_forward(uplink, links);
  if (!wanted.no_forward.empty()) {
    wanted.mode = XdpMode::Filter;
    return wanted;
  }
  wanted.distrusts_checksums = !uplink.kind.empty();
  wanted.mac = uplink.mac;
  return wanted;
}

}  // namespace vnet
