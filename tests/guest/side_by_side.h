// SPDX-License-Identifier: GPL-2.0-or-later
// The same networks, out of the same XML, by libvirt's own driver and by ours, a host for each. The guests
// are namespaces on veths, plugged in as libvirt plugs in taps:
//
//   default  NAT       virbr0 192.168.122.0/24   g1 .11, g2 .12
//   other    NAT       virbr1 192.168.123.0/24   g3 .13
//   alone    isolated  virbr2 192.168.124.0/24   g4 .14
//   routed   routed    virbr3 192.168.125.0/24   g5 .15
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "tests/support/libvirt.h"
#include "tests/support/playground.h"
#include "tests/support/raw_port.h"

namespace vnet::test {

enum class Driver : std::uint8_t { Libvirt, VnetBpf };

class SideBySideTest : public testing::TestWithParam<Driver> {
 protected:
  static constexpr const char* outside_address = "203.0.113.1";
  static constexpr const char* gateway_mac = "52:54:00:00:00:fe";  // of `default`

  static void TearDownTestSuite();
  void SetUp() override;

  // Which side it is: what a test expects of the one and not of the other.
  static bool theirs() { return GetParam() == Driver::Libvirt; }
  static bool ours() { return !theirs(); }

  Playground& ground() { return side().ground; }
  Namespace& host() { return ground().host(); }
  Namespace& outside() { return ground().outside(); }
  Namespace& guest(const std::string& name) { return ground().guest(name); }
  Libvirt& libvirt() { return *side().libvirt; }  // theirs only

  static std::string address(const std::string& guest);
  static std::string mac(const std::string& guest);

  Output start(const std::string& network);
  bool starts_soon(const std::string& network);  // libvirt's dnsmasq may be dying yet
  void stop(const std::string& network);
  void plug(const std::string& guest);
  void isolate(const std::string& guest, bool yes);
  void vnet(const Argv& words);  // ours only; must succeed

  // What comes of a ping: "answered", "refused" (port unreachable), else "nothing".
  std::string ping(const std::string& guest, const std::string& to);
  // Within a few seconds it is that.
  bool soon(const std::string& what, const std::string& guest, const std::string& to);
  // Whether such a frame comes by within that time.
  static bool hears(const RawPort& ear, const FrameTest& test,
                    std::chrono::milliseconds limit = std::chrono::milliseconds(500));

 private:
  struct Side {
    Playground ground;
    std::unique_ptr<Libvirt> libvirt;
  };
  Side& side() { return *sides_.at(GetParam()); }
  void set_up_side();

  static std::map<Driver, std::unique_ptr<Side>> sides_;
};

}  // namespace vnet::test
