// SPDX-License-Identifier: GPL-2.0-or-later
// A bridge's ports and its forwarding database, and the neighbours of an interface.
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>

#include <cerrno>

#include "loader/netlink/netlink.h"
#include "loader/netlink/netlink_message.h"

namespace vnet {

using netlink::Answer;
using netlink::Attributes;
using netlink::Message;
using netlink::to_af;

namespace {

struct FlagAttribute {
  std::optional<bool> PortFlags::*flag;
  int type;
};
constexpr FlagAttribute port_flag_attributes[] = {
    {&PortFlags::learning, IFLA_BRPORT_LEARNING},
    {&PortFlags::unicast_flood, IFLA_BRPORT_UNICAST_FLOOD},
    {&PortFlags::multicast_flood, IFLA_BRPORT_MCAST_FLOOD},
    {&PortFlags::broadcast_flood, IFLA_BRPORT_BCAST_FLOOD},
    {&PortFlags::isolated, IFLA_BRPORT_ISOLATED},
    {&PortFlags::neigh_suppress, IFLA_BRPORT_NEIGH_SUPPRESS},
    {&PortFlags::hairpin, IFLA_BRPORT_MODE},
};

Message fdb_message(int type, int flags, int port, const Mac& mac, unsigned vlan) {
  ndmsg header{.ndm_family = AF_BRIDGE, .ndm_ifindex = port, .ndm_state = NUD_NOARP, .ndm_flags = NTF_MASTER};
  Message message(type, flags, header);
  message.put_mac(NDA_LLADDR, mac);
  if (vlan) message.put_u16(NDA_VLAN, static_cast<std::uint16_t>(vlan));
  return message;
}

std::optional<FdbEntry> parse_fdb(nlmsghdr* header, int bridge) {
  if (header->nlmsg_type != RTM_NEWNEIGH) return std::nullopt;
  auto* message = static_cast<const ndmsg*>(nlmsg_data(header));
  Attributes<NDA_MAX> attributes(header, sizeof(*message));
  // A port's own address list comes along in the dump, without a master.
  if (static_cast<int>(attributes.u32(NDA_MASTER)) != bridge) return std::nullopt;
  auto mac = attributes.mac(NDA_LLADDR);
  if (!mac) return std::nullopt;
  return FdbEntry{.mac = *mac,
                  .port = message->ndm_ifindex,
                  .vlan = attributes.u16(NDA_VLAN),
                  .is_static = (message->ndm_state & (NUD_NOARP | NUD_PERMANENT)) != 0,
                  .permanent = (message->ndm_state & NUD_PERMANENT) != 0};
}

std::optional<Neighbour> parse_neighbour(nlmsghdr* header, int ifindex, Family family) {
  if (header->nlmsg_type != RTM_NEWNEIGH) return std::nullopt;
  auto* message = static_cast<const ndmsg*>(nlmsg_data(header));
  if (message->ndm_ifindex != ifindex || message->ndm_family != to_af(family)) return std::nullopt;
  if (!(message->ndm_state & (NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT)))
    return std::nullopt;
  Attributes<NDA_MAX> attributes(header, sizeof(*message));
  auto address = attributes.address(NDA_DST);
  auto mac = attributes.mac(NDA_LLADDR);
  if (!address || !mac) return std::nullopt;
  return Neighbour{*address, *mac, message->ndm_state};
}

}  // namespace

Result<PortFlags> Netlink::port_flags(int port) {
  Message message(RTM_GETLINK, 0, ifinfomsg{.ifi_family = AF_UNSPEC, .ifi_index = port});
  std::optional<PortFlags> flags;
  Answer answer = netlink::exchange(socket_.get(), message, [&](nlmsghdr* header) {
    Attributes<IFLA_MAX> attributes(header, sizeof(ifinfomsg));
    if (!attributes[IFLA_LINKINFO]) return;
    Attributes<IFLA_INFO_MAX> info(attributes[IFLA_LINKINFO]);
    if (info.string(IFLA_INFO_SLAVE_KIND) != "bridge" || !info[IFLA_INFO_SLAVE_DATA]) return;
    Attributes<IFLA_BRPORT_MAX> data(info[IFLA_INFO_SLAVE_DATA]);
    flags.emplace();
    for (const FlagAttribute& item : port_flag_attributes) (*flags).*item.flag = data.u8(item.type) != 0;
  });
  VNET_TRY(answer.result("reading the bridge port " + std::to_string(port)));
  if (!flags) return failed(netlink::link_name(socket_.get(), port) + " is not in a bridge");
  return *flags;
}

Result<void> Netlink::set_port_flags(int port, const PortFlags& flags) {
  Message message(RTM_SETLINK, 0, ifinfomsg{.ifi_family = AF_BRIDGE, .ifi_index = port});
  bool any = false;
  message.nest(IFLA_PROTINFO, [&] {
    for (const FlagAttribute& item : port_flag_attributes)
      if (const auto& value = flags.*item.flag) {
        message.put_u8(item.type, *value ? 1 : 0);
        any = true;
      }
  });
  if (!any) return {};
  // Without a bridge above it the kernel may take the request for one to the device itself.
  VNET_TRY(port_flags(port));
  Answer answer = netlink::exchange(socket_.get(), message);
  if (answer.ok()) return {};
  return answer.result("setting up the bridge port " + netlink::link_name(socket_.get(), port));
}

Result<void> Netlink::add_fdb(int port, const Mac& mac, unsigned vlan) {
  Message message = fdb_message(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, port, mac, vlan);
  Answer answer = netlink::exchange(socket_.get(), message);
  if (answer.ok()) return {};
  return answer.result("adding " + mac.text() + " to the bridge port " +
                       netlink::link_name(socket_.get(), port));
}

Result<void> Netlink::delete_fdb(int port, const Mac& mac, unsigned vlan) {
  Message message = fdb_message(RTM_DELNEIGH, 0, port, mac, vlan);
  Answer answer = netlink::exchange(socket_.get(), message);
  if (answer.ok() || answer.error == ENOENT || answer.error == ENODEV) return {};
  return answer.result("deleting " + mac.text() + " from the bridge port " +
                       netlink::link_name(socket_.get(), port));
}

Result<std::vector<FdbEntry>> Netlink::fdb(int bridge) {
  Message message(RTM_GETNEIGH, NLM_F_DUMP, ndmsg{.ndm_family = AF_BRIDGE});
  message.put_u32(NDA_MASTER, static_cast<std::uint32_t>(bridge));
  std::vector<FdbEntry> entries;
  Answer answer = netlink::collect(socket_.get(), message, entries,
                                   [&](nlmsghdr* header) { return parse_fdb(header, bridge); });
  if (answer.error == ENODEV) return not_found("no interface with index " + std::to_string(bridge));
  VNET_TRY(answer.result("listing the addresses known to " + netlink::link_name(socket_.get(), bridge)));
  return entries;
}

Result<std::vector<Neighbour>> Netlink::neighbours(int ifindex) {
  std::vector<Neighbour> found;
  for (Family family : {Family::V4, Family::V6}) {
    Message message(RTM_GETNEIGH, NLM_F_DUMP, ndmsg{.ndm_family = static_cast<std::uint8_t>(to_af(family))});
    message.put_u32(NDA_IFINDEX, static_cast<std::uint32_t>(ifindex));
    Answer answer = netlink::collect(socket_.get(), message, found, [&](nlmsghdr* header) {
      return parse_neighbour(header, ifindex, family);
    });
    VNET_TRY(answer.result("listing the neighbours on " + netlink::link_name(socket_.get(), ifindex)));
  }
  return found;
}

}  // namespace vnet
