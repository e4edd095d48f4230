// SPDX-License-Identifier: GPL-2.0-or-later
// The sockets: one thread waits for all clients and answers what only looks; a second one makes the changes.
// What a client may take of memory and time is limited, so that none is in another's way.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "loader/base/error.h"
#include "loader/base/fd.h"
#include "loader/rpc/session.h"
#include "loader/rpc/worker.h"

namespace vnet::rpc {

struct Listener {
  Fd fd;
  bool read_only = false;
};

struct Limits {
  std::size_t clients = 256;            // of each kind of socket
  std::size_t clients_of_a_user = 32;   // root's are not counted
  std::size_t calls = 5;                // of a client, that are being made
  std::size_t unsent = 1 << 20;         // bytes: before a client that does not read is not read from, either
  std::size_t unsent_events = 4 << 20;  // before it is cut off
  std::chrono::seconds opening{10};     // time to authenticate
};

class Server {
 public:
  static Result<std::unique_ptr<Server>> make(std::vector<Listener> listeners, NetworkApi& api,
                                              Limits limits = {});
  // Until stop_fd is readable.
  Result<void> serve(int stop_fd);

 private:
  using Clock = std::chrono::steady_clock;
  struct Client {
    Fd fd;
    Session session;
    Clock::time_point since;
    std::string received, to_send;
    std::size_t sent = 0;
    std::size_t calls = 0;
    std::uint32_t interest = 0;
    bool closing = false;  // when all is sent
  };

  Server(std::vector<Listener> listeners, NetworkApi& api, Limits limits)
      : listeners_(std::move(listeners)), api_(&api), limits_(limits) {}

  Result<void> watch(int fd, std::uint64_t id, std::uint32_t interest, int operation) const;
  void accept_from(const Listener& listener);
  bool has_room(const Session::Peer& peer) const;
  void handle(std::uint64_t id, std::uint32_t events);
  void read_from(std::uint64_t id);
  void process(std::uint64_t id);  // the messages that have come in
  bool may_process(const Client& client) const;
  void make(std::uint64_t id, Session::Pending pending);
  void flush(std::uint64_t id);
  void settle(std::uint64_t id);  // closes it, or waits for what is next
  void drop(std::uint64_t id) { clients_.erase(id); }
  void tell_events();
  void drop_silent();
  int timeout() const;

  std::vector<Listener> listeners_;
  NetworkApi* api_;
  Limits limits_;
  Fd epoll_;
  std::unique_ptr<Worker> worker_;
  std::map<std::uint64_t, Client> clients_;
  std::uint64_t next_id_ = 0;
};

}  // namespace vnet::rpc
