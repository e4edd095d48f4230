// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/bpf/block_list.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>

#include "loader/base/files.h"
#include "loader/bpf/map_address.h"
#include "loader/bpf/shared_maps.h"

namespace vnet {
namespace {

vnet_subnet_key key_of(const Prefix& prefix) {
  return {.prefixlen = prefix.length + (prefix.address.family == Family::V4 ? 96U : 0U),
          .addr = from_address(prefix.network().address)};
}

Prefix prefix_of(const vnet_subnet_key& key) {
  Address address = to_address(key.addr);
  return {address, key.prefixlen - (address.family == Family::V4 ? 96U : 0U)};
}

}  // namespace

Result<std::optional<BlockList>> BlockList::open(const std::filesystem::path& pins) {
  auto path = pins / "maps" / "blocked";
  Fd map(bpf_obj_get(path.c_str()));
  if (map) return BlockList(std::move(map));
  if (errno == ENOENT) return std::nullopt;
  return system_error("opening the pinned map " + path.string());
}

Result<BlockList> BlockList::open_or_create(const std::filesystem::path& pins) {
  VNET_ASSIGN(auto there, open(pins));
  if (there) return std::move(*there);
  VNET_TRY(make_folder(pins / "maps", 0700));
  DECLARE_LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = BPF_F_NO_PREALLOC);
  Fd map(bpf_map_create(BPF_MAP_TYPE_LPM_TRIE, "blocked", sizeof(vnet_subnet_key), sizeof(__u32),
                        VNET_BLOCKED_MAX, &options));
  if (!map) return system_error("making the block list");
  if (bpf_obj_pin(map.get(), (pins / "maps" / "blocked").c_str()))
    return system_error("pinning the block list");
  return BlockList(std::move(map));
}

bool BlockList::empty() const {
  vnet_subnet_key first;
  return bpf_map_get_next_key(map_.fd(), nullptr, &first) != 0;
}

Result<void> BlockList::switch_on(const SharedMaps& maps, bool on) {
  auto settings = maps.settings.get(0);
  if (!settings) return failed("the settings map is empty");
  settings->blocks = on;
  return maps.settings.set(0, *settings);
}

void BlockList::remove_other_pins(const std::filesystem::path& pins) {
  namespace fs = std::filesystem;
  std::error_code ignored;
  // First, so that no command takes what is left of them for a whole set (SharedMaps::open).
  fs::remove(pins / "maps" / SharedMaps::names().front(), ignored);
  auto list = open(pins);
  if (!list || !*list || (*list)->empty()) {
    fs::remove_all(pins, ignored);
    return;
  }
  for (const auto& entry : fs::directory_iterator(pins, ignored))
    if (entry.path().filename() != "maps") fs::remove_all(entry.path(), ignored);
  for (const auto& entry : fs::directory_iterator(pins / "maps", ignored))
    if (entry.path().filename() != "blocked") fs::remove_all(entry.path(), ignored);
}

std::vector<Prefix> BlockList::all() const {
  std::vector<Prefix> prefixes;
  for (const auto& key : map_.keys()) prefixes.push_back(prefix_of(key));
  std::ranges::sort(prefixes);
  return prefixes;
}

Result<void> BlockList::add(const Prefix& prefix) {
  __u32 nothing = 0;
  auto key = key_of(prefix);
  if (!bpf_map_update_elem(map_.fd(), &key, &nothing, BPF_ANY)) return {};
  if (errno == ENOSPC)
    return failed(
        fmt::format("the block list is full: {} entries; wider prefixes take fewer", VNET_BLOCKED_MAX));
  return system_error("blocking " + prefix.text());
}

Result<void> BlockList::remove(const Prefix& prefix) {
  return map_.erase(key_of(prefix));
}

}  // namespace vnet
