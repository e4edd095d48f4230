// SPDX-License-Identifier: GPL-2.0-or-later
// What an upgrade has replaced, kept until all of it stands, so that it can be put back:
//   PINS/before/networks/NET/PROGRAM   as below PINS, and uplinks/, parents/
//   PINS/before/programs/NAME          programs that are pinned nowhere else: a fence's, a policer's, XDP's
//   PINS/before/maps/NAME              where the layout was another one (loader/bpf/migrate.h)
// While the folder is there an upgrade is under way, or was interrupted.
#pragma once

#include <filesystem>
#include <string>

#include "loader/base/error.h"
#include "loader/base/fd.h"

namespace vnet {

class Before {
 public:
  explicit Before(const std::filesystem::path& pins) : pins_(pins) {}

  std::filesystem::path folder() const { return pins_ / "before"; }
  bool exists() const;

  // Idempotent: what was kept first stays. folder: "networks/lab", without what is not there.
  Result<void> keep_folder(const std::filesystem::path& folder) const;
  Result<void> put_back_folder(const std::filesystem::path& folder) const;
  // Out of the way of whoever looks below PINS, and back again.
  Result<void> set_aside(const std::filesystem::path& what) const;
  Result<void> bring_back(const std::filesystem::path& what) const;
  // A program by itself; without one: nothing.
  Result<void> keep(const std::string& name, const Fd& program) const;
  Fd kept(const std::string& name) const;

  Result<void> begin() const;
  void remove() const;

 private:
  std::filesystem::path pins_;
};

}  // namespace vnet
