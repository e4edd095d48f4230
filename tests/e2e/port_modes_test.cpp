// SPDX-License-Identifier: GPL-2.0-or-later
// The ports' own rules hold in every mode, towards guests, host and outside alike.
#include <fmt/format.h>

#include "tests/e2e/port_fixture.h"

namespace vnet::test {
namespace {

using testing::HasSubstr;

struct PortKind {
  const char* name;
  const char* forward;
  bool visible;  // the outside may begin
};

// Outside is 203.0.113.1, 2001:db8:113::1; in bridged mode the guests are in its network.
class PortsInMode : public PortTest, public testing::WithParamInterface<PortKind> {
 protected:
  bool bridged() const { return std::string(GetParam().name) == "bridge"; }
  std::string at4(int number) { return bridged() ? fmt::format("203.0.113.{}", number) : ip4(number); }
  std::string at6(int number) { return bridged() ? fmt::format("2001:db8:113::{}", number) : ip6(number); }

  void start_kind() {
    if (bridged()) {
      host().must(
          "ip addr flush dev eth0 scope global; ip link add br0 type bridge; ip link set eth0 master br0; "
          "ip link set br0 up; ip addr add 203.0.113.2/24 dev br0; ip addr add 2001:db8:113::2/64 dev br0 "
          "nodad");
      start(
          "<network><name>lab</name><forward mode='bridge'/><bridge name='br0'/><metadata><vnet:network "
          "xmlns:vnet='urn:vnet-bpf:network:1'><vnet:uplink "
          "dev='eth0'/></vnet:network></metadata></network>");
      return;
    }
    start(fmt::format(
        "<network><name>lab</name>{}<bridge name='virbr0' stp='off'/><ip address='192.168.122.1' "
        "netmask='255.255.255.0'/><ip family='ipv6' address='fd00:122::1' prefix='64'/></network>",
        GetParam().forward));
    outside().must(
        "ip route add 192.168.122.0/24 via 203.0.113.2; ip -6 route add fd00:122::/64 via 2001:db8:113::2");
  }
  void plug_in(const std::string& name, int number) {
    add(name, number);
    if (bridged())
      guest(name).must(
          fmt::format("ip addr flush dev eth0 scope global; ip addr add {}/24 dev eth0; "
                      "ip addr add {}/64 dev eth0 nodad",
                      at4(number), at6(number)));
    attach(name, number);
  }
};

TEST_P(PortsInMode, InboundAndFiltersHold) {
  start_kind();
  plug_in("g1", 11);
  plug_in("g2", 12);
  Background open = service("g1", 8080), closed = service("g1", 8081), two = service("g2", 8080);
  std::vector<std::pair<const char*, Namespace*>> clients{{"guest", &guest("g2")}, {"host", &host()}};
  if (GetParam().visible) clients.emplace_back("outside", &outside());
  for (auto& [who, client] : clients)
    for (const std::string& to : {at4(11), at6(11)})
      EXPECT_TRUE(connects(*client, to, 8081)) << who << " " << to;

  set("g1", {"--ip", at4(11), "--ip", at6(11), "--filter", "clean-traffic", "--inbound", "established",
             "--allow", "tcp/8080"});
  for (auto& [who, client] : clients)
    for (const std::string& to : {at4(11), at6(11)}) {
      EXPECT_TRUE(connects(*client, to, 8080)) << who << " " << to << all_drops("g1");
      EXPECT_FALSE(connects(*client, to, 8081)) << who << " " << to;
      EXPECT_FALSE(client->pings(to, 1)) << who << " " << to;
    }
  for (const std::string& to : {at4(12), at6(12)}) {
    EXPECT_TRUE(connects(guest("g1"), to, 8080)) << to << all_drops("g1");
    EXPECT_TRUE(guest("g1").pings(to)) << to;
  }
  bool leaves = std::string(GetParam().name) != "isolated";
  for (const char* to : {"203.0.113.1", "2001:db8:113::1"})
    EXPECT_EQ(leaves, guest("g1").pings(to, leaves ? 5 : 1)) << to;

  RawPort raw(guest("g1"), "eth0");
  raw.send(Ethernet{.src = mac_of(11), .dst = mac_of(12)} / Ipv4{.src = at4(13), .dst = at4(12)} / Udp{});
  raw.send(Ethernet{.src = mac_of(11), .dst = "ff:ff:ff:ff:ff:ff"} /
           Arp{.operation = 2, .sender_mac = mac_of(11), .sender_ip = at4(1)});
  EXPECT_TRUE(wait_until([&] {
    return drops_at("g1", "spoofed-source") == 1 && drops_at("g1", "spoofed-arp") == 1;
  })) << all_drops("g1");

  set("g1", {"--inbound", "accept", "--isolated"});
  set("g2", {"--isolated"});
  EXPECT_FALSE(guest("g1").pings(at4(12), 1));
  EXPECT_FALSE(guest("g2").pings(at6(11), 1));
  EXPECT_TRUE(host().pings(at4(11)));
  EXPECT_TRUE(host().pings(at6(11)));
}

INSTANTIATE_TEST_SUITE_P(
    Mode, PortsInMode,
    testing::Values(PortKind{"nat", "<forward mode='nat'><nat ipv6='yes'/></forward>", false},
                    PortKind{"route", "<forward mode='route'/>", true}, PortKind{"isolated", "", false},
                    PortKind{"open", "<forward mode='open'/>", true}, PortKind{"bridge", "", true}),
    [](const auto& kind) { return std::string(kind.param.name); });

class BridgedPorts : public PortsInMode {};
INSTANTIATE_TEST_SUITE_P(Mode, BridgedPorts, testing::Values(PortKind{"bridge", "", true}));

TEST_P(BridgedPorts, AServerOutsideLeasesAddresses) {
  start_kind();
  outside().must("ethtool -K eth0 tx off");  // as on a wire: raw readers want whole checksums
  Background server = outside().background(
      {"dnsmasq", "-k", "-i", "eth0", "-p", "0", "-C", "/dev/null", "--dhcp-authoritative",
       "--dhcp-leasefile=" + file("outside.leases", ""), "--pid-file=" + file("outside.pid", ""),
       "--user=root", "--dhcp-range=203.0.113.100,203.0.113.200,255.255.255.0"});
  add("g1", 11, false);
  guest("g1").must("ip link set eth0 up");
  attach("g1", 11, {"--filter", "clean-traffic"});
  Output client;
  EXPECT_TRUE(wait_until([&] { return (client = ground().udhcpc("g1")).ok(); }, std::chrono::seconds(15)))
      << client.err << all_drops("g1");
  EXPECT_TRUE(guest("g1").pings("203.0.113.1")) << all_drops("g1");
  guest("g1").must("ip addr flush dev eth0 scope global; ip addr add 203.0.113.77/24 dev eth0");
  EXPECT_FALSE(guest("g1").pings("203.0.113.1", 1));
  EXPECT_GE(drops_at("g1", "spoofed-arp"), 1U);
}

}  // namespace
}  // namespace vnet::test
