// SPDX-License-Identifier: GPL-2.0-or-later
// Devices and rules that only some kernels have: netkit, dummy, act_csum. make vmtest runs them where they
// are.
#include <linux/if_link.h>
#include <netlink/socket.h>

#include <stdexcept>

#include "loader/netlink/netlink_message.h"
#include "tests/e2e/direct_fixture.h"
#include "tests/support/inside.h"

namespace vnet::test {
namespace {

using testing::HasSubstr;

// Newer than Debian 12's headers and its ip(8).
constexpr int netkit_mode = 5;  // IFLA_NETKIT_MODE
enum class Netkit : std::uint32_t { L2 = 0, L3 = 1 };

class Devices : public DirectTest {
 protected:
  // A pair of netkit devices on the host; the second one is named NAME-in. False: the kernel has none.
  bool add_netkit(const std::string& name, Netkit mode) {
    bool made = false;
    run_inside(host(), [&] {
      std::unique_ptr<nl_sock, decltype(&nl_socket_free)> socket(nl_socket_alloc(), nl_socket_free);
      if (nl_connect(socket.get(), NETLINK_ROUTE)) throw std::runtime_error("no netlink socket");
      netlink::Message message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, ifinfomsg{});
      message.put_string(IFLA_IFNAME, name);
      message.nest(IFLA_LINKINFO, [&] {
        message.put_string(IFLA_INFO_KIND, "netkit");
        message.nest(IFLA_INFO_DATA, [&] { message.put_u32(netkit_mode, static_cast<std::uint32_t>(mode)); });
      });
      made = netlink::exchange(socket.get(), message).ok();
    });
    if (made) rename_peer(name);
    return made;
  }
  // A container as a guest: eth0 of its namespace is the other end of the netkit device `name`.
  void add_container(const std::string& name) {
    ground().add_guest(name);
    host().must("ip link delete " + name);
    ASSERT_TRUE(add_netkit(name, Netkit::L2));
    host().must(
        fmt::format("ip link set {0}-in netns {1} name eth0; ip link set {0} up", name, guest(name).name()));
  }
  bool has_netkit() {
    bool has = add_netkit("nk7", Netkit::L2);
    host().sh("ip link delete nk7");
    return has;
  }

