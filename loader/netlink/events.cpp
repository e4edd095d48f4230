// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/netlink/events.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

namespace vnet {

void NetworkEvents::Close::operator()(nl_sock* socket) const {
  nl_socket_free(socket);
}

Result<NetworkEvents> NetworkEvents::open() {
  std::unique_ptr<nl_sock, Close> socket(nl_socket_alloc());
  if (!socket) return failed("following netlink events: out of memory");
  nl_socket_disable_seq_check(socket.get());
  if (int error = nl_connect(socket.get(), NETLINK_ROUTE); error < 0)
    return failed(std::string("following netlink events: ") + nl_geterror(error));
  for (int group : {RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV4_ROUTE,
                    RTNLGRP_IPV6_ROUTE, RTNLGRP_IPV4_RULE, RTNLGRP_IPV6_RULE, RTNLGRP_NEXTHOP})
    if (int error = nl_socket_add_membership(socket.get(), group); error < 0)
      return failed(std::string("following netlink events: ") + nl_geterror(error));
  return NetworkEvents(std::move(socket));
}

int NetworkEvents::fd() const {
  return nl_socket_get_fd(socket_.get());
}

bool NetworkEvents::drain() {
  std::array<char, 16384> buffer;
  bool any = false;
  while (true) {
    ssize_t got = ::recv(fd(), buffer.data(), buffer.size(), MSG_DONTWAIT | MSG_TRUNC);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno != ENOBUFS) return any;  // ENOBUFS: more than the socket could hold
    any = true;
  }
}

}  // namespace vnet
