// SPDX-License-Identifier: GPL-2.0-or-later
// Guests that send from further MACs: virtual routers (VRRP), load balancers, nested guests.
#include "tests/e2e/run_fixture.h"
#include "tests/support/tap.h"

namespace vnet::test {
namespace {

using testing::HasSubstr;

const std::string nested = "52:54:00:11:22:33", virtual_router = "00:00:5e:00:01:07";

class AnyMac : public RunTest {
 protected:
  nlohmann::json mac_of_port(const std::string& name) { return port(name)["mac"]; }
  // The guest is the virtual router now: its MAC, its address, and it says so.
  void takes_over(const std::string& name) {
    guest(name).must("ip link set eth0 address " + virtual_router + "; ip addr add " + ip4(50) +
                     "/24 dev eth0; ip addr add " + ip6(50) + "/64 dev eth0 nodad");
    RawPort(guest(name), "eth0")
        .send(Ethernet{.src = virtual_router, .dst = "ff:ff:ff:ff:ff:ff"} /
              Arp{.operation = 2, .sender_mac = virtual_router, .sender_ip = ip4(50), .target_ip = ip4(50)});
  }
  void gives_up(const std::string& name, int number) {
    guest(name).must("ip addr del " + ip4(50) + "/24 dev eth0; ip addr del " + ip6(50) +
                     "/64 dev eth0; ip link set eth0 address " + mac_of(number));
  }
  // What the tap's guest asks from that MAC reaches the host.
  bool is_heard(const Tap& tap, const std::string& mac) {
    host().sh("ip neigh flush dev virbr0");
    return wait_until(
        [&] {
          tap.send(Ethernet{.src = mac, .dst = "ff:ff:ff:ff:ff:ff"} /
                   Arp{.sender_mac = mac, .sender_ip = ip4(77), .target_ip = ip4(1)});
          return host().sh("ip neigh show dev virbr0").out.find(mac) != std::string::npos;
        },
        std::chrono::seconds(2));
  }
  Tap libvirt_tap(const std::string& name) {
    Tap made(host(), name);
    host().must("ip link set " + name + " address fe:54:00:00:00:07; ip link set " + name +
                " master virbr0 up");
    return made;
  }
};

TEST_F(AnyMac, AVirtualRoutersMacAndAddressMoveWithinASecond) {
  start_lab();
  for (auto [name, number] : {std::pair{"g1", 11}, {"g2", 12}}) {
    add(name, number);
    vnet({"attach", name, "--network", "lab", "--mac", "any"});
    wait_until_forwarding(name);
    EXPECT_EQ("any", mac_of_port(name));
  }
  EXPECT_THAT(vnet({"ports"}).out, HasSubstr("   any   "));
  for (int round = 0; round < 2; ++round)
    for (auto [name, number] : {std::pair{"g1", 11}, {"g2", 12}}) {
      takes_over(name);
      for (const std::string& address : {ip4(50), ip6(50)})
        EXPECT_TRUE(wait_until([&] { return host().pings(address, 1); }, std::chrono::seconds(2)))
            << name << " " << address << all_drops(name);
      EXPECT_TRUE(guest(name).pings("203.0.113.1")) << name;
      gives_up(name, number);
    }
}

TEST_F(AnyMac, FixedMacsAndTheGatewaysAreNobodyElses) {
  start_lab();
  add("g1", 11), add("g2", 12);
  attach("g1", 11), attach("g2", 12);
  set("g1", {"--mac", "any"});
  RawPort raw(guest("g1"), "eth0");
  for (const std::string& taken : {mac_of(12), gateway_mac})
    raw.send(Ethernet{.src = taken, .dst = "ff:ff:ff:ff:ff:ff"} / Arp{.sender_mac = taken});
  EXPECT_TRUE(wait_until([&] { return drops_at("g1", "spoofed-mac") == 2; })) << all_drops("g1");
  EXPECT_TRUE(host().pings(ip4(12)));
  // Its own is fixed no more, and any port may have it; until it is fixed again.
  set("g2", {"--mac", "any"});
  raw.send(Ethernet{.src = mac_of(12), .dst = "ff:ff:ff:ff:ff:ff"} / Arp{.sender_mac = mac_of(12)});
  EXPECT_EQ(2U, drops_at("g1", "spoofed-mac"));
  set("g1", {"--mac", mac_of(11)});
  EXPECT_EQ(mac_of_port("g1"), mac_of(11));
  raw.send(Ethernet{.src = nested, .dst = "ff:ff:ff:ff:ff:ff"} / Arp{.sender_mac = nested});
  EXPECT_TRUE(wait_until([&] { return drops_at("g1", "spoofed-mac") == 3; })) << all_drops("g1");
}

TEST_F(AnyMac, TheFiltersStillFenceItsAddresses) {
  start_lab();
  add("g1", 11);
  attach("g1", 11, {"--filter", "clean-traffic", "--ip", ip4(11), "--ip", ip4(50)});
  set("g1", {"--mac", "any"});
  guest("g1").must("ip link set eth0 address " + nested + "; ip addr add " + ip4(50) + "/24 dev eth0");
  EXPECT_TRUE(guest("g1").pings(ip4(1))) << all_drops("g1");
  EXPECT_TRUE(host().pings(ip4(50)));
  guest("g1").must("ip link set eth0 address " + mac_of(11));
  EXPECT_TRUE(guest("g1").pings(ip4(1))) << "a second MAC of the same port: " << all_drops("g1");
  guest("g1").must("ip addr add " + ip4(66) + "/24 dev eth0");
  EXPECT_FALSE(host().pings(ip4(66), 1));
  EXPECT_GE(drops_at("g1", "spoofed-arp"), 1U);
}

TEST_F(AnyMac, AnAttachedTapsRuleIsChangedAndKept) {
  start_lab();
  run();
  Tap tap = libvirt_tap("vnet7");
  ASSERT_TRUE(attached_to("vnet7", "lab")) << log();
  wait_until_forwarding("vnet7");
  EXPECT_TRUE(is_heard(tap, mac_of(7)));
  EXPECT_FALSE(is_heard(tap, nested));
  set("vnet7", {"--mac", "any"});
  EXPECT_TRUE(is_heard(tap, nested)) << all_drops("vnet7");
  host().must("ip link set vnet7 mtu 1400");  // an event: `run` looks again
  EXPECT_TRUE(is_heard(tap, nested));
  EXPECT_EQ("any", mac_of_port("vnet7"));
  set("vnet7", {"--mac", mac_of(7)});
  EXPECT_FALSE(is_heard(tap, nested));
}

struct MacRule {
  const char *name, *attributes, *more;
};
class NetworksWord : public AnyMac, public testing::WithParamInterface<MacRule> {};

TEST_P(NetworksWord, HoldsForTapsAsTheyCome) {
  start("<network " + std::string(GetParam().attributes) +
        "><name>lab</name><forward mode='nat'/><bridge name='virbr0' stp='off'/>" + GetParam().more +
        "<ip address='192.168.122.1' prefix='24'/></network>");
  run();
  Tap tap = libvirt_tap("vnet7");
  ASSERT_TRUE(attached_to("vnet7", "lab")) << log();
  wait_until_forwarding("vnet7");
  EXPECT_EQ("any", mac_of_port("vnet7"));
  EXPECT_TRUE(is_heard(tap, nested)) << all_drops("vnet7");
  EXPECT_EQ("any", ground().vnet_json({"show", "lab"})["guard"]["mac"]);
  // The port's own word goes first.
  set("vnet7", {"--mac", mac_of(7)});
  EXPECT_FALSE(is_heard(tap, nested));
}

INSTANTIATE_TEST_SUITE_P(
    Of, NetworksWord,
    testing::Values(MacRule{"guard", "",
                            "<metadata><v:network xmlns:v='urn:vnet-bpf:network:1'><v:guard "
                            "mac='any'/></v:network></metadata>"},
                    MacRule{"libvirt", "trustGuestRxFilters='yes'", ""},
                    MacRule{"portgroup", "",
                            "<portgroup name='a' default='yes' trustGuestRxFilters='yes'/>"}),
    [](const auto& rule) { return std::string(rule.param.name); });

}  // namespace
}  // namespace vnet::test
