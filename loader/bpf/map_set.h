// SPDX-License-Identifier: GPL-2.0-or-later
// All pinned maps of one layout, and how a set of one layout is made of a set of another.
#pragma once

#include <filesystem>
#include <functional>
#include <string_view>
#include <vector>

#include "loader/base/fd.h"
#include "loader/bpf/layouts/steps.h"
#include "loader/bpf/raw_map.h"

namespace vnet {

// nullptr: the layout has no such map.
const MapShape* find_shape(unsigned layout, std::string_view map);

// In both layouts, but not the same map: its entries are converted.
bool is_moved(std::string_view map, unsigned from, unsigned to);

// A value of one layout in another.
class Converter {
 public:
  Converter(std::string_view map, unsigned from, unsigned to);
  bool leaves_behind() const;  // the map begins empty
  Bytes operator()(Bytes value) const;
  std::vector<Bytes> all(const std::vector<Bytes>& values) const;

 private:
  std::vector<const LayoutStep*> rows_;
  bool up_;
  std::size_t size_;
};

struct MapSet {
  unsigned layout = 0;
  std::vector<Fd> fds;  // in the layout's order
  int fd(std::string_view map) const;
};

Result<MapSet> open_set(const std::filesystem::path& folder, unsigned layout);

// A copy of every map that is not the same in both layouts; the others themselves. `prepared`: they are
// there, empty.
Result<MapSet> make_set(const MapSet& from, unsigned to,
                        const std::function<Result<void>(const MapSet&)>& prepared);

}  // namespace vnet
