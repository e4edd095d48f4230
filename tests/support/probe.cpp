// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/support/probe.h"

#include <chrono>

namespace vnet::test {

using namespace std::chrono_literals;

Probe::Probe(const Namespace& from, const Endpoint& to)
    : socket_(from),
      to_(to),
      sending_([this](const std::stop_token& stop) { send_loop(stop); }),
      hearing_([this](const std::stop_token& stop) { hear_loop(stop); }) {}

void Probe::send_loop(const std::stop_token& stop) {
  auto next = std::chrono::steady_clock::now();
  while (!stop.stop_requested()) {
    socket_.send("probe " + std::to_string(sent_), to_);
    ++sent_;
    next += 1ms;
    std::this_thread::sleep_until(next);
  }
}

void Probe::hear_loop(const std::stop_token& stop) {
  while (!stop.stop_requested())
    if (socket_.receive(100ms)) ++heard_;
}

Probe::Result Probe::stop() {
  sending_.request_stop();
  sending_.join();
  std::this_thread::sleep_for(1s);
  hearing_.request_stop();
  hearing_.join();
  return {.sent = sent_, .lost = sent_ - heard_};
}

}  // namespace vnet::test
