// SPDX-License-Identifier: GPL-2.0-or-later
// A virtualization host with an outside world and guests, each a network namespace:
//
//   guest g1 eth0 --- g1 [host] eth0 203.0.113.2/24 --- eth0 203.0.113.1/24 [outside] lo 198.51.100.1/32
//                               2001:db8:113::2/64        2001:db8:113::1/64        2001:db8:51::1/128
//
// The host routes to outside by default; outside knows no way back to guests' subnets.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/support/namespace.h"

namespace vnet::test {

class Playground {
 public:
  Playground();
  ~Playground();

  Namespace& host() { return *host_; }
  Namespace& outside() { return *outside_; }
  Namespace& guest(const std::string& name) { return *guests_.at(name); }
  const std::filesystem::path& state_dir() const { return state_dir_; }

  // A guest without an address: a namespace whose eth0 is the host's interface `name`.
  Namespace& add_guest(const std::string& name);

  // A lease for the guest's eth0 with address and default route; what it was told of DNS is in resolv(name).
  Output udhcpc(const std::string& guest_name);
  Output dhclient(const std::string& guest_name);
  std::string resolv(const std::string& guest_name) const;

  // The program under test, on the host, with the playground's state directory.
  static std::string program();  // this build's, or VNET_BPF_PROGRAM: another build under the same tests
  Output vnet(const Argv& arguments);
  nlohmann::json vnet_json(Argv arguments);  // adds --json; throws std::runtime_error when the program fails

 private:
  std::filesystem::path file(const std::string& name) const { return state_dir_ / "playground" / name; }
  std::filesystem::path write_script(const std::string& name, const std::string& text) const;
  void set_up();
  void take_down();

  std::filesystem::path state_dir_;
  bool mounted_ = false;
  std::unique_ptr<Namespace> host_, outside_;
  std::map<std::string, std::unique_ptr<Namespace>> guests_;
};

}  // namespace vnet::test
