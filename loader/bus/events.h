// SPDX-License-Identifier: GPL-2.0-or-later
// That firewalld or systemd-resolved has come or gone, and that firewalld has changed its zones.
#pragma once

#include <memory>
#include <optional>

#include "loader/bus/bus.h"

namespace vnet {

class BusEvents {
 public:
  // nullopt: there is no bus.
  static std::optional<BusEvents> open();

  int fd() const;
  // Takes all that is there: whether it matters. nullopt: the bus has gone.
  std::optional<bool> drain();

 private:
  BusEvents(Bus bus, std::unique_ptr<bool> any) : bus_(std::move(bus)), any_(std::move(any)) {}
  Bus bus_;
  std::unique_ptr<bool> any_;
};

}  // namespace vnet
