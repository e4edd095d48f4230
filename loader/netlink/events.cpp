// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/netlink/events.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <initializer_list>

// Behind the C library's headers, which the kernel's make room for but not the other way round.
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

namespace vnet {
namespace {

std::unexpected<Error> not_followed(int error) {
  return failed(std::string("following netlink events: ") + nl_geterror(error));
}

int subscribe(nl_sock* socket, int protocol, std::initializer_list<int> groups) {
  nl_socket_disable_seq_check(socket);
  if (int error = nl_connect(socket, protocol); error < 0) return error;
  for (int group : groups)
    if (int error = nl_socket_add_membership(socket, group); error < 0) return error;
  return 0;
}

// Sets change all the time where rules are made of them.
constexpr int rule_messages[] = {NFT_MSG_NEWTABLE, NFT_MSG_DELTABLE, NFT_MSG_NEWCHAIN,
                                 NFT_MSG_DELCHAIN, NFT_MSG_NEWRULE,  NFT_MSG_DELRULE};

bool is_about_rules(const nlmsghdr* header, std::size_t size) {
  for (int left = static_cast<int>(size); NLMSG_OK(header, left); header = NLMSG_NEXT(header, left))
    if (std::ranges::count(rule_messages, header->nlmsg_type & 0xff)) return true;
  return false;
}

// Takes all that is there. matters: does a datagram?
template <typename Matters>
bool take_all(int fd, Matters matters) {
  alignas(nlmsghdr) std::array<char, 32768> buffer;
  bool any = false;
  while (true) {
    ssize_t got = ::recv(fd, buffer.data(), buffer.size(), MSG_DONTWAIT | MSG_TRUNC);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno != ENOBUFS) return any;  // ENOBUFS: more than the socket could hold
    bool whole = got >= 0 && static_cast<std::size_t>(got) <= buffer.size();
    any = any || !whole ||
          matters(reinterpret_cast<const nlmsghdr*>(buffer.data()), static_cast<std::size_t>(got));
  }
}

}  // namespace

void NetworkEvents::Close::operator()(nl_sock* socket) const {
  nl_socket_free(socket);
}

Result<NetworkEvents> NetworkEvents::open() {
  Socket routes(nl_socket_alloc()), rules(nl_socket_alloc());
  if (!routes || !rules) return failed("following netlink events: out of memory");
  if (int error = subscribe(routes.get(), NETLINK_ROUTE,
                            {RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV4_ROUTE,
                             RTNLGRP_IPV6_ROUTE, RTNLGRP_IPV4_RULE, RTNLGRP_IPV6_RULE, RTNLGRP_NEXTHOP});
      error < 0)
    return not_followed(error);
  // A kernel without nftables has no rules that could change.
  if (subscribe(rules.get(), NETLINK_NETFILTER, {NFNLGRP_NFTABLES}) < 0) rules.reset();
  return NetworkEvents(std::move(routes), std::move(rules));
}

std::array<int, 2> NetworkEvents::fds() const {
  return {nl_socket_get_fd(routes_.get()), rules_ ? nl_socket_get_fd(rules_.get()) : -1};
}

bool NetworkEvents::drain() {
  auto [routes, rules] = fds();
  bool any = take_all(routes, [](const nlmsghdr*, std::size_t) { return true; });
  return (rules >= 0 && take_all(rules, is_about_rules)) || any;
}

}  // namespace vnet
