// SPDX-License-Identifier: GPL-2.0-or-later
// run: plans and runs what the commands would, whenever the network changes, until a signal. It then leaves
// everything attached.
#pragma once

#include "cli/action.h"

namespace vnet::cli::verbs {

Result<void> run(Host& host, const Common& common, const NoOptions& options);

}  // namespace vnet::cli::verbs
