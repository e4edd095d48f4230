// SPDX-License-Identifier: GPL-2.0-or-later
// Which interfaces are stations of a wireless network: an access point takes frames of their own MAC alone.
#pragma once

#include <filesystem>
#include <string>

namespace vnet {

// rtnetlink does not tell; sysfs shows the interfaces of the network namespace that it was mounted in.
bool is_wireless(const std::string& interface, const std::filesystem::path& sysfs = "/sys");

}  // namespace vnet
