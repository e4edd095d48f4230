// SPDX-License-Identifier: GPL-2.0-or-later
// Interfaces: what they are, making bridges, changing what every interface has.
#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "loader/netlink/netlink.h"
#include "loader/netlink/netlink_message.h"

namespace vnet {

using netlink::Answer;
using netlink::Attributes;
using netlink::Message;

namespace {

// <linux/if_link.h> from 6.7 on.
constexpr int netkit_mode = 5;          // IFLA_NETKIT_MODE
constexpr std::uint32_t netkit_l3 = 1;  // the default: packets without Ethernet addresses

// The bridge's timers are in clock ticks of user space.
unsigned ticks_per_second() {
  static const unsigned ticks = static_cast<unsigned>(sysconf(_SC_CLK_TCK));
  return ticks;
}

void parse_kind(const nlattr* linkinfo, LinkInfo& link) {
  Attributes<IFLA_INFO_MAX> info(linkinfo);
  link.kind = info.string(IFLA_INFO_KIND);
  if (!info[IFLA_INFO_DATA]) return;
  if (link.kind == "tun") {
    Attributes<IFLA_TUN_MAX> data(info[IFLA_INFO_DATA]);
    link.tun_type = data.u8(IFLA_TUN_TYPE) == IFF_TAP ? "tap" : "tun";
    link.tun_vnet_hdr = data.u8(IFLA_TUN_VNET_HDR) != 0;
  } else if (link.kind == "bridge") {
    Attributes<IFLA_BR_MAX> data(info[IFLA_INFO_DATA]);
    link.bridge = BridgeOptions{
        .stp = data.u32(IFLA_BR_STP_STATE) != 0,
        .forward_delay_seconds = data.u32(IFLA_BR_FORWARD_DELAY) / ticks_per_second(),
        .vlan_filtering = data.u8(IFLA_BR_VLAN_FILTERING) != 0,
    };
  } else if (link.kind == "netkit") {
    Attributes<netkit_mode> data(info[IFLA_INFO_DATA]);
    link.without_macs = data.u32(netkit_mode) == netkit_l3;
  } else if (link.kind == "bond") {
    Attributes<IFLA_BOND_MAX> data(info[IFLA_INFO_DATA]);
    link.bond =
        BondOptions{.mode = data.u8(IFLA_BOND_MODE), .arp_interval = data.u32(IFLA_BOND_ARP_INTERVAL)};
  }
}

std::optional<LinkInfo> parse_link(nlmsghdr* header) {
  if (header->nlmsg_type != RTM_NEWLINK) return std::nullopt;
  auto* info = static_cast<const ifinfomsg*>(nlmsg_data(header));
  Attributes<IFLA_MAX> attributes(header, sizeof(*info));
  LinkInfo link;
  link.ifindex = info->ifi_index;
  link.name = attributes.string(IFLA_IFNAME);
  if (auto mac = attributes.mac(IFLA_ADDRESS)) link.mac = *mac;
  link.mtu = attributes.u32(IFLA_MTU);
  link.up = (info->ifi_flags & IFF_UP) != 0;
  link.carrier = (info->ifi_flags & IFF_LOWER_UP) != 0;
  link.promiscuous = (info->ifi_flags & IFF_PROMISC) != 0;
  link.master = static_cast<int>(attributes.u32(IFLA_MASTER));
  link.link = static_cast<int>(attributes.u32(IFLA_LINK));
  if (attributes[IFLA_LINK_NETNSID]) link.peer_netns_id = static_cast<int>(attributes.u32(IFLA_LINK_NETNSID));
  link.ethernet = info->ifi_type == ARPHRD_ETHER;
  if (attributes[IFLA_LINKINFO]) parse_kind(attributes[IFLA_LINKINFO], link);
  return link;
}

Result<std::optional<LinkInfo>> get_link(nl_sock* socket, Message& message, const std::string& what) {
  message.put_u32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
  std::optional<LinkInfo> link;
  Answer answer = netlink::exchange(socket, message, [&](nlmsghdr* header) { link = parse_link(header); });
  if (answer.error == ENODEV) return std::nullopt;
  VNET_TRY(answer.result("looking up " + what));
  return link;
}

ifinfomsg link_header(int ifindex) {
  return {.ifi_family = AF_UNSPEC, .ifi_index = ifindex};
}

}  // namespace

Result<std::vector<LinkInfo>> Netlink::links() {
  Message message(RTM_GETLINK, NLM_F_DUMP, link_header(0));
  message.put_u32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
  std::vector<LinkInfo> links;
  VNET_TRY(netlink::collect(socket_.get(), message, links, parse_link).result("listing the interfaces"));
  return links;
}

Result<std::optional<LinkInfo>> Netlink::find_link(const std::string& name) {
  if (name.empty() || name.size() >= IFNAMSIZ) return std::nullopt;
  Message message(RTM_GETLINK, 0, link_header(0));
  message.put_string(IFLA_IFNAME, name);
  return get_link(socket_.get(), message, "interface " + name);
}

Result<std::optional<LinkInfo>> Netlink::find_link(int ifindex) {
  if (ifindex <= 0) return std::nullopt;
  Message message(RTM_GETLINK, 0, link_header(ifindex));
  return get_link(socket_.get(), message, "interface " + std::to_string(ifindex));
}

Result<LinkInfo> Netlink::link(const std::string& name) {
  VNET_ASSIGN(std::optional<LinkInfo> found, find_link(name));
  if (!found) return not_found("no such interface: " + name);
  return std::move(*found);
}

Result<LinkInfo> Netlink::link(int ifindex) {
  VNET_ASSIGN(std::optional<LinkInfo> found, find_link(ifindex));
  if (!found) return not_found("no interface with index " + std::to_string(ifindex));
  return std::move(*found);
}

Result<int> Netlink::create_bridge(const std::string& name, const Mac& mac, std::optional<unsigned> mtu,
                                   const BridgeOptions& options) {
  if (!valid_interface_name(name))
    return invalid("'" + name + "' cannot be a bridge's name: 1 to 15 characters, no space, '/', ':' or '%'");
  const std::string action = "creating bridge " + name;
  Message message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, link_header(0));
  message.put_string(IFLA_IFNAME, name);
  message.put_mac(IFLA_ADDRESS, mac);
  // A bridge's MTU follows its ports until it is changed. Giving it at creation does not count, nor
  // does setting what it has already: so it starts one off and is set below.
  if (mtu) message.put_u32(IFLA_MTU, *mtu > 1280 ? *mtu - 1 : *mtu + 1);
  message.nest(IFLA_LINKINFO, [&] {
    message.put_string(IFLA_INFO_KIND, "bridge");
    message.nest(IFLA_INFO_DATA, [&] {
      message.put_u32(IFLA_BR_FORWARD_DELAY, options.forward_delay_seconds * ticks_per_second());
      message.put_u32(IFLA_BR_STP_STATE, options.stp ? 1 : 0);
      // Off is the default, and kernels without BRIDGE_VLAN_FILTERING refuse the very attribute.
      if (options.vlan_filtering) message.put_u8(IFLA_BR_VLAN_FILTERING, 1);
      if (options.default_pvid)
        message.put_u16(IFLA_BR_VLAN_DEFAULT_PVID, static_cast<std::uint16_t>(*options.default_pvid));
    });
  });
  VNET_TRY(netlink::exchange(socket_.get(), message).result(action));

