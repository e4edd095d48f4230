// SPDX-License-Identifier: GPL-2.0-or-later
// libvirt enable, libvirt disable, libvirt status.
#pragma once

#include <string>
#include <vector>

#include "cli/action.h"

namespace vnet::cli::verbs {

struct LibvirtOptions {
  std::string action;  // enable, disable or status
  bool live = false;

  std::vector<Option> list();
  Result<void> check(const Common& common) const;
  bool changes() const { return action != "status"; }
};
Action libvirt_action();

}  // namespace vnet::cli::verbs
