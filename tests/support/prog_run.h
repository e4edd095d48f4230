// SPDX-License-Identifier: GPL-2.0-or-later
// A loaded tc program run on one packet by BPF_PROG_TEST_RUN: its verdict, and the packet as it left it.
#pragma once

#include <linux/bpf.h>

#include <array>
#include <cstdint>
#include <vector>

namespace vnet::test {

// The metadata a packet arrives with. The kernel takes ifindex of the current network namespace only (0:
// loopback).
struct RunContext {
  std::uint32_t ifindex = 0;
  std::uint32_t ingress_ifindex = 0;
  std::uint32_t mark = 0;
  std::uint32_t priority = 0;
  std::array<std::uint32_t, 5> cb{};
  std::uint32_t gso_segs = 0;
  std::uint32_t gso_size = 0;
};

struct RunResult {
  int verdict = 0;  // TC_ACT_*
  std::vector<std::uint8_t> packet;
  __sk_buff context{};
};

// Throws std::system_error when the kernel refuses to run it.
RunResult run(int prog_fd, const std::vector<std::uint8_t>& packet, const RunContext& context = {});
// An XDP program; the verdict is an XDP_*.
RunResult run_xdp(int prog_fd, const std::vector<std::uint8_t>& packet);

}  // namespace vnet::test
