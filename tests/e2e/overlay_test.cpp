// SPDX-License-Identifier: GPL-2.0-or-later
// One layer 2 network on two hosts: the hosts' own bridges with a VXLAN device each, between which FRR's EVPN
// spreads MACs. Guests 10.30.0.LAST and fd00:30::LAST; there is no gateway.

#include "tests/e2e/announce_fixture.h"

namespace vnet::test {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr const char* bridged_xml =
    "<network><name>lab</name><forward mode='bridge'/><bridge name='br0'/></network>";

class OverlayTest : public AnnounceTest {
 protected:
  void SetUp() override {
    AnnounceTest::SetUp();
    if (IsSkipped()) return;
    if (!a().ns().sh("ip link add vxtry type vxlan id 1 dstport 4789; ip link del vxtry").ok())
      GTEST_SKIP() << "the kernel has no VXLAN; the kernels of vmtest have";
    // The router tells each host the way to the other's address, by BGP; EVPN goes from host to host.
    for (auto* host : {&a(), &b()}) host->ns().must("ip link set lo up");
    a().ns().must("ip addr add 192.0.2.1/32 dev lo");
    b().ns().must("ip addr add 192.0.2.2/32 dev lo");
    connect(a(), "192.0.2.1", "192.0.2.2", 65001, 65002);
    connect(b(), "192.0.2.2", "192.0.2.1", 65002, 65001);
  }

