// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/services/frr_vty.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "loader/os/process.h"

namespace vnet {
namespace {

// A daemon that reads a full table answers nobody for a while.
constexpr timeval patience{.tv_sec = 10, .tv_usec = 0};
constexpr std::size_t longest_answer = std::size_t{64} << 20;
constexpr std::string_view end_mark("\0\0\0", 3);

std::unexpected<Error> not_there(const std::string& daemon, const std::string& why) {
  return not_found(
      fmt::format("FRR's {0} is not there ({1}): set {0}=yes in /etc/frr/daemons, then systemctl restart frr",
                  daemon, why));
}

// "% [BGP] Unknown command: x" and the like: one line.
std::string words_of(std::string text) {
  std::ranges::replace(text, '\n', ' ');
  std::ranges::replace(text, '\r', ' ');
  const auto first = text.find_first_not_of("% ");
  const auto last = text.find_last_not_of(' ');
  return first == std::string::npos ? "no reason given" : text.substr(first, last - first + 1);
}

}  // namespace

Result<FrrVty> FrrVty::connect(const std::filesystem::path& folder, const std::string& daemon) {
  const std::string path = folder / (daemon + ".vty");
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  if (path.size() >= sizeof(address.sun_path)) return not_there(daemon, path + ": the path is too long");
  std::ranges::copy(path, address.sun_path);
  Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) return system_error("a socket for FRR's " + daemon);
  ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
  if (::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) < 0) {
    if (errno != ENOENT && errno != ECONNREFUSED)
      return system_error("asking FRR's " + daemon + " by " + path);
    return not_there(daemon, path);
  }
  // A path is not bound to a network: one that knows other interfaces must not be told of ours.
  ucred peer{};
  socklen_t size = sizeof(peer);
  if (::getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
    return system_error("asking who FRR's " + daemon + " is");
  if (!is_in_this_network(peer.pid)) return not_there(daemon, path + " is of another network namespace");
  FrrVty vty(daemon, std::move(socket));
  VNET_TRY(vty.ask("enable"));
  return vty;
}

Result<std::string> FrrVty::answer(int& status) {
  std::string text;
  std::array<char, 65536> buffer;
  // NULs are nowhere else in it.
  auto complete = [&] {
    return text.size() > end_mark.size() && text.find(end_mark) + end_mark.size() < text.size();
  };
  while (text.find(end_mark) == std::string::npos || !complete()) {
    const ssize_t got = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
      return failed(fmt::format("FRR's {} does not answer: systemctl status frr says how it is", daemon_));
    if (got < 0) return system_error("reading from FRR's " + daemon_);
    if (got == 0) return failed(fmt::format("FRR's {} has ended while it was asked", daemon_));
    text.append(buffer.data(), static_cast<std::size_t>(got));
    if (text.size() > longest_answer) return failed(fmt::format("FRR's {} says too much", daemon_));
  }
  status = static_cast<unsigned char>(text.back());
  text.resize(text.find(end_mark));
  return text;
}

Result<std::string> FrrVty::ask(std::string_view command) {
  std::string line(command);
  line.push_back('\0');
  for (std::size_t sent = 0; sent < line.size();) {
    const ssize_t wrote = ::send(socket_.get(), line.data() + sent, line.size() - sent, MSG_NOSIGNAL);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return system_error("writing to FRR's " + daemon_);
    sent += static_cast<std::size_t>(wrote);
  }
  int status = 0;
  VNET_ASSIGN(auto text, answer(status));
  if (status == 0) return text;
  return failed(fmt::format("FRR's {} refuses '{}': {}", daemon_, command, words_of(std::move(text))));
}

Result<void> FrrVty::configure(const std::vector<std::string>& commands) {
  if (commands.empty()) return {};
  VNET_TRY(ask("configure terminal"));
  for (const auto& command : commands)
    if (auto done = ask(command); !done) {
      (void)ask("end");
      return std::unexpected(std::move(done).error());
    }
  VNET_TRY(ask("end"));
  return {};
}

}  // namespace vnet
