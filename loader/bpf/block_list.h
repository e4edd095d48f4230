// SPDX-License-Identifier: GPL-2.0-or-later
// The block list: whose packets no uplink lets in. It is pinned, and stays when the last network stops, for
// as long as there is something in it.
#pragma once

#include <filesystem>
#include <optional>
#include <vector>

#include "loader/base/error.h"
#include "loader/bpf/shared_maps.h"
#include "loader/model/address.h"

namespace vnet {

class BlockList {
 public:
  static Result<std::optional<BlockList>> open(const std::filesystem::path& pins);  // nullopt: none was made
  static Result<BlockList> open_or_create(const std::filesystem::path& pins);

  std::vector<Prefix> all() const;  // in order
  bool empty() const;
  // Idempotent.
  Result<void> add(const Prefix& prefix);
  Result<void> remove(const Prefix& prefix);

  // Whether the programs are to look into it.
  static Result<void> switch_on(const SharedMaps& maps, bool on);
  // Leaves the pinned map alone where it has entries.
  static void remove_other_pins(const std::filesystem::path& pins);
  int fd() const { return map_.fd(); }

 private:
  explicit BlockList(Fd map) : map_(std::move(map)) {}
  Map<vnet_subnet_key, __u32> map_;
};

}  // namespace vnet
