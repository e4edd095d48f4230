// SPDX-License-Identifier: GPL-2.0-or-later
// A playground's host as an installed one: the project's units and network driver, the real libvirtd, and
// enough of systemd (tests/tools/fake_systemd) for both, with mounts of their own. Nothing of the machine's
// is touched.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "tests/support/libvirt.h"
#include "tests/support/playground.h"

namespace vnet::test {

// Monolithic: libvirtd as Debian has it. Modular: Debian has no virtqemud and no virtnetworkd, so one
// libvirtd has all drivers but that for networks, for which it asks at virtnetworkd's socket, and another one
// has nothing else, and is started by virtnetworkd's sockets.
enum class Daemons { Monolithic, Modular };

class LibvirtHost {
 public:
  static std::string missing();  // why it cannot be had here; "" when it can

  // driver: the file of the project's network driver.
  LibvirtHost(const std::filesystem::path& driver, Daemons daemons);
  ~LibvirtHost();  // ends its guests, too

  Playground& ground() { return ground_; }
  std::filesystem::path folder() const { return ground_.state_dir(); }

  // In the host's network and mounts, with its bus.
  Output exec(const Argv& argv, std::chrono::milliseconds limit = std::chrono::seconds(60)) const;
  std::string must(const Argv& argv) const;  // what it printed; throws std::runtime_error
  Output sh(const std::string& script) const { return exec({"sh", "-c", script}, std::chrono::seconds(120)); }
  Output vnet(const Argv& words) const;
  std::string virsh(const Argv& words) const;
  void systemd(const std::string& call) const;  // "StartUnit ss libvirtd.service replace"
  std::string calls() const;                    // what systemd was told to do, a line each

  // What libvirt and systemd have on disk, by name; without pid files.
  std::map<std::string, std::string> files() const;

 private:
  std::string mounts() const;
  Output manager(const std::string& call) const;
  void install_daemons(Daemons daemons) const;
  void enable(const std::string& target, const std::filesystem::path& unit) const;

  Playground ground_;
  std::optional<Background> bus_, systemd_;
};

}  // namespace vnet::test
