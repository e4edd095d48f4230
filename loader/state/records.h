// SPDX-License-Identifier: GPL-2.0-or-later
// What is running, on disk: one JSON file each under the runtime directory. A record is written before
// what it describes is made and removed after that is gone, so an interrupted command leaves nothing that
// the next one does not know of.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "loader/base/error.h"
#include "loader/model/guest_port.h"
#include "loader/model/records.h"
#include "loader/state/state_dir.h"

namespace vnet {

class Records {
 public:
  explicit Records(const StateDir& dirs) : dirs_(&dirs) {}

  Result<std::vector<NetworkRecord>> networks() const;
  Result<std::vector<PortRecord>> ports() const;  // without damaged ones
  // The interfaces of those: one of a thousand must not stand in the way of all.
  Result<std::vector<std::string>> damaged_ports() const;
  Result<std::vector<UplinkRecord>> uplinks() const;
  Result<std::vector<ParentRecord>> parents() const;
  Result<std::optional<NetworkRecord>> network(const std::string& name) const;
  Result<std::optional<PortRecord>> port(const std::string& interface) const;
  Result<std::optional<UplinkRecord>> uplink(const std::string& interface) const;
  Result<std::optional<ParentRecord>> parent(const std::string& interface) const;
  Result<std::vector<GuestPort>> guest_ports() const;  // without what their XML asks for
  // Sysctls that we changed, with their values before.
  Result<std::map<std::string, std::string>> sysctls() const;

  Result<void> save(const NetworkRecord& record) const;
  Result<void> save(const PortRecord& record) const;
  Result<void> save(const UplinkRecord& record) const;
  Result<void> save(const ParentRecord& record) const;
  Result<void> save(const GuestPort& port) const;
  Result<void> save_sysctls(const std::map<std::string, std::string>& previous) const;
  Result<void> remove_network(const std::string& name) const;
  Result<void> remove_port(const std::string& interface) const;
  Result<void> remove_uplink(const std::string& interface) const;
  Result<void> remove_parent(const std::string& interface) const;
  Result<void> remove_guest_port(const std::string& uuid) const;

  // What an interrupted write has left; only with the lock held.
  void sweep() const;
  Result<std::set<std::uint16_t>> taken_slots() const;

 private:
  const StateDir* dirs_;
};

}  // namespace vnet
