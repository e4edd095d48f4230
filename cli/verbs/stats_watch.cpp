// SPDX-License-Identifier: GPL-2.0-or-later
// stats --watch: shows rates.
#include <chrono>
#include <cstdio>

#include "cli/history.h"
#include "cli/text.h"
#include "cli/verbs/stats.h"
#include "cli/watch.h"

namespace vnet::cli::verbs {
namespace {

using Clock = std::chrono::steady_clock;

class WatchedStats : public Watched {
 public:
  WatchedStats(const Common& common, const StatsOptions& options) : common_(common), options_(options) {}

  // Opens the host each time: networks and their maps come and go.
  Result<void> read() override {
    VNET_ASSIGN(auto host, open_host(common_));
    host.count_losses(losses_);
    VNET_ASSIGN(auto stats, host.stats(options_.network, options_.port));
    auto now = Clock::now();
    const Stats& before = last_ ? *last_ : stats;
    latest_.rates = compute_rates(before, stats, std::chrono::duration<double>(now - read_at_).count());
    if (last_) latest_.history.add(latest_.rates);
    last_ = std::move(stats);
    read_at_ = now;
    return {};
  }

  Screen compose(View& view) override {
    const Shown& shown = pausable_.shown(latest_, view.paused);
    return cli::compose(shown.rates, shown.history, view);
  }

  std::string lines(double) override { return plain_lines(latest_.rates); }

  const std::optional<Error>& blind() const { return losses_.blind(); }

 private:
  struct Shown {
    Rates rates;
    History history;
  };
  const Common& common_;
  const StatsOptions& options_;
  LossCount losses_;
  std::optional<Stats> last_;
  Clock::time_point read_at_ = Clock::now();
  Shown latest_;
  Pausable<Shown> pausable_;
};

}  // namespace

Result<void> watch_stats(const Common& common, const StatsOptions& options) {
  WatchedStats watched(common, options);
  VNET_TRY(watched.read());
  if (watched.blind()) std::fprintf(stderr, "%s\n", blind_note(*watched.blind()).c_str());
  return watch(watched, *options.watch_seconds);
}

}  // namespace vnet::cli::verbs
