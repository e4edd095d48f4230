// SPDX-License-Identifier: GPL-2.0-or-later
// The kernel's functions by their addresses (/proc/kallsyms).
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace vnet {

class KernelSymbols {
 public:
  // Of an address that a call returns to. Read when first asked, which takes a tenth of a second; "" when the
  // kernel does not tell (kernel.kptr_restrict).
  std::string function_at(std::uint64_t address);

 private:
  void read();

  bool read_ = false;
  std::vector<std::pair<std::uint64_t, std::string>> functions_;  // in order
};

}  // namespace vnet
