// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/bpf/build.h"

#include <bpf/bpf.h>

#include <algorithm>
#include <cstring>
#include <string_view>
#include <vector>

#include "loader/base/fd.h"
#include "maps/abi.h"

namespace vnet {
namespace {

// As libbpf calls the map of that section; see program_build in bpf/lib/kernel.h.
constexpr const char* build_map = ".rodata.build";

// FNV-1a: the same on every host and with every library.
std::uint64_t add(std::uint64_t hash, std::string_view bytes) {
  for (unsigned char byte : bytes) hash = (hash ^ byte) * 0x100000001b3ULL;
  return hash;
}

}  // namespace

std::uint64_t build_from(const void* object, std::size_t size) {
  const __u32 layout = VNET_ABI_VERSION;
  std::uint64_t hash = add(0xcbf29ce484222325ULL, VNET_VERSION);
  hash = add(hash, {reinterpret_cast<const char*>(&layout), sizeof(layout)});
  hash = add(hash, {static_cast<const char*>(object), size});
  return hash ? hash : 1;
}

std::uint64_t build_of(int program) {
  std::vector<__u32> ids(64);
  bpf_prog_info info{};
  info.nr_map_ids = static_cast<__u32>(ids.size());
  info.map_ids = reinterpret_cast<__u64>(ids.data());
  __u32 size = sizeof(info);
  if (bpf_obj_get_info_by_fd(program, &info, &size)) return 0;
  ids.resize(std::min<std::size_t>(info.nr_map_ids, ids.size()));
  for (__u32 id : ids) {
    Fd map(bpf_map_get_fd_by_id(id));
    bpf_map_info about{};
    __u32 about_size = sizeof(about);
    if (!map || bpf_obj_get_info_by_fd(map.get(), &about, &about_size)) continue;
    if (std::strcmp(about.name, build_map) != 0 || about.value_size != sizeof(std::uint64_t)) continue;
    __u32 zero = 0;
    std::uint64_t build = 0;
    return bpf_map_lookup_elem(map.get(), &zero, &build) ? 0 : build;
  }
  return 0;
}

}  // namespace vnet
