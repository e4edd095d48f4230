// SPDX-License-Identifier: GPL-2.0-or-later
// What attach and set can say of a port: one table for both.
#pragma once

#include <string>
#include <vector>

#include "cli/option_table.h"
#include "loader/host.h"

namespace vnet::cli::verbs {

// What is not given stays nullopt.
std::vector<Option> port_options(PortRequest& to);

Result<std::string> parse_interface(const std::string& word);

}  // namespace vnet::cli::verbs
