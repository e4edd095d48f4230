// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/model/link.h"

#include <algorithm>

namespace vnet {

bool valid_interface_name(const std::string& name) {
  if (name.empty() || name.size() > 15 || name == "." || name == "..") return false;
  // '%' is not forbidden to names, but the kernel would take it as a pattern when creating.
  return std::ranges::all_of(name, [](unsigned char c) {
    return c > ' ' && c != 0x7f && c != 0xa0 && c != '/' && c != ':' && c != '%';
  });
}

}  // namespace vnet
