// SPDX-License-Identifier: GPL-2.0-or-later
// What the kernel can do, found by trying: libbpf loads a few instructions each, and nothing is attached.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <sys/utsname.h>

#include <cstdio>
#include <filesystem>

#include "loader/doctor/facts.h"
#include "loader/kernel/sysctl.h"

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

bool compiled_in() {
  auto enabled = read_sysctl("net.core.bpf_jit_enable");
  return !enabled || !*enabled || **enabled != "0";  // no such switch: another namespace, or always on
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
  kernel.jit = compiled_in();
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
