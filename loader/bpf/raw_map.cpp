// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/bpf/raw_map.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

namespace vnet {

RawMap::RawMap(int fd, const MapShape& shape) : fd_(fd), shape_(shape) {
  bool per_cpu = shape.type == BPF_MAP_TYPE_PERCPU_ARRAY || shape.type == BPF_MAP_TYPE_PERCPU_HASH ||
                 shape.type == BPF_MAP_TYPE_LRU_PERCPU_HASH;
  values_ = per_cpu ? static_cast<std::size_t>(libbpf_num_possible_cpus()) : 1;
  stride_ = per_cpu ? (shape.value + 7) / 8 * 8 : shape.value;
}

bool RawMap::is_array() const {
  return shape_.type == BPF_MAP_TYPE_ARRAY || shape_.type == BPF_MAP_TYPE_PERCPU_ARRAY;
}

std::vector<Bytes> RawMap::get(const Bytes& key) const {
  Bytes all(stride_ * values_);
  if (bpf_map_lookup_elem(fd_, key.data(), all.data())) return {};
  return split(all.data());
}

Result<void> RawMap::set(const Bytes& key, const std::vector<Bytes>& values, bool only_new) const {
  Bytes all(stride_ * values_);
  for (std::size_t i = 0; i < values.size() && i < values_; ++i)
    std::ranges::copy(values[i], all.begin() + static_cast<std::ptrdiff_t>(i * stride_));
  bool fresh = only_new && !is_array();
  if (bpf_map_update_elem(fd_, key.data(), all.data(), fresh ? BPF_NOEXIST : BPF_ANY) &&
      !(fresh && errno == EEXIST))
    return system_error(fmt::format("writing an entry of the map {}", shape_.name));
  return {};
}

Result<void> RawMap::for_each(const Visit& visit) const {
  if (shape_.type == BPF_MAP_TYPE_HASH) return for_each_batch(visit);
  std::vector<Bytes> keys;
  Bytes next(shape_.key);
  for (const void* at = nullptr; !bpf_map_get_next_key(fd_, at, next.data()); at = keys.back().data())
    keys.push_back(next);
  for (const auto& key : keys)
    if (auto values = get(key); !values.empty()) VNET_TRY(visit(key, values));
  return {};
}

std::vector<Bytes> RawMap::split(const std::byte* all) const {
  std::vector<Bytes> each;
  for (std::size_t i = 0; i < values_; ++i)
    each.emplace_back(all + i * stride_, all + i * stride_ + shape_.value);
  return each;
}

Result<void> RawMap::for_each_batch(const Visit& visit) const {
  __u32 room = 1024, in = 0, out = 0;
  DECLARE_LIBBPF_OPTS(bpf_map_batch_opts, options);
  for (bool first = true;;) {
    Bytes keys(std::size_t{room} * shape_.key), values(std::size_t{room} * stride_);
    __u32 count = room;
    int failed =
        bpf_map_lookup_batch(fd_, first ? nullptr : &in, &out, keys.data(), values.data(), &count, &options);
    if (failed && errno == ENOSPC) {  // one bucket holds more than that
      room *= 2;
      continue;
    }
    if (failed && errno != ENOENT) return system_error(fmt::format("reading the map {}", shape_.name));
    for (__u32 i = 0; i < count; ++i) {
      const std::byte* key = keys.data() + std::size_t(i) * shape_.key;
      VNET_TRY(visit({key, key + shape_.key}, split(values.data() + std::size_t(i) * stride_)));
    }
    if (failed) return {};
    in = out;
    first = false;
  }
}

}  // namespace vnet
