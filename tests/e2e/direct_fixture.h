// SPDX-License-Identifier: GPL-2.0-or-later
// Direct attachment on the playground's eth0: guests have addresses of the outside's own network, gN .1N and
// ::1N; the host is .2, outside .1.
#pragma once

#include <fmt/format.h>

#include <string>
#include <vector>

#include "tests/e2e/network_fixture.h"

namespace vnet::test {

class DirectTest : public NetworkTest {
 protected:
  static std::string lan_xml(const std::string& mode, const std::vector<std::string>& devices = {"eth0"},
                             const std::string& name = "lan") {
    std::string pool;
    for (const auto& device : devices) pool += "<interface dev='" + device + "'/>";
    return "<network><name>" + name + "</name><forward mode='" + mode + "'>" + pool + "</forward></network>";
  }
  void start_lan(const std::string& mode, const std::vector<std::string>& devices = {"eth0"},
                 const std::string& name = "lan") {
    vnet({"up", file(name + ".xml", lan_xml(mode, devices, name))});
  }

  static std::string v4(int number) { return fmt::format("203.0.113.{}", number); }
  static std::string v6(int number) { return fmt::format("2001:db8:113::{}", number); }
  std::string mac_of(Namespace& where, const std::string& interface = "eth0") {
    return where.sh("ip -br link show " + interface + " | awk '{print $3}'").out.substr(0, 17);
  }
  void plug_direct(const std::string& name, int number, const Argv& options = {},
                   const std::string& network = "lan") {
    ground().add_guest(name);
    guest(name).must(
        fmt::format("ip addr add {}/24 dev eth0; ip addr add {}/64 dev eth0 nodad", v4(number), v6(number)));
    Argv words = {"attach", name, "--network", network, "--mac", mac_of(guest(name))};
    words.insert(words.end(), options.begin(), options.end());
    vnet(words);
  }
  void plug_two(const Argv& options = {}) {
    plug_direct("g1", 11, options);
    plug_direct("g2", 12, options);
  }

  // Outside becomes a switch; hairpin: one that sends frames back where they came from (802.1Qbg).
  void make_switch(bool hairpin) {
    outside().must(
        "ip addr flush dev eth0; ip link add br0 type bridge mcast_snooping 0; ip link set eth0 master br0; "
        "ip addr add 203.0.113.1/24 dev br0; ip addr add 2001:db8:113::1/64 dev br0 nodad; ip link set br0 "
        "up");
    outside().must(std::string("bridge link set dev eth0 hairpin ") + (hairpin ? "on" : "off"));
    EXPECT_TRUE(wait_until([&] {
      return outside().sh("bridge link show dev eth0").out.find("state forwarding") != std::string::npos;
    }));
  }

  static bool reaches(Namespace& from, const std::string& to) { return from.pings(to, 4); }
  static bool reaches_both(Namespace& from, int number) {
    bool by_v4 = reaches(from, v4(number)), by_v6 = reaches(from, v6(number));
    EXPECT_EQ(by_v4, by_v6) << "the families differ towards " << number;
    return by_v4 && by_v6;
  }
};

}  // namespace vnet::test
