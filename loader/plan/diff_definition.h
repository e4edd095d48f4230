// SPDX-License-Identifier: GPL-2.0-or-later
// A definition that changes while its network runs: nothing is taken away that both have. Internal to diff().
#pragma once

#include <vector>

#include "loader/plan/resources.h"

namespace vnet {

class DefinitionDiff {
 public:
  DefinitionDiff(const Snapshot& snapshot, const Resources& now, const Wanted& wanted,
                 const std::string& name);

  // The new definition is noted, and what it no longer has goes.
  std::vector<Change> close() const;
  // What it has come to have: only behind uplinks and fence.
  std::vector<Change> open() const;
  // Ports follow, and sessions that are translated otherwise now end; behind all that can fail.
  std::vector<Change> finish() const;

 private:
  template <typename Values>
  auto gone(Values values) const;
  template <typename Values>
  auto come(Values values) const;
  bool differs(bool (*differs)(const Network&, const Network&)) const;
  void refresh_ports(std::vector<Change>& changes) const;

  const Snapshot& snapshot_;
  const Resources& now_;
  const Wanted& wanted_;
  const NetworkRecord& record_;
  const std::vector<Network>& standing_;
  const Network& network_;
  const Network& previous_;  // for undoing
};

}  // namespace vnet
