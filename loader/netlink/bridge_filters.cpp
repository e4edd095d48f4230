// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/netlink/bridge_filters.h"

#include "loader/netlink/netlink_message.h"
#include "loader/os/sysctl.h"

// Behind the C library's headers, which the kernel's make room for but not the other way round.
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

namespace vnet {
namespace {

Result<bool> has_bridge_tables() {
  struct Free {
    void operator()(nl_sock* socket) const { nl_socket_free(socket); }
  };
  std::unique_ptr<nl_sock, Free> socket(nl_socket_alloc());
  // A kernel without nftables has no tables.
  if (!socket || nl_connect(socket.get(), NETLINK_NETFILTER) < 0) return false;
  nfgenmsg family{.nfgen_family = NFPROTO_BRIDGE, .version = NFNETLINK_V0, .res_id = 0};
  netlink::Message message((NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_GETTABLE, NLM_F_DUMP, family);
  bool any = false;
  netlink::Answer answer = netlink::exchange(socket.get(), message, [&](nlmsghdr*) { any = true; });
  if (!answer.ok() && answer.error != EOPNOTSUPP && answer.error != EINVAL)
    VNET_TRY(answer.result("listing nftables' tables"));
  return any;
}

}  // namespace

Result<std::string> bridge_filters() {
  for (const char* key : {"net.bridge.bridge-nf-call-iptables", "net.bridge.bridge-nf-call-ip6tables"}) {
    VNET_ASSIGN(auto value, read_sysctl(key));
    if (value && *value == "1") return std::string("br_netfilter (sysctl ") + key + ")";
  }
  VNET_ASSIGN(bool tables, has_bridge_tables());
  return tables ? std::string("nftables tables of family bridge") : std::string();
}

}  // namespace vnet
