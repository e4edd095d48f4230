// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/engine/events.h"

#include "loader/netlink/events.h"

namespace vnet {

HostEvents::HostEvents(std::unique_ptr<NetworkEvents> events) : events_(std::move(events)) {}
HostEvents::HostEvents(HostEvents&&) noexcept = default;
HostEvents& HostEvents::operator=(HostEvents&&) noexcept = default;
HostEvents::~HostEvents() = default;

Result<HostEvents> HostEvents::open() {
  VNET_ASSIGN(auto events, NetworkEvents::open());
  return HostEvents(std::make_unique<NetworkEvents>(std::move(events)));
}

int HostEvents::fd() const {
  return events_->fd();
}
bool HostEvents::drain() {
  return events_->drain();
}

}  // namespace vnet
