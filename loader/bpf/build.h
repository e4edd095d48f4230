// SPDX-License-Identifier: GPL-2.0-or-later
// Which build of vnet-bpf a loaded program is of: the program itself says so, in its constants. A build is
// the object's bytes together with the release and the layout of the maps, so that a new release replaces
// all.
#pragma once

#include <cstddef>
#include <cstdint>

namespace vnet {

// 0: of a release from before programs said so, or not ours.
std::uint64_t build_of(int program);

std::uint64_t build_from(const void* object, std::size_t size);  // never 0

// Of the object that this program carries.
template <typename Bpf>
std::uint64_t this_build() {
  static const std::uint64_t build = [] {
    std::size_t size = 0;
    const void* bytes = Bpf::elf_bytes(&size);
    return build_from(bytes, size);
  }();
  return build;
}

}  // namespace vnet
