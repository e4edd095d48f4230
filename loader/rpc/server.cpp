// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/rpc/server.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace vnet::rpc {
namespace {

enum : std::uint64_t { stop_id, events_id, worker_id, first_listener_id, first_client_id = 1000 };
constexpr std::size_t chunk = 64 << 10;

}  // namespace

Result<std::unique_ptr<Server>> Server::make(std::vector<Listener> listeners, NetworkApi& api,
                                             Limits limits) {
  std::unique_ptr<Server> server(new Server(std::move(listeners), api, limits));
  server->next_id_ = first_client_id;
  server->epoll_ = Fd(::epoll_create1(EPOLL_CLOEXEC));
  if (!server->epoll_) return system_error("making an epoll instance");
  VNET_ASSIGN(server->worker_, Worker::start());
  for (std::size_t i = 0; i < server->listeners_.size(); ++i)
    VNET_TRY(server->watch(server->listeners_[i].fd.get(), first_listener_id + i, EPOLLIN, EPOLL_CTL_ADD));
  VNET_TRY(server->watch(server->worker_->fd(), worker_id, EPOLLIN, EPOLL_CTL_ADD));
  if (api.events_fd() >= 0) VNET_TRY(server->watch(api.events_fd(), events_id, EPOLLIN, EPOLL_CTL_ADD));
  return server;
}

Result<void> Server::watch(int fd, std::uint64_t id, std::uint32_t interest, int operation) const {
  epoll_event event{.events = interest, .data = {.u64 = id}};
  if (::epoll_ctl(epoll_.get(), operation, fd, &event) < 0) return system_error("waiting for a socket");
  return {};
}

Result<void> Server::serve(int stop_fd) {
  VNET_TRY(watch(stop_fd, stop_id, EPOLLIN, EPOLL_CTL_ADD));
  while (true) {
    std::array<epoll_event, 64> events;
    int count = ::epoll_wait(epoll_.get(), events.data(), events.size(), timeout());
    if (count < 0 && errno != EINTR) return system_error("waiting for clients");
    for (int i = 0; i < count; ++i) {
      if (events[i].data.u64 == stop_id) return {};
      handle(events[i].data.u64, events[i].events);
    }
    drop_silent();
  }
}

void Server::handle(std::uint64_t id, std::uint32_t events) {
  if (id == events_id) return tell_events();
  if (id == worker_id) return worker_->collect();
  if (id < first_client_id) return accept_from(listeners_[id - first_listener_id]);
  if (!clients_.contains(id)) return;
  if (events & (EPOLLHUP | EPOLLERR)) return drop(id);
  if (events & EPOLLOUT) flush(id);
  if (clients_.contains(id) && (events & EPOLLIN)) read_from(id);
}

bool Server::has_room(const Session::Peer& peer) const {
  std::size_t alike = 0, of_user = 0;
  for (const auto& [id, client] : clients_) {
    alike += client.session.peer().read_only == peer.read_only;
    of_user += client.session.peer().uid == peer.uid;
  }
  return alike < limits_.clients && (peer.uid == 0 || of_user < limits_.clients_of_a_user);
}

void Server::accept_from(const Listener& listener) {
  Fd fd(::accept4(listener.fd.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!fd) return;
  ucred credentials{};
  socklen_t size = sizeof(credentials);
  if (::getsockopt(fd.get(), SOL_SOCKET, SO_PEERCRED, &credentials, &size) < 0) return;
  Session::Peer peer{.uid = credentials.uid, .read_only = listener.read_only};
  if (!has_room(peer)) return;
  auto id = next_id_++;
  if (!watch(fd.get(), id, EPOLLIN, EPOLL_CTL_ADD)) return;
  clients_.emplace(
      id, Client{.fd = std::move(fd), .session = Session(peer), .since = Clock::now(), .interest = EPOLLIN});
}

void Server::read_from(std::uint64_t id) {
  Client& client = clients_.at(id);
  std::array<char, chunk> bytes;
  auto size = ::recv(client.fd.get(), bytes.data(), bytes.size(), 0);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (size <= 0) return drop(id);
  client.received.append(bytes.data(), static_cast<std::size_t>(size));
  process(id);
}

bool Server::may_process(const Client& client) const {
  return !client.closing && client.calls < limits_.calls && client.to_send.size() < limits_.unsent;
}

void Server::process(std::uint64_t id) {
  Client& client = clients_.at(id);
  std::size_t taken = 0;
  while (may_process(client)) {
    Message message;
    auto framing = take_message(std::string_view(client.received).substr(taken),
                                client.session.longest_message(), message);
    if (framing == Framing::Partial) break;
    if (framing == Framing::Broken) return drop(id);
    taken += message.bytes;
    auto outcome = client.session.take(message, *api_);
    if (outcome.pending) make(id, std::move(*outcome.pending));
    client.to_send += outcome.send;
    client.closing = outcome.close;
  }
  client.received.erase(0, taken);
  flush(id);
}

void Server::make(std::uint64_t id, Session::Pending pending) {
  Client& client = clients_.at(id);
  ++client.calls;
  // The session stays with this thread: a change asks the networks only.
  worker_->add([this, id, pending = std::move(pending)]() -> Worker::Done {
    Session nobody({});
    auto bytes = Session::finish(pending.header, pending.call(nobody, *api_));
    return [this, id, bytes = std::move(bytes)]() mutable {
      tell_events();  // what has happened is known before it is answered
      auto client = clients_.find(id);
      if (client == clients_.end()) return;
      --client->second.calls;
      client->second.to_send += bytes;
      process(id);
    };
  });
}

void Server::flush(std::uint64_t id) {
  Client& client = clients_.at(id);
  while (client.sent < client.to_send.size()) {
    auto size = ::send(client.fd.get(), client.to_send.data() + client.sent,
                       client.to_send.size() - client.sent, MSG_NOSIGNAL);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && errno == EAGAIN) break;
    if (size < 0) return drop(id);
    client.sent += static_cast<std::size_t>(size);
  }
  bool was_full = client.to_send.size() >= limits_.unsent;
  client.to_send.erase(0, client.sent);
  client.sent = 0;
  if (was_full && client.to_send.size() < limits_.unsent && !client.received.empty()) return process(id);
  settle(id);
}

void Server::settle(std::uint64_t id) {
  Client& client = clients_.at(id);
  if (client.closing && client.to_send.empty()) return drop(id);
  std::uint32_t interest = client.to_send.empty() ? 0U : std::uint32_t{EPOLLOUT};
  if (may_process(client)) interest |= EPOLLIN;
  if (interest == client.interest) return;
  client.interest = interest;
  if (!watch(client.fd.get(), id, interest, EPOLL_CTL_MOD)) drop(id);
}

void Server::tell_events() {
  for (const auto& event : api_->take_events()) {
    std::vector<std::uint64_t> told;
    for (auto& [id, client] : clients_) {
      auto messages = client.session.tell(event);
      if (messages.empty()) continue;
      client.to_send += messages;
      told.push_back(id);
    }
    for (auto id : told) {
      if (clients_.at(id).to_send.size() > limits_.unsent_events)
        drop(id);
      else
        flush(id);
    }
  }
}

void Server::drop_silent() {
  auto now = Clock::now();
  std::erase_if(clients_, [&](const auto& each) {
    return !each.second.session.authenticated() && now - each.second.since >= limits_.opening;
  });
}

int Server::timeout() const {
  bool opening =
      std::ranges::any_of(clients_, [](const auto& each) { return !each.second.session.authenticated(); });
  return opening ? 1000 : -1;
}

}  // namespace vnet::rpc
