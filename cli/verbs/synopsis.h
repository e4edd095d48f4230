// SPDX-License-Identifier: GPL-2.0-or-later
// synopsis (hidden): prints the table of commands as the SYNOPSIS of docs/vnet-bpf.8. A test compares the
// two.
#pragma once

#include <string>

#include "cli/action.h"

namespace vnet::cli::verbs {

Result<void> synopsis(const Common& common, const NoOptions& options);

std::string manual_synopsis();  // mdoc, without the heading

}  // namespace vnet::cli::verbs