 private:
  void rename_peer(const std::string& name) {
    auto links = nlohmann::json::parse(host().sh("ip -d -j link show").out);
    std::string other;
    for (const auto& link : links)
      if (link["ifname"] == name) other = link.value("link", "");
    host().must("ip link set " + other + " name " + name + "-in");
  }
};

TEST_F(Devices, AContainerBehindNetkitIsAGuest) {
  if (!has_netkit()) GTEST_SKIP() << "the kernel has no netkit devices (6.7)";
  start();
  for (auto [name, number] : {std::pair{"g1", 11}, {"g2", 12}}) {
    add_container(name);
    vnet({"attach", name, "--network", "lab", "--mac", mac_of(guest(name)), "--filter", "clean-traffic",
          "--ip", fmt::format("192.168.122.{}", number), "--ip", fmt::format("fd00:122::{}", number)});
    // Its addresses are fixed: one that it makes of a router advertisement would be a spoofed source.
    guest(name).must(
        fmt::format("sysctl -qw net.ipv6.conf.eth0.accept_ra=0; ip link set eth0 up; ip addr add "
                    "192.168.122.{0}/24 dev eth0; ip addr add "
                    "fd00:122::{0}/64 dev eth0 nodad; "
                    "ip route replace default via 192.168.122.1; ip -6 route replace default via fd00:122::1",
                    number));
    wait_until_forwarding(name);
  }
  for (const char* target :
       {"192.168.122.1", "192.168.122.12", "203.0.113.1", "fd00:122::1", "fd00:122::12", "2001:db8:113::1"})
    EXPECT_TRUE(guest("g1").pings(target)) << target << ground().vnet({"stats"}).out;
  Background server = outside().background({"iperf3", "-s"});
  for (const char* direction : {"", "-R"}) {
    Output bulk;
    wait_until([&] {
      return (bulk = guest("g1").sh(std::string("iperf3 -n 10M -c 203.0.113.1 ") + direction)).ok();
    });
    EXPECT_TRUE(bulk.ok()) << direction << bulk.out << bulk.err;
  }
  EXPECT_FALSE(ground().vnet_json({"flows"}).empty());
  // It is guarded as every port.
  guest("g1").must("ip addr add 192.168.122.99/24 dev eth0");
  EXPECT_FALSE(guest("g1").sh("ping -c1 -W1 -I 192.168.122.99 192.168.122.1").ok());
  EXPECT_GT(dropped("spoofed-source"), 0U);
}

TEST_F(Devices, ANetkitDeviceWithoutMacsIsRefused) {
  if (!has_netkit()) GTEST_SKIP() << "the kernel has no netkit devices (6.7)";
  start();
  ASSERT_TRUE(add_netkit("nk1", Netkit::L3));
  Output refused = ground().vnet({"attach", "nk1", "--network", "lab"});
  EXPECT_EQ(2, refused.status);
  EXPECT_THAT(refused.err, HasSubstr("nk1 is a netkit device in mode l3"));
}

TEST_F(Devices, ANetkitDeviceIsAnUplink) {
  if (!has_netkit()) GTEST_SKIP() << "the kernel has no netkit devices (6.7)";
  host().must("ip link delete eth0");
  ASSERT_TRUE(add_netkit("up0", Netkit::L2));
  host().must("ip link set up0-in netns " + outside().name() +
              " name eth0; ip link set up0 up; "
              "ip addr add 203.0.113.2/24 dev up0; ip addr add 2001:db8:113::2/64 dev up0 nodad; "
              "ip route replace default via 203.0.113.1; ip -6 route replace default via 2001:db8:113::1");
  outside().must(
      "ip link set eth0 up; ip addr add 203.0.113.1/24 dev eth0; ip addr add 2001:db8:113::1/64 dev eth0 "
      "nodad");
  start();
  plug("g1", 11);
  for (const char* target : {"203.0.113.1", "2001:db8:113::1"})
    EXPECT_TRUE(guest("g1").pings(target, 10)) << target << ground().vnet({"stats"}).out;
  EXPECT_EQ("up0", ground().vnet_json({"stats"})["uplinks"].at(0)["interface"]);
}

// A dummy device leads nowhere: guests on it have each other, and the host.
TEST_F(Devices, ADummyIsTheParentOfGuests) {
  if (!host().sh("ip link add d0 type dummy && ip link set d0 up").ok())
    GTEST_SKIP() << "the kernel has no dummy devices";
  host().must("ip addr add 198.18.0.1/24 dev d0; ip link set d0 arp on");  // off by default
  start_lan("bridge", {"d0"});
  plug_two();
  EXPECT_TRUE(reaches_both(guest("g1"), 12));
  EXPECT_TRUE(reaches_both(guest("g2"), 11));
  guest("g1").must("ip addr add 198.18.0.11/24 dev eth0");
  EXPECT_TRUE(guest("g1").pings("198.18.0.1"));
}

TEST_F(Devices, ADummyIsAnUplinkThatLeadsNowhere) {
  if (!host().sh("ip link add d0 type dummy && ip link set d0 up").ok())
    GTEST_SKIP() << "the kernel has no dummy devices";
  host().must(
      "ip addr add 198.18.0.1/24 dev d0; ip route replace default via 198.18.0.254; "
      "ip neigh add 198.18.0.254 lladdr 02:00:00:00:00:fe dev d0 nud permanent");
  start();
  plug_both();
  EXPECT_TRUE(guest("g1").pings("192.168.122.12"));
  EXPECT_FALSE(guest("g1").pings("198.51.100.1", 1));
  auto sent =
      nlohmann::json::parse(host().sh("ip -s -j link show d0").out)[0]["stats64"]["tx"]["packets"].get<int>();
  EXPECT_GT(sent, 0);
  EXPECT_TRUE(guest("g1").pings("203.0.113.2"));  // the host is still there
}

// libvirt's own repair of DHCP replies, next to ours: neither undoes the other's.
TEST_F(Devices, LibvirtsChecksumRuleDoesNoHarm) {
  if (!host().sh("tc actions add action csum udp && tc actions flush action csum").ok())
    GTEST_SKIP() << "the kernel has no act_csum";
  start();
  host().must(
      "tc qdisc add dev virbr0 root handle 1: htb default 2; tc filter add dev virbr0 prio 2 protocol ip "
      "parent "
      "1: u32 match ip dport 68 ffff action csum ip and udp");
  ground().add_guest("g1");
  vnet({"attach", "g1", "--network", "lab", "--mac", mac_of(guest("g1"))});
  Output lease = ground().udhcpc("g1");  // reads raw frames, and looks at checksums
  EXPECT_TRUE(lease.ok()) << lease.out << lease.err;
  EXPECT_TRUE(guest("g1").pings("203.0.113.1"));
  EXPECT_TRUE(guest("g1").pings("192.168.122.1"));
  // The rule has been met where the reply left the host by the bridge.
  vnet({"stop", "lab"});
}

}  // namespace
}  // namespace vnet::test
