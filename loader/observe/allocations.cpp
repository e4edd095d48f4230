// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/observe/allocations.h"

#include <numeric>

#include "loader/bpf/shared_maps.h"

namespace vnet {

std::uint64_t Allocations::bindings() const {
  return std::accumulate(by_retries.begin(), by_retries.end(), std::uint64_t{0});
}

std::uint64_t Allocations::retries() const {
  std::uint64_t all = 0;
  for (std::size_t n = 0; n < by_retries.size(); ++n) all += n * by_retries[n];
  return all;
}

Allocations read_allocations(const SharedMaps& maps) {
  auto count = [&](std::uint32_t tries) {
    auto cpus = maps.port_alloc_tries.get(tries);
    return std::accumulate(cpus.begin(), cpus.end(), std::uint64_t{0});
  };
  Allocations all;
  for (std::uint32_t n = 0; n < VNET_PROBE_MAX; ++n) all.by_retries[n] = count(n);
  all.exhausted = count(VNET_PROBE_MAX);
  return all;
}

}  // namespace vnet
