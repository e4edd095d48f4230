// SPDX-License-Identifier: GPL-2.0-or-later
// explain: says what would happen to a packet.
#pragma once

#include <vector>

#include "cli/action.h"

namespace vnet::cli::verbs {

struct ExplainOptions {
  Question question;

  std::vector<Option> list();
  Result<void> check(const Common& common) const;
};
Result<void> explain(Host& host, const Common& common, const ExplainOptions& options);

}  // namespace vnet::cli::verbs
