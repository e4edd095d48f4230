// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/os/kernel_symbols.h"

#include <algorithm>
#include <fstream>
#include <sstream>

namespace vnet {

void KernelSymbols::read() {
  std::ifstream file("/proc/kallsyms");
  std::string line;
  while (std::getline(file, line)) {
    std::istringstream words(line);
    std::uint64_t address = 0;
    char type = 0;
    std::string name;
    if (words >> std::hex >> address >> type >> name && address && (type == 't' || type == 'T'))
      functions_.emplace_back(address, std::move(name));
  }
  std::ranges::sort(functions_);
}

std::string KernelSymbols::function_at(std::uint64_t address) {
  if (!std::exchange(read_, true)) read();
  // A call may be the last that a function does: what it returns to is the next one's already.
  auto next = std::ranges::lower_bound(functions_, address, {}, &decltype(functions_)::value_type::first);
  return next == functions_.begin() ? "" : std::prev(next)->second;
}

}  // namespace vnet
