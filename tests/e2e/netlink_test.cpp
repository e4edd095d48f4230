// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/netlink/netlink.h"

#include <gmock/gmock.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <cstdlib>

#include "loader/os/sysctl.h"
#include "tests/e2e/own_network.h"

namespace vnet {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const Mac gateway_mac{{0x52, 0x54, 0x00, 0x01, 0x02, 0x03}};
const Mac guest_mac{{0x52, 0x54, 0x00, 0x0a, 0x0b, 0x0c}};

Prefix prefix(const char* text) {
  return Prefix::parse(text).value();
}
Address address(const char* text) {
  return Address::parse(text).value();
}

class NetlinkTest : public test::OwnNetwork {
 protected:
  void SetUp() override {
    OwnNetwork::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    auto opened = Netlink::open();
    ASSERT_TRUE(opened) << opened.error().message;
    netlink_.emplace(std::move(*opened));
  }
  Netlink& netlink() { return *netlink_; }

  // A tap that lives as long as the descriptor.
  Fd tap(const char* name, short extra = IFF_VNET_HDR) {
    Fd fd(::open("/dev/net/tun", O_RDWR | O_CLOEXEC));
    ifreq request{};
    std::strncpy(request.ifr_name, name, IFNAMSIZ - 1);
    request.ifr_flags = static_cast<short>(IFF_TAP | IFF_NO_PI | extra);
    if (!fd || ::ioctl(fd.get(), TUNSETIFF, &request) < 0) return Fd();
    return fd;
  }
  int bridge(const char* name = "virbr0") {
    auto made = netlink().create_bridge(name, gateway_mac, std::nullopt, {.stp = false});
    EXPECT_TRUE(made) << made.error().message;
    if (!made) return 0;
    EXPECT_TRUE(netlink().set_up(*made));
    return *made;
  }
  int ifindex(const char* name) {
    auto link = netlink().link(name);
    return link ? link->ifindex : 0;
  }

 private:
  std::optional<Netlink> netlink_;
};

TEST_F(NetlinkTest, CreatesABridgeThatIsDown) {
  auto made = netlink().create_bridge("virbr0", gateway_mac, 1400, {.stp = true, .forward_delay_seconds = 4});
  ASSERT_TRUE(made) << made.error().message;
  auto link = netlink().link("virbr0");
  ASSERT_TRUE(link) << link.error().message;
  EXPECT_EQ(link->ifindex, *made);
  EXPECT_EQ(link->kind, "bridge");
  EXPECT_EQ(link->mac, gateway_mac);
  EXPECT_EQ(link->mtu, 1400u);
  EXPECT_FALSE(link->up);
  EXPECT_TRUE(link->ethernet);
  EXPECT_EQ(link->master, 0);
  ASSERT_TRUE(link->bridge);
  EXPECT_TRUE(link->bridge->stp);
  EXPECT_EQ(link->bridge->forward_delay_seconds, 4u);
  EXPECT_FALSE(link->bridge->vlan_filtering);
}

TEST_F(NetlinkTest, AcceptsLibvirtsDefaultOfStpWithoutDelay) {
  auto made = netlink().create_bridge("virbr0", gateway_mac, std::nullopt, {.stp = true});
  ASSERT_TRUE(made) << made.error().message;
  auto link = netlink().link(*made);
  ASSERT_TRUE(link);
  EXPECT_TRUE(link->bridge->stp);
  EXPECT_EQ(link->bridge->forward_delay_seconds, 2u) << "the kernel's minimum with STP";
}

TEST_F(NetlinkTest, SaysInWordsWhyABridgeCannotBeMade) {
  bridge();
  auto again = netlink().create_bridge("virbr0", gateway_mac, std::nullopt, {});
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().message, "creating bridge virbr0: File exists");
  EXPECT_EQ(again.error().kind, ErrorKind::Failed);
  for (const char* name : {"", "sixteen-chars-xx", "a/b", "a b", "br%d", ".."}) {
    auto refused = netlink().create_bridge(name, gateway_mac, std::nullopt, {});
    ASSERT_FALSE(refused) << name;
    EXPECT_EQ(refused.error().kind, ErrorKind::Invalid) << name;
  }
  auto huge = netlink().create_bridge("virbr1", gateway_mac, 70000, {});
  ASSERT_FALSE(huge);
  EXPECT_THAT(huge.error().message, HasSubstr("creating bridge virbr1: "));
  EXPECT_FALSE(netlink().find_link("virbr1").value()) << "nothing may be left behind";
}

