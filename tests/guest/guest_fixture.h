// SPDX-License-Identifier: GPL-2.0-or-later
// Two real guests on a network, booted once for all tests of the program: g1 with one queue, g2 with two.
// Outside is 203.0.113.1 and 2001:db8:113::1, and serves a file. The network's mode is $VNET_GUEST_MODE
// (nat): libvirt's word, but `direct` for <forward mode='bridge'> with an <interface>.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/playground.h"
#include "tests/support/virtual_machine.h"

namespace vnet::test {

// What a mode is to its guests.
struct GuestMode {
  enum class Gateway : std::uint8_t { ours, host, outside };
  enum class Outside : std::uint8_t { hidden, masqueraded, routed };

  std::string forward;              // the element of the network's XML
  Gateway gateway = Gateway::ours;  // who has 192.168.122.1, and serves addresses and names
  Outside outside = Outside::hidden;
  int parents = 0;  // interfaces of the host, each a wire to one switch outside, which sends frames back
  bool guests_meet = true;
  bool by_reflection = false;  // only because the switch sends frames back
};

class GuestTest : public testing::Test {
 protected:
  static void SetUpTestSuite();
  static void TearDownTestSuite();
  void SetUp() override;

  static Playground& ground() { return *ground_; }
  static Namespace& host() { return ground_->host(); }
  static const GuestMode& mode() { return mode_; }
  static bool leads_outside() { return mode_.outside != GuestMode::Outside::hidden; }
  static Namespace& server() {
    return leads_outside() || mode_.gateway == GuestMode::Gateway::outside ? ground_->outside()
                                                                           : ground_->host();
  }
  static std::string server4() { return leads_outside() ? "203.0.113.1" : "192.168.122.1"; }
  static std::string server6() { return leads_outside() ? "2001:db8:113::1" : "fd00:122::1"; }
  // Whether the switch outside sends frames back where they came from (802.1Qbg).
  static void reflect(bool yes);
  static VirtualMachine& g1() { return *g1_; }
  static VirtualMachine& g2() { return *g2_; }

  // Must succeed; what the program says is shown when it does not.
  static Output vnet(const Argv& arguments);

  // The guest's first global address of a family that starts so; "" when there is none in time.
  static std::string address(VirtualMachine& guest, const std::string& start);
  // Succeeds within a few seconds. A test failure with what was said otherwise.
  static void expect_soon(VirtualMachine& guest, const std::string& command);
  // What each of the second guest's queues has carried, by the names of its driver.
  static std::map<std::string, std::uint64_t> queue_packets();
  static std::string sum_of_served_file() { return served_sum_; }

 private:
  static void serve_addresses(Namespace& where, const std::string& interface);
  static void make_switch();
  static void start_network();
  static void serve_file();
  static std::unique_ptr<VirtualMachine> boot(const MachineImage& image, const std::string& name, int number,
                                              int queues);

  static std::string missing_, served_sum_;
  static GuestMode mode_;
  static std::unique_ptr<Playground> ground_;
  static std::unique_ptr<VirtualMachine> g1_, g2_;
  static std::vector<Background> services_;
};

}  // namespace vnet::test
