// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>

#include "loader/doctor/checks.h"

namespace vnet {
void check_kernel(const HostFacts& facts, Findings& findings) {
  const KernelFacts& kernel = facts.kernel;
  const std::string newer_kernel = facts.distribution.install_kernel();
  // Not a problem by itself: distributions bring newer BPF to older kernels, and what is missing is named
  // below.
  if (kernel.major < 6 || (kernel.major == 6 && kernel.minor < 1))
    findings.push_back({.severity = Severity::Note,
                        .what = fmt::format("the kernel is {}", kernel.release),
                        .why = "The programs are tested from 6.1 on; the verifier of an older one may refuse "
                               "them at `start`.",
                        .fix = newer_kernel});
  if (!kernel.btf)
    findings.push_back({.what = "the kernel has no BTF (/sys/kernel/btf/vmlinux)",
                        .why = "Without CONFIG_DEBUG_INFO_BTF the kernel accepts no map that holds timers.",
                        .fix = newer_kernel});
  for (const auto& feature : kernel.features)
    if (!feature.there)
      findings.push_back({.what = fmt::format("the kernel lacks the {}", feature.name),
                          .why = "The programs use it; `start` would fail.",
                          .fix = newer_kernel});
}

void check_tcx(const HostFacts& facts, Findings& findings) {
  if (facts.kernel.tcx) return;
  findings.push_back(
      {.severity = Severity::Note,
       .what = fmt::format("kernel {} has no tcx (it came with 6.6)", facts.kernel.release),
       .why = "clsact filters are used instead: they work, but `tc filter del` or `tc qdisc del` of "
              "another program takes them away.",
       .fix = facts.distribution.install_kernel()});
}

void check_jit(const HostFacts& facts, Findings& findings) {
  if (facts.kernel.jit) return;
  findings.push_back({.what = "BPF programs are interpreted (net.core.bpf_jit_enable is 0)",
                      .why = "Every packet costs several times as much.",
                      .fix = "sysctl -w net.core.bpf_jit_enable=1"});
}

void check_bpffs(const HostFacts& facts, Findings& findings) {
  // In process 1's mounts `start` mounts it, and it stays.
  if (facts.bpffs_mounted || facts.initial_mounts) return;
  findings.push_back(
      {.what = fmt::format("no bpffs is mounted at {}", facts.bpffs),
       .why = "This command has mounts of its own (as in `ip netns exec`): one mounted from here would "
              "vanish with "
              "it, and every pinned program with that. So `start` refuses.",
       .fix = fmt::format("nsenter -t 1 -m sh -c 'mkdir -p {0} && mount -t bpf bpf {0}'", facts.bpffs)});
}

}  // namespace vnet
