// SPDX-License-Identifier: GPL-2.0-or-later
// The services of the default network, with real clients: udhcpc reads UDP sockets and raw frames, ISC
// dhclient raw frames only, and throws away a reply with a half-made checksum.
#include "tests/e2e/network_fixture.h"

namespace vnet::test {
namespace {

using testing::HasSubstr;

class DhcpDns : public NetworkTest {};

TEST_F(DhcpDns, BothClientsGetLeasesAndResolve) {
  vnet({"up"});
  for (const char* name : {"g1", "g2"}) {
    ground().add_guest(name);
    vnet({"attach", name, "--network", "default"});
    wait_until_forwarding(name);
  }
  Output small = ground().udhcpc("g1");
  ASSERT_TRUE(small.ok()) << small.out << small.err;
  Output isc = ground().dhclient("g2");
  ASSERT_TRUE(isc.ok()) << isc.out << isc.err;
  EXPECT_EQ("nameserver 192.168.122.1\n", ground().resolv("g1"));
  EXPECT_TRUE(guest("g1").pings("203.0.113.1"));
  EXPECT_TRUE(guest("g2").pings("203.0.113.1"));

  auto leases = ground().vnet_json({"leases", "default"});
  EXPECT_EQ(2U, leases.size());
  auto ports = ground().vnet_json({"ports"});
  ASSERT_EQ(2U, ports.size());
  for (const auto& port : ports) {
    EXPECT_FALSE(port["mac"].is_null()) << port;  // learned
    EXPECT_EQ(1U, port["ips"].size()) << port;    // from the lease
  }
}

TEST_F(DhcpDns, NamesOfTheDefinitionResolve) {
  start(
      "<network><name>lab</name><forward mode='nat'/><bridge name='virbr0' stp='off'/><domain "
      "name='lab.test' localOnly='yes'/>"
      "<dns><host ip='192.168.122.77'><hostname>box</hostname></host><txt name='note' value='hello'/></dns>"
      "<ip address='192.168.122.1' netmask='255.255.255.0'/></network>");
  plug("g1", 11);
  EXPECT_THAT(guest("g1").sh("busybox nslookup box.lab.test 192.168.122.1").out +
                  guest("g1").sh("busybox nslookup box 192.168.122.1").out,
              HasSubstr("192.168.122.77"));
}

TEST_F(DhcpDns, AStaticLeaseIsKept) {
  ground().add_guest("g1");
  std::string text = guest("g1").sh("ip -br link show eth0 | awk '{print $3}'").out.substr(0, 17);
  start(
      "<network><name>lab</name><forward mode='nat'/><bridge name='virbr0' stp='off'/><ip "
      "address='192.168.122.1' "
      "netmask='255.255.255.0'><dhcp><range start='192.168.122.100' end='192.168.122.200'/><host mac='" +
      text + "' name='1pinned' ip='192.168.122.42'/></dhcp></ip></network>");
  vnet({"attach", "g1", "--network", "lab"});
  wait_until_forwarding("g1");
  ASSERT_TRUE(ground().udhcpc("g1").ok());
  EXPECT_THAT(guest("g1").sh("ip -br addr").out, HasSubstr("192.168.122.42"));
  EXPECT_EQ("1pinned", ground().vnet_json({"leases", "lab"})[0]["hostname"]);
}

TEST_F(DhcpDns, RouterAdvertisementsConfigureIpv6) {
  start();
  ground().add_guest("g1");
  vnet({"attach", "g1", "--network", "lab"});
  EXPECT_TRUE(wait_until(
      [&] {
        return guest("g1").sh("ip -6 addr show dev eth0 scope global").out.find("fd00:122:") !=
               std::string::npos;
      },
      std::chrono::seconds(15)))
      << guest("g1").sh("ip -6 addr; ip -6 route").out;
  EXPECT_TRUE(guest("g1").pings("2001:db8:113::1"));
}

}  // namespace
}  // namespace vnet::test
