// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/model/pass_rule.h"

#include <algorithm>

namespace vnet {

bool is_nameable(const std::string& interface) {
  return !interface.empty() && !interface.ends_with('*') &&
         std::ranges::all_of(interface, [](char c) { return c > ' ' && c < 127 && c != '"' && c != '\\'; });
}

std::string pass_chain(const PassTable& table) {
  return table.hook == "forward" ? "VNET_BPF_FORWARD" : "VNET_BPF_INPUT";
}

}  // namespace vnet
