// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/bench/programs.h"

#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstring>

#include "tests/bench/frame.h"
#include "tests/bench/tools.h"
#include "traffic.skel.h"

namespace vnet::bench {
namespace {

void compose(const RateOptions& o, traffic_bpf& s) {
  UdpFrame frame = udp_frame(o.source_mac, o.target_mac, o.source, o.target);
  static_assert(sizeof s.rodata->frame >= frame_bytes_max);
  std::memcpy(const_cast<std::uint64_t*>(reinterpret_cast<const volatile std::uint64_t*>(s.rodata->frame)),
              frame.bytes.data(), frame.size);
  s.rodata->frame_bytes = frame.size;
  s.rodata->udp_at = frame.udp_at;
  s.rodata->frame_sum = frame.sum;
  s.rodata->flows = o.flows;
  s.rodata->sports = sports;
  s.rodata->first_sport = first_sport;
  s.rodata->first_dport = first_dport;
  s.rodata->answers = o.answers;
  s.rodata->sink_first = first_dport;
  s.rodata->sink_last = last_dport(o.flows);
}

traffic_bpf* opened() {
  traffic_bpf* skeleton = traffic_bpf__open();
  if (!skeleton) fail("opening the traffic programs");
  return skeleton;
}

}  // namespace

void Programs::Destroy::operator()(traffic_bpf* skeleton) const {
  traffic_bpf__destroy(skeleton);
}

Programs::Programs(const RateOptions& o) : skeleton_(opened()) {
  compose(o, *skeleton_);
  if (traffic_bpf__load(skeleton_.get()) != 0) fail("loading the traffic programs");
  if (o.to.empty()) return;
  Place to = place(o.to);
  enter_namespace(to.where);
  sink_ = attach(bpf_program__fd(skeleton_->progs.sink), index_of(to.interface), Hook::ingress);
}

int Programs::source() const {
  return bpf_program__fd(skeleton_->progs.source);
}

unsigned Programs::frame_bytes() const {
  return skeleton_->rodata->frame_bytes;
}

std::uint64_t Programs::received() const {
  return std::atomic_ref<__u64>(skeleton_->bss->received);
}

void redirect_until_killed(const std::vector<std::string>& pairs, bool peer) {
  std::vector<traffic_bpf*> loaded;  // until the process ends
  std::vector<Fd> links;
  for (std::size_t i = 0; i + 1 < pairs.size(); i += 2) {
    Place from = place(pairs[i]), to = place(pairs[i + 1]);
    enter_namespace(from.where);
    traffic_bpf* one = loaded.emplace_back(opened());
    one->rodata->redirect_to = index_of(to.interface);
    // Only a pair whose other end lies in another namespace has a peer to go to; an uplink is no such.
    one->rodata->redirect_peer = peer && to.interface != "eth0";
    if (traffic_bpf__load(one) != 0) fail("loading the redirecting program");
    links.push_back(attach(bpf_program__fd(one->progs.redirect), index_of(from.interface), Hook::ingress));
  }
  fmt::print("ready\n");
  std::fflush(stdout);
  for (;;) pause();
}

}  // namespace vnet::bench
