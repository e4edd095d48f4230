// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/verbs/monitor.h"

#include <cerrno>
#include <chrono>
#include <cstdio>

#include "cli/render.h"
#include "cli/stop.h"
#include "cli/text.h"
#include "loader/model/drop_reason.h"
#include "loader/observe/pcapng.h"

namespace vnet::cli::verbs {
namespace {

using Clock = std::chrono::steady_clock;

std::string all_reasons() {
  Words words;
  for (unsigned reason = 1; reason < VNET_DROP_MAX; ++reason) words.emplace_back(reason_word(reason));
  return join(words, " ");
}

class Output {
 public:
  static Result<Output> open(const Common& common, const MonitorOptions& options) {
    Output output(common, options);
    if (options.pcap) {
      VNET_ASSIGN(output.pcap_, PcapngWriter::open(*options.pcap));
    }
    return output;
  }

  bool enough() const { return options_->count && shown_ >= options_->count; }

  Result<void> show(const Drop& drop) {
    if (enough()) return {};
    ++shown_;
    if (!quiet_) print(drop_line(drop, json_));
    if (!pcap_) return {};
    return pcap_->write({.interface = drop.interface,
                         .ethernet = drop.ethernet,
                         .time_ns = drop.time_ns,
                         .length = drop.length,
                         .bytes = drop.bytes,
                         .comment = drop_comment(drop)});
  }

  // Flushes, so that packets show as they happen. Once a second it says how many were not shown.
  Result<void> flush(std::uint64_t not_shown) {
    if (!quiet_ && not_shown > told_ && Clock::now() >= next_) {
      print(not_shown_line(not_shown - told_, options_->rate, json_));
      told_ = not_shown;
      next_ = Clock::now() + std::chrono::seconds(1);
    }
    if (pcap_) VNET_TRY(pcap_->flush());
    if (std::fflush(stdout) && errno != EPIPE) return system_error("writing the output");
    return {};
  }

  void sum_up(std::uint64_t not_shown) const {
    std::fprintf(stderr, "%s\n",
                 (std::to_string(shown_) + " shown, " + std::to_string(not_shown) + " not shown").c_str());
  }

 private:
  Output(const Common& common, const MonitorOptions& options)
      : options_(&options), json_(common.json), quiet_(options.pcap == "-") {}

  const MonitorOptions* options_;
  bool json_;
  bool quiet_;  // no lines: the capture goes to standard output
  std::optional<PcapngWriter> pcap_;
  std::uint64_t shown_ = 0, told_ = 0;
  Clock::time_point next_ = Clock::now();
};

}  // namespace

std::vector<Option> MonitorOptions::list() {
  return {
      {"--network NET", "Only this network's", into(filter.network), complete_networks},
      {"--port IFACE", "Only what this port's guest sends, or would get", into(filter.port), complete_ports},
      {"--reason REASON", "Only this reason (repeatable); see docs/reasons.md", into(filter.reasons),
       all_reasons()},
      {"--pcap FILE", "Write the packets to FILE, too, as pcapng; - for standard output", into(pcap),
       complete_files},
      {"--rate N", "Show no more than N a second (1 to 1000000, default 1000)", into(rate, 1'000'000)},
      {"--count N", "End after N packets", into(count, 0)}};
}

Result<void> monitor(Host& host, const Common& common, const MonitorOptions& options) {
  stop_on_signals();
  DropFilter filter = options.filter;
  filter.per_second = static_cast<std::uint32_t>(options.rate);
  VNET_ASSIGN(auto watch, host.watch_drops(filter));
  VNET_ASSIGN(auto output, Output::open(common, options));
  if (watch.blind()) std::fprintf(stderr, "%s\n", blind_note(*watch.blind()).c_str());
  Result<void> wrote;
  while (!stopping() && !output.enough() && !reader_has_gone()) {
    VNET_TRY(watch.wait(std::chrono::milliseconds(100), [&](const Drop& drop) {
      if (auto result = output.show(drop); !result) wrote = std::move(result);
    }));
    VNET_TRY(wrote);
    VNET_TRY(output.flush(watch.not_shown()));
  }
  output.sum_up(watch.not_shown());
  return {};
}

}  // namespace vnet::cli::verbs
