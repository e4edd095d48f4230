// SPDX-License-Identifier: GPL-2.0-or-later
// What the kernel can do, found by trying: libbpf loads a few instructions each, and nothing is attached.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <sys/utsname.h>

#include <cstdio>
#include <filesystem>
#include <iterator>

#include "loader/base/fd.h"
#include "loader/doctor/facts.h"

namespace vnet {
namespace {

struct Helper {
  bpf_func_id id;
  const char* name;
};

// Those that the programs call and that a kernel may be built without (or be too old for).
constexpr Helper helpers[] = {
    {BPF_FUNC_fib_lookup, "bpf_fib_lookup"},
    {BPF_FUNC_check_mtu, "bpf_check_mtu"},
    {BPF_FUNC_redirect_peer, "bpf_redirect_peer"},
    {BPF_FUNC_redirect_neigh, "bpf_redirect_neigh"},
    {BPF_FUNC_skc_lookup_tcp, "bpf_skc_lookup_tcp"},
    {BPF_FUNC_sk_lookup_udp, "bpf_sk_lookup_udp"},
    {BPF_FUNC_ktime_get_coarse_ns, "bpf_ktime_get_coarse_ns"},
    {BPF_FUNC_timer_init, "bpf_timer_init"},
    {BPF_FUNC_timer_start, "bpf_timer_start"},
};

struct MapType {
  bpf_map_type type;
  const char* name;
};

constexpr MapType map_types[] = {
    {BPF_MAP_TYPE_HASH, "hash"},
    {BPF_MAP_TYPE_LRU_HASH, "lru_hash"},
    {BPF_MAP_TYPE_LPM_TRIE, "lpm_trie"},
    {BPF_MAP_TYPE_PERCPU_ARRAY, "percpu_array"},
    {BPF_MAP_TYPE_PERCPU_HASH, "percpu_hash"},
    {BPF_MAP_TYPE_QUEUE, "queue"},
};

// Asking what hangs at the loopback's tcx hook: a kernel without tcx does not know the question.
bool has_tcx() {
  constexpr auto tcx_ingress =
      static_cast<bpf_attach_type>(46);  // NOLINT(*EnumCastOutOfRange): newer than the headers
  DECLARE_LIBBPF_OPTS(bpf_prog_query_opts, options);
  return bpf_prog_query_opts(1, tcx_ingress, &options) == 0;
}

// The switch is there in the initial network namespace only: what becomes of a program tells everywhere.
bool compiles() {
  const bpf_insn code[] = {
      {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0},
      {.code = BPF_JMP | BPF_EXIT, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0},
  };
  Fd program(bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "doctor", "GPL", code, std::size(code), nullptr));
  bpf_prog_info info{};
  __u32 size = sizeof(info);
  return !program || bpf_obj_get_info_by_fd(program.get(), &info, &size) || info.jited_prog_len > 0;
}

}  // namespace

KernelFacts gather_kernel() {
  KernelFacts kernel;
  utsname names{};
  if (uname(&names) == 0) kernel.release = names.release;
  std::sscanf(kernel.release.c_str(), "%u.%u", &kernel.major, &kernel.minor);
  std::error_code error;
  kernel.btf = std::filesystem::exists("/sys/kernel/btf/vmlinux", error);
  kernel.tcx = has_tcx();
  kernel.jit = compiles();
  auto add = [&](std::string name, int found) { kernel.features.push_back({std::move(name), found == 1}); };
  add("program type sched_cls", libbpf_probe_bpf_prog_type(BPF_PROG_TYPE_SCHED_CLS, nullptr));
  for (const auto& map : map_types)
    add(fmt::format("map type {}", map.name), libbpf_probe_bpf_map_type(map.type, nullptr));
  for (const auto& helper : helpers)
    add(fmt::format("helper {}", helper.name),
        libbpf_probe_bpf_helper(BPF_PROG_TYPE_SCHED_CLS, helper.id, nullptr));
  return kernel;
}

}  // namespace vnet
