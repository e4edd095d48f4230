// SPDX-License-Identifier: GPL-2.0-or-later
// A playground with a NAT network of both families and two guests plugged in, with fixed addresses:
// g1 192.168.122.11, fd00:122::11; g2 .12, ::12. Outside is 203.0.113.1, 2001:db8:113::1.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <fstream>
#include <memory>
#include <string>

#include "tests/support/playground.h"

namespace vnet::test {

inline std::string dual_stack_xml(const std::string& nat = "<nat ipv6='yes'/>",
                                  const std::string& extra = "") {
  return "<network><name>lab</name><forward mode='nat'>" + nat +
         "</forward><bridge name='virbr0' stp='off'/>" + extra +
         "<ip address='192.168.122.1' netmask='255.255.255.0'><dhcp><range start='192.168.122.100' "
         "end='192.168.122.200'/></dhcp></ip>"
         "<ip family='ipv6' address='fd00:122::1' prefix='64'/></network>";
}

class NetworkTest : public testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root";
    ground_ = std::make_unique<Playground>();
  }

  Playground& ground() { return *ground_; }
  Namespace& host() { return ground_->host(); }
  Namespace& outside() { return ground_->outside(); }
  Namespace& guest(const std::string& name) { return ground_->guest(name); }

  std::string file(const std::string& name, const std::string& text) {
    auto path = ground_->state_dir() / name;
    std::ofstream(path) << text;
    return path.string();
  }

  // Must succeed; what the program says is shown when it does not.
  Output vnet(const Argv& arguments) {
    Output output = ground_->vnet(arguments);
    EXPECT_TRUE(output.ok()) << testing::PrintToString(arguments) << " exit " << output.status << "\n"
                             << output.out << output.err;
    return output;
  }

  void start(const std::string& xml = dual_stack_xml()) { vnet({"up", file("lab.xml", xml)}); }

  // With STP a new port listens and learns for twice the forward delay, as on every Linux bridge.
  void wait_until_forwarding(const std::string& name) {
    EXPECT_TRUE(wait_until(
        [&] {
          return host().sh("bridge link show dev " + name).out.find("state forwarding") != std::string::npos;
        },
        std::chrono::seconds(10)));
  }

  void plug(const std::string& name, int number, const std::string& network = "lab") {
    ground_->add_guest(name);
    Namespace& in = guest(name);
    std::string n = std::to_string(number);
    in.must("ip addr add 192.168.122." + n + "/24 dev eth0; ip addr add fd00:122::" + n +
            "/64 dev eth0 nodad; ip link set eth0 up; ip route replace default via 192.168.122.1; "
            "ip -6 route replace default via fd00:122::1");
    std::string text = in.sh("ip -br link show eth0 | awk '{print $3}'").out;
    vnet({"attach", name, "--network", network, "--mac", text.substr(0, 17)});
    wait_until_forwarding(name);
  }

  void plug_both() {
    plug("g1", 11);
    plug("g2", 12);
  }

  std::uint64_t dropped(const std::string& reason) {
    std::uint64_t sum = 0;
    auto stats = ground_->vnet_json({"stats"});
    for (const char* group : {"networks", "ports", "uplinks"})
      for (const auto& entry : stats[group])
        // A network's sums hold its ports' already.
        if (std::string(group) != "ports") sum += entry["drops"].value(reason, std::uint64_t{0});
    return sum;
  }

 private:
  std::unique_ptr<Playground> ground_;
};

}  // namespace vnet::test
