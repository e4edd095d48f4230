// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/bpf/layouts/layout.h"

#include "loader/bpf/layouts/layout_10.h"
#include "loader/bpf/layouts/layout_9.h"
#include "maps/abi.h"
#include "maps/map_list.h"

namespace vnet {
namespace {

// VNET_WHEEL_CLOCK: what the loader knows the timer as.
#ifndef VNET_WHEEL_CLOCK
#define VNET_WHEEL_CLOCK vnet_clock
#endif
#define VNET_SHAPE(handle, name, type, entries, key, value, flags, copied) \
  MapShape{#name, BPF_MAP_TYPE_##type, sizeof(key), sizeof(value), entries, flags},
// Declared by hand in bpf/lib/maps.h: by the name, what they are.
#define VNET_OUTER_SHAPE(name, value, copied) shape_of_##name,
constexpr MapShape shape_of_reader_rings{
    "reader_rings", BPF_MAP_TYPE_ARRAY_OF_MAPS, 4, 4, VNET_MONITORS_MAX, 0};
constexpr MapShape shape_of_outgoing_flows{"outgoing_flows", BPF_MAP_TYPE_HASH_OF_MAPS, 4, 4,
                                           VNET_PORTS_MAX,   BPF_F_NO_PREALLOC};
constexpr MapShape layout_compiled[] = {VNET_MAPS(VNET_SHAPE, VNET_OUTER_SHAPE)};

}  // namespace

std::span<const MapShape> layout_now() {
  return layout_compiled;
}

std::span<const MapShape> layout_of(unsigned version) {
  if (version == VNET_ABI_VERSION) return layout_compiled;
  switch (version) {
    case 9:
      return layout_9;
    case 10:
      return layout_10;
    default:
      return {};
  }
}

}  // namespace vnet
