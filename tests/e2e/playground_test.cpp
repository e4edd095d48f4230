// SPDX-License-Identifier: GPL-2.0-or-later
// The tests' own ground: what later failures may rely on not being the playground's fault.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "tests/support/playground.h"

namespace vnet::test {
namespace {

using testing::HasSubstr;

class PlaygroundTest : public testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root";
  }
};

TEST_F(PlaygroundTest, HostReachesOutside) {
  Playground ground;
  for (const char* address : {"203.0.113.1", "198.51.100.1", "2001:db8:113::1", "2001:db8:51::1"}) {
    EXPECT_TRUE(ground.host().pings(address)) << address;
  }
}

TEST_F(PlaygroundTest, OutsideKnowsNoWayToGuests) {
  Playground ground;
  EXPECT_THAT(ground.outside().sh("ip route get 192.168.122.10").err, HasSubstr("unreachable"));
}

TEST_F(PlaygroundTest, GuestsGetLeasesThroughAPlainBridge) {
  Playground ground;
  ground.host().must("ip link add br0 type bridge; ip addr add 192.168.122.1/24 dev br0; ip link set br0 up");
  for (const char* name : {"g1", "g2"}) {
    ground.add_guest(name);
    ground.host().must("ip link set " + std::string(name) + " master br0");
  }
  Background dnsmasq = ground.host().background(
      {"dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-hosts", "--no-resolv",
       "--interface=br0", "--bind-dynamic", "--except-interface=lo", "--no-ping", "--dhcp-authoritative",
       "--dhcp-range=192.168.122.10,192.168.122.20,255.255.255.0,1h",
       "--dhcp-leasefile=" + (ground.state_dir() / "leases").string(),
       "--pid-file=" + (ground.state_dir() / "dnsmasq.pid").string()});
  ASSERT_TRUE(wait_until([&] { return ground.host().sh("ss -lun | grep -q :67").ok(); }));

  Output small = ground.udhcpc("g1");
  EXPECT_TRUE(small.ok()) << small.err;
  Output isc = ground.dhclient("g2");
  EXPECT_TRUE(isc.ok()) << isc.err;
  for (const char* name : {"g1", "g2"}) {
    EXPECT_TRUE(ground.guest(name).pings("192.168.122.1"))
        << name << ground.guest(name).sh("ip addr; ip route").out;
    EXPECT_THAT(ground.guest(name).sh("ip route").out, HasSubstr("default via 192.168.122.1"));
    EXPECT_EQ("nameserver 192.168.122.1\n", ground.resolv(name));
  }
}

TEST_F(PlaygroundTest, NothingIsLeft) {
  std::filesystem::path state;
  std::vector<std::string> names;
  {
    Playground ground;
    ground.add_guest("g1");
    ground.host().must("sleep 60 >/dev/null 2>&1 &");
    state = ground.state_dir();
    EXPECT_EQ("bpf_fs\n", sh("stat -f -c %T " + (state / "bpf").string()).out);
    names = {ground.host().name(), ground.outside().name(), ground.guest("g1").name()};
  }
  EXPECT_FALSE(std::filesystem::exists(state));
  for (const std::string& name : names) EXPECT_FALSE(std::filesystem::exists("/run/netns/" + name)) << name;
}

}  // namespace
}  // namespace vnet::test
