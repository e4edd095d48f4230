// SPDX-License-Identifier: GPL-2.0-or-later
// `stats --watch`: on a terminal a live screen, else lines.
#include <chrono>
#include <cstdio>

#include "cli/screen.h"
#include "cli/terminal.h"
#include "cli/text.h"
#include "cli/verbs.h"

namespace vnet::cli {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

struct Reading {
  Stats stats;
  Clock::time_point at;
};

// Anew each time: networks, and the maps themselves, come and go meanwhile.
Result<Reading> read_now(const Options& options, LossCount& losses) {
  VNET_ASSIGN(auto host, Host::open(options.state_dir, options.verbose));
  host.count_losses(losses);
  VNET_ASSIGN(auto stats, host.stats(options.only_network, options.only_port));
  return Reading{std::move(stats), Clock::now()};
}

Rates rates_between(const Reading& before, const Reading& now) {
  return compute_rates(before.stats, now.stats, std::chrono::duration<double>(now.at - before.at).count());
}

struct Shown {
  Rates rates;
  History history;
};

Result<void> watch_screen(const Options& options, Terminal& terminal, LossCount& losses, Reading last) {
  View view{.seconds = *options.watch_seconds};
  auto interval = std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(view.seconds));
  Shown live{rates_between(last, last), {}};
  Shown frozen;  // what a pause keeps on the screen, while the readings go on
  bool was_paused = false, gone = false;
  auto next = Clock::now() + interval;
  while (!stopping()) {
    terminal.size(view);
    if (view.paused && !was_paused) frozen = live;
    was_paused = view.paused;
    const Shown& shown = view.paused ? frozen : live;
    Screen screen = compose(shown.rates, shown.history, view);
    terminal.draw(screen);
    auto press = terminal.wait_key(std::chrono::duration_cast<milliseconds>(next - Clock::now()), gone);
    if (gone || (press && !handle_key(press->key, press->character, screen, view))) break;
    if (stopping() || Clock::now() < next) continue;
    next = Clock::now() + interval;
    auto now = read_now(options, losses);
    view.error = now ? "" : now.error().message;
    if (!now) continue;
    live.rates = rates_between(last, *now);
    live.history.add(live.rates);
    last = std::move(*now);
  }
  return {};
}

Result<void> watch_lines(const Options& options, LossCount& losses, Reading last) {
  stop_on_signals();
  while (wait_for_reader(std::chrono::duration<double>(*options.watch_seconds))) {
    VNET_ASSIGN(auto now, read_now(options, losses));
    print(plain_lines(rates_between(last, now)));
    if (std::fflush(stdout)) return {};
    last = std::move(now);
  }
  return {};
}

}  // namespace

Result<void> watch(const Options& options) {
  LossCount losses;
  VNET_ASSIGN(auto first, read_now(options, losses));
  if (losses.blind()) std::fprintf(stderr, "%s\n", blind_note(*losses.blind()).c_str());
  if (Terminal::available()) {
    Terminal terminal;
    if (terminal) return watch_screen(options, terminal, losses, std::move(first));
  }
  return watch_lines(options, losses, std::move(first));
}

}  // namespace vnet::cli
