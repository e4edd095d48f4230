// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/verbs/run.h"

#include <poll.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <map>
#include <set>

#include "cli/text.h"
#include "loader/base/fd.h"
#include "loader/engine/events.h"
#include "maps/abi.h"

namespace vnet::cli::verbs {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;
using std::chrono::seconds;

// A starting guest causes a dozen events: wait until they end, but not long, since it waits for its network.
constexpr milliseconds quiet{30}, longest_delay{200};
constexpr seconds first_retry{1}, last_retry{60};
constexpr int most_rounds = 8;
// No event reports that a program was detached, so this is polled.
constexpr milliseconds guard_interval{500};
// The same of leases, of addresses that guests claim, and of an FRR that has started again.
constexpr seconds announce_interval{1};

// Reports each problem once, and again when its text changes.
class Problems {
 public:
  void tell(const std::string& about, const Error& error) {
    seen_.insert(about);
    auto& known = told_[about];
    if (std::string line = error_line(error); known != line)
      std::fprintf(stderr, "%s\n", (known = line).c_str());
  }
  void begin() { seen_.clear(); }
  bool any() const { return !seen_.empty(); }
  void end() {
    std::erase_if(told_, [&](const auto& entry) { return !seen_.contains(entry.first); });
  }

 private:
  std::map<std::string, std::string> told_;
  std::set<std::string> seen_;
};

void say(const Followed& followed) {
  for (const auto& line : followed.done) print(printable(line) + "\n");
  std::fflush(stdout);
}

class Runner {
 public:
  static Result<Runner> make(Host& host) {
    sigset_t signals;
    sigemptyset(&signals);
    for (int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&signals, signal);
    sigprocmask(SIG_BLOCK, &signals, nullptr);
    Runner runner(host);
    runner.signals_ = Fd(::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!runner.signals_) return system_error("waiting for signals");
    VNET_ASSIGN(runner.events_, HostEvents::open());  // before look(), so that no change is missed
    std::uint64_t interval = 0;
    if (sd_watchdog_enabled(0, &interval) > 0) runner.watchdog_ = std::chrono::microseconds(interval / 2);
    VNET_ASSIGN(runner.wanted_, host.autostart_networks());
    return runner;
  }

  Result<void> run() {
    look();
    sd_notify(0, "READY=1");
    while (!stopping_) {
      VNET_TRY(wait());
      if (!stopping_ && look_at_ && Clock::now() >= *look_at_) look();
    }
    sd_notify(0, "STOPPING=1");
    return {};
  }

 private:
  explicit Runner(Host& host) : host_(&host) {}

  // Plans and runs, until a plan is empty.
  void look() {
    look_at_.reset();
    first_event_.reset();
    problems_.begin();
    for (int round = 0; round < most_rounds; ++round) {
      auto changed = one_round();
      if (!changed) problems_.tell("", changed.error());
      if (!changed || !*changed) break;
    }
    problems_.end();
    watch_services();
    if (!problems_.any()) {
      retry_ = first_retry;
      return;
    }
    look_at_ = Clock::now() + retry_;
    retry_ = std::min<seconds>(retry_ * 2, last_retry);
  }

  Result<bool> one_round() {
    VNET_ASSIGN(auto transaction, host_->begin("run"));
    VNET_ASSIGN(auto followed, transaction.follow(wanted_));
    bool changed = false;
    for (const auto& one : followed) {
      if (!one.result) {
        problems_.tell(one.about, one.result.error());
        continue;
      }
      say(one);
      changed = true;
    }
    return changed;
  }

