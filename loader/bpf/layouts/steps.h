// SPDX-License-Identifier: GPL-2.0-or-later
// From one version of the maps' layout to the next and back: a row for each map whose entries are not the
// same in both. A map without a row is the same map before and after an upgrade. What a version's structure
// was that has changed since is kept in layouts/abi_N.h, under its old name with the version behind it.
#pragma once

#include <cstddef>
#include <cstring>
#include <type_traits>
#include <vector>

namespace vnet {

// An entry of the other version's map. The target is zeroed beforehand.
using ConvertValue = void (*)(const void* from, void* to);
// Of an entry that packets have changed in the map that was copied from, and in the copy: what the copy shall
// hold. All of the newer version's structure.
using MergeValue = void (*)(const void* original, void* copy);

struct LayoutStep {
  unsigned from;  // to the next one
  const char* map;
  std::size_t old_value, new_value;
  ConvertValue up, down;  // nullptr: the entries are left behind, the map begins empty
  MergeValue merge;       // nullptr: the copy's is kept
};

const std::vector<LayoutStep>& layout_steps();

// Rows of the table.
template <auto Up, auto Down, typename Old, typename New>
LayoutStep values(unsigned from, const char* map, MergeValue merge = nullptr) {
  static_assert(std::is_trivially_copyable_v<Old> && std::is_trivially_copyable_v<New>);
  return {.from = from,
          .map = map,
          .old_value = sizeof(Old),
          .new_value = sizeof(New),
          .up = [](const void* a, void* b) { Up(*static_cast<const Old*>(a), *static_cast<New*>(b)); },
          .down = [](const void* a, void* b) { Down(*static_cast<const New*>(a), *static_cast<Old*>(b)); },
          .merge = merge};
}
// The same structure, in a map of its own: because it must agree with another one that is moved.
template <typename Value>
LayoutStep copied(unsigned from, const char* map) {
  auto copy = [](const void* a, void* b) { std::memcpy(b, a, sizeof(Value)); };
  return {from, map, sizeof(Value), sizeof(Value), copy, copy, nullptr};
}
// What fills itself again.
inline LayoutStep begun_anew(unsigned from, const char* map) {
  return {from, map, 0, 0, nullptr, nullptr, nullptr};
}

}  // namespace vnet
