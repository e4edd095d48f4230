// SPDX-License-Identifier: GPL-2.0-or-later
// A host without a kernel: a snapshot on which changes have the effect that loader/apply gives them, so that
// plans can be tried by the thousand, and killed anywhere.
#pragma once

#include <map>
#include <string>

#include "loader/plan/resources.h"

namespace vnet::test {

class SimulatedHost {
 public:
  // eth0 with a default route, eth1 and eth2 without, bridge br0 with eth3 in it, taps g1 to g6.
  SimulatedHost();

  Snapshot snapshot;
  // What else was made, and of what; plans do not look at it.
  std::map<std::string, std::string> made;

  void apply(const Change& change);
  // The first `count` steps; all of them without one.
  void apply(const std::vector<Step>& steps, std::size_t count = SIZE_MAX);

  // Tables with policies that drop, firewalld with its zones, systemd-resolved.
  void add_services();

  // Stores what `define` would.
  void define(const std::string& xml);
  // All of it; what it did. An error is the planner's.
  Result<Plan> run(const Intent& intent);
  // As `run` does it: until nothing is left to do; false: that did not come in eight rounds.
  bool follow();

  // What others do to the host.
  int add_link(LinkInfo link);
  void remove_link(const std::string& name);
  LinkInfo& link(const std::string& name);

  // "": nothing can be reached that is not guarded; else what.
  std::string exposed() const;

 private:
  int last_ifindex_ = 0;
};

}  // namespace vnet::test
