// SPDX-License-Identifier: GPL-2.0-or-later
// The benchmark's own BPF programs (bpf/traffic.bpf.c): they make frames, count them, or only redirect.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "loader/base/fd.h"
#include "tests/bench/rate.h"

struct traffic_bpf;

namespace vnet::bench {

class Programs {
 public:
  // For these frames; attaches the program that counts and drops where they arrive, if anywhere.
  explicit Programs(const RateOptions& options);

  int source() const;  // makes the frames, an XDP program
  unsigned frame_bytes() const;
  std::uint64_t received() const;

 private:
  struct Destroy {
    void operator()(traffic_bpf* skeleton) const;
  };
  std::unique_ptr<traffic_bpf, Destroy> skeleton_;
  Fd sink_;
};

// Attaches the program that only redirects, from pairs[0] to pairs[1], from pairs[2] to pairs[3] and so on;
// prints "ready". peer: into the other end of the pair (a veth in another namespace), except to an eth0.
void redirect_until_killed(const std::vector<std::string>& pairs, bool peer);

}  // namespace vnet::bench
