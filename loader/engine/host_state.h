// SPDX-License-Identifier: GPL-2.0-or-later
// What a Host holds. Internal to the library.
#pragma once

#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "loader/engine/host.h"
#include "loader/explain/shadow.h"
#include "loader/plan/context.h"

namespace vnet {

struct Host::State {
  State(StateDir dirs, Netlink netlink)
      : context{std::move(dirs), std::move(netlink), Records(context.dirs), std::nullopt} {}
  State(const State&) = delete;  // records point into context

  Context context;
  std::optional<Shadow> shadow;  // for explain; made when first asked

  std::filesystem::path definition_path(const std::string& name) const {
    return context.dirs.definitions() / (name + ".xml");
  }
  std::filesystem::path autostart_path(const std::string& name) const {
    return context.dirs.autostart() / (name + ".xml");
  }
  Result<std::optional<Network>> definition(const std::string& name);
  Result<std::vector<Network>> definitions();
  Result<std::string> network_with(const LinkInfo& link);  // whose port it is or could be; ""
  Result<bool> is_active(const std::string& name);
  Result<std::vector<Task>> heal_tasks();
  // All of them, and the ports' but those that the verb itself is about.
  Result<Plan> heal(const std::set<std::string>& except_ports = {});
  Plan plan_define(const Network& network, const std::string& file_name);
};

}  // namespace vnet
