// SPDX-License-Identifier: GPL-2.0-or-later
// FRR's daemons in a namespace of a test's own, with sockets and files of their own: never the machine's.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "tests/support/namespace.h"

namespace vnet::test {

class Frr {
 public:
  static bool is_installed();

  // zebra, staticd, bgpd and bfdd, which write below `folder` alone. config: bgpd's.
  Frr(Namespace& in, std::filesystem::path folder, const std::string& config);
  ~Frr();

  void start(const std::string& daemon);
  void kill(const std::string& daemon);  // as if it had crashed; its configuration goes with it
  void signal(const std::string& daemon, int number);

  // What vtysh prints.
  std::string ask(const std::string& command) const;
  void configure(const std::vector<std::string>& commands) const;
  std::string bgp_config() const { return ask("show running-config"); }

 private:
  Namespace* in_;
  std::filesystem::path folder_;
  std::map<std::string, Background> running_;
};

}  // namespace vnet::test
