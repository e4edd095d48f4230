// SPDX-License-Identifier: GPL-2.0-or-later
// A loaded tc or XDP program run on one packet (BPF_PROG_TEST_RUN): nothing leaves the machine.
#pragma once

#include <sched.h>

#include <array>
#include <cstdint>
#include <vector>

#include "loader/base/error.h"
#include "loader/base/fd.h"

namespace vnet {

struct RunInput {
  std::vector<std::uint8_t> packet;
  std::uint32_t ifindex = 0;          // of the current network namespace
  std::uint32_t ingress_ifindex = 0;  // 0: the host's own packet
  std::uint16_t tc_index = 0;
  std::array<std::uint32_t, 5> cb{};  // as the program before it has left it
  bool xdp = false;                   // which has none of this but the packet
};

struct RunOutput {
  int verdict = 0;  // TC_ACT_* or XDP_*
  std::vector<std::uint8_t> packet;
  std::array<std::uint32_t, 5> cb{};
};

// Keeps the calling thread on the CPU where it is: programs leave notes for each other in per-CPU maps.
class OneCpu {
 public:
  OneCpu();
  ~OneCpu();
  OneCpu(const OneCpu&) = delete;
  OneCpu& operator=(const OneCpu&) = delete;

 private:
  cpu_set_t before_{};
  bool kept_ = false;
};

// Runs programs one after the other; one that finds a tc_index is reached by a tail call, because the kernel
// does not let us set it.
class ProgramRunner {
 public:
  Result<RunOutput> run(int program, const RunInput& input);

 private:
  Result<Fd> trampoline(int program, std::uint16_t tc_index);
  Fd targets_;  // the tail call's map
};

}  // namespace vnet