  auto finish = [&]() -> Result<int> {
    VNET_ASSIGN(LinkInfo made, link(name));
    if (mtu) VNET_TRY(set_mtu(made.ifindex, *mtu));
    return made.ifindex;
  };
  auto ifindex = finish();
  if (!ifindex) {
    (void)delete_link(name);  // the first error is the one to tell
    return std::unexpected(std::move(ifindex.error()).within(action));
  }
  return ifindex;
}

Result<void> Netlink::delete_link(const std::string& name) {
  if (name.empty() || name.size() >= IFNAMSIZ) return {};
  Message message(RTM_DELLINK, 0, link_header(0));
  message.put_string(IFLA_IFNAME, name);
  Answer answer = netlink::exchange(socket_.get(), message);
  if (answer.error == ENODEV) return {};
  return answer.result("deleting " + name);
}

Result<void> Netlink::change_flags(int ifindex, unsigned flags, unsigned mask, const char* action) {
  ifinfomsg header = link_header(ifindex);
  header.ifi_flags = flags;
  header.ifi_change = mask;
  Message message(RTM_NEWLINK, 0, header);
  Answer answer = netlink::exchange(socket_.get(), message);
  if (answer.ok()) return {};
  return answer.result(std::string(action) + " " + netlink::link_name(socket_.get(), ifindex));
}

