// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <vector>

#include "cli/action.h"

namespace vnet::cli::verbs {

struct UpgradeOptions {
  std::uint64_t to_abi = 0;

  std::vector<Option> list();
  Result<void> check(const Common& common) const;
};
Action upgrade_action();

}  // namespace vnet::cli::verbs