TEST_F(NetlinkTest, DeletesALinkOnceAndAgain) {
  bridge();
  ASSERT_OK(netlink().delete_link("virbr0"));
  ASSERT_OK(netlink().delete_link("virbr0"));
  auto gone = netlink().link("virbr0");
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().kind, ErrorKind::NotFound);
  EXPECT_EQ(gone.error().message, "no such interface: virbr0");
  EXPECT_FALSE(netlink().find_link("a-name-that-is-too-long").value());
  EXPECT_FALSE(netlink().find_link(4711).value());
}

TEST_F(NetlinkTest, ABridgesOwnMtuStaysWhenPortsCome) {
  for (unsigned mtu : {1500u, 1400u, 9000u}) {
    auto made = netlink().create_bridge("virbr0", gateway_mac, mtu, {.stp = false});
    ASSERT_TRUE(made) << made.error().message;
    Fd port = tap("tap0");
    ASSERT_TRUE(port);
    ASSERT_OK(netlink().set_mtu(ifindex("tap0"), 1300));
    ASSERT_OK(netlink().set_master(ifindex("tap0"), *made));
    EXPECT_EQ(netlink().link("virbr0")->mtu, mtu);
    EXPECT_EQ(netlink().link("virbr0")->mac, gateway_mac);
    ASSERT_OK(netlink().delete_link("virbr0"));
  }
}

TEST_F(NetlinkTest, TellsATapFromATunAndSeesItsHeader) {
  Fd with = tap("tap0"), without = tap("tap1", 0);
  ASSERT_TRUE(with && without);
  auto link = netlink().link("tap0");
  ASSERT_TRUE(link);
  EXPECT_EQ(link->kind, "tun");
  EXPECT_EQ(link->tun_type, "tap");
  EXPECT_TRUE(link->tun_vnet_hdr);
  EXPECT_FALSE(netlink().link("tap1")->tun_vnet_hdr);
  auto all = netlink().links();
  ASSERT_TRUE(all);
  auto lo = std::ranges::find(*all, "lo", &LinkInfo::name);
  ASSERT_NE(lo, all->end());
  EXPECT_EQ(lo->kind, "");
  EXPECT_FALSE(lo->ethernet);
}

TEST_F(NetlinkTest, ChangesAPort) {
  int br = bridge();
  Fd fd = tap("tap0");
  ASSERT_TRUE(fd);
  int port = ifindex("tap0");
  ASSERT_OK(netlink().set_mac(port, guest_mac));
  ASSERT_OK(netlink().set_master(port, br));
  ASSERT_OK(netlink().set_up(port));
  auto link = netlink().link(port);
  ASSERT_TRUE(link);
  EXPECT_EQ(link->mac, guest_mac);
  EXPECT_EQ(link->master, br);
  EXPECT_TRUE(link->up);
  EXPECT_TRUE(link->carrier);
  ASSERT_OK(netlink().set_down(port));
  ASSERT_OK(netlink().clear_master(port));
  ASSERT_OK(netlink().clear_master(port));
  EXPECT_EQ(netlink().link(port)->master, 0);
  EXPECT_FALSE(netlink().link(port)->up);
  auto wrong = netlink().set_master(port, ifindex("lo"));
  ASSERT_FALSE(wrong);
  EXPECT_THAT(wrong.error().message, HasSubstr("adding tap0 to lo: "));
}

