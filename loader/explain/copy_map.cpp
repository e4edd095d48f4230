// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/explain/copy_map.h"

#include <bpf/bpf.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "loader/base/fd.h"

namespace vnet {
namespace {

using Bytes = std::vector<std::byte>;

Result<bpf_map_info> map_info(int map) {
  bpf_map_info info{};
  __u32 size = sizeof(info);
  if (bpf_obj_get_info_by_fd(map, &info, &size)) return system_error("asking about a map");
  return info;
}

// In batches where the kernel can. False: it cannot, and nothing has been read.
bool read_batches(int map, const bpf_map_info& info, const WantedEntry& wanted,
                  std::vector<std::pair<Bytes, Bytes>>& into) {
  Bytes in(std::max<std::size_t>(info.key_size, sizeof(__u32))), out(in.size());
  std::size_t room = 4096;
  DECLARE_LIBBPF_OPTS(bpf_map_batch_opts, options);
  for (bool first = true;;) {
    Bytes keys(room * info.key_size), values(room * info.value_size);
    auto count = static_cast<__u32>(room);
    int failed = bpf_map_lookup_batch(map, first ? nullptr : in.data(), out.data(), keys.data(),
                                      values.data(), &count, &options);
    if (failed && errno == ENOSPC) {  // one bucket holds more than that
      room *= 2;
      continue;
    }
    if (failed && errno != ENOENT) return !first;  // ENOENT: that was the last batch
    for (std::size_t i = 0; i < count; ++i) {
      std::span key(keys.data() + i * info.key_size, info.key_size);
      std::span value(values.data() + i * info.value_size, info.value_size);
      if (!wanted || wanted(key, value))
        into.emplace_back(Bytes(key.begin(), key.end()), Bytes(value.begin(), value.end()));
    }
    if (failed) return true;
    in = out;
    first = false;
  }
}

std::vector<Bytes> keys_of(int map, const bpf_map_info& info) {
  std::vector<Bytes> all;
  Bytes key(info.key_size), next(info.key_size);
  for (const std::byte* at = nullptr; !bpf_map_get_next_key(map, at, next.data()); at = key.data())
    all.push_back(key = next);
  return all;
}

std::vector<std::pair<Bytes, Bytes>> read_entries(int map, const bpf_map_info& info,
                                                  const WantedEntry& wanted) {
  std::vector<std::pair<Bytes, Bytes>> all;
  bool maps_in_it = info.type == BPF_MAP_TYPE_ARRAY_OF_MAPS || info.type == BPF_MAP_TYPE_HASH_OF_MAPS;
  if (!maps_in_it && read_batches(map, info, wanted, all)) return all;
  for (Bytes& key : keys_of(map, info)) {
    Bytes value(info.value_size);
    if (bpf_map_lookup_elem(map, key.data(), value.data())) continue;
    if (!wanted || wanted(key, value)) all.emplace_back(std::move(key), std::move(value));
  }
  return all;
}

Result<void> erase_all(int map, const bpf_map_info& info) {
  for (const Bytes& key : keys_of(map, info))
    if (bpf_map_delete_elem(map, key.data()) && errno != ENOENT) return system_error("emptying a copied map");
  return {};
}

Result<void> write(int map, const std::vector<std::pair<Bytes, Bytes>>& entries) {
  for (const auto& [key, value] : entries)
    if (bpf_map_update_elem(map, key.data(), value.data(), BPF_ANY)) return system_error("copying a map");
  return {};
}

// An array's entries cannot be erased: those that differ are written.
Result<void> copy_array(int from, int to, const bpf_map_info& info) {
  auto ours = read_entries(to, info, {}), theirs = read_entries(from, info, {});
  std::erase_if(theirs, [&, i = std::size_t{0}](const auto& entry) mutable {
    bool same = i < ours.size() && ours[i] == entry;
    ++i;
    return same;
  });
  return write(to, theirs);
}

// Only as large as what is in it: many of them are made.
Result<void> copy_inner(const Bytes& id_bytes, const Bytes& key, int to, const WantedEntry& wanted) {
  __u32 id = 0;
  std::memcpy(&id, id_bytes.data(), sizeof(id));
  Fd inner(bpf_map_get_fd_by_id(id));
  if (!inner) return {};  // it has gone meanwhile
  VNET_ASSIGN(auto info, map_info(inner.get()));
  auto entries = read_entries(inner.get(), info, wanted);
  DECLARE_LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = info.map_flags);
  auto room = static_cast<__u32>(entries.size() + 128);
  Fd copy(bpf_map_create(static_cast<bpf_map_type>(info.type), info.name, info.key_size, info.value_size,
                         room, &options));
  if (!copy) return system_error("copying a map in a map");
  VNET_TRY(write(copy.get(), entries));
  int fd = copy.get();
  if (bpf_map_update_elem(to, key.data(), &fd, BPF_ANY)) return system_error("copying a map in a map");
  return {};
}

}  // namespace

Result<void> copy_map(int from, int to, const WantedEntry& wanted) {
  VNET_ASSIGN(auto info, map_info(from));
  switch (info.type) {
    case BPF_MAP_TYPE_ARRAY:
      return copy_array(from, to, info);
    case BPF_MAP_TYPE_HASH:
    case BPF_MAP_TYPE_LRU_HASH:
    case BPF_MAP_TYPE_LPM_TRIE:
    case BPF_MAP_TYPE_DEVMAP_HASH:
      VNET_TRY(erase_all(to, info));
      return write(to, read_entries(from, info, wanted));
    case BPF_MAP_TYPE_PERCPU_HASH:
      return erase_all(to, info);
    case BPF_MAP_TYPE_HASH_OF_MAPS:
      VNET_TRY(erase_all(to, info));
      for (const auto& [key, id] : read_entries(from, info, {})) VNET_TRY(copy_inner(id, key, to, wanted));
      return {};
    default:
      return {};
  }
}

}  // namespace vnet
