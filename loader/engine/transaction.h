// SPDX-License-Identifier: GPL-2.0-or-later
// The lock, and everything that may be done with it: snapshot, plan, execution. Nothing of the host is
// changed without one.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "loader/base/error.h"
#include "loader/model/guest_port.h"
#include "loader/model/port_state.h"
#include "loader/os/lock.h"
#include "loader/plan/intent.h"
#include "loader/plan/plan.h"

namespace vnet {

class Host;

// What `run` has done of one thing, or could not do.
struct Followed {
  std::string about;  // "port vnet0"
  std::vector<std::string> done;
  Result<void> result;
};

class Transaction {
 public:
  // Plans and carries out; what was done. When a step fails, all are undone.
  Result<Plan> run(const Intent& intent);

  // A guest's port, written down before its hypervisor makes the interface, and forgotten.
  Result<void> announce(const GuestPort& port);
  Result<void> withdraw(const std::string& uuid);
  // To an older version (loader/apply/hand_over.h). Between the two the lock is not held.
  Result<void> hand_over(unsigned layout);
  Result<bool> finish_hand_over();  // false: the other version has not taken all of it yet
  Result<void> take_back();

  // Attaches a guest's port as it was on another host.
  Result<Plan> import_port(const PortState& state);
  // FRR announces what runs and asks for it, and no more of ours. What it was told, a line each.
  Result<std::vector<std::string>> give_announcements();

  // Once around for `run`: what has changed without a command. Of the networks that shall be started those
  // that run are taken off. Empty: nothing was left to do.
  Result<std::vector<Followed>> follow(std::set<std::string>& start);

 private:
  friend class Host;
  Transaction(Host& host, Lock lock) : host_(&host), lock_(std::move(lock)) {}

  Host* host_;
  Lock lock_;
};

}  // namespace vnet
