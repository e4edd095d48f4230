// SPDX-License-Identifier: GPL-2.0-or-later
// flows --watch: the fastest sessions.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <sstream>

#include "cli/render.h"
#include "cli/verbs/flows.h"
#include "cli/watch.h"

namespace vnet::cli::verbs {
namespace {

using Clock = std::chrono::steady_clock;
using Flows = std::vector<SessionInfo>;

std::string title(const Flows& flows, double seconds, bool paused) {
  double now = std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  return fmt::format("vnet-bpf flows  {}  every {:g} s  {} sessions, the fastest first{}", clock_text(now),
                     seconds, flows.size(), paused ? "  PAUSED" : "");
}

// Formats only the rows that fit: there may be a million sessions.
Screen compose_flows(const Flows& flows, View& view) {
  constexpr std::size_t other_rows = 5;  // title, blank line, two lines of table header, foot
  Screen screen;
  std::size_t height = view.rows > other_rows ? view.rows - other_rows : 0;
  view.scroll = std::min(view.scroll, flows.size() > height ? flows.size() - height : 0);
  auto first = flows.begin() + static_cast<std::ptrdiff_t>(view.scroll);
  auto count = static_cast<std::ptrdiff_t>(std::min(height, flows.size() - view.scroll));
  screen.head.push_back({view.error.empty() ? title(flows, view.seconds, view.paused) : view.error, true});
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

class WatchedFlows : public Watched {
 public:
  WatchedFlows(const Common& common, const FlowsOptions& options) : common_(common), options_(options) {}

  Result<void> read() override {
    VNET_ASSIGN(auto host, open_host(common_));
    VNET_ASSIGN(auto flows, host.flows(options_.network));
    auto now = Clock::now();
    session_rates(latest_, flows, std::chrono::duration<double>(now - read_at_).count());
    latest_ = choose_flows(std::move(flows), options_.filter);
    read_at_ = now;
    return {};
  }

  Screen compose(View& view) override { return compose_flows(pausable_.shown(latest_, view.paused), view); }

  std::string lines(double seconds) override {
    return title(latest_, seconds, false) + "\n" + flows_text(latest_) + "\n";
  }

 private:
  const Common& common_;
  const FlowsOptions& options_;
  Flows latest_;
  Clock::time_point read_at_ = Clock::now();
  Pausable<Flows> pausable_;
};

}  // namespace

Result<void> watch_flows(const Common& common, const FlowsOptions& options) {
  WatchedFlows watched(common, options);
  VNET_TRY(watched.read());
  return watch(watched, *options.watch_seconds);
}

}  // namespace vnet::cli::verbs
