// SPDX-License-Identifier: GPL-2.0-or-later
// A question every millisecond, and which of them were answered.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>

#include "tests/support/namespace.h"
#include "tests/support/sockets.h"

namespace vnet::test {

class Probe {
 public:
  // From a UDP socket to an echo, until the end of the scope.
  Probe(const Namespace& from, const Endpoint& to);

  struct Result {
    std::uint64_t sent = 0, lost = 0;
  };
  Result stop();  // when the last answers have had their time

 private:
  void send_loop(const std::stop_token& stop);
  void hear_loop(const std::stop_token& stop);

  UdpSocket socket_;
  Endpoint to_;
  std::atomic<std::uint64_t> sent_ = 0, heard_ = 0;
  std::jthread sending_, hearing_;
};

}  // namespace vnet::test
