// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/bench/rate.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/udp.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <memory>
#include <numeric>
#include <stdexcept>

#include "tests/bench/tools.h"
#include "traffic.skel.h"

namespace vnet::bench {
namespace {

constexpr unsigned frame_bytes = 60;
constexpr unsigned sports = 20000;
constexpr unsigned first_sport = 2000;  // below the host's ephemeral ports: a masquerade keeps them
constexpr unsigned first_dport = 9000;

std::uint32_t add_words(const void* from, std::size_t bytes) {
  const auto* b = static_cast<const std::uint8_t*>(from);
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i + 1 < bytes; i += 2) sum += b[i] << 8 | b[i + 1];
  return sum;
}

std::uint16_t fold(std::uint32_t sum) {
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(sum);
}

struct Skeleton {
  traffic_bpf* s = traffic_bpf__open();
  Skeleton() {
    if (!s) fail("opening the traffic programs");
  }
  ~Skeleton() { traffic_bpf__destroy(s); }
  Skeleton(const Skeleton&) = delete;
  Skeleton& operator=(const Skeleton&) = delete;
};

void compose(const RateOptions& o, traffic_bpf* s) {
  std::uint8_t* frame = const_cast<std::uint8_t*>(s->rodata->frame);
  auto to = mac_bytes(o.target_mac), from = mac_bytes(o.source_mac);
  std::copy(to.begin(), to.end(), frame);
  std::copy(from.begin(), from.end(), frame + 6);
  frame[12] = ETH_P_IP >> 8;
  iphdr ip{};
  ip.version = 4;
  ip.ihl = 5;
  ip.tot_len = htons(frame_bytes - ETH_HLEN);
  ip.frag_off = htons(0x4000);
  ip.ttl = 64;
  ip.protocol = IPPROTO_UDP;
  if (inet_pton(AF_INET, o.source.c_str(), &ip.saddr) != 1 ||
      inet_pton(AF_INET, o.target.c_str(), &ip.daddr) != 1) {
    throw std::runtime_error("not an IPv4 address: " + o.source + " or " + o.target);
  }
  ip.check = htons(~fold(add_words(&ip, sizeof ip)));
  std::memcpy(frame + ETH_HLEN, &ip, sizeof ip);
  constexpr unsigned udp_bytes = frame_bytes - ETH_HLEN - sizeof(iphdr);
  udphdr udp{};
  udp.len = htons(udp_bytes);
  std::memcpy(frame + ETH_HLEN + sizeof ip, &udp, sizeof udp);
  s->rodata->frame_sum = fold(add_words(&ip.saddr, 8) + IPPROTO_UDP + 2 * udp_bytes);
  s->rodata->flows = o.flows;
  s->rodata->sports = sports;
  s->rodata->first_sport = first_sport;
  s->rodata->first_dport = first_dport;
  s->rodata->answers = o.answers;
  s->rodata->sink_first = first_dport;
  s->rodata->sink_last = first_dport + (o.flows - 1) / sports;
}

void send(int program, unsigned ifindex, std::uint64_t frames) {
  std::uint8_t blank[frame_bytes] = {};
  xdp_md context{};
  context.data_end = frame_bytes;
  context.ingress_ifindex = ifindex;
  LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = blank, .data_size_in = frame_bytes, .ctx_in = &context,
              .ctx_size_in = sizeof context, .repeat = static_cast<int>(frames),
              .flags = BPF_F_TEST_XDP_LIVE_FRAMES, .batch_size = 64);
  if (bpf_prog_test_run_opts(program, &run) != 0) fail("sending live frames");
}

// Sends for that long and returns how many frames fill how long a time: a call begins and ends with some
// milliseconds of waiting, so what is measured must be a single one.
std::uint64_t warm_up(int program, unsigned ifindex, const RateOptions& o, std::uint64_t& sent) {
  constexpr std::uint64_t frames = 1 << 16;
  double took = 0;
  for (auto start = Clock::now(); took == 0 || since(start) < o.warm_up;) {
    auto one = Clock::now();
    send(program, ifindex, frames);
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
  Skeleton skeleton;
  traffic_bpf* s = skeleton.s;
  compose(o, s);
  if (traffic_bpf__load(s) != 0) fail("loading the traffic programs");
  Place from = place(o.from);
  Fd sink;
  if (!o.to.empty()) {
    Place to = place(o.to);
    enter_namespace(to.where);
    sink = attach(bpf_program__fd(s->progs.sink), index_of(to.interface), Hook::ingress);
  }
  Fd stats;
  if (!o.hooks.empty()) {
    stats.reset(bpf_enable_stats(BPF_STATS_RUN_TIME));  // ends with the descriptor
    if (!stats) fail("switching on the statistics of BPF programs");
  }
  pin_to_cpu(o.cpu);
  enter_namespace(from.where);
  unsigned ifindex = index_of(from.interface);
  int program = bpf_program__fd(s->progs.source);
  std::atomic_ref<__u64> received(s->bss->received);

  std::uint64_t all = 0;
  std::uint64_t frames = warm_up(program, ifindex, o, all);
  all += frames;
  Uses before = all_hooks(o.hooks);
  enter_namespace(from.where);
  std::uint64_t received_before = received;
  auto start = Clock::now();
  send(program, ifindex, frames);
  double took = since(start);
  std::uint64_t arrived = received - received_before;
  nlohmann::json result = {{"sent", frames},
                           {"all", all},
                           {"received", arrived},
                           {"seconds", took},
                           {"rate", static_cast<double>(arrived) / took}};
  if (!o.hooks.empty()) result["hooks"] = used_between(before, all_hooks(o.hooks));
  return result;
}

void redirect_until_killed(const std::vector<std::string>& pairs, bool peer) {
  std::vector<std::unique_ptr<Skeleton>> loaded;
  std::vector<Fd> links;
  for (std::size_t i = 0; i + 1 < pairs.size(); i += 2) {
    Place from = place(pairs[i]), to = place(pairs[i + 1]);
    enter_namespace(from.where);
    auto& one = *loaded.emplace_back(std::make_unique<Skeleton>());
    one.s->rodata->redirect_to = index_of(to.interface);
    // Only a pair whose other end lies in another namespace has a peer to go to; an uplink is no such.
    one.s->rodata->redirect_peer = peer && to.interface != "eth0";
    if (traffic_bpf__load(one.s) != 0) fail("loading the redirecting program");
    links.push_back(attach(bpf_program__fd(one.s->progs.redirect), index_of(from.interface), Hook::ingress));
  }
  fmt::print("ready\n");
  std::fflush(stdout);
  for (;;) pause();
}

}  // namespace vnet::bench
