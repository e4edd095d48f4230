// SPDX-License-Identifier: GPL-2.0-or-later
// Typed handles on the datapath's pinned maps. Keys and values are the structures of maps/abi.h.
#pragma once

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <functional>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "loader/base/error.h"
#include "loader/base/fd.h"
#include "maps/abi.h"
#include "maps/map_list.h"

namespace vnet {

// A handle without a map is of a layout that this version does not know: it holds nothing, and what is
// written is forgotten.
template <typename Key, typename Value>
class Map {
 public:
  Map() = default;
  explicit Map(Fd fd) : fd_(std::move(fd)) {}
  int fd() const { return fd_.get(); }

  std::optional<Value> get(const Key& key) const {
    Value value;
    if (bpf_map_lookup_elem(fd_.get(), &key, &value)) return std::nullopt;
    return value;
  }
  Result<void> set(const Key& key, const Value& value) const {
    if (fd_ && bpf_map_update_elem(fd_.get(), &key, &value, BPF_ANY))
      return system_error("writing a map entry");
    return {};
  }
  // Idempotent: a missing entry is a success.
  Result<void> erase(const Key& key) const {
    if (fd_ && bpf_map_delete_elem(fd_.get(), &key) && errno != ENOENT)
      return system_error("deleting a map entry");
    return {};
  }
  std::vector<Key> keys() const {
    std::vector<Key> all;
    Key key, next;
    for (const Key* at = nullptr; !bpf_map_get_next_key(fd_.get(), at, &next); at = &key)
      all.push_back(key = next);
    return all;
  }
  // In batches where the kernel can (hashes), so that a million entries take a moment only. Every entry that
  // is there from beginning to end is visited; one that comes or goes meanwhile may be or not.
  void for_each(const std::function<void(const Key&, const Value&)>& visit) const {
    if (visit_batches(visit)) return;
    for (const Key& key : keys())
      if (auto value = get(key)) visit(key, *value);
  }

 private:
  // False: the map's type knows no batches, and nothing has been visited.
  bool visit_batches(const std::function<void(const Key&, const Value&)>& visit) const {
    // The place to go on from: a bucket number for hashes, a key for the others.
    struct Position {
      alignas(8) unsigned char bytes[std::max(sizeof(Key), sizeof(__u32))];
    } in{}, out{};
    std::vector<Key> keys(4096);
    std::vector<Value> values(4096);
    DECLARE_LIBBPF_OPTS(bpf_map_batch_opts, options);
    for (bool first = true;;) {
      __u32 count = static_cast<__u32>(keys.size());
      int failed = bpf_map_lookup_batch(fd_.get(), first ? nullptr : &in, &out, keys.data(), values.data(),
                                        &count, &options);
      if (failed && errno == ENOSPC) {  // one bucket holds more than that
        keys.resize(keys.size() * 2);
        values.resize(values.size() * 2);
        continue;
      }
      if (failed && errno != ENOENT) return !first;  // ENOENT: that was the last batch
      for (__u32 i = 0; i < count; ++i) visit(keys[i], values[i]);
      if (failed) return true;
      in = out;
      first = false;
    }
  }

  Fd fd_;
};

// A per-CPU map: get() gives each possible CPU's value.
template <typename Key, typename Value>
class PerCpuMap {
 public:
  PerCpuMap() = default;
  explicit PerCpuMap(Fd fd) : fd_(std::move(fd)) {}
  int fd() const { return fd_.get(); }

  std::vector<Value> get(const Key& key) const {
    static_assert(sizeof(Value) % 8 == 0, "the kernel rounds per-CPU values up to 8 bytes");
    std::vector<Value> values(static_cast<std::size_t>(libbpf_num_possible_cpus()));
    if (bpf_map_lookup_elem(fd_.get(), &key, values.data())) values.clear();
    return values;
  }
  Result<void> set(const Key& key, const std::vector<Value>& values) const {
    if (fd_ && bpf_map_update_elem(fd_.get(), &key, values.data(), BPF_ANY))
      return system_error("writing counters");
    return {};
  }
  Result<void> clear(const Key& key) const {
    std::vector<Value> zeros(static_cast<std::size_t>(libbpf_num_possible_cpus()));
    if (fd_ && bpf_map_update_elem(fd_.get(), &key, zeros.data(), BPF_ANY))
      return system_error("clearing counters");
    return {};
  }
  Result<void> erase(const Key& key) const {
    if (fd_ && bpf_map_delete_elem(fd_.get(), &key) && errno != ENOENT)
      return system_error("deleting counters");
    return {};
  }
  std::vector<Key> keys() const {
    std::vector<Key> all;
    Key key, next;
    for (const Key* at = nullptr; !bpf_map_get_next_key(fd_.get(), at, &next); at = &key)
      all.push_back(key = next);
    return all;
  }

 private:
  Fd fd_;
};

// Every map that the programs share (maps/map_list.h), by the name it is pinned under. A map of maps takes an
// inner one's file descriptor.
#define VNET_HANDLE_SHARED Map
#define VNET_HANDLE_PER_CPU PerCpuMap
#define VNET_WHEEL_CLOCK vnet_clock
#define VNET_LIMIT vnet_limit
#define VNET_HANDLE(handle, name, type, entries, key, value, flags, copied) \
  VNET_HANDLE_##handle<key, value> name;
#define VNET_OUTER_HANDLE(name, value, copied) Map<__u32, value> name;
struct SharedMaps {
  VNET_MAPS(VNET_HANDLE, VNET_OUTER_HANDLE)

  static const std::vector<const char*>& names();
  static bool is_large(std::size_t place);      // of names(): can have very many entries
  std::vector<int> fds() const;                 // in the order of names()
  static SharedMaps take(std::vector<Fd> fds);  // in the order of names()
  // nullopt: nothing is pinned there (no network has been started since boot). An ABI that is not ours is
  // an error.
  static Result<std::optional<SharedMaps>> open(const std::filesystem::path& folder);
};
#undef VNET_HANDLE
#undef VNET_OUTER_HANDLE

// The key of a session's entry in rev_nat: what its answers look like.
vnet_flow answer_key(const vnet_flow& session_key, const vnet_session& session);

}  // namespace vnet
