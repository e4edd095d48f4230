// SPDX-License-Identifier: GPL-2.0-or-later
// run: makes the commands' plans once more whenever the network has changed, until a signal ends it. What is
// attached stays attached then.
#pragma once

#include "cli/action.h"

namespace vnet::cli::verbs {

Result<void> run(Host& host, const Common& common, const NoOptions& options);

}  // namespace vnet::cli::verbs