  // What docs/many-hosts.md has.
  void connect(AnnouncingHost& host, const std::string& own, const std::string& other, unsigned as,
               unsigned peer) {
    host.frr->configure({fmt::format("router bgp {}", as),
                         fmt::format("neighbor {} remote-as {}", other, peer),
                         fmt::format("neighbor {} ebgp-multihop", other),
                         fmt::format("neighbor {} update-source {}", other, own),
                         fmt::format("neighbor {} timers connect 1", other), "address-family ipv4 unicast",
                         fmt::format("network {}/32", own), fmt::format("no neighbor {} activate", other),
                         "exit-address-family", "address-family l2vpn evpn",
                         fmt::format("neighbor {} activate", other), "advertise-all-vni"});
  }
  void join(AnnouncingHost& host, const std::string& own, int vni = 100) {
    host.ns().must(
        fmt::format("ip link add br0 type bridge; ip link set br0 addrgenmode none; ip link set br0 up;"
                    "ip link add vxlan{0} type vxlan id {0} dstport 4789 local {1} nolearning;"
                    "ip link set vxlan{0} addrgenmode none; ip link set vxlan{0} master br0;"
                    "bridge link set dev vxlan{0} learning off neigh_suppress on; ip link set vxlan{0} up",
                    vni, own));
    host.up(bridged_xml);
  }
  void plug(AnnouncingHost& host, const std::string& name, int last, const Argv& options = {}) {
    host.ground.add_guest(name);
    host.guest(name).must(fmt::format(
        "ip link set eth0 mtu 1400 address 52:54:00:30:00:{0:02x}; ip addr add 10.30.0.{0}/24 dev eth0;"
        "ip addr add fd00:30::{0}/64 dev eth0 nodad; ip link set eth0 up",
        last));
    Argv argv = {"attach", name, "--network", "lab", "--mac", fmt::format("52:54:00:30:00:{:02x}", last)};
    argv.insert(argv.end(), options.begin(), options.end());
    host.vnet(argv);
  }
  bool knows(AnnouncingHost& host, int last) {
    return soon([&] {
      return host.ns()
                 .sh("bridge fdb show dev vxlan100")
                 .out.find(fmt::format("52:54:00:30:00:{:02x} dst", last)) != std::string::npos;
    });
  }
  static bool tcp(Namespace& from, Namespace& to, const std::string& address) {
    auto server = to.background({"sh", "-c", "echo hello | nc -l -N -s " + address + " -p 7000"});
    return wait_until(
        [&] { return from.sh("nc -w 2 " + address + " 7000 < /dev/null").out.find("hello") == 0; },
        std::chrono::seconds(10));
  }
};

TEST_F(OverlayTest, GuestsOfTwoHostsAreInOneNetwork) {
  join(a(), "192.0.2.1");
  join(b(), "192.0.2.2");
  plug(a(), "g1", 11);
  plug(b(), "g2", 12);
  for (const char* address : {"10.30.0.12", "fd00:30::12"}) {
    EXPECT_TRUE(a().guest("g1").pings(address, 20)) << address << b().ns().sh("bridge fdb show").out;
    EXPECT_TRUE(tcp(a().guest("g1"), b().guest("g2"), address)) << address;
  }
  // MACs by EVPN, and no flood but to who has the network.
  EXPECT_TRUE(knows(a(), 12)) << a().ns().sh("bridge fdb show dev vxlan100").out;
  EXPECT_TRUE(knows(b(), 11)) << b().ns().sh("bridge fdb show dev vxlan100").out;
  EXPECT_THAT(a().frr->ask("show evpn vni 100"), HasSubstr("192.0.2.2"));
}

TEST_F(OverlayTest, GuardAndInboundPolicyHoldAcrossHosts) {
  join(a(), "192.0.2.1");
  join(b(), "192.0.2.2");
  plug(a(), "g1", 11);
  plug(b(), "g2", 12, {"--inbound", "established"});
  plug(b(), "g3", 13);
  EXPECT_TRUE(a().guest("g1").pings("10.30.0.13", 20));
  EXPECT_FALSE(a().guest("g1").pings("10.30.0.12", 3));
  EXPECT_TRUE(b().guest("g2").pings("10.30.0.11", 10));

  // With another MAC nothing gets out of the host, so that the other one never hears of it.
  a().guest("g1").must("ip link set eth0 address 52:54:00:66:66:66");
  EXPECT_FALSE(a().guest("g1").pings("10.30.0.13", 3));
  EXPECT_THAT(b().ns().sh("bridge fdb show").out, Not(HasSubstr("52:54:00:66:66:66")));
  EXPECT_THAT(b().frr->ask("show evpn mac vni 100"), Not(HasSubstr("52:54:00:66:66:66")));
}

TEST_F(OverlayTest, AnotherVniIsAnotherNetwork) {
  join(a(), "192.0.2.1", 100);
  join(b(), "192.0.2.2", 200);
  plug(a(), "g1", 11);
  plug(b(), "g2", 12);
  plug(b(), "g3", 13);
  EXPECT_TRUE(b().guest("g2").pings("10.30.0.13", 10));
  EXPECT_FALSE(a().guest("g1").pings("10.30.0.12", 5));
  // Not even if somebody sends it there: VNI 200's host has no device for 100.
  a().ns().must("bridge fdb append 00:00:00:00:00:00 dev vxlan100 dst 192.0.2.2");
  EXPECT_FALSE(a().guest("g1").pings("10.30.0.12", 3));
  EXPECT_THAT(b().ns().sh("bridge fdb show").out, Not(HasSubstr("52:54:00:30:00:0b")));
}

// Within a second of what it sends first at its new place.
TEST_F(OverlayTest, AMovedGuestIsFollowed) {
  join(a(), "192.0.2.1");
  join(b(), "192.0.2.2");
  plug(a(), "g1", 11);
  plug(b(), "g2", 12);
  EXPECT_TRUE(b().guest("g2").pings("10.30.0.11", 20));
  a().vnet({"detach", "g1"});
  a().ns().must("ip link del g1");
  plug(b(), "g1", 11);
  EXPECT_TRUE(b().guest("g1").pings("10.30.0.12", 10));
  EXPECT_TRUE(b().guest("g2").pings("10.30.0.11", 5));
  EXPECT_TRUE(knows(a(), 11));
}

}  // namespace
}  // namespace vnet::test
