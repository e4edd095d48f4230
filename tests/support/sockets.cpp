// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/support/sockets.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <atomic>
#include <cerrno>
#include <list>
#include <ostream>
#include <stdexcept>
#include <vector>

#include "loader/bpf/map_address.h"
#include "tests/support/errors.h"
#include "tests/support/inside.h"

namespace vnet::test {
namespace {

using Clock = std::chrono::steady_clock;

// All sockets are of IPv6, and reach IPv4 by mapped addresses.
sockaddr_in6 to_address(const Endpoint& endpoint) {
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_port = htons(endpoint.port);
  std::string ip = endpoint.ip.find('.') == std::string::npos ? endpoint.ip : "::ffff:" + endpoint.ip;
  if (!ip.empty() && ::inet_pton(AF_INET6, ip.c_str(), &address.sin6_addr) != 1)
    throw std::invalid_argument("no address: " + endpoint.ip);
  return address;
}

Endpoint to_endpoint(const sockaddr_in6& address) {
  char text[INET6_ADDRSTRLEN];
  if (IN6_IS_ADDR_V4MAPPED(&address.sin6_addr))
    ::inet_ntop(AF_INET, address.sin6_addr.s6_addr + 12, text, sizeof text);
  else
    ::inet_ntop(AF_INET6, &address.sin6_addr, text, sizeof text);
  return {text, ntohs(address.sin6_port)};
}

Fd open_socket(const Namespace& where, int type) {
  Fd fd;
  run_inside(where, [&] {
    fd = Fd(::socket(AF_INET6, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    check(fd.get(), "opening a socket");
  });
  int on = 1, off = 0;
  check(::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on), "SO_REUSEADDR");
  check(::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off), "IPV6_V6ONLY");
  return fd;
}

Fd bound_socket(const Namespace& where, int type, const Endpoint& at) {
  Fd fd = open_socket(where, type);
  sockaddr_in6 address = to_address(at);
  check(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), "binding a socket");
  return fd;
}

bool is_ready(const Fd& fd, short events, Clock::time_point deadline) {
  auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
  pollfd p{fd.get(), events, 0};
  return ::poll(&p, 1, left > 0 ? static_cast<int>(left) : 0) > 0;
}

constexpr int stop_interval = 50;  // milliseconds until a service sees that it shall end

}  // namespace

std::ostream& operator<<(std::ostream& out, const Endpoint& endpoint) {
  return out << endpoint.ip << " port " << endpoint.port;
}

Echo::Echo(const Namespace& where, Transport transport, std::uint16_t port, const std::string& ip)
    : fd_(bound_socket(where, transport == Transport::Tcp ? SOCK_STREAM : SOCK_DGRAM, {ip, port})) {
  if (transport == Transport::Tcp) check(::listen(fd_.get(), 256), "listening");
  server_ = std::jthread([this, transport](const std::stop_token& stop) {
    transport == Transport::Tcp ? serve_tcp(stop) : serve_udp(stop);
  });
}

void Echo::note(const Endpoint& peer) {
  std::lock_guard lock(mutex_);
  peers_.insert(peer);
}

std::set<Endpoint> Echo::peers() const {
  std::lock_guard lock(mutex_);
  return peers_;
}

std::set<std::string> Echo::peer_addresses() const {
  std::set<std::string> addresses;
  for (const auto& peer : peers()) addresses.insert(peer.ip);
  return addresses;
}

void Echo::forget_peers() {
  std::lock_guard lock(mutex_);
  peers_.clear();
}

void Echo::serve_udp(const std::stop_token& stop) {
  char buffer[2048];
  pollfd p{fd_.get(), POLLIN, 0};
  while (!stop.stop_requested()) {
    if (::poll(&p, 1, stop_interval) <= 0) continue;
    sockaddr_in6 from{};
    socklen_t size = sizeof from;
    auto* peer = reinterpret_cast<sockaddr*>(&from);
    ssize_t bytes = ::recvfrom(fd_.get(), buffer, sizeof buffer, 0, peer, &size);
    if (bytes < 0) continue;
    note(to_endpoint(from));
    ::sendto(fd_.get(), buffer, static_cast<std::size_t>(bytes), 0, peer, size);
  }
}

