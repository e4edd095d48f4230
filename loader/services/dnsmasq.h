// SPDX-License-Identifier: GPL-2.0-or-later
// One network's dnsmasq, in the network namespace that is current when it is started.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>

#include "loader/base/error.h"

namespace vnet {

class Dnsmasq {
 public:
  using Path = std::filesystem::path;

  // The conf file must have `pid-file=` with the same path, and must not keep dnsmasq in the foreground.
  Dnsmasq(Path conf, Path leases, Path pid_file)
      : conf_(std::move(conf)), leases_(std::move(leases)), pid_file_(std::move(pid_file)) {}

  // dnsmasq puts itself into the background once it serves. Already running: success, unchanged.
  // Failed: dnsmasq's own last line, or that the program is not installed and by which package it comes;
  // where its line says little, what it means and what mends it.
  Result<void> start() const;
  // Whether dnsmasq takes these lines; Failed: its own last line.
  Result<void> check(std::string_view conf) const;
  bool running() const { return pid().has_value(); }
  // Of a process that really is the dnsmasq of this conf file, whatever has the pid by now.
  std::optional<pid_t> pid() const;
  Result<void> stop() const;  // not running: success. Removes the pid file
  // SIGHUP: reads hosts files, DHCP hosts and options anew, but not the conf file. Failed when not running.
  Result<void> reload() const;

 private:
  Path conf_, leases_, pid_file_;
};

}  // namespace vnet
