// SPDX-License-Identifier: GPL-2.0-or-later
// serve: libvirt's calls about networks, until a signal.
#pragma once

#include <filesystem>
#include <optional>

#include "cli/action.h"

namespace vnet::cli::verbs {

struct ServeOptions {
  std::optional<std::string> socket;

  std::vector<Option> list();
};
Result<void> serve(Host& host, const Common& common, const ServeOptions& options);

}  // namespace vnet::cli::verbs
