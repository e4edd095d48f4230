// SPDX-License-Identifier: GPL-2.0-or-later
// How the host was before vnet-bpf took over: one file, which outlives a boot.
#pragma once

#include "loader/state/state_dir.h"
#include "loader/takeover/takeover.h"

namespace vnet::takeover {

Result<std::optional<Record>> read_record(const StateDir& dirs);
Result<void> save_record(const StateDir& dirs, const Record& record);
Result<void> remove_record(const StateDir& dirs);

}  // namespace vnet::takeover
