// SPDX-License-Identifier: GPL-2.0-or-later
// A map's entries as bytes: of a layout that no structure of this version describes.
#pragma once

#include <cstddef>
#include <functional>
#include <vector>

#include "loader/base/error.h"
#include "loader/bpf/layouts/layout.h"

namespace vnet {

using Bytes = std::vector<std::byte>;

// The fd and the shape must outlive it.
class RawMap {
 public:
  // Of a per-CPU map each CPU's value is one of its own.
  using Visit = std::function<Result<void>(const Bytes& key, const std::vector<Bytes>& values)>;

  RawMap(int fd, const MapShape& shape);
  bool is_array() const;
  // Each of the values that an entry has; empty: there is no entry.
  std::vector<Bytes> get(const Bytes& key) const;
  // only_new: what is there already stays.
  Result<void> set(const Bytes& key, const std::vector<Bytes>& values, bool only_new) const;
  // Every entry that is there from beginning to end, though others come and go.
  Result<void> for_each(const Visit& visit) const;

 private:
  std::vector<Bytes> split(const std::byte* all) const;
  Result<void> for_each_batch(const Visit& visit) const;

  int fd_;
  const MapShape& shape_;
  std::size_t values_, stride_;
};

}  // namespace vnet
