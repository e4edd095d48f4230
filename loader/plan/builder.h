// SPDX-License-Identifier: GPL-2.0-or-later
// What desired() works with: it begins with what stands, and each concern writes what it wants. Internal to
// the planners.
#pragma once

#include <cstdint>
#include <set>
#include <string>

#include "loader/base/error.h"
#include "loader/plan/resources.h"

namespace vnet {

// Slots number ports, networks, uplinks and parents together. They are given out here and nowhere else.
class SlotPool {
 public:
  explicit SlotPool(const Snapshot& snapshot);
  Result<std::uint16_t> take();  // the lowest that is free

 private:
  std::set<std::uint16_t> taken_;
};

struct Builder {
  const Snapshot& snapshot;
  SlotPool slots;
  Wanted wanted;

  explicit Builder(const Snapshot& snapshot);
  void refuse(const std::string& about, Error error) { wanted.refusals.push_back({about, std::move(error)}); }
};

// Those that a change which was interrupted has left something of.
std::vector<Network> former_definitions(const NetworkRecord& record);
// A network of the snapshot or of the intent that shall be active; without a value: it is not, or was
// interrupted.
const ActiveNetwork* find_complete(const Builder& builder, const std::string& name);
// NotFound: start it first.
Result<ActiveNetwork> need_complete(const Builder& builder, const std::string& name);

// Networks (networks.cpp).
Result<void> want_network(Builder& builder, const Network& network);  // started
void want_no_network(Builder& builder, const std::string& name);      // stopped
// Another definition of a running one.
Result<void> want_definition(Builder& builder, const ActiveNetwork& active, const Network& network);
void mend_networks(Builder& builder);    // programs, services, what has changed around them
void follow_networks(Builder& builder);  // and bridges that went away

// What all networks share, once it is known which are wanted.
void want_uplinks(Builder& builder);  // uplinks.cpp
void want_fence(Builder& builder);
// The host's firewall and resolver (passes.cpp).
void want_passes(Builder& builder);
void want_zones(Builder& builder);
void want_link_names(Builder& builder);
Result<void> check_zone(const Snapshot& snapshot, const Network& network);

// Ports (ports.cpp).
Result<void> want_port(Builder& builder, const PortRequest& request);    // attached
Result<void> want_change(Builder& builder, const PortRequest& request);  // of an attached one
void want_no_port(Builder& builder, const std::string& interface);
void mend_ports(Builder& builder, const std::set<std::string>& except);  // ports.cpp
void follow_ports(Builder& builder);  // members.cpp: plugged in or taken out by others
// The guests' interfaces in the network's bridge, attached or not.
Result<std::vector<std::string>> guests_in_bridge(const Snapshot& snapshot, const Network& network);

}  // namespace vnet
