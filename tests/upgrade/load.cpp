// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/upgrade/load.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include "tests/support/errors.h"
#include "tests/support/inside.h"

namespace vnet::test {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

sockaddr_in6 address_of(const Endpoint& endpoint) {
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_port = htons(endpoint.port);
  std::string ip = endpoint.ip.find('.') == std::string::npos ? endpoint.ip : "::ffff:" + endpoint.ip;
  if (!ip.empty()) ::inet_pton(AF_INET6, ip.c_str(), &address.sin6_addr);
  return address;
}

Fd datagrams(const Namespace& where, std::uint16_t port) {
  Fd fd;
  run_inside(where, [&] {
    fd = Fd(::socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    check(fd.get(), "opening a socket");
  });
  int off = 0, room = 16 << 20;
  check(::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off), "IPV6_V6ONLY");
  check(::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room), "SO_RCVBUFFORCE");
  sockaddr_in6 address = address_of({"", port});
  check(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), "binding a socket");
  return fd;
}

bool readable(const Fd& fd) {
  pollfd p{fd.get(), POLLIN, 0};
  return ::poll(&p, 1, 50) > 0;
}

}  // namespace

DatagramEcho::DatagramEcho(const Namespace& where, std::uint16_t port) : fd_(datagrams(where, port)) {
  server_ = std::jthread([this](const std::stop_token& stop) {
    char buffer[256];
    while (!stop.stop_requested()) {
      if (!readable(fd_)) continue;
      sockaddr_in6 from{};
      socklen_t size = sizeof from;
      auto* peer = reinterpret_cast<sockaddr*>(&from);
      ssize_t bytes = ::recvfrom(fd_.get(), buffer, sizeof buffer, 0, peer, &size);
      if (bytes < 0) continue;
      ++heard_;
      ::sendto(fd_.get(), buffer, static_cast<std::size_t>(bytes), 0, peer, size);
    }
  });
}

Probes::Probes(const Namespace& from, const Endpoint& to, unsigned a_second) : fd_(datagrams(from, 0)) {
  hearing_ = std::jthread([this](const std::stop_token& stop) {
    std::uint64_t number = 0;
    while (!stop.stop_requested())
      if (readable(fd_) && ::recv(fd_.get(), &number, sizeof number, 0) == sizeof number) ++answered_;
  });
  sending_ = std::jthread([this, to, a_second](const std::stop_token& stop) {
    sockaddr_in6 address = address_of(to);
    const auto interval = std::chrono::nanoseconds(1'000'000'000 / a_second);
    for (auto next = Clock::now(); !stop.stop_requested(); next += interval) {
      std::this_thread::sleep_until(next);
      std::uint64_t number = sent_;
      if (::sendto(fd_.get(), &number, sizeof number, 0, reinterpret_cast<sockaddr*>(&address),
                   sizeof address) == sizeof number)
        ++sent_;
    }
  });
}

std::uint64_t Probes::lost() {
  sending_.request_stop();
  if (sending_.joinable()) sending_.join();
  wait_until([&] { return answered_ >= sent_; }, std::chrono::seconds(3));
  hearing_.request_stop();
  if (hearing_.joinable()) hearing_.join();
  return sent_ - std::min<std::uint64_t>(sent_, answered_);
}

Flows::Flows(const Namespace& from, const std::vector<Endpoint>& to) {
  for (const auto& endpoint : to) connections_.emplace_back(from, endpoint);
  for (const auto& connection : connections_)
    threads_.emplace_back([this, &connection](const std::stop_token& stop) {
      constexpr std::size_t piece = 32 << 10;
      while (!stop.stop_requested()) {
        std::size_t back = connection.is_open() ? connection.exchange(piece, std::chrono::seconds(20)) : 0;
        bytes_ += back;
        if (back != piece) {
          ++broken_;
          return;
        }
        std::this_thread::sleep_for(milliseconds(10));
      }
    });
}

std::size_t Flows::broken() {
  threads_.clear();
  return broken_;
}

NewConnections::NewConnections(const Namespace& from, const Endpoint& to) {
  thread_ = std::jthread([this, &from, to](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      auto begun = Clock::now();
      bool whole = exchange(from, to, 1) == 1;
      if (!whole) ++failed_;
      if (Clock::now() - begun > milliseconds(900)) ++late_;
      ++made_;
      std::this_thread::sleep_for(milliseconds(2));
    }
  });
}

void NewConnections::end() {
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
}

}  // namespace vnet::test
