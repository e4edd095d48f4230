// SPDX-License-Identifier: GPL-2.0-or-later
// Interfaces with what only a doctor wants to know: driver, XDP, bonding.
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "loader/base/fd.h"
#include "loader/doctor/facts.h"
#include "loader/netlink/netlink_message.h"
#include "loader/netlink/xdp_features.h"

namespace vnet {
namespace {

using netlink::Attributes;
using Socket = std::unique_ptr<nl_sock, decltype(&nl_socket_free)>;

std::map<int, unsigned> bond_modes() {
  std::map<int, unsigned> all;
  Socket socket(nl_socket_alloc(), nl_socket_free);
  if (!socket || nl_connect(socket.get(), NETLINK_ROUTE)) return all;
  netlink::Message message(RTM_GETLINK, NLM_F_DUMP, ifinfomsg{.ifi_family = AF_UNSPEC});
  message.put_u32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
  (void)netlink::dump(
      socket.get(), message,
      [&](nlmsghdr* header) {
        Attributes<IFLA_MAX> attributes(header, sizeof(ifinfomsg));
        if (!attributes[IFLA_LINKINFO]) return;
        Attributes<IFLA_INFO_MAX> info(attributes[IFLA_LINKINFO]);
        if (info.string(IFLA_INFO_KIND) != "bond" || !info[IFLA_INFO_DATA]) return;
        Attributes<IFLA_BOND_MAX> bond(info[IFLA_INFO_DATA]);
        const auto* link = static_cast<const ifinfomsg*>(nlmsg_data(header));
        all[link->ifi_index] = bond.u8(IFLA_BOND_MODE);
      },
      [&] { all.clear(); });
  return all;
}

std::string driver_of(const std::string& name) {
  Fd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ethtool_drvinfo info{};
  info.cmd = ETHTOOL_GDRVINFO;
  ifreq request{};
  std::strncpy(request.ifr_name, name.c_str(), IFNAMSIZ - 1);
  request.ifr_data = reinterpret_cast<char*>(&info);
  if (!socket || ::ioctl(socket.get(), SIOCETHTOOL, &request)) return "";
  info.driver[sizeof(info.driver) - 1] = '\0';
  return info.driver;
}

}  // namespace

Result<std::vector<LinkFacts>> gather_links(Netlink& netlink) {
  VNET_ASSIGN(auto links, netlink.links());
  auto features = xdp_features();
  auto modes = bond_modes();
  std::vector<LinkFacts> all;
  for (auto& link : links) {
    LinkFacts facts{.link = link};
    auto addresses = netlink.addresses(link.ifindex);
    if (addresses)  // an interface that has gone meanwhile has none
      for (const auto& info : *addresses) facts.addresses.push_back(info.prefix);
    facts.driver = driver_of(link.name);
    if (auto known = features.find(link.ifindex); known != features.end()) facts.xdp_features = known->second;
    if (auto mode = modes.find(link.ifindex); mode != modes.end()) facts.bond_mode = mode->second;
    facts.programs = gather_programs(link);
    all.push_back(std::move(facts));
  }
  return all;
}

}  // namespace vnet
