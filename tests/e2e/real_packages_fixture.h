// SPDX-License-Identifier: GPL-2.0-or-later
// A real host with daemons of the packages that write its rules and routes. Their tests are skipped by name
// where a package is not installed: they are not among the packages of `make deps`, because they would start
// on the host.
#pragma once

#include <optional>
#include <string>

#include "tests/e2e/real_host_fixture.h"

namespace vnet::test {

class RealPackagesTest : public RealHostTest {
 protected:
  bool has(const std::string& program) {
    bool there = host().sh("command -v " + program).ok();
    if (!there) missing_ = program + " is not installed";
    return there;
  }

  // A message bus of the test's own, where everything is allowed.
  void start_bus() {
    std::string conf =
        file("bus.conf",
             "<!DOCTYPE busconfig PUBLIC '-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN' "
             "'http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd'><busconfig><listen>" +
                 bus_address() +
                 "</listen><auth>EXTERNAL</auth><policy context='default'><allow user='*'/><allow "
                 "send_destination='*' "
                 "eavesdrop='true'/><allow eavesdrop='true'/><allow own='*'/></policy></busconfig>");
    bus_.emplace(host().background({"dbus-daemon", "--nofork", "--config-file=" + conf}));
    ASSERT_TRUE(wait_until([&] { return sh("test -S " + in_folder("bus")).ok(); }, patience));
  }
  std::string on_bus(const std::string& command) {
    return "DBUS_SYSTEM_BUS_ADDRESS=" + bus_address() + " " + command;
  }

  // `script` becomes the daemon in the end. What it mounts is its own.
  void start_daemon(const std::string& script) {
    if (daemon_) daemon_->terminate();
    daemon_.reset();
    daemon_.emplace(host().background({"unshare", "-m", "sh", "-ec", script}));
  }

  std::string in_folder(const std::string& name) { return (ground().state_dir() / name).string(); }

  std::string bus_address() { return "unix:path=" + in_folder("bus"); }

  std::string missing_;

 private:
  std::optional<Background> bus_, daemon_;
};

}  // namespace vnet::test
