// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/watch.h"

#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "cli/stop.h"
#include "cli/terminal.h"
#include "cli/text.h"

namespace vnet::cli {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

Result<double> parse_seconds(const std::string& word) {
  if (word.empty()) return 1;
  char* end = nullptr;
  double seconds = std::strtod(word.c_str(), &end);
  if (*end || !std::isfinite(seconds) || seconds < 0.1 || seconds > 86400)
    return invalid("--watch: '" + word + "' is not a number of seconds from 0.1 to 86400");
  return seconds;
}

Result<void> watch_screen(Watched& watched, Terminal& terminal, double seconds) {
  View view{.seconds = seconds};
  auto interval = std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
  bool gone = false;
  auto next = Clock::now() + interval;
  while (!stopping()) {
    terminal.size(view);
    Screen screen = watched.compose(view);
    terminal.draw(screen);
    auto press = terminal.wait_key(std::chrono::duration_cast<milliseconds>(next - Clock::now()), gone);
    if (gone || (press && !handle_key(press->key, press->character, screen, view))) break;
    if (stopping() || Clock::now() < next) continue;
    next = Clock::now() + interval;
    auto read = watched.read();
    view.error = read ? "" : read.error().message;
  }
  return {};
}

Result<void> watch_lines(Watched& watched, double seconds) {
  stop_on_signals();
  while (wait_for_reader(std::chrono::duration<double>(seconds))) {
    VNET_TRY(watched.read());
    print(watched.lines(seconds));
    if (std::fflush(stdout)) return {};
  }
  return {};
}

}  // namespace

Option watch_option(std::optional<double>& seconds, const char* help) {
  return {"--watch [SECONDS]", help, into(seconds, parse_seconds)};
}

Result<void> watch(Watched& watched, double seconds) {
  if (Terminal::available()) {
    Terminal terminal;
    if (terminal) return watch_screen(watched, terminal, seconds);
  }
  return watch_lines(watched, seconds);
}

}  // namespace vnet::cli