  // A pidfd becomes readable when its process ends.
  void watch_services() {
    services_.clear();
    auto pids = host_->service_pids();
    if (!pids) return;
    for (pid_t pid : *pids)
      if (Fd fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))); fd) services_.push_back(std::move(fd));
  }

  Result<void> wait() {
    std::vector<pollfd> items{{.fd = signals_.get(), .events = POLLIN}};
    for (const auto& service : services_) items.push_back({.fd = service.get(), .events = POLLIN});
    const auto first_event = static_cast<std::ptrdiff_t>(items.size());
    for (int fd : events_->fds()) items.push_back({.fd = fd, .events = POLLIN});
    if (::poll(items.data(), items.size(), timeout()) < 0 && errno != EINTR)
      return system_error("waiting for events");
    if (watchdog_) sd_notify(0, "WATCHDOG=1");
    if (items[0].revents) take_signals();
    const auto events = items.begin() + first_event;
    bool ended = std::any_of(items.begin() + 1, events, [](const pollfd& item) { return item.revents; });
    if (ended) services_.clear();  // report each end once
    bool told = std::any_of(events, items.end(), [](const pollfd& item) { return item.revents; });
    if ((told && events_->drain()) || ended) look_soon();
    if (Clock::now() >= check_guards_at_) check_guards();
    return {};
  }

  void check_guards() {
    check_guards_at_ = Clock::now() + guard_interval;
    if (events_->finds_bus()) look_soon();
    auto guarded = host_->is_guarded();
    if (guarded && !*guarded && !look_at_) look_soon();
    if (Clock::now() >= check_announced_at_) check_announced();
  }

  void check_announced() {
    check_announced_at_ = Clock::now() + announce_interval;
    auto may = host_->may_be_announced();
    if (!may || !*may) return;
    auto differs = host_->plan_announcements();
    if (differs && !differs->empty()) look_soon();
  }

  void look_soon() {
    auto now = Clock::now();
    if (!first_event_) first_event_ = now;
    look_at_ = std::min(now + quiet, *first_event_ + longest_delay);
  }

  int timeout() const {
    auto until = check_guards_at_;
    if (look_at_) until = std::min(until, *look_at_);
    if (watchdog_)
      until = std::min(until, Clock::now() + std::chrono::duration_cast<Clock::duration>(*watchdog_));
    auto left = std::chrono::ceil<milliseconds>(until - Clock::now()).count();
    return static_cast<int>(std::clamp<long long>(left, 0, 1 << 30));
  }

  void take_signals() {
    signalfd_siginfo info;
    while (::read(signals_.get(), &info, sizeof(info)) == sizeof(info)) {
      if (info.ssi_signo != SIGHUP) {
        stopping_ = true;
        continue;
      }
      sd_notify(0, "RELOADING=1");
      if (auto names = host_->autostart_networks()) wanted_ = std::move(*names);
      look();
      sd_notify(0, "READY=1");
    }
  }

  Host* host_;
  Fd signals_;
  std::optional<HostEvents> events_;
  std::vector<Fd> services_;
  std::set<std::string> wanted_;
  Problems problems_;
  std::optional<std::chrono::microseconds> watchdog_;  // how often to notify systemd
  std::optional<Clock::time_point> look_at_, first_event_;
  Clock::time_point check_guards_at_ = Clock::now() + guard_interval;
  Clock::time_point check_announced_at_ = Clock::now() + announce_interval;
  seconds retry_ = first_retry;
  bool stopping_ = false;
};

Result<void> dry_run(Host& host) {
  VNET_ASSIGN(auto wanted, host.autostart_networks());
  VNET_ASSIGN(auto plan, host.plan(Follow{wanted}));
  for (const auto& step : plan.steps) print(printable(text(step.change)) + "\n");
  return {};
}

// What an older build, or the package's last version, has left running.
Result<void> upgrade_what_runs(Host& host) {
  VNET_ASSIGN(auto transaction, host.begin("run"));
  VNET_ASSIGN(auto plan, transaction.run(Upgrade{}));
  for (const auto& step : plan.steps)
    if (step.about == "upgrade") print(printable(text(step.change)) + "\n");
  std::fflush(stdout);
  return {};
}

}  // namespace

Result<void> run(Host& host, const Common& common, const NoOptions&) {
  if (common.dry_run) return dry_run(host);
  VNET_ASSIGN(auto alone, host.run_lock());
  // With the maps of this version it can go on all the same: as it is, everything is guarded.
  if (auto upgraded = upgrade_what_runs(host); !upgraded) {
    if (host.layout() && host.layout() != VNET_ABI_VERSION) return upgraded;
    std::fprintf(stderr, "%s\n", error_line(std::move(upgraded).error().within("upgrade")).c_str());
  }
  VNET_ASSIGN(auto runner, Runner::make(host));
  return runner.run();
}

}  // namespace vnet::cli::verbs
