// SPDX-License-Identifier: GPL-2.0-or-later
// What a Host holds. Internal to the library.
#pragma once

#include <optional>
#include <string>

#include "loader/apply/system.h"
#include "loader/engine/host.h"
#include "loader/explain/shadow.h"

namespace vnet {

struct Host::State {
  State(StateDir dirs, Netlink netlink)
      : system{std::move(dirs), std::move(netlink), Records(system.dirs), std::nullopt} {}
  State(const State&) = delete;  // records point into the system

  System system;
  std::optional<Shadow> shadow;  // for explain; made when first asked

  Result<std::optional<Network>> definition(const std::string& name);
};

}  // namespace vnet
