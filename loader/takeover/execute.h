// SPDX-License-Identifier: GPL-2.0-or-later
// The host as facts, and a step carried out. Acts on the system's places only: its units know no other.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "loader/bus/systemd.h"
#include "loader/engine/host.h"
#include "loader/os/lock.h"
#include "loader/rpc/client.h"
#include "loader/state/state_dir.h"
#include "loader/takeover/takeover.h"

namespace vnet::takeover {

// Where libvirt's clients ask for networks.
std::filesystem::path socket_of(LibvirtKind kind);

class Operator {
 public:
  static Result<Operator> open(bool verbose);

  // Held while steps are carried out, so that there is one.
  Result<Lock> lock() const;
  Result<Facts> facts();
  // Each is told before it begins; the first that fails ends it.
  Result<void> carry_out(const Plan& plan, const std::function<void(const Step&)>& tell);

 private:
  Operator(Host host, Systemd systemd) : host_(std::move(host)), systemd_(std::move(systemd)) {}

  Result<std::vector<TheirNetwork>> their_networks(rpc::Client& client);
  Result<std::vector<OurNetwork>> our_networks(const std::optional<Record>& record);
  Result<void> carry_out(const Step& step, const Plan& plan);
  Result<void> intend(const Intent& intent);
  Result<void> change_theirs(const Step& step, const Plan& plan);
  Result<void> import_leases(const std::string& name, const Plan& plan);
  Result<void> forget(const std::string& name);
  Result<bool> has_come(const std::string& guest);
  Result<void> await(const std::string& guest);
  static Result<void> bring_up(const std::string& interface);

  StateDir dirs_;
  Host host_;
  Systemd systemd_;
};

}  // namespace vnet::takeover
