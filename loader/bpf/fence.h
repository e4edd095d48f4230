// SPDX-License-Identifier: GPL-2.0-or-later
// The second guard, at FORWARD, behind routing and the administrator's rules: bpf/fence.bpf.c on kernels that
// have netfilter programs (6.4), an nft table of our own on older ones. It stands in the network namespace of
// the calling thread.
#pragma once

#include <bpf/libbpf.h>

#include <filesystem>
#include <vector>

#include "loader/base/error.h"
#include "loader/bpf/fence_table.h"

namespace vnet {

class Datapath;

// Newer than the headers of Debian 12's libbpf.
inline const auto netfilter_program = static_cast<bpf_prog_type>(32);  // NOLINT(*EnumCastOutOfRange)
constexpr auto netfilter_attachment = static_cast<bpf_attach_type>(45);

enum class FenceWay { Program, Table };

// The program asks the maps. The table is made of the rules, and must be put up anew when they change.
class Fence {
 public:
  // What this kernel has; VNET_BPF_FENCE=nft in the environment: the table in any case.
  static FenceWay way();

  // Idempotent. An older program, or table, or the other way's, goes only when the new one stands.
  static Result<void> put_up(Datapath& datapath, const std::vector<FenceRule>& rules);
  // Asks the kernel, in words of its own: a link whose program was detached looks as it did before.
  static Result<bool> stands(Datapath& datapath, const std::vector<FenceRule>& rules);
  // Of this build; true where the table stands, or nothing.
  static bool is_current(const std::filesystem::path& pins);
  static Result<void> keep(const std::filesystem::path& pins);  // loader/bpf/before.h
  static Result<void> put_back(const std::filesystem::path& pins);
  static Result<void> take_down(const std::filesystem::path& pins);  // idempotent
};

}  // namespace vnet
