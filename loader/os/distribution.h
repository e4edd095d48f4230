// SPDX-License-Identifier: GPL-2.0-or-later
// The host's distribution, for messages: by which command a package of it is installed.
#pragma once

#include <string>
#include <string_view>

namespace vnet {

struct Distribution {
  std::string id, like, codename;  // of os-release(5); "" where it does not say

  // Commands that an administrator can paste.
  std::string install_dnsmasq() const;
  std::string install_kernel() const;  // the newest that it has, and the reboot
};

Distribution parse_os_release(std::string_view text);
Distribution this_distribution();

}  // namespace vnet
