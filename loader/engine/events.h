// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <memory>

#include "loader/base/error.h"

namespace vnet {

class NetworkEvents;

// That something about the host's interfaces, addresses or routes has changed; what it was is looked up.
class HostEvents {
 public:
  static Result<HostEvents> open();
  HostEvents(HostEvents&&) noexcept;
  HostEvents& operator=(HostEvents&&) noexcept;
  ~HostEvents();

  int fd() const;  // readable when there is something
  bool drain();    // whether there was anything that matters

 private:
  explicit HostEvents(std::unique_ptr<NetworkEvents> events);
  std::unique_ptr<NetworkEvents> events_;
};

}  // namespace vnet
