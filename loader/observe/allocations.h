// SPDX-License-Identifier: GPL-2.0-or-later
// How hard it is to find a masquerade port: how many further tries bindings took since the datapath was made.
#pragma once

#include <array>
#include <cstdint>

#include "maps/abi.h"

namespace vnet {

struct SharedMaps;

struct Allocations {
  // [n]: bindings that took n tries more than the guest's own port; [0]: that port was kept.
  std::array<std::uint64_t, VNET_PROBE_MAX> by_retries{};
  std::uint64_t exhausted = 0;  // none found: the packet was dropped

  std::uint64_t bindings() const;  // those that found one
  std::uint64_t retries() const;   // of all of these together
};

Allocations read_allocations(const SharedMaps& maps);

}  // namespace vnet
