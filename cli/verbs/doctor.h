// SPDX-License-Identifier: GPL-2.0-or-later
// doctor: says what on this host is missing or in the way.
#pragma once

#include "cli/action.h"

namespace vnet::cli::verbs {

Result<void> doctor(Host& host, const Common& common, const NoOptions& options);

}  // namespace vnet::cli::verbs
