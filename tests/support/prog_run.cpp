// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/support/prog_run.h"

#include <bpf/bpf.h>

#include <algorithm>
#include <system_error>

namespace vnet::test {

RunResult run(int prog_fd, const std::vector<std::uint8_t>& packet, const RunContext& context) {
  __sk_buff in{};
  in.ifindex = context.ifindex;
  in.ingress_ifindex = context.ingress_ifindex;
  in.mark = context.mark;
  in.priority = context.priority;
  std::copy(context.cb.begin(), context.cb.end(), in.cb);
  in.gso_segs = context.gso_segs;
  in.gso_size = context.gso_size;

  RunResult result;
  result.packet.resize(packet.size() + 512);  // programs may add headers
  bpf_test_run_opts opts{};
  opts.sz = sizeof opts;
  opts.data_in = packet.data();
  opts.data_size_in = static_cast<std::uint32_t>(packet.size());
  opts.data_out = result.packet.data();
  opts.data_size_out = static_cast<std::uint32_t>(result.packet.size());
  opts.ctx_in = &in;
  opts.ctx_size_in = sizeof in;
  opts.ctx_out = &result.context;
  opts.ctx_size_out = sizeof result.context;
  opts.repeat = 1;
  if (int error = bpf_prog_test_run_opts(prog_fd, &opts); error < 0) {
    throw std::system_error(-error, std::generic_category(), "BPF_PROG_TEST_RUN");
  }
  result.verdict = static_cast<int>(opts.retval);
  result.packet.resize(opts.data_size_out);
  return result;
}

RunResult run_xdp(int prog_fd, const std::vector<std::uint8_t>& packet) {
  RunResult result;
  result.packet.resize(packet.size() + 512);
  bpf_test_run_opts opts{};
  opts.sz = sizeof opts;
  opts.data_in = packet.data();
  opts.data_size_in = static_cast<std::uint32_t>(packet.size());
  opts.data_out = result.packet.data();
  opts.data_size_out = static_cast<std::uint32_t>(result.packet.size());
  opts.repeat = 1;
  if (int error = bpf_prog_test_run_opts(prog_fd, &opts); error < 0)
    throw std::system_error(-error, std::generic_category(), "BPF_PROG_TEST_RUN");
  result.verdict = static_cast<int>(opts.retval);
  result.packet.resize(opts.data_size_out);
  return result;
}

}  // namespace vnet::test
