// SPDX-License-Identifier: GPL-2.0-or-later
// Filters on real ports: what a guest's kernel and its DHCP clients do goes on working, what it should not
// send is dropped with its reason.
#include <fstream>

#include "tests/e2e/port_fixture.h"
#include "tests/support/tap_guest.h"

namespace vnet::test {
namespace {

using testing::HasSubstr;

class Filters : public PortTest {
 protected:
  void SetUp() override {
    PortTest::SetUp();
    if (IsSkipped()) return;
    start_lab();
  }
  void expect_reaches_everything(const std::string& name) {
    for (const std::string& target : {std::string("192.168.122.1"), ip4(12), std::string("203.0.113.1"),
                                      std::string("fd00:122::1"), ip6(12), std::string("2001:db8:113::1")})
      EXPECT_TRUE(guest(name).pings(target)) << target << " " << all_drops(name);
  }
};

struct Spoof {
  const char* what;
  Packet packet;
  const char* reason;
};

std::vector<Spoof> spoofs() {
  const std::string own = mac_of(11), other = mac_of(12);
  const Ethernet all{.src = own, .dst = "ff:ff:ff:ff:ff:ff"}, all6{.src = own, .dst = "33:33:00:00:00:01"};
  const Ethernet gateway{.src = own, .dst = gateway_mac}, neighbour{.src = own, .dst = other};
  Packet first_of_many = Ipv4{.src = ip4(12), .dst = "203.0.113.1", .id = 7, .more_fragments = true};
  Packet later = Ipv4{.src = ip4(12), .dst = "203.0.113.1", .id = 7, .fragment_offset = 1480, .protocol = 17};
  Payload advertisement(Bytes(12, 0));
  return {
      {"source MAC", Ethernet{.src = other, .dst = gateway_mac} / Ipv4{.src = ip4(11)} / Udp{},
       "spoofed-mac"},
      {"the gateway's MAC", Ethernet{.src = gateway_mac, .dst = other} / Payload(50), "spoofed-mac"},
      {"source IP to the outside", gateway / Ipv4{.src = ip4(12)} / Udp{}, "spoofed-source"},
      {"source IP to a guest", neighbour / Ipv4{.src = "192.168.122.1", .dst = ip4(12)} / Udp{},
       "spoofed-source"},
      {"source IPv6", gateway / Ipv6{.src = ip6(12)} / Udp{}, "spoofed-source"},
      {"another's link-local", all6 / Ipv6{.src = link_local(12), .dst = "ff02::1"} / Udp{},
       "spoofed-source"},
      {"first fragment", gateway / first_of_many / Udp{} / Payload(1472), "spoofed-source"},
      {"later fragment", gateway / later / Payload(100), "spoofed-source"},
      {"later IPv6 fragment",
       gateway / Ipv6{.src = ip6(12)} / Ipv6Fragment{.id = 7, .offset = 1448} / Payload(100),
       "spoofed-source"},
      {"ARP sender IP", all / Arp{.operation = 2, .sender_mac = own, .sender_ip = "192.168.122.1"},
       "spoofed-arp"},
      {"ARP sender MAC", all / Arp{.operation = 2, .sender_mac = other, .sender_ip = ip4(11)}, "spoofed-arp"},
      {"ND target",
       all6 / Ipv6{.src = link_local(11), .dst = "ff02::1", .hop_limit = 255} / Icmpv6{.type = 136} /
           neighbor_target("fd00:122::1", 2, own),
       "spoofed-nd"},
      {"ND target MAC",
       all6 / Ipv6{.src = ip6(11), .dst = "ff02::1", .hop_limit = 255} / Icmpv6{.type = 136} /
           neighbor_target(ip6(11), 2, other),
       "spoofed-nd"},
      {"ND in fragments",
       all6 / Ipv6{.src = ip6(11), .dst = "ff02::1", .hop_limit = 255} / Ipv6Fragment{.id = 9, .more = true} /
           Icmpv6{.type = 136} / neighbor_target(ip6(11), 2, own),
       "spoofed-nd"},
      {"router advertisement",
       all6 / Ipv6{.src = link_local(11), .dst = "ff02::1", .hop_limit = 255} / Icmpv6{.type = 134} /
           advertisement,
       "router"},
      {"router advertisement behind an extension header",
       all6 / Ipv6{.src = link_local(11), .dst = "ff02::1", .hop_limit = 255} / Ipv6HopByHop{} /
           Icmpv6{.type = 134} / advertisement,
       "router"},
      {"ICMP redirect", neighbour / Ipv4{.src = ip4(11), .dst = ip4(12)} / Icmp{.type = 5} / Payload(28),
       "router"},
      {"DHCP server",
       all / Ipv4{.src = ip4(11), .dst = "255.255.255.255"} / Udp{.src_port = 67, .dst_port = 68} /
           Payload(300),
       "dhcp-server"},
      {"DHCPv6 server",
       neighbour / Ipv6{.src = link_local(11), .dst = link_local(12)} /
           Udp{.src_port = 547, .dst_port = 546} / Payload(40),
       "dhcp-server"},
      {"VLAN hopping", neighbour / Vlan{.id = 7} / Ipv4{.src = ip4(12), .dst = ip4(12)} / Udp{},
       "vlan-tagged"},
      {"VLAN 0", gateway / Vlan{.id = 0} / Ipv4{.src = ip4(12)} / Udp{}, "spoofed-source"},
      {"two tags", neighbour / Vlan{.id = 7, .tpid = 0x88a8} / Vlan{.id = 8} / Ipv4{} / Udp{}, "vlan-tagged"},
      {"authentication header", gateway / Ipv6{.src = ip6(11), .next_header = 51} / Payload(Bytes(60, 0)),
       "hidden"},
      {"neither IP nor ARP", neighbour / Payload(60), "ethertype"},
      {"the bridge's own protocols",
       Ethernet{.src = own, .dst = "01:80:c2:00:00:00", .type = 38} / Payload(38), "ethertype"},
  };
}

TEST_F(Filters, SpoofedFramesAreDroppedEachWithItsReason) {
  add("g1", 11), add("g2", 12);
  attach("g2", 12);
  attach("g1", 11, {"--ip", ip4(11), "--ip", ip6(11), "--filter", "clean-traffic"});
  expect_reaches_everything("g1");
  RawPort raw(guest("g1"), "eth0");
  for (const Spoof& spoof : spoofs()) {
    std::uint64_t before = drops_at("g1", spoof.reason);
    raw.send(spoof.packet);
    EXPECT_TRUE(
        wait_until([&] { return drops_at("g1", spoof.reason) == before + 1; }, std::chrono::seconds(2)))
        << spoof.what << ": " << all_drops("g1");
  }
  expect_reaches_everything("g1");
  // The same frames of a guest without filters go through, but for those that no guest may send.
  set("g1", {"--filter", "none"});
  RawPort other(guest("g2"), "eth0");
  raw.send(Ethernet{.src = mac_of(11), .dst = mac_of(12)} / Ipv4{.src = "192.168.122.1", .dst = ip4(12)} /
           Udp{.src_port = 4711});
  EXPECT_TRUE(other.expect_frame([](const VirtioFrame& f) { return fields(f.frame).src_port == 4711; }));
}

TEST_F(Filters, RealDhcpClientsWorkAndLeasesAreTheGuestsAddresses) {
  for (int i : {1, 2}) {
    std::string name = "g" + std::to_string(i);
    add(name, 10 + i, false);
    guest(name).must("ip link set eth0 up");
  }
  attach("g1", 11, {"--filter", "clean-traffic"});
  attach("g2", 12, {"--filter", "clean-traffic"});
  Output small = ground().udhcpc("g1");
  ASSERT_TRUE(small.ok()) << small.out << small.err << all_drops("g1");
  Output isc = ground().dhclient("g2");
  ASSERT_TRUE(isc.ok()) << isc.out << isc.err << all_drops("g2");
  for (const char* name : {"g1", "g2"}) {
    EXPECT_TRUE(guest(name).pings("192.168.122.1")) << all_drops(name);
    EXPECT_TRUE(guest(name).pings("203.0.113.1")) << all_drops(name);
    EXPECT_EQ(0U, drops_at(name, "spoofed-source")) << all_drops(name);
    EXPECT_EQ(0U, drops_at(name, "spoofed-arp")) << all_drops(name);
  }
  guest("g1").must("ip addr flush dev eth0 scope global; ip addr add 192.168.122.77/24 dev eth0");
  EXPECT_FALSE(guest("g1").pings("192.168.122.1", 1));
  EXPECT_GE(drops_at("g1", "spoofed-arp"), 1U) << all_drops("g1");
}

TEST_F(Filters, StatefulIpv6LeasesCountToo) {
  vnet({"stop", "lab"});
  start(
      "<network><name>lab</name><forward mode='nat'><nat ipv6='yes'/></forward><bridge name='virbr0' "
      "stp='off'/>"
      "<ip family='ipv6' address='fd00:122::1' prefix='64'><dhcp><range start='fd00:122::100' "
      "end='fd00:122::1ff'/></dhcp></ip></network>");
  add("g1", 11, false);
  guest("g1").must("ip link set eth0 up");
  attach("g1", 11, {"--filter", "clean-traffic"});
  auto script = file("dhclient6",
                     "#!/bin/sh\ncase $reason in BOUND6|REBIND6|RENEW6) ;; *) exit 0 ;; esac\n"
                     "ip -6 addr add $new_ip6_address/64 dev $interface nodad\n");
  std::filesystem::permissions(script, std::filesystem::perms::owner_all);
  // Link-local first: the client binds to it.
  ASSERT_TRUE(wait_until(
      [&] {
        return !guest("g1").sh("ip -6 addr show dev eth0 scope link -tentative | grep fe80").out.empty();
      },
      std::chrono::seconds(10)));
  Output client = guest("g1").exec({"unshare", "-m", "dhclient", "-6", "-1", "-v", "-cf", "/dev/null", "-sf",
                                    script, "-lf", file("leases6", ""), "-pf", file("pid6", ""), "eth0"});
  ASSERT_TRUE(client.ok()) << client.out << client.err << all_drops("g1");
  EXPECT_TRUE(guest("g1").pings("fd00:122::1")) << guest("g1").sh("ip -6 addr").out << all_drops("g1");
  // DHCPv6 gives no route: that comes by a router advertisement, maybe later than the lease.
  EXPECT_TRUE(wait_until([&] { return !guest("g1").sh("ip -6 route show default").out.empty(); },
                         std::chrono::seconds(10)));
  EXPECT_TRUE(guest("g1").pings("2001:db8:113::1")) << seen();
}

// Addresses that nobody could list: made up by the guest, and found to be free.
TEST_F(Filters, AddressesOfDuplicateDetectionAreTheGuests) {
  add("g1", 11, false);
  // Plugged in before it starts, as a virtual machine is: its first duplicate detection is seen.
  vnet({"attach", "g1", "--network", "lab", "--mac", mac_of(11), "--filter", "clean-traffic"});
  guest("g1").must(
      "sysctl -qw net.ipv6.conf.eth0.accept_dad=1; sysctl -qw net.ipv6.conf.eth0.addr_gen_mode=3; ip link "
      "set eth0 up");
  wait_until_forwarding("g1");
  auto global = [&] {
    return guest("g1")
        .sh("ip -6 -o addr show dev eth0 scope global -tentative | awk '{print $4}' | cut -d/ -f1")
        .out;
  };
  ASSERT_TRUE(wait_until([&] { return global().find("fd00:122:") == 0; }, std::chrono::seconds(15)))
      << guest("g1").sh("ip -6 addr").out << all_drops("g1");
  EXPECT_EQ(std::string::npos, global().find("ff:fe")) << global();
  for (const char* target : {"fd00:122::1", "2001:db8:113::1"})
    EXPECT_TRUE(guest("g1").pings(target)) << target << all_drops("g1");
  EXPECT_TRUE(host().pings(global().substr(0, global().find('\n')))) << all_drops("g1");
  EXPECT_EQ(0U, drops_at("g1", "spoofed-nd") + drops_at("g1", "spoofed-source")) << all_drops("g1");
}

// Turned on while the guest is running: it keeps the lease and the addresses it has.
TEST_F(Filters, AFilterForARunningGuestKnowsItsAddresses) {
  add("g1", 11, false);
  guest("g1").must("ip link set eth0 up");
  vnet({"attach", "g1", "--network", "lab"});
  wait_until_forwarding("g1");
  ASSERT_TRUE(ground().udhcpc("g1").ok());
  // The DHCP client's script flushed what the router's advertisement had given: ask for it anew.
  guest("g1").must("for off in 1 0; do echo $off > /proc/sys/net/ipv6/conf/eth0/disable_ipv6; done");
  ASSERT_TRUE(wait_until([&] { return guest("g1").pings("2001:db8:113::1", 1); }, std::chrono::seconds(15)));
  set("g1", {"--filter", "clean-traffic"});
  EXPECT_TRUE(guest("g1").pings("203.0.113.1")) << all_drops("g1");
  EXPECT_TRUE(guest("g1").pings("2001:db8:113::1")) << all_drops("g1");
  // No MAC was named: the one it had is the one it keeps.
  RawPort(guest("g1"), "eth0").send(Ethernet{.src = mac_of(99), .dst = gateway_mac} / Payload(50));
  EXPECT_TRUE(wait_until([&] { return drops_at("g1", "spoofed-mac") == 1; })) << all_drops("g1");
}

TEST_F(Filters, AStaticLeaseIsAnAddressWithoutAsking) {
  vnet({"stop", "lab"});
  start(
      "<network><name>lab</name><forward mode='nat'/><bridge name='virbr0' stp='off'/><ip "
      "address='192.168.122.1' "
      "netmask='255.255.255.0'><dhcp><range start='192.168.122.100' end='192.168.122.200'/><host mac='" +
      mac_of(11) + "' ip='192.168.122.11'/></dhcp></ip></network>");
  add("g1", 11);
  attach("g1", 11, {"--filter", "clean-traffic"});
  EXPECT_TRUE(guest("g1").pings("203.0.113.1")) << all_drops("g1");
  guest("g1").must("ip addr del 192.168.122.11/24 dev eth0; ip addr add 192.168.122.12/24 dev eth0");
  EXPECT_FALSE(guest("g1").pings("192.168.122.1", 1));
}

TEST_F(Filters, ADhcpServerAmongTheGuestsNeedsPermission) {
  add("g1", 11), add("g2", 12);
  attach("g2", 12);
  attach("g1", 11,
         {"--ip", ip4(11), "--ip", ip6(11), "--filter", "clean-traffic", "--filter", "allow-dhcp-server"});
  RawPort raw(guest("g1"), "eth0"), other(guest("g2"), "eth0");
  raw.send(Ethernet{.src = mac_of(11), .dst = "ff:ff:ff:ff:ff:ff"} /
           Ipv4{.src = ip4(11), .dst = "255.255.255.255"} / Udp{.src_port = 67, .dst_port = 68} /
           Payload(300));
  EXPECT_TRUE(other.expect_frame([](const VirtioFrame& f) { return fields(f.frame).src_port == 67; }));
  auto port = ground().vnet_json({"ports"})[0];
  EXPECT_EQ((nlohmann::json{"clean-traffic", "allow-dhcp-server"}), port["filters"]) << port;
}

// As a virtual machine has it: a tap, frames with offload metadata, a tag in the frame itself.
TEST_F(Filters, HoldForTaps) {
  TapGuest machine(host(), "t1", {.mac = mac_of(11), .ipv4 = ip4(11), .ipv6 = ip6(11)});
  attach("t1", 11, {"--ip", ip4(11), "--ip", ip6(11), "--filter", "clean-traffic"});
  EXPECT_EQ(gateway_mac, machine.resolve("192.168.122.1"));
  EXPECT_EQ(gateway_mac, machine.resolve("fd00:122::1"));
  Packet ping = machine.to("192.168.122.1") / Icmp{.type = 8, .id = 3} / Payload(20);
  machine.send(plain(ping));
  EXPECT_TRUE(
      machine.expect_frame([](const VirtioFrame& f) { return f.frame.size() > 34 && f.frame[23] == 1; }));
  EXPECT_EQ("{}", all_drops("t1"));
  machine.send(
      plain(Ethernet{.src = mac_of(11), .dst = gateway_mac} / Vlan{.id = 7} / Ipv4{.src = ip4(11)} / Udp{}));
  EXPECT_TRUE(wait_until([&] { return drops_at("t1", "vlan-tagged") == 1; })) << all_drops("t1");
  machine.send(partial(Ethernet{.src = mac_of(11), .dst = gateway_mac} / Ipv4{.src = ip4(12)} / Tcp{}));
  machine.send(super_frame(Ethernet{.src = mac_of(11), .dst = gateway_mac} / Ipv6{.src = ip6(12)} /
                           Tcp{.flags = "A"} / Payload(8000)));
  EXPECT_TRUE(wait_until([&] { return drops_at("t1", "spoofed-source") == 2; })) << all_drops("t1");
}

}  // namespace
}  // namespace vnet::test
