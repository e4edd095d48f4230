// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/bench/sockets.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <functional>
#include <stdexcept>
#include <vector>

#include "tests/bench/tools.h"

namespace vnet::bench {
namespace {

constexpr std::uint16_t first_client_port =
    1024;  // below the host's ephemeral ports: a masquerade keeps them
constexpr std::size_t bulk_bytes = 1 << 17;

sockaddr_in address_of(const std::string& text, std::uint16_t port) {
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  if (inet_pton(AF_INET, text.c_str(), &to.sin_addr) != 1)
    throw std::runtime_error("not an IPv4 address: " + text);
  return to;
}

Fd make_socket(int type) {
  Fd fd(::socket(AF_INET, type | SOCK_CLOEXEC, 0));
  if (!fd) fail("socket");
  int on = 1;
  timeval limit{.tv_sec = 5, .tv_usec = 0};  // a lost datagram must not hang the benchmark
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  if (type == SOCK_STREAM) setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

Fd bound(int type, std::uint16_t port) {
  Fd fd = make_socket(type);
  timeval forever{};
  setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &forever, sizeof forever);
  sockaddr_in any = address_of("0.0.0.0", port);
  if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&any), sizeof any) != 0) fail("bind");
  if (type == SOCK_STREAM && ::listen(fd.get(), 1024) != 0) fail("listen");
  return fd;
}

Fd accept_one(const Fd& listener) {
  Fd fd(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (!fd) fail("accept");
  int on = 1;
  setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

Fd connected(int type, const sockaddr_in& to) {
  Fd fd = make_socket(type);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) fail("connect");
  return fd;
}

void exchange_byte(const Fd& fd) {
  char byte = 'x';
  if (::send(fd.get(), &byte, 1, MSG_NOSIGNAL) != 1) fail("send");
  if (::recv(fd.get(), &byte, 1, 0) != 1) fail("no answer");
}

void echo(const Fd& fd) {
  char byte;
  while (::recv(fd.get(), &byte, 1, 0) == 1 && ::send(fd.get(), &byte, 1, MSG_NOSIGNAL) == 1) {
  }
}

void echo_datagrams(const Fd& fd) {
  sockaddr_in from{};
  socklen_t size = sizeof from;
  char byte;
  while (::recvfrom(fd.get(), &byte, 1, 0, reinterpret_cast<sockaddr*>(&from), &size) == 1) {
    ::sendto(fd.get(), &byte, 1, 0, reinterpret_cast<sockaddr*>(&from), size);
  }
}

// The side that closes first keeps the port for a minute: that is the server's, so that the client never
// runs out of ports.
void answer_and_close(const Fd& listener) {
  for (;;) {
    Fd fd = accept_one(listener);
    char byte;
    if (::recv(fd.get(), &byte, 1, 0) == 1) ::send(fd.get(), &byte, 1, MSG_NOSIGNAL);
  }
}

void connect_once(const sockaddr_in& to) {
  Fd fd = connected(SOCK_STREAM, to);
  exchange_byte(fd);
  char byte;
  if (::recv(fd.get(), &byte, 1, 0) != 0) fail("the server did not close");
}

// From a port of its own choice: the kernel's random ones would come back, and find their session.
void exchange_datagram(const sockaddr_in& to, std::uint16_t from) {
  Fd fd = bound(SOCK_DGRAM, from);
  timeval limit{.tv_sec = 5, .tv_usec = 0};
  setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) fail("connect");
  exchange_byte(fd);
}

void send_all(const Fd& fd) {
  std::vector<char> block(bulk_bytes);
  while (::send(fd.get(), block.data(), block.size(), MSG_NOSIGNAL) > 0) {
  }
}

void receive_all(const Fd& fd) {
  std::vector<char> block(bulk_bytes);
  while (::recv(fd.get(), block.data(), block.size(), 0) > 0) {
  }
}

double count_steps(const SocketOptions& o, const std::function<double()>& step) {
  for (auto start = Clock::now(); since(start) < o.warm_up;) step();
  auto start = Clock::now();
  double steps = 0;
  do {
    for (int i = 0; i < 16; i++) steps += step();
  } while (since(start) < o.seconds);
  return steps / since(start);
}

// Microseconds of the slowest step.
double worst_step(const SocketOptions& o, const std::function<void()>& step) {
  double worst = 0;
  for (auto start = Clock::now(); since(start) < o.seconds;) {
    auto one = Clock::now();
    step();
    worst = std::max(worst, since(one));
    ::usleep(100);  // a real-time process that never sleeps is stopped for 50 ms of every second
  }
  return worst * 1e6;
}

double run_bulk(const SocketOptions& o, const sockaddr_in& to, bool down) {
  Fd fd = connected(SOCK_STREAM, to);
  std::vector<char> block(bulk_bytes);
  return count_steps(o, [&]() -> double {
    ssize_t n = down ? ::recv(fd.get(), block.data(), block.size(), 0)
                     : ::send(fd.get(), block.data(), block.size(), MSG_NOSIGNAL);
    if (n <= 0) fail("bulk data");
    return 8.0 * static_cast<double>(n);
  });
}

}  // namespace

nlohmann::json measure_sockets(const SocketOptions& o) {
  sockaddr_in to = address_of(o.address, o.port);
  bool worst = o.kind == "udp-worst", udp = worst || o.kind == "udp-rr" || o.kind == "udp-connect",
       bulk = o.kind == "bulk", down = o.kind == "bulk-down";
  if (!udp && !bulk && !down && o.kind != "tcp-rr" && o.kind != "connect") {
    throw std::runtime_error("unknown kind of traffic: " + o.kind);
  }
  // Before the server's process starts, so that nobody has to wait for it.
  enter_namespace(o.server);
  Fd listener = bound(udp ? SOCK_DGRAM : SOCK_STREAM, o.port);
  // Both ends on one CPU: nothing sleeps and wakes another CPU, and every nanosecond of the path counts.
  auto server = [&] {
    pin_to_cpu(0);
    if (udp) return echo_datagrams(listener);
    if (o.kind == "connect") return answer_and_close(listener);
    Fd peer = accept_one(listener);
    bulk ? receive_all(peer) : down ? send_all(peer) : echo(peer);
  };
  auto client = [&]() -> double {
    pin_to_cpu(0);
    enter_namespace(o.client);
    if (bulk || down) return run_bulk(o, to, down);
    if (o.kind == "connect") return count_steps(o, [&] { return connect_once(to), 1.0; });
    if (o.kind == "udp-connect") {  // a socket, and so a flow, for each exchange
      return count_steps(
          o, [&, port = first_client_port]() mutable { return exchange_datagram(to, port++), 1.0; });
    }
    Fd fd = connected(udp ? SOCK_DGRAM : SOCK_STREAM, to);
    if (worst) return worst_step(o, [&] { exchange_byte(fd); });
    return count_steps(o, [&] { return exchange_byte(fd), 1.0; });
  };
  double rate = serve(server, client);
  if (worst) return {{"microseconds", rate}};
  nlohmann::json result = {{"rate", rate}};
  if (!bulk && !down) result["microseconds"] = 1e6 / rate;
  return result;
}

}  // namespace vnet::bench
