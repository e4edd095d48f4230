// SPDX-License-Identifier: GPL-2.0-or-later
// The options that attach and set share.
#pragma once

#include <string>
#include <vector>

#include "cli/option_table.h"
#include "loader/engine/host.h"

namespace vnet::cli::verbs {

// Options that are not given leave nullopt.
std::vector<Option> port_options(PortRequest& to);

Result<std::string> parse_interface(const std::string& word);

}  // namespace vnet::cli::verbs
