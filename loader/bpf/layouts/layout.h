// SPDX-License-Identifier: GPL-2.0-or-later
// What the pinned maps looked like in each version of maps/abi.h: the kernel's own terms, so that the maps of
// another version can be told from this one's, and made. A released layout is frozen; the newest one follows
// maps/map_list.h until its version is released (tests/unit/layout_test.cpp says what has to be written).
#pragma once

#include <linux/bpf.h>

#include <span>

namespace vnet {

struct MapShape {
  const char* name;
  unsigned type, key, value, entries, flags;
  bool operator==(const MapShape& other) const {  // but the name
    return type == other.type && key == other.key && value == other.value && entries == other.entries &&
           flags == other.flags;
  }
};

std::span<const MapShape> layout_now();                 // maps/map_list.h, as it is compiled
std::span<const MapShape> layout_of(unsigned version);  // empty: not known

}  // namespace vnet
