// SPDX-License-Identifier: GPL-2.0-or-later
// synopsis (hidden): the table of commands as the SYNOPSIS of docs/vnet-bpf.8, which a test compares with it.
#pragma once

#include <string>

#include "cli/action.h"

namespace vnet::cli::verbs {

Result<void> synopsis(const Common& common, const NoOptions& options);

std::string manual_synopsis();  // mdoc, without the heading

}  // namespace vnet::cli::verbs
