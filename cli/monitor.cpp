// SPDX-License-Identifier: GPL-2.0-or-later
// `monitor`: one line a dropped packet, until a signal or --count ends it.
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>

#include "cli/render.h"
#include "cli/text.h"
#include "cli/verbs.h"
#include "loader/observe/pcapng.h"

namespace vnet::cli {
namespace {

using Clock = std::chrono::steady_clock;

volatile std::sig_atomic_t stopping = 0;

void stop_on_signals() {
  struct sigaction action {};
  action.sa_handler = [](int) { stopping = 1; };
  for (int signal : {SIGINT, SIGTERM, SIGHUP}) sigaction(signal, &action, nullptr);
}

bool reader_has_gone() {
  pollfd out{STDOUT_FILENO, 0, 0};
  return poll(&out, 1, 0) > 0 && (out.revents & (POLLERR | POLLHUP));
}

class Output {
 public:
  static Result<Output> open(const Options& options) {
    Output output(options);
    if (options.pcap) {
      VNET_ASSIGN(output.pcap_, PcapngWriter::open(*options.pcap));
    }
    return output;
  }

  bool enough() const { return options_->count && shown_ >= *options_->count; }

  Result<void> show(const Drop& drop) {
    if (enough()) return {};
    ++shown_;
    if (!quiet_) print(drop_line(drop, options_->json));
    if (!pcap_) return {};
    return pcap_->write({.interface = drop.interface,
                         .ethernet = drop.ethernet,
                         .time_ns = drop.time_ns,
                         .length = drop.length,
                         .bytes = drop.bytes,
                         .comment = drop_comment(drop)});
  }

  // At once, so that whoever reads sees them as they happen; what could not be shown is said once a second.
  Result<void> flush(std::uint64_t not_shown) {
    if (!quiet_ && not_shown > told_ && Clock::now() >= next_) {
      print(not_shown_line(not_shown - told_, options_->drops.per_second, options_->json));
      told_ = not_shown;
      next_ = Clock::now() + std::chrono::seconds(1);
    }
    if (pcap_) VNET_TRY(pcap_->flush());
    if (std::fflush(stdout) && errno != EPIPE) return system_error("writing the output");
    return {};
  }

  void sum_up(std::uint64_t not_shown) const {
    std::fprintf(stderr, "%s\n", fmt::format("{} shown, {} not shown", shown_, not_shown).c_str());
  }

 private:
  explicit Output(const Options& options) : options_(&options), quiet_(options.pcap == "-") {}

  const Options* options_;
  bool quiet_;  // the capture goes to standard output
  std::optional<PcapngWriter> pcap_;
  std::uint64_t shown_ = 0, told_ = 0;
  Clock::time_point next_ = Clock::now();
};

}  // namespace

Result<void> monitor(Host& host, const Options& options) {
  stop_on_signals();
  VNET_ASSIGN(auto watch, host.watch_drops(options.drops));
  VNET_ASSIGN(auto output, Output::open(options));
  if (watch.blind()) std::fprintf(stderr, "%s\n", blind_note(*watch.blind()).c_str());
  Result<void> wrote;
  while (!stopping && !output.enough() && !reader_has_gone()) {
    VNET_TRY(watch.wait(std::chrono::milliseconds(100), [&](const Drop& drop) {
      if (auto result = output.show(drop); !result) wrote = std::move(result);
    }));
    VNET_TRY(wrote);
    VNET_TRY(output.flush(watch.not_shown()));
  }
  output.sum_up(watch.not_shown());
  return {};
}

}  // namespace vnet::cli
