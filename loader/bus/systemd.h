// SPDX-License-Identifier: GPL-2.0-or-later
// systemd's manager: what units there are, and what is done to them. Each call returns when it is done.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "loader/base/error.h"
#include "loader/bus/bus.h"
#include "loader/model/libvirt_host.h"

namespace vnet {

class Systemd {
 public:
  // nullopt: this host runs without it.
  static std::optional<Systemd> open();

  Result<UnitStates> states(const std::vector<std::string>& units);
  Result<std::optional<int>> main_pid(const std::string& service);  // nullopt: it does not run

  Result<void> start(const std::string& unit) { return job("StartUnit", unit); }
  Result<void> stop(const std::string& unit) { return job("StopUnit", unit); }
  Result<void> restart(const std::string& unit) { return job("RestartUnit", unit); }
  // Of the files only: what runs goes on, and reload() makes it known.
  Result<void> enable(const std::string& unit);
  Result<void> disable(const std::string& unit);
  Result<void> mask(const std::string& unit);
  Result<void> unmask(const std::string& unit);
  Result<void> reload();

 private:
  explicit Systemd(Bus bus) : bus_(std::move(bus)) {}
  Result<void> job(const char* method, const std::string& unit);
  Result<void> change_files(const char* method, const std::string& unit, bool force);

  Bus bus_;
};

}  // namespace vnet
