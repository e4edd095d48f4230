// SPDX-License-Identifier: GPL-2.0-or-later
// update: one element of a definition, as `virsh net-update`.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/action.h"

namespace vnet::cli::verbs {

// --live, --config and --current, which all verbs that change a part of a definition take.
struct WhereOptions {
  bool live = false, config = false, current = false;

  std::vector<Option> list();
};

struct UpdateOptions {
  std::string network, command, section, xml;
  std::optional<int> parent_index;
  std::string file_name = "the XML";
  WhereOptions where;

  std::vector<Option> list();
  Result<void> load();
};
Result<Intent> update(const UpdateOptions& options);

}  // namespace vnet::cli::verbs