TEST_F(NetlinkTest, SetsPortFlagsOneByOne) {
  int br = bridge();
  Fd fd = tap("tap0");
  ASSERT_TRUE(fd);
  int port = ifindex("tap0");
  auto outside = netlink().port_flags(port);
  ASSERT_FALSE(outside);
  EXPECT_EQ(outside.error().message, "tap0 is not in a bridge");
  EXPECT_FALSE(netlink().set_port_flags(port, {.learning = false}));
  ASSERT_OK(netlink().set_master(port, br));
  ASSERT_OK(netlink().set_port_flags(port, {.learning = false, .unicast_flood = false, .isolated = true}));
  auto flags = netlink().port_flags(port);
  ASSERT_TRUE(flags) << flags.error().message;
  EXPECT_EQ(flags->learning, false);
  EXPECT_EQ(flags->unicast_flood, false);
  EXPECT_EQ(flags->isolated, true);
  EXPECT_EQ(flags->broadcast_flood, true);
  EXPECT_EQ(flags->neigh_suppress, false);
  ASSERT_OK(netlink().set_port_flags(port, {.isolated = false}));
  flags = netlink().port_flags(port);
  EXPECT_EQ(flags->isolated, false);
  EXPECT_EQ(flags->learning, false) << "was not asked for";
}

TEST_F(NetlinkTest, AddsAndDeletesAddressesOfBothFamilies) {
  int br = bridge();
  for (const char* text : {"192.168.122.1/24", "2001:db8::1/64", "198.51.100.1/32"}) {
    ASSERT_OK(netlink().add_address(br, prefix(text), {.nodad = true}));
    ASSERT_OK(netlink().add_address(br, prefix(text), {.nodad = true}));
  }
  auto list = netlink().addresses(br);
  ASSERT_TRUE(list);
  for (const char* text : {"192.168.122.1/24", "2001:db8::1/64", "198.51.100.1/32"}) {
    auto found = std::ranges::find(*list, prefix(text), &AddressInfo::prefix);
    ASSERT_NE(found, list->end()) << text;
    EXPECT_TRUE(found->permanent);
    EXPECT_FALSE(found->tentative);
  }
  auto other_length = netlink().add_address(br, prefix("2001:db8::1/48"), {});
  EXPECT_FALSE(other_length) << "the kernel has that address as a /64 and keeps it so";
  for (const char* text : {"192.168.122.1/24", "2001:db8::1/64", "198.51.100.1/32"}) {
    ASSERT_OK(netlink().delete_address(br, prefix(text)));
    ASSERT_OK(netlink().delete_address(br, prefix(text)));
  }
  list = netlink().addresses(br);
  EXPECT_TRUE(
      std::ranges::none_of(*list, [](const AddressInfo& info) { return info.scope == RT_SCOPE_UNIVERSE; }));
  auto missing = netlink().addresses(4711);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().kind, ErrorKind::NotFound);
  auto refused = netlink().add_address(4711, prefix("192.0.2.1/24"));
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message,
              HasSubstr("adding address 192.0.2.1/24 to interface 4711: No such device"));
}

TEST_F(NetlinkTest, AddsListsAndDeletesRoutes) {
  int br = bridge();
  Fd fd = tap("tap0");  // IPv6 routes are only usable with a carrier
  ASSERT_TRUE(fd);
  ASSERT_OK(netlink().set_master(ifindex("tap0"), br));
  ASSERT_OK(netlink().set_up(ifindex("tap0")));
  ASSERT_OK(netlink().add_address(br, prefix("192.168.122.1/24")));
  ASSERT_OK(netlink().add_address(br, prefix("2001:db8::1/64"), {.nodad = true}));
  const RouteInfo wanted[] = {
      {.destination = prefix("10.7.0.0/16"), .oif = br, .gateway = address("192.168.122.7"), .metric = 5},
      {.oif = br, .gateway = address("192.168.122.254")},
      {.destination = prefix("203.0.113.0/24"), .type = RTN_BLACKHOLE},
      {.destination = prefix("10.8.0.0/16"), .oif = br, .table = 1000},
      {.destination = prefix("10.9.0.0/16"), .oif = br, .gateway = address("2001:db8::9")},
      {.family = Family::V6,
       .destination = prefix("2001:db8:7::/48"),
       .oif = br,
       .gateway = address("2001:db8::7"),
       .metric = 5},
      {.family = Family::V6, .oif = br, .gateway = address("fe80::1"), .metric = 7},
  };
  for (const RouteInfo& route : wanted) {
    ASSERT_OK(netlink().add_route(route));
    ASSERT_OK(netlink().add_route(route));
    auto all = netlink().routes();
    ASSERT_TRUE(all);
    EXPECT_THAT(*all, testing::Contains(route));
  }
  auto other = wanted[0];
  other.gateway = address("192.168.122.8");
  auto clash = netlink().add_route(other);
  ASSERT_FALSE(clash);
  EXPECT_EQ(clash.error().message, "adding route 10.7.0.0/16 via 192.168.122.8: File exists");
  EXPECT_THAT(netlink().default_route_links().value(), ElementsAre(br));
  for (const RouteInfo& route : wanted) {
    ASSERT_OK(netlink().delete_route(route));
    ASSERT_OK(netlink().delete_route(route));
    EXPECT_THAT(netlink().routes().value(), testing::Not(testing::Contains(route)));
  }
  EXPECT_THAT(netlink().default_route_links().value(), ElementsAre());
}

