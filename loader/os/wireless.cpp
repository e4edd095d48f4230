// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/os/wireless.h"

#include <system_error>

namespace vnet {

bool is_wireless(const std::string& interface, const std::filesystem::path& sysfs) {
  const auto device = sysfs / "class/net" / interface;
  std::error_code none;
  return std::filesystem::exists(device / "phy80211", none) ||
         std::filesystem::exists(device / "wireless", none);
}

}  // namespace vnet
