// SPDX-License-Identifier: GPL-2.0-or-later
// `stats --watch`: on a terminal a live screen, else lines.
#include <ncurses.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>

#include "cli/screen.h"
#include "cli/verbs.h"

namespace vnet::cli {
namespace {

using Clock = std::chrono::steady_clock;

volatile std::sig_atomic_t stopping = 0;

void stop_on_signals() {
  struct sigaction action {};
  action.sa_handler = [](int) { stopping = 1; };
  for (int signal : {SIGINT, SIGTERM, SIGHUP}) sigaction(signal, &action, nullptr);
}

struct Reading {
  Stats stats;
  Clock::time_point at;
};

// Anew each time: networks, and the maps themselves, come and go meanwhile.
Result<Reading> read_now(const Options& options) {
  VNET_ASSIGN(auto host, Host::open(options.state_dir, options.verbose));
  VNET_ASSIGN(auto stats, host.stats(options.only_network, options.only_port));
  return Reading{std::move(stats), Clock::now()};
}

Rates rates_between(const Reading& before, const Reading& now) {
  return compute_rates(before.stats, now.stats, std::chrono::duration<double>(now.at - before.at).count());
}

// The terminal, given back as it was on every way out of the scope.
class Terminal {
 public:
  Terminal() : screen_(newterm(nullptr, stdout, stdin)) {
    if (!screen_) return;
    cbreak();
    noecho();
    keypad(stdscr, TRUE);
    curs_set(0);
  }
  ~Terminal() {
    if (!screen_) return;
    endwin();
    delscreen(screen_);
  }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;
  explicit operator bool() const { return screen_; }

 private:
  SCREEN* screen_;
};

void put(int y, const Line& line) {
  if (line.emphasis) attron(A_BOLD);
  mvaddnstr(y, 0, line.text.c_str(), std::max(0, COLS - 1));
  if (line.emphasis) attroff(A_BOLD);
}

std::size_t body_height(const Screen& screen) {
  int rows = LINES - static_cast<int>(screen.head.size()) - 2;  // a blank line, and the foot
  return static_cast<std::size_t>(std::max(1, rows));
}

void draw(const Screen& screen, View& view) {
  std::size_t height = body_height(screen);
  view.scroll = std::min(view.scroll, screen.body.size() > height ? screen.body.size() - height : 0);
  erase();
  int y = 0;
  for (const auto& line : screen.head) put(y++, line);
  ++y;
  for (std::size_t i = view.scroll; i < screen.body.size() && y < LINES - 1; ++i) put(y++, screen.body[i]);
  put(LINES - 1, screen.foot);
  refresh();
}

// False: quit.
bool handle_key(int key, View& view, std::size_t page) {
  auto up = [&](std::size_t lines) { view.scroll -= std::min(lines, view.scroll); };
  switch (key) {
    case 'q':
      return false;
    case 's':
      view.sort = next_sort(view.sort);
      break;
    case 'p':
      view.paused = !view.paused;
      break;
    case 'r':
      view = {.seconds = view.seconds};
      break;
    case KEY_UP:
      up(1);
      break;
    case KEY_PPAGE:
      up(page);
      break;
    case KEY_DOWN:
      ++view.scroll;
      break;
    case KEY_NPAGE:
      view.scroll += page;
      break;
    case KEY_HOME:
      view.scroll = 0;
      break;
    default:
      break;  // KEY_RESIZE: drawn anew anyway
  }
  return true;
}

Result<void> watch_screen(const Options& options, Reading last) {
  View view{.seconds = *options.watch_seconds};
  auto interval = std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(view.seconds));
  Rates rates = rates_between(last, last);
  auto next = Clock::now() + interval;
  while (!stopping) {
    Screen screen = compose(rates, view);
    draw(screen, view);
    auto wait = std::chrono::duration_cast<std::chrono::milliseconds>(next - Clock::now()).count();
    timeout(static_cast<int>(std::clamp<long long>(wait, 0, 1000)));
    int key = getch();
    if (key == ERR && (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))) break;  // the terminal has gone
    if (key != ERR && !handle_key(key, view, body_height(screen))) break;
    if (stopping || Clock::now() < next) continue;
    next = Clock::now() + interval;
    if (view.paused) continue;
    auto now = read_now(options);
    view.error = now ? "" : now.error().message;
    if (!now) continue;
    rates = rates_between(last, *now);
    last = std::move(*now);
  }
  return {};
}

Result<void> watch_lines(const Options& options, Reading last) {
  int milliseconds = static_cast<int>(*options.watch_seconds * 1000);
  while (true) {
    pollfd out{STDOUT_FILENO, 0, 0};  // only its end is of interest
    auto until = Clock::now() + std::chrono::milliseconds(milliseconds);
    while (!stopping) {
      auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now()).count();
      if (left <= 0) break;
      if (poll(&out, 1, static_cast<int>(left)) > 0 && (out.revents & (POLLERR | POLLHUP))) return {};
    }
    if (stopping) return {};
    VNET_ASSIGN(auto now, read_now(options));
    print(plain_lines(rates_between(last, now)));
    if (std::fflush(stdout)) return {};
    last = std::move(now);
  }
}

}  // namespace

Result<void> watch(const Options& options) {
  VNET_ASSIGN(auto first, read_now(options));
  if (isatty(STDOUT_FILENO) && isatty(STDIN_FILENO)) {
    Terminal terminal;
    stop_on_signals();  // after ncurses, which sets its own
    if (terminal) return watch_screen(options, std::move(first));
  }
  stop_on_signals();
  return watch_lines(options, std::move(first));
}

}  // namespace vnet::cli