// ip(8) makes what the class itself has no need to make.
constexpr const char* three_links =
    "for n in a b c; do ip link add name e$n type veth peer name p$n && ip link set e$n up && ip link set "
    "p$n up || exit 1; done;"
    "ip addr add 192.0.2.1/24 dev ea && ip addr add 198.51.100.1/24 dev eb &&"
    "ip addr add 2001:db8:a::1/64 dev ea nodad && ip addr add 2001:db8:c::1/64 dev ec nodad && ";

TEST_F(NetlinkTest, FindsEveryNextHopOfAMultipathRoute) {
  std::string routes =
      "ip route add default metric 20 nexthop via 192.0.2.254 dev ea nexthop via 198.51.100.254 dev eb &&"
      "ip -6 route add default metric 10 nexthop via 2001:db8:c::254 dev ec nexthop via 2001:db8:a::254 dev "
      "ea &&"
      "ip -6 route add unreachable default metric 9999 dev lo";
  ASSERT_EQ(std::system((three_links + routes).c_str()), 0);
  int a = ifindex("ea"), b = ifindex("eb"), c = ifindex("ec");
  auto all = netlink().routes();
  ASSERT_TRUE(all);
  auto is_v4_default = [](const RouteInfo& route) {
    return !route.destination && route.family == Family::V4 && route.gateway && route.metric == 20;
  };
  EXPECT_EQ(std::ranges::count_if(*all, is_v4_default), 2);
  EXPECT_THAT(*all,
              testing::Contains(RouteInfo{
                  .oif = b, .gateway = address("198.51.100.254"), .metric = 20, .protocol = RTPROT_BOOT}));
  auto links = netlink().default_route_links();
  ASSERT_TRUE(links);
  EXPECT_THAT(*links, testing::UnorderedElementsAre(a, b, c));
  EXPECT_EQ(links->back(), b) << "metric 10 comes before 20";
}

TEST_F(NetlinkTest, SeesTheRoutesOfNextHopObjects) {
  std::string route = "ip nexthop add id 7 via 192.0.2.254 dev ea && ip route add default nhid 7";
  ASSERT_EQ(std::system((three_links + route).c_str()), 0);
  EXPECT_THAT(netlink().default_route_links().value(), ElementsAre(ifindex("ea")));
}