void Echo::serve_tcp(const std::stop_token& stop) {
  struct Connection {
    Fd fd;
    std::string pending;  // read and not yet sent back
  };
  std::list<Connection> connections;
  std::string buffer(1 << 18, '\0');
  // False: it is over.
  auto serve = [&](Connection& c) {
    if (c.pending.empty()) {
      ssize_t bytes = ::recv(c.fd.get(), buffer.data(), buffer.size(), 0);
      if (bytes <= 0) return bytes < 0 && errno == EAGAIN;
      c.pending.assign(buffer, 0, static_cast<std::size_t>(bytes));
    }
    ssize_t bytes = ::send(c.fd.get(), c.pending.data(), c.pending.size(), MSG_NOSIGNAL);
    if (bytes < 0) return errno == EAGAIN;
    c.pending.erase(0, static_cast<std::size_t>(bytes));
    return true;
  };
  while (!stop.stop_requested()) {
    std::vector<pollfd> polled{{fd_.get(), POLLIN, 0}};
    for (const auto& c : connections)
      polled.push_back({c.fd.get(), static_cast<short>(c.pending.empty() ? POLLIN : POLLOUT), 0});
    if (::poll(polled.data(), polled.size(), stop_interval) <= 0) continue;
    auto entry = polled.begin() + 1;
    for (auto c = connections.begin(); c != connections.end(); ++entry)
      c = entry->revents && !serve(*c) ? connections.erase(c) : std::next(c);
    if (!polled.front().revents) continue;
    sockaddr_in6 from{};
    socklen_t size = sizeof from;
    Fd accepted(
        ::accept4(fd_.get(), reinterpret_cast<sockaddr*>(&from), &size, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!accepted) continue;
    note(to_endpoint(from));
    connections.push_back({std::move(accepted), {}});
  }
}

UdpSocket::UdpSocket(const Namespace& where, std::uint16_t port)
    : fd_(bound_socket(where, SOCK_DGRAM, {"", port})) {}

void UdpSocket::send(const std::string& text, const Endpoint& to) const {
  sockaddr_in6 address = to_address(to);
  // A refusal of an earlier datagram is told by the next call: it is nobody's concern here.
  for (int tries = 0; tries < 2; ++tries)
    if (::sendto(fd_.get(), text.data(), text.size(), 0, reinterpret_cast<sockaddr*>(&address),
                 sizeof address) >= 0)
      return;
}

std::optional<std::string> UdpSocket::receive(std::chrono::milliseconds limit) const {
  char buffer[2048];
  auto deadline = Clock::now() + limit;
  while (is_ready(fd_, POLLIN, deadline)) {
    ssize_t bytes = ::recv(fd_.get(), buffer, sizeof buffer, 0);
    if (bytes >= 0) return std::string(buffer, static_cast<std::size_t>(bytes));
  }
  return std::nullopt;
}

bool UdpSocket::hears(const std::string& text, std::chrono::milliseconds limit) const {
  auto deadline = Clock::now() + limit;
  while (true) {
    auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
    auto got = receive(std::max(left, std::chrono::milliseconds(0)));
    if (!got || *got == text) return got.has_value();
  }
}

bool UdpSocket::is_answered(const Endpoint& by, std::chrono::milliseconds limit) const {
  static std::atomic<int> questions = 0;
  std::string question = "question " + std::to_string(++questions);
  send(question, by);
  return hears(question, limit);
}

bool UdpSocket::gets_answer(const Endpoint& by) const {
  return wait_until([&] { return is_answered(by, std::chrono::milliseconds(200)); }, patience);
}

TcpConnection::TcpConnection(const Namespace& from, const Endpoint& to, const TcpOptions& options)
    : fd_(open_socket(from, SOCK_STREAM)) {
  if (options.tos) {
    check(::setsockopt(fd_.get(), IPPROTO_IP, IP_TOS, &options.tos, sizeof options.tos), "IP_TOS");
    check(::setsockopt(fd_.get(), IPPROTO_IPV6, IPV6_TCLASS, &options.tos, sizeof options.tos),
          "IPV6_TCLASS");
  }
  sockaddr_in6 address = to_address(to);
  int error = 0;
  socklen_t size = sizeof error;
  if (::connect(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
    error = errno == EINPROGRESS && is_ready(fd_, POLLOUT, Clock::now() + options.limit) ? 0 : errno;
  if (!error) ::getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  if (error) fd_.reset();
}

std::size_t TcpConnection::exchange(std::size_t bytes, std::chrono::milliseconds limit) const {
  // Of a length that divides no buffer, so that what is lost or doubled shows.
  static const std::string pattern = [] {
    std::string text;
    for (int i = 0; text.size() < (1 << 18); ++i) text += std::to_string(i * 7919);
    return text;
  }();
  auto piece = [&](std::size_t at) { return std::string_view(pattern).substr(at % pattern.size()); };
  std::string buffer(1 << 18, '\0');
  std::size_t sent = 0, back = 0;
  auto deadline = Clock::now() + limit;
  while (fd_ && back < bytes) {
    if (!is_ready(fd_, static_cast<short>(POLLIN | (sent < bytes ? POLLOUT : 0)), deadline)) break;
    if (sent < bytes) {
      auto next = piece(sent).substr(0, bytes - sent);
      ssize_t done = ::send(fd_.get(), next.data(), next.size(), MSG_NOSIGNAL);
      if (done < 0 && errno != EAGAIN) break;
      if (done > 0) sent += static_cast<std::size_t>(done);
    }
    ssize_t got = ::recv(fd_.get(), buffer.data(), std::min(buffer.size(), piece(back).size()), 0);
    if (got == 0 || (got < 0 && errno != EAGAIN)) break;
    if (got < 0) continue;
    if (!piece(back).starts_with(std::string_view(buffer).substr(0, static_cast<std::size_t>(got)))) break;
    back += static_cast<std::size_t>(got);
  }
  return back;
}

std::size_t exchange(const Namespace& from, const Endpoint& to, std::size_t bytes,
                     const TcpOptions& options) {
  return TcpConnection(from, to, options).exchange(bytes, options.limit);
}

}  // namespace vnet::test
