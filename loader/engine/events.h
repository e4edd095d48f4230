// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <memory>
#include <vector>

#include "loader/base/error.h"

namespace vnet {

// That something about the host has changed: interfaces, addresses, routes, the firewall, firewalld, the
// resolver; what it was is looked up.
class HostEvents {
 public:
  static Result<HostEvents> open();
  HostEvents(HostEvents&&) noexcept;
  HostEvents& operator=(HostEvents&&) noexcept;
  ~HostEvents();

  std::vector<int> fds() const;  // one is readable when there is something
  bool drain();                  // whether there was anything that matters
  // The message bus may come, and come again, later: whether it has now.
  bool finds_bus();

 private:
  struct Sources;
  explicit HostEvents(std::unique_ptr<Sources> sources);
  std::unique_ptr<Sources> sources_;
};

}  // namespace vnet
