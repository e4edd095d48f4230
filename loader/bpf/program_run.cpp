// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/bpf/program_run.h"

#include <bpf/bpf.h>
#include <linux/pkt_cls.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <iterator>

namespace vnet {

OneCpu::OneCpu() {
  int cpu = ::sched_getcpu();
  cpu_set_t here;
  CPU_ZERO(&here);
  CPU_SET(cpu < 0 ? 0 : cpu, &here);
  kept_ = cpu >= 0 && !::sched_getaffinity(0, sizeof(before_), &before_) &&
          !::sched_setaffinity(0, sizeof(here), &here);
}

OneCpu::~OneCpu() {
  if (kept_) ::sched_setaffinity(0, sizeof(before_), &before_);
}

Result<Fd> ProgramRunner::trampoline(int program, std::uint16_t tc_index) {
  __u32 zero = 0;
  if (!targets_) targets_.reset(bpf_map_create(BPF_MAP_TYPE_PROG_ARRAY, "explain", 4, 4, 1, nullptr));
  if (!targets_ || bpf_map_update_elem(targets_.get(), &zero, &program, BPF_ANY))
    return system_error("preparing a program to be run");
  // skb->tc_index = tc_index; tail_call(skb, targets, 0)
  const bpf_insn code[] = {
      {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 2, .src_reg = 0, .off = 0, .imm = tc_index},
      {.code = BPF_STX | BPF_MEM | BPF_W,
       .dst_reg = 1,
       .src_reg = 2,
       .off = offsetof(__sk_buff, tc_index),
       .imm = 0},
      {.code = BPF_LD | BPF_DW | BPF_IMM,
       .dst_reg = 2,
       .src_reg = BPF_PSEUDO_MAP_FD,
       .off = 0,
       .imm = targets_.get()},
      {.code = 0, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0},
      {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 3, .src_reg = 0, .off = 0, .imm = 0},
      {.code = BPF_JMP | BPF_CALL, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = BPF_FUNC_tail_call},
      {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = TC_ACT_SHOT},
      {.code = BPF_JMP | BPF_EXIT, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0},
  };
  Fd loaded(bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "explain", "GPL", code, std::size(code), nullptr));
  if (!loaded) return system_error("preparing a program to be run");
  return loaded;
}

Result<RunOutput> ProgramRunner::run(int program, const RunInput& input) {
  Fd by_tail_call;
  if (input.tc_index) {
    VNET_ASSIGN(by_tail_call, trampoline(program, input.tc_index));
    program = by_tail_call.get();
  }
  __sk_buff context{};
  context.ifindex = input.ifindex;
  context.ingress_ifindex = input.ingress_ifindex;
  std::ranges::copy(input.cb, context.cb);
  __sk_buff after{};
  RunOutput output;
  output.packet.resize(input.packet.size() + 512);  // an ICMP error may be longer than what it answers
  DECLARE_LIBBPF_OPTS(
      bpf_test_run_opts, options, .data_in = input.packet.data(), .data_out = output.packet.data(),
      .data_size_in = static_cast<__u32>(input.packet.size()),
      .data_size_out = static_cast<__u32>(output.packet.size()), .ctx_in = &context, .ctx_out = &after,
      .ctx_size_in = sizeof(context), .ctx_size_out = sizeof(after), .repeat = 1);
  if (input.xdp) {
    options.ctx_in = options.ctx_out = nullptr;
    options.ctx_size_in = options.ctx_size_out = 0;
  }
  if (int error = bpf_prog_test_run_opts(program, &options); error < 0)
    return system_error("running a program on a packet (BPF_PROG_TEST_RUN)", -error);
  output.verdict = static_cast<int>(options.retval);
  output.packet.resize(options.data_size_out);
  std::ranges::copy(after.cb, output.cb.begin());
  return output;
}

}  // namespace vnet
