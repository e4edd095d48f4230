// SPDX-License-Identifier: GPL-2.0-or-later
// Traffic that notices whatever is lost: datagrams that are counted, connections that must go on, connections
// that must begin at once, and what must never arrive.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "loader/base/fd.h"
#include "tests/support/namespace.h"
#include "tests/support/sockets.h"

namespace vnet::test {

// Sends back datagrams; with room for those of a second in which the machine does something else.
class DatagramEcho {
 public:
  DatagramEcho(const Namespace& where, std::uint16_t port);
  std::uint64_t heard() const { return heard_; }

 private:
  Fd fd_;
  std::atomic<std::uint64_t> heard_ = 0;
  std::jthread server_;
};

// One flow of numbered datagrams, each of which an echo answers.
class Probes {
 public:
  Probes(const Namespace& from, const Endpoint& to, unsigned a_second);
  // Ends it, waits for the last answers. How many have none.
  std::uint64_t lost();
  std::uint64_t sent() const { return sent_; }

 private:
  Fd fd_;
  std::atomic<std::uint64_t> sent_ = 0, answered_ = 0;
  std::jthread hearing_, sending_;
};

// Connections that carry data until the end; not so much that datagrams are lost in full queues.
class Flows {
 public:
  Flows(const Namespace& from, const std::vector<Endpoint>& to);
  std::size_t broken();  // ends them
  std::uint64_t bytes() const { return bytes_; }

 private:
  std::vector<TcpConnection> connections_;
  std::atomic<std::uint64_t> bytes_ = 0;
  std::atomic<std::size_t> broken_ = 0;
  std::vector<std::jthread> threads_;
};

// One connection after the other. A lost packet of its beginning shows as a second of waiting.
class NewConnections {
 public:
  NewConnections(const Namespace& from, const Endpoint& to);
  void end();
  std::uint64_t made() const { return made_; }
  std::uint64_t failed() const { return failed_; }
  std::uint64_t late() const { return late_; }  // more than 900 ms

 private:
  std::atomic<std::uint64_t> made_ = 0, failed_ = 0, late_ = 0;
  std::jthread thread_;
};

}  // namespace vnet::test
