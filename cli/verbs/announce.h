// SPDX-License-Identifier: GPL-2.0-or-later
// announce [--frr]: what the running networks tell the routers outside.
#pragma once

#include <vector>

#include "cli/action.h"

namespace vnet::cli::verbs {

struct AnnounceOptions {
  bool frr = false;

  std::vector<Option> list();
  bool changes() const { return frr; }
};
Result<void> announce(Host& host, const Common& common, const AnnounceOptions& options);

}  // namespace vnet::cli::verbs
