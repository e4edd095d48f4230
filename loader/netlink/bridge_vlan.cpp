// SPDX-License-Identifier: GPL-2.0-or-later
// The VLANs of a bridge's ports.
#include <linux/if_bridge.h>
#include <linux/if_link.h>

#include <algorithm>

#include "loader/netlink/netlink.h"
#include "loader/netlink/netlink_message.h"

namespace vnet {

using netlink::Answer;
using netlink::Attributes;
using netlink::Message;

namespace {

PortVlan port_vlan(const bridge_vlan_info& info) {
  return {.id = info.vid,
          .pvid = (info.flags & BRIDGE_VLAN_INFO_PVID) != 0,
          .untagged = (info.flags & BRIDGE_VLAN_INFO_UNTAGGED) != 0};
}

void parse_vlans(nlmsghdr* header, int port, std::vector<PortVlan>& vlans) {
  if (header->nlmsg_type != RTM_NEWLINK) return;
  auto* link = static_cast<const ifinfomsg*>(nlmsg_data(header));
  if (link->ifi_index != port) return;
  Attributes<IFLA_MAX> attributes(header, sizeof(*link));
  const nlattr* all = attributes[IFLA_AF_SPEC];
  if (!all) return;
  nlattr* one = nullptr;
  int rest = 0;
  nla_for_each_nested(one, const_cast<nlattr*>(all), rest) if (nla_type(one) == IFLA_BRIDGE_VLAN_INFO) {
    bridge_vlan_info info{};
    nla_memcpy(&info, one, sizeof(info));
    vlans.push_back(port_vlan(info));
  }
}

Message vlan_message(int type, int port, const PortVlan& vlan) {
  Message message(type, 0, ifinfomsg{.ifi_family = AF_BRIDGE, .ifi_index = port});
  bridge_vlan_info info{.flags = 0, .vid = static_cast<std::uint16_t>(vlan.id)};
  if (vlan.pvid) info.flags |= BRIDGE_VLAN_INFO_PVID;
  if (vlan.untagged) info.flags |= BRIDGE_VLAN_INFO_UNTAGGED;
  message.nest(IFLA_AF_SPEC, [&] { message.put_data(IFLA_BRIDGE_VLAN_INFO, &info, sizeof(info)); });
  return message;
}

}  // namespace

Result<std::vector<PortVlan>> Netlink::port_vlans(int port) {
  Message message(RTM_GETLINK, NLM_F_DUMP, ifinfomsg{.ifi_family = AF_BRIDGE});
  message.put_u32(IFLA_EXT_MASK, RTEXT_FILTER_BRVLAN);
  std::vector<PortVlan> vlans;
  Answer answer =
      netlink::exchange(socket_.get(), message, [&](nlmsghdr* header) { parse_vlans(header, port, vlans); });
  VNET_TRY(answer.result("listing the VLANs of bridge ports"));
  return vlans;
}

Result<void> Netlink::set_port_vlans(int port, const std::vector<PortVlan>& vlans) {
  VNET_ASSIGN(const auto before, port_vlans(port));
  // New ones first: the port is in the right VLAN before it leaves the other.
  for (const auto& vlan : vlans) {
    if (std::ranges::find(before, vlan) != before.end()) continue;
    Message message = vlan_message(RTM_SETLINK, port, vlan);
    VNET_TRY(netlink::exchange(socket_.get(), message)
                 .result("adding " + netlink::link_name(socket_.get(), port) + " to VLAN " +
                         std::to_string(vlan.id)));
  }
  for (const auto& vlan : before) {
    if (std::ranges::any_of(vlans, [&](const PortVlan& other) { return other.id == vlan.id; })) continue;
    Message message = vlan_message(RTM_DELLINK, port, {.id = vlan.id});
    VNET_TRY(netlink::exchange(socket_.get(), message)
                 .result("taking " + netlink::link_name(socket_.get(), port) + " out of VLAN " +
                         std::to_string(vlan.id)));
  }
  return {};
}

}  // namespace vnet
