// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>

#include <csignal>
#include <ctime>

#include "cli/render.h"
#include "cli/verbs.h"

namespace vnet::cli {
namespace {

volatile std::sig_atomic_t stopped = 0;
void stop(int) { stopped = 1; }

}  // namespace

Result<void> watch_stats(Host& host, const std::optional<std::string>& network, const std::optional<std::string>& port,
                         double seconds) {
  struct sigaction action{};
  action.sa_handler = stop;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  while (!stopped) {
    VNET_ASSIGN(auto stats, host.stats(network, port));
    fmt::print("{}\n", stats_text(stats));
    std::fflush(stdout);
    timespec wait{static_cast<time_t>(seconds), static_cast<long>((seconds - static_cast<double>(static_cast<time_t>(seconds))) * 1e9)};
    nanosleep(&wait, nullptr);
  }
  return {};
}

}  // namespace vnet::cli
