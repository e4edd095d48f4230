// SPDX-License-Identifier: GPL-2.0-or-later
// TCP and UDP sockets of the test itself, in namespaces: what each end sees of the other is at hand.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <iosfwd>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>

#include "loader/base/fd.h"
#include "tests/support/namespace.h"

namespace vnet::test {

inline constexpr std::chrono::milliseconds patience = std::chrono::seconds(10);

struct Endpoint {
  std::string ip;
  std::uint16_t port = 0;
  auto operator<=>(const Endpoint&) const = default;
};
std::ostream& operator<<(std::ostream& out, const Endpoint& endpoint);

enum class Transport { Tcp, Udp };

// A service that sends back what it gets, until the end of the scope.
class Echo {
 public:
  // Of both families, or at one address. A UDP service answers from the address that it is bound to.
  Echo(const Namespace& where, Transport transport, std::uint16_t port, const std::string& ip = "");
  std::set<Endpoint> peers() const;  // who has connected, or sent something
  std::set<std::string> peer_addresses() const;
  void forget_peers();

 private:
  void serve_tcp(const std::stop_token& stop);
  void serve_udp(const std::stop_token& stop);
  void note(const Endpoint& peer);

  Fd fd_;
  mutable std::mutex mutex_;
  std::set<Endpoint> peers_;
  std::jthread server_;  // the last member: nothing it uses may end before it
};

class UdpSocket {
 public:
  explicit UdpSocket(const Namespace& where, std::uint16_t port = 0);  // of both families
  void send(const std::string& text, const Endpoint& to) const;
  std::optional<std::string> receive(std::chrono::milliseconds limit) const;
  // A question that an echo answers: asked once, or again and again until it does.
  bool is_answered(const Endpoint& by, std::chrono::milliseconds limit = patience) const;
  bool gets_answer(const Endpoint& by) const;

 private:
  bool hears(const std::string& text, std::chrono::milliseconds limit) const;
  Fd fd_;
};

struct TcpOptions {
  std::chrono::milliseconds limit = patience;
  int tos = 0;
};

class TcpConnection {
 public:
  TcpConnection(const Namespace& from, const Endpoint& to, const TcpOptions& options = {});
  bool is_open() const { return bool(fd_); }
  // Sends so many bytes to an echo, reading meanwhile. How many have come back as they were.
  std::size_t exchange(std::size_t bytes, std::chrono::milliseconds limit = patience) const;

 private:
  Fd fd_;
};

// The same by a connection of its own.
std::size_t exchange(const Namespace& from, const Endpoint& to, std::size_t bytes,
                     const TcpOptions& options = {});

}  // namespace vnet::test