TEST_F(NetlinkTest, KeepsStaticEntriesInABridge) {
  int br = bridge();
  Fd fd0 = tap("tap0"), fd1 = tap("tap1");
  ASSERT_TRUE(fd0 && fd1);
  int port0 = ifindex("tap0"), port1 = ifindex("tap1");
  ASSERT_OK(netlink().set_master(port0, br));
  ASSERT_OK(netlink().set_master(port1, br));
  auto port_of = [&](const Mac& mac) {
    auto entries = netlink().fdb(br);
    EXPECT_TRUE(entries);
    for (const FdbEntry& entry : *entries)
      if (entry.mac == mac && entry.vlan == 0) return entry.is_static && !entry.permanent ? entry.port : -1;
    return 0;
  };
  ASSERT_OK(netlink().add_fdb(port0, guest_mac));
  ASSERT_OK(netlink().add_fdb(port0, guest_mac));
  EXPECT_EQ(port_of(guest_mac), port0);
  ASSERT_OK(netlink().add_fdb(port1, guest_mac));
  EXPECT_EQ(port_of(guest_mac), port1) << "it moves";
  auto entries = netlink().fdb(br);
  EXPECT_TRUE(std::ranges::any_of(*entries, [&](const FdbEntry& e) {
    return e.mac == gateway_mac && e.permanent && e.port == br;
  })) << "the bridge's own address";
  ASSERT_OK(netlink().delete_fdb(port1, guest_mac));
  ASSERT_OK(netlink().delete_fdb(port1, guest_mac));
  EXPECT_EQ(port_of(guest_mac), 0);
  ASSERT_OK(netlink().clear_master(port1));
  EXPECT_FALSE(netlink().add_fdb(port1, guest_mac)) << "no bridge to put it into";
}

TEST_F(NetlinkTest, ListsNeighboursOfBothFamilies) {
  int br = bridge();
  ASSERT_OK(netlink().add_address(br, prefix("192.168.122.1/24")));
  ASSERT_EQ(std::system("ip neigh add 192.168.122.7 lladdr 52:54:00:0a:0b:0c dev virbr0 &&"
                        "ip neigh add fe80::7 lladdr 52:54:00:0a:0b:0c dev virbr0"),
            0);
  auto list = netlink().neighbours(br);
  ASSERT_TRUE(list) << list.error().message;
  ASSERT_EQ(list->size(), 2u);
  EXPECT_EQ((*list)[0].address, address("192.168.122.7"));
  EXPECT_EQ((*list)[1].address, address("fe80::7"));
  EXPECT_EQ((*list)[0].mac, guest_mac);
}

TEST_F(NetlinkTest, KnowsThatAVethsPeerIsElsewhere) {
  ASSERT_EQ(std::system("ip link add v0 type veth peer name v1"), 0);
  auto v0 = netlink().link("v0");
  ASSERT_TRUE(v0);
  EXPECT_EQ(v0->kind, "veth");
  EXPECT_EQ(v0->link, ifindex("v1"));
  EXPECT_FALSE(v0->peer_netns_id);
  Fd home(::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
  ASSERT_EQ(::unshare(CLONE_NEWNET), 0);
  Fd other(::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
  ASSERT_EQ(::setns(home.get(), CLONE_NEWNET), 0);
  std::string move =
      "ip link set v1 netns /proc/" + std::to_string(getpid()) + "/fd/" + std::to_string(other.get());
  ASSERT_EQ(std::system(move.c_str()), 0);
  v0 = netlink().link("v0");
  ASSERT_TRUE(v0);
  EXPECT_TRUE(v0->peer_netns_id);
  EXPECT_GT(v0->link, 0);
}

TEST_F(NetlinkTest, ReadsAndWritesSwitchesOfThisNamespace) {
  int br = bridge("br.100");
  ASSERT_GT(br, 0);
  SysctlKey key{"net", "ipv4", "conf", "br.100", "forwarding"};
  for (const char* value : {"1", "0"}) {
    ASSERT_OK(write_sysctl(key, value));
    EXPECT_EQ(read_sysctl(key).value(), value);
  }
  ASSERT_OK(write_sysctl("net.ipv4.ip_local_port_range", "40000 50000"));
  EXPECT_EQ(ephemeral_port_range().value(), (PortRange{40000, 50000}));
  EXPECT_EQ(read_sysctl("net.ipv4.no_such_switch").value(), std::nullopt);
  auto missing = write_sysctl("net.ipv4.no_such_switch", "1");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().kind, ErrorKind::NotFound);
  auto refused = write_sysctl("net.ipv4.ip_local_port_range", "9 1");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message, "setting net.ipv4.ip_local_port_range to 9 1: Invalid argument");
  EXPECT_FALSE(read_sysctl(SysctlKey{"net", "..", "kernel"}));
}

}  // namespace
}  // namespace vnet