Result<void> Netlink::set_up(int ifindex) {
  return change_flags(ifindex, IFF_UP, IFF_UP, "bringing up");
}
Result<void> Netlink::set_down(int ifindex) {
  return change_flags(ifindex, 0, IFF_UP, "taking down");
}

Result<void> Netlink::set_promiscuous(int ifindex, bool on) {
  return change_flags(ifindex, on ? IFF_PROMISC : 0, IFF_PROMISC,
                      on ? "setting promiscuous:" : "setting no longer promiscuous:");
}

Result<void> Netlink::set_master(int port, int bridge) {
  Message message(RTM_NEWLINK, 0, link_header(port));
  message.put_u32(IFLA_MASTER, static_cast<std::uint32_t>(bridge));
  Answer answer = netlink::exchange(socket_.get(), message);
  if (answer.ok()) return {};
  return answer.result("adding " + netlink::link_name(socket_.get(), port) + " to " +
                       netlink::link_name(socket_.get(), bridge));
}

Result<void> Netlink::clear_master(int port) {
  Message message(RTM_NEWLINK, 0, link_header(port));
  message.put_u32(IFLA_MASTER, 0);
  Answer answer = netlink::exchange(socket_.get(), message);
  if (answer.ok()) return {};
  return answer.result("taking " + netlink::link_name(socket_.get(), port) + " out of its bridge");
}

Result<void> Netlink::set_mtu(int ifindex, unsigned mtu) {
  Message message(RTM_NEWLINK, 0, link_header(ifindex));
  message.put_u32(IFLA_MTU, mtu);
  Answer answer = netlink::exchange(socket_.get(), message);
  if (answer.ok()) return {};
  return answer.result("setting the MTU of " + netlink::link_name(socket_.get(), ifindex) + " to " +
                       std::to_string(mtu));
}

Result<void> Netlink::set_mac(int ifindex, const Mac& mac) {
  Message message(RTM_NEWLINK, 0, link_header(ifindex));
  message.put_mac(IFLA_ADDRESS, mac);
  Answer answer = netlink::exchange(socket_.get(), message);
  if (answer.ok()) return {};
  return answer.result("setting the MAC of " + netlink::link_name(socket_.get(), ifindex) + " to " +
                       mac.text());
}

// The kernel refuses a delay below two seconds while the tree is on.
Result<void> Netlink::set_spanning_tree(int bridge, bool on, unsigned forward_delay_seconds) {
  auto set = [&](auto put) {
    Message message(RTM_NEWLINK, 0, link_header(bridge));
    message.nest(IFLA_LINKINFO, [&] {
      message.put_string(IFLA_INFO_KIND, "bridge");
      message.nest(IFLA_INFO_DATA, [&] { put(message); });
    });
    Answer answer = netlink::exchange(socket_.get(), message);
    if (answer.ok()) return Result<void>{};
    return answer.result("setting the spanning tree of " + netlink::link_name(socket_.get(), bridge));
  };
  VNET_TRY(set([](Message& message) { message.put_u32(IFLA_BR_STP_STATE, 0); }));
  VNET_TRY(set([&](Message& message) {
    message.put_u32(IFLA_BR_FORWARD_DELAY, forward_delay_seconds * ticks_per_second());
  }));
  return on ? set([](Message& message) { message.put_u32(IFLA_BR_STP_STATE, 1); }) : Result<void>{};
}

}  // namespace vnet
