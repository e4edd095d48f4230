// SPDX-License-Identifier: GPL-2.0-or-later
// `flows --watch`: the fastest sessions, again and again.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <sstream>

#include "cli/flows.h"
#include "cli/render.h"
#include "cli/terminal.h"
#include "cli/verbs.h"

namespace vnet::cli {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

struct Reading {
  std::vector<SessionInfo> flows;
  Clock::time_point at;
};

Result<Reading> read_now(const Options& options, const std::vector<SessionInfo>& before,
                         Clock::time_point then) {
  VNET_ASSIGN(auto host, Host::open(options.state_dir, options.verbose));
  VNET_ASSIGN(auto flows, host.flows(options.only_network));
  Reading now{{}, Clock::now()};
  session_rates(before, flows, std::chrono::duration<double>(now.at - then).count());
  now.flows = choose_flows(std::move(flows), options.flow_filter);
  return now;
}

std::string title(const std::vector<SessionInfo>& flows, const View& view) {
  double now = std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  return fmt::format("vnet-bpf flows  {}  every {:g} s  {} sessions, the fastest first{}", clock_text(now),
                     view.seconds, flows.size(), view.paused ? "  PAUSED" : "");
}

// Only the rows that fit are made: there may be a million sessions.
Screen compose_flows(const std::vector<SessionInfo>& flows, View& view) {
  Screen screen;
  std::size_t height =
      view.rows > 5 ? view.rows - 5 : 0;  // the title, a blank line, two of the table, the foot
  view.scroll = std::min(view.scroll, flows.size() > height ? flows.size() - height : 0);
  auto first = flows.begin() + static_cast<std::ptrdiff_t>(view.scroll);
  auto count = static_cast<std::ptrdiff_t>(std::min(height, flows.size() - view.scroll));
  screen.head.push_back({view.error.empty() ? title(flows, view) : view.error, true});
  if (height) {
    screen.head.push_back({});
    std::istringstream lines(flows_text({first, first + count}));
    for (std::string line; std::getline(lines, line);)
      screen.body.push_back({cut_columns(line, view.columns)});
    screen.body.front().emphasis = true;
  }
  for (auto& line : screen.head) line.text = cut_columns(line.text, view.columns);
  screen.foot = {cut_columns("q quit  p pause  arrows, PgUp, PgDn scroll", view.columns), true};
  return screen;
}

Result<void> watch_screen(const Options& options, Terminal& terminal, Reading last) {
  View view{.seconds = *options.watch_seconds};
  auto interval = std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(view.seconds));
  auto next = Clock::now() + interval;
  auto shown = last.flows;
  bool gone = false;
  while (!stopping()) {
    terminal.size(view);
    Screen screen = compose_flows(view.paused ? shown : last.flows, view);
    terminal.draw(screen);
    auto press = terminal.wait_key(std::chrono::duration_cast<milliseconds>(next - Clock::now()), gone);
    bool was_paused = view.paused;
    if (gone || (press && !handle_key(press->key, press->character, screen, view))) break;
    if (view.paused && !was_paused) shown = last.flows;
    if (stopping() || Clock::now() < next) continue;
    next = Clock::now() + interval;
    auto now = read_now(options, last.flows, last.at);
    view.error = now ? "" : now.error().message;
    if (now) last = std::move(*now);
  }
  return {};
}

Result<void> watch_lines(const Options& options, Reading last) {
  stop_on_signals();
  View view{.seconds = *options.watch_seconds};
  while (wait_for_reader(std::chrono::duration<double>(view.seconds))) {
    VNET_ASSIGN(auto now, read_now(options, last.flows, last.at));
    print(title(now.flows, view) + "\n" + flows_text(now.flows) + "\n");
    if (std::fflush(stdout)) return {};
    last = std::move(now);
  }
  return {};
}

}  // namespace

Result<void> watch_flows(const Options& options) {
  VNET_ASSIGN(auto first, read_now(options, {}, Clock::now()));
  if (Terminal::available()) {
    Terminal terminal;
    if (terminal) return watch_screen(options, terminal, std::move(first));
  }
  return watch_lines(options, std::move(first));
}

}  // namespace vnet::cli
