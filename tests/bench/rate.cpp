// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/bench/rate.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <algorithm>
#include <optional>

#include "tests/bench/frame.h"
#include "tests/bench/programs.h"
#include "tests/bench/taps.h"
#include "tests/bench/tools.h"

namespace vnet::bench {
namespace {

void send(const Programs& programs, unsigned ifindex, std::uint64_t frames) {
  std::uint8_t blank[frame_bytes_max] = {};
  xdp_md context{};
  context.data_end = programs.frame_bytes();
  context.ingress_ifindex = ifindex;
  LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = blank, .data_size_in = programs.frame_bytes(),
              .ctx_in = &context, .ctx_size_in = sizeof context, .repeat = static_cast<int>(frames),
              .flags = BPF_F_TEST_XDP_LIVE_FRAMES, .batch_size = 64);
  if (bpf_prog_test_run_opts(programs.source(), &run) != 0) fail("sending live frames");
}

// Sends for that long and returns how many frames fill how long a time: a call begins and ends with some
// milliseconds of waiting, so what is measured must be a single one.
std::uint64_t warm_up(const Programs& programs, unsigned ifindex, const RateOptions& o, std::uint64_t& sent) {
  constexpr std::uint64_t frames = 1 << 16;
  double took = 0;
  for (auto start = Clock::now(); took == 0 || since(start) < o.warm_up;) {
    auto one = Clock::now();
    send(programs, ifindex, frames);
    sent += frames;
    took = since(one);
  }
  return std::max<std::uint64_t>(frames, static_cast<std::uint64_t>(frames * o.seconds / took));
}

using Uses = std::vector<HookUse>;

Uses all_hooks(const std::vector<std::string>& places) {
  Uses all;
  for (const auto& text : places) {
    Uses here = hooks_at(place(text));
    for (HookUse& use : here) {  // a network's ports share one program, which counts for all of them
      if (std::ranges::none_of(all, [&](const HookUse& u) { return u.id == use.id; }))
        all.push_back(std::move(use));
    }
  }
  return all;
}

nlohmann::json used_between(const Uses& before, const Uses& after) {
  auto list = nlohmann::json::array();
  for (const HookUse& now : after) {
    auto then = std::find_if(before.begin(), before.end(), [&](const HookUse& u) { return u.id == now.id; });
    if (then == before.end()) continue;
    std::uint64_t runs = now.runs - then->runs, time = now.nanoseconds - then->nanoseconds;
    list.push_back({{"hook", now.hook},
                    {"program", now.program},
                    {"runs", runs},
                    {"nanoseconds", runs ? static_cast<double>(time) / static_cast<double>(runs) : 0.0},
                    {"verified_instructions", now.verified_instructions},
                    {"jited_bytes", now.jited_bytes}});
  }
  return list;
}

}  // namespace

nlohmann::json measure_rate(const RateOptions& o) {
  Programs programs(o);
  std::optional<TapReader> reader;
  if (!o.tap_to.empty()) reader.emplace(o);
  auto received = [&] { return reader ? reader->received() : programs.received(); };
  Place from = place(o.from);
  Fd stats;
  if (!o.hooks.empty()) {
    stats.reset(bpf_enable_stats(BPF_STATS_RUN_TIME));  // ends with the descriptor
    if (!stats) fail("switching on the statistics of BPF programs");
  }
  pin_to_cpu(o.cpu);
  enter_namespace(from.where);
  unsigned ifindex = index_of(from.interface);

  std::uint64_t all = 0;
  std::uint64_t frames = warm_up(programs, ifindex, o, all);
  all += frames;
  Uses before = all_hooks(o.hooks);
  enter_namespace(from.where);
  std::uint64_t received_before = received();
  auto start = Clock::now();
  send(programs, ifindex, frames);
  double took = since(start);
  std::uint64_t arrived = received() - received_before;
  nlohmann::json result = {{"sent", frames},
                           {"all", all},
                           {"received", arrived},
                           {"seconds", took},
                           {"rate", static_cast<double>(arrived) / took}};
  if (!o.hooks.empty()) result["hooks"] = used_between(before, all_hooks(o.hooks));
  return result;
}

}  // namespace vnet::bench
