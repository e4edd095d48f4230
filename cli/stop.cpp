// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/stop.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

namespace vnet::cli {
namespace {

volatile std::sig_atomic_t stop = 0;

bool reader_goes_within(std::chrono::milliseconds time) {
  pollfd out{STDOUT_FILENO, 0, 0};  // no events: only errors and hang-ups are reported
  return poll(&out, 1, static_cast<int>(time.count())) > 0 && (out.revents & (POLLERR | POLLHUP));
}

}  // namespace

bool stopping() {
  return stop;
}

void stop_on_signals() {
  struct sigaction action {};
  action.sa_handler = [](int) { stop = 1; };
  for (int signal : {SIGINT, SIGTERM, SIGHUP}) sigaction(signal, &action, nullptr);
}

bool reader_has_gone() {
  return reader_goes_within(std::chrono::milliseconds(0));
}

bool wait_for_reader(std::chrono::duration<double> time) {
  using Clock = std::chrono::steady_clock;
  const auto until = Clock::now() + std::chrono::duration_cast<Clock::duration>(time);
  while (!stopping()) {
    auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now());
    if (left.count() <= 0) return true;
    if (reader_goes_within(std::min<std::chrono::milliseconds>(left, std::chrono::minutes(1)))) return false;
  }
  return false;
}

}  // namespace vnet::cli
