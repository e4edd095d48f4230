// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/netlink/xdp_features.h"

#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>

#include <cstring>
#include <memory>

#include "loader/netlink/netlink_message.h"

namespace vnet {
namespace {

constexpr int cmd_dev_get = 1;
constexpr int dev_ifindex = 1;
constexpr int dev_xdp_features = 3;

// of: an ifindex; 0: all.
std::map<int, std::uint64_t> ask(int of) {
  std::map<int, std::uint64_t> all;
  std::unique_ptr<nl_sock, decltype(&nl_socket_free)> socket(nl_socket_alloc(), nl_socket_free);
  if (!socket || genl_connect(socket.get())) return all;
  int family = genl_ctrl_resolve(socket.get(), "netdev");
  if (family < 0) return all;
  auto read = [&](nlmsghdr* header) {
    netlink::Attributes<8> attributes(header, sizeof(genlmsghdr));
    const nlattr* features = attributes[dev_xdp_features];
    if (!features || nla_len(features) != sizeof(std::uint64_t)) return;
    std::uint64_t value = 0;
    std::memcpy(&value, nla_data(features), sizeof(value));
    all[static_cast<int>(attributes.u32(dev_ifindex))] = value;
  };
  genlmsghdr get{.cmd = cmd_dev_get, .version = 1};
  if (of) {
    netlink::Message message(family, 0, get);
    message.put_u32(dev_ifindex, static_cast<std::uint32_t>(of));
    (void)netlink::exchange(socket.get(), message, read);
  } else {
    netlink::Message message(family, NLM_F_DUMP, get);
    (void)netlink::dump(socket.get(), message, read, [&] { all.clear(); });
  }
  return all;
}

}  // namespace

std::optional<std::uint64_t> xdp_features(int ifindex) {
  auto known = ask(ifindex);
  auto found = known.find(ifindex);
  return found == known.end() ? std::nullopt : std::optional(found->second);
}

std::map<int, std::uint64_t> xdp_features() {
  return ask(0);
}

}  // namespace vnet
