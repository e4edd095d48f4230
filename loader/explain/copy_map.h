// SPDX-License-Identifier: GPL-2.0-or-later
// A BPF map's contents into another one of the same kind, whatever they are: a map that is new to the
// datapath is copied without being told of here.
#pragma once

#include <cstddef>
#include <functional>
#include <span>

#include "loader/base/error.h"

namespace vnet {

using WantedEntry = std::function<bool(std::span<const std::byte> key, std::span<const std::byte> value)>;

// Afterwards `to` has what `from` has, or the wanted of it, and nothing else. Per-CPU maps are emptied,
// queues and rings left alone; maps in maps are copied, too.
Result<void> copy_map(int from, int to, const WantedEntry& wanted = {});

}  // namespace vnet
