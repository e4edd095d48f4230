// SPDX-License-Identifier: GPL-2.0-or-later
// Why the kernel frees a packet (enum skb_drop_reason): every kernel numbers its reasons anew, and its BTF
// has their names.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "loader/base/error.h"
#include "maps/lost_abi.h"

namespace vnet {

class KernelReasons {
 public:
  static Result<KernelReasons> load();
  explicit KernelReasons(std::vector<std::string> names) : names_(std::move(names)) {}  // by number

  std::string name(std::uint32_t reason) const;  // "NETFILTER_DROP"; the number where it has no name
  // Whether the kernel says by it that it does not know: then where it happened tells more.
  bool is_unspecified(std::uint32_t reason) const;
  // enum vnet_reason for each; 0: nothing is lost by it, or our own programs have told it.
  std::array<std::uint8_t, VNET_KERNEL_REASONS> ours() const;

 private:
  std::vector<std::string> names_;
};

}  // namespace vnet
