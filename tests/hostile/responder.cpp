// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/hostile/responder.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <vector>

#include "tests/hostile/token.h"
#include "tests/support/errors.h"
#include "tests/support/inside.h"

namespace vnet::hostile {
namespace {

Fd open_socket(int family) {
  Fd fd(::socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  int yes = 1;
  test::check(fd.get(), "opening the responder's socket");
  test::check(::setsockopt(fd.get(), SOL_SOCKET, SO_BROADCAST, &yes, sizeof yes), "SO_BROADCAST");
  if (family == AF_INET6) ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof yes);
  return fd;
}

}  // namespace

Responder::Responder(const test::Namespace& host) {
  test::run_inside(host, [&] {
    v4_ = open_socket(AF_INET);
    v6_ = open_socket(AF_INET6);
    sockaddr_in any4{.sin_family = AF_INET, .sin_port = htons(echo_port)};
    sockaddr_in6 any6{.sin6_family = AF_INET6, .sin6_port = htons(echo_port)};
    test::check(::bind(v4_.get(), reinterpret_cast<sockaddr*>(&any4), sizeof any4), "binding the responder");
    test::check(::bind(v6_.get(), reinterpret_cast<sockaddr*>(&any6), sizeof any6), "binding the responder");
    for (const Network& network : networks) {
      unsigned index = ::if_nametoindex((std::string("br") + network.name).c_str());
      ip_mreqn join4{.imr_ifindex = static_cast<int>(index)};
      ipv6_mreq join6{.ipv6mr_interface = index};
      inet_pton(AF_INET, echo_group4, &join4.imr_multiaddr);
      inet_pton(AF_INET6, echo_group6, &join6.ipv6mr_multiaddr);
      test::check(::setsockopt(v4_.get(), IPPROTO_IP, IP_ADD_MEMBERSHIP, &join4, sizeof join4), "joining");
      test::check(::setsockopt(v6_.get(), IPPROTO_IPV6, IPV6_JOIN_GROUP, &join6, sizeof join6), "joining");
    }
  });
  server_ = std::jthread([this](const std::stop_token& stop) { serve(stop); });
}

void Responder::serve(const std::stop_token& stop) {
  std::vector<std::uint8_t> room(65536);
  while (!stop.stop_requested()) {
    pollfd waiting[] = {{.fd = v4_.get(), .events = POLLIN}, {.fd = v6_.get(), .events = POLLIN}};
    if (::poll(waiting, 2, 100) <= 0) continue;
    for (const pollfd& one : waiting) {
      if (!one.revents) continue;
      sockaddr_storage from{};
      socklen_t size = sizeof from;
      ssize_t got =
          ::recvfrom(one.fd, room.data(), room.size(), 0, reinterpret_cast<sockaddr*>(&from), &size);
      if (got < 0) continue;
      auto body = std::span(room).first(static_cast<std::size_t>(got));
      if (auto token = find_token(body); token && token->guest < guest_count) heard_[token->guest] = true;
      // Where there is no way there, there is no answer.
      (void)::sendto(one.fd, body.data(), body.size(), 0, reinterpret_cast<sockaddr*>(&from), size);
    }
  }
}

}  // namespace vnet::hostile
