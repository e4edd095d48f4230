// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/engine/events.h"

#include "loader/bus/events.h"
#include "loader/netlink/events.h"

namespace vnet {

struct HostEvents::Sources {
  NetworkEvents network;
  std::optional<BusEvents> bus;
};

HostEvents::HostEvents(std::unique_ptr<Sources> sources) : sources_(std::move(sources)) {}
HostEvents::HostEvents(HostEvents&&) noexcept = default;
HostEvents& HostEvents::operator=(HostEvents&&) noexcept = default;
HostEvents::~HostEvents() = default;

Result<HostEvents> HostEvents::open() {
  VNET_ASSIGN(auto network, NetworkEvents::open());
  return HostEvents(std::make_unique<Sources>(std::move(network), BusEvents::open()));
}

std::vector<int> HostEvents::fds() const {
  std::vector<int> all;
  for (int fd : sources_->network.fds())
    if (fd >= 0) all.push_back(fd);
  if (sources_->bus) all.push_back(sources_->bus->fd());
  return all;
}

bool HostEvents::drain() {
  bool any = sources_->network.drain();
  if (!sources_->bus) return any;
  auto told = sources_->bus->drain();
  if (!told) sources_->bus.reset();
  return any || !told || *told;
}

bool HostEvents::finds_bus() {
  if (sources_->bus) return false;
  sources_->bus = BusEvents::open();
  return sources_->bus.has_value();
}

}  // namespace vnet
