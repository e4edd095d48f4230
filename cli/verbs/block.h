// SPDX-License-Identifier: GPL-2.0-or-later
// block add, block remove, block list.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/action.h"

namespace vnet::cli::verbs {

struct BlockOptions {
  std::string action;  // add, remove or list
  std::vector<Prefix> prefixes;
  std::optional<std::string> file;  // has more prefixes

  std::vector<Option> list();
  Result<void> check(const Common& common) const;
  Result<void> load();
  bool changes() const { return action != "list"; }
};
Result<Intent> block(const BlockOptions& options);
Result<void> blocked(Host& host, const Common& common, const BlockOptions& options);

}  // namespace vnet::cli::verbs
