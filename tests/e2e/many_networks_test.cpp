// SPDX-License-Identifier: GPL-2.0-or-later
// As many networks with DHCP as a large host has: twice what the default limit of inotify instances allows.
#include <fmt/format.h>

#include <cstdlib>
#include <iostream>

#include "loader/os/inotify.h"
#include "tests/e2e/network_fixture.h"

namespace vnet::test {
namespace {

constexpr int networks = 256;

class ManyNetworks : public NetworkTest {
 protected:
  void SetUp() override {
    NetworkTest::SetUp();
    if (IsSkipped() || inotify_limit() >= 2 * networks) return;
    if (!std::getenv("VNET_OWN_MACHINE"))
      GTEST_SKIP() << "fs.inotify.max_user_instances is " << inotify_limit()
                   << ", which is the whole machine's; make vmtest TESTS=ManyNetworks has it";
    host().must("sysctl -qw fs.inotify.max_user_instances=1024");
  }

  static std::string name(int number) { return fmt::format("n{}", number); }
  static std::string xml(int number) {
    return fmt::format(
        "<network><name>n{0}</name><forward mode='nat'/><bridge name='br{0}' stp='off'/>"
        "<ip address='10.{0}.0.1' netmask='255.255.255.0'><dhcp><range start='10.{0}.0.100' "
        "end='10.{0}.0.200'/></dhcp></ip></network>",
        number);
  }
};

TEST_F(ManyNetworks, HaveADnsmasqEach) {
  for (int i = 0; i < networks && !HasFailure(); ++i) {
    vnet({"up", file("n.xml", xml(i))});
    // A test machine that is not heard of for long counts as hung.
    if ((i + 1) % 16 == 0) std::cout << "[          ] " << i + 1 << " networks" << std::endl;
  }
  for (int i : {0, networks / 2, networks - 1}) {
    std::string guest_name = fmt::format("g{}", i);
    ground().add_guest(guest_name);
    vnet({"attach", guest_name, "--network", name(i)});
    wait_until_forwarding(guest_name);
    Output lease = ground().udhcpc(guest_name);
    EXPECT_TRUE(lease.ok()) << name(i) << lease.out << lease.err;
    EXPECT_TRUE(guest(guest_name).pings("203.0.113.1")) << name(i);
  }
  int running = 0;
  for (const auto& network : ground().vnet_json({"list"})) running += network["state"] == "active" ? 1 : 0;
  EXPECT_EQ(networks, running);
}

}  // namespace
}  // namespace vnet::test
