// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/http_server.h"

#include <fmt/format.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <list>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

namespace vnet::cli {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t connections_max = 64;  // then the oldest goes
constexpr std::size_t request_max = 8192;    // bytes
constexpr auto patience = std::chrono::seconds(5);

struct Connection {
  Fd fd;
  Clock::time_point until;
  std::string request, answer;  // answer: what is left of it

  bool answers() const { return !answer.empty(); }
};

std::string response(std::string_view status, std::string_view body) {
  return fmt::format(
      "HTTP/1.1 {}\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\nContent-Length: {}\r\n"
      "Connection: close\r\n\r\n{}",
      status, body.size(), body);
}

std::string answer_to(std::string_view request, const std::function<std::string()>& page) {
  if (!request.starts_with("GET ")) return response("405 Method Not Allowed", "only GET\n");
  const std::string_view target = request.substr(4, request.find_first_of(" \r\n", 4) - 4);
  if (target.substr(0, target.find('?')) != "/metrics") return response("404 Not Found", "see /metrics\n");
  return response("200 OK", page());
}

// False: it is over.
bool receive(Connection& from, const std::function<std::string()>& page) {
  char buffer[2048];
  const ssize_t got = ::recv(from.fd.get(), buffer, sizeof(buffer), MSG_DONTWAIT);
  if (got < 0) return errno == EAGAIN || errno == EINTR;
  if (!got) return false;
  from.request.append(buffer, static_cast<std::size_t>(got));
  if (from.request.contains("\r\n\r\n"))
    from.answer = answer_to(from.request, page);
  else if (from.request.size() > request_max)
    return false;
  return true;
}

bool send(Connection& to) {
  const ssize_t sent = ::send(to.fd.get(), to.answer.data(), to.answer.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent < 0) return errno == EAGAIN || errno == EINTR;
  to.answer.erase(0, static_cast<std::size_t>(sent));
  to.until = Clock::now() + patience;  // it takes what it has asked for
  return to.answers();
}

void take(int listener, std::list<Connection>& connections) {
  Fd fd(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
  if (!fd) return;
  if (connections.size() == connections_max) connections.pop_front();
  connections.push_back({.fd = std::move(fd), .until = Clock::now() + patience, .request = {}, .answer = {}});
}

int milliseconds_to_wait(const std::list<Connection>& connections) {
  if (connections.empty()) return -1;
  const auto first = std::ranges::min_element(connections, {}, &Connection::until)->until;
  return std::max(
      0, static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(first - Clock::now()).count()));
}

}  // namespace

Result<HttpServer> HttpServer::listen(const std::string& address) {
  const auto colon = address.rfind(':');
  std::string host = address.substr(0, colon);
  if (host.starts_with("[")) host = host.substr(1, host.size() - 2);
  addrinfo wanted{};
  wanted.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  wanted.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (::getaddrinfo(host.c_str(), address.substr(colon + 1).c_str(), &wanted, &found))
    return failed("cannot listen on " + address);
  std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> release(found, &::freeaddrinfo);
  Fd fd(::socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const int on = 1;
  if (!fd || ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
      ::bind(fd.get(), found->ai_addr, found->ai_addrlen) < 0 || ::listen(fd.get(), 128) < 0)
    return failed("cannot listen on " + address +
                  ": not an address of this host, or the port is taken (ss -ltnp)");
  return HttpServer(std::move(fd));
}

Result<void> HttpServer::serve(const std::function<std::string()>& page, int end) const {
  std::list<Connection> connections;
  while (true) {
    std::vector<pollfd> waits{{.fd = end, .events = POLLIN, .revents = 0},
                              {.fd = fd_.get(), .events = POLLIN, .revents = 0}};
    for (const auto& each : connections)
      waits.push_back({.fd = each.fd.get(),
                       .events = static_cast<short>(each.answers() ? POLLOUT : POLLIN),
                       .revents = 0});
    if (::poll(waits.data(), waits.size(), milliseconds_to_wait(connections)) < 0) {
      if (errno == EINTR) continue;
      return system_error("waiting for scrapers");
    }
    if (waits[0].revents) return {};
    const auto now = Clock::now();
    auto wait = waits.begin() + 2;
    std::erase_if(connections, [&](Connection& each) {
      const bool ready = (wait++)->revents;
      if (!ready) return each.until <= now;
      return !(each.answers() ? send(each) : receive(each, page));
    });
    if (waits[1].revents) take(fd_.get(), connections);
  }
}

}  // namespace vnet::cli
