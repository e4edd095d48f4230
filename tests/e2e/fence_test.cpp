// SPDX-License-Identifier: GPL-2.0-or-later
// The second guard alone, with packets that the kernel forwards. No program of ours judges them before.
//
//   guest 192.168.122.2 --- gw0 [host] up0  --- 203.0.113.2    an uplink
//                                      lan0 --- 198.51.100.2   none of ours
//                                      gw1  --- 192.168.123.2  another network's guest
//
// Each is a veth to a namespace of its own, and routed to on both sides.
#include "loader/bpf/fence.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <net/if.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <system_error>
#include <tuple>

#include "loader/bpf/datapath.h"
#include "loader/model/drop_reason.h"
#include "tests/support/inside.h"
#include "tests/support/temporary_folder.h"

namespace vnet::test {
namespace {

constexpr __u16 our_slot = 1, other_slot = 2, uplink_slot = 3;

template <typename T>
T need(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message);
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

class FenceTest : public testing::TestWithParam<FenceWay> {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root to make network namespaces";
    if (GetParam() == FenceWay::Program && Fence::way() != FenceWay::Program)
      GTEST_SKIP() << "the kernel has no netfilter programs (6.4)";
    if (GetParam() == FenceWay::Table) ::setenv("VNET_BPF_FENCE", "nft", 1);
    if (::mount("bpf", folder_.path().c_str(), "bpf", 0, nullptr))
      throw std::system_error(errno, std::generic_category(), "mounting a bpffs");
    host_.must("sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1");
    add(gateway_, "gw0", "192.168.122", "fd00:122:");
    add(uplink_, "up0", "203.0.113", "2001:db8:113:");
    add(lan_, "lan0", "198.51.100", "2001:db8:51:");
    add(other_, "gw1", "192.168.123", "fd00:123:");
    datapath_ = std::make_unique<Datapath>(need(Datapath::open_or_create(folder_.path() / "pins")));
    believe("gw0", VNET_DEVICE_GATEWAY, our_slot);
    believe("gw1", VNET_DEVICE_GATEWAY, other_slot);
    believe("up0", VNET_DEVICE_UPLINK, uplink_slot);
    set_flags(other_slot, 0);
  }
  void TearDown() override {
    ::unsetenv("VNET_BPF_FENCE");
    datapath_.reset();
    ::umount2(folder_.path().c_str(), MNT_DETACH);
  }

  void add(Namespace& far, const std::string& name, const std::string& v4, const std::string& v6) {
    host_.must(
        fmt::format("ip link add {0} type veth peer name eth0 netns {1}; ip link set {0} up; "
                    "ip addr add {2}.1/24 dev {0}; ip addr add {3}:1/64 dev {0} nodad",
                    name, far.name(), v4, v6));
    far.must(
        fmt::format("ip link set lo up; ip link set eth0 up; ip addr add {0}.2/24 dev eth0; "
                    "ip addr add {1}:2/64 dev eth0 nodad; ip route add default via {0}.1; "
                    "ip route add default via {1}:1",
                    v4, v6));
  }
  template <typename Do>
  auto on_host(Do what) {
    decltype(what()) result{};
    run_inside(host_, [&] { result = what(); });
    return result;
  }
  int index(const std::string& interface) {
    return on_host([&] { return static_cast<int>(::if_nametoindex(interface.c_str())); });
  }
  FenceInterface way(const std::string& interface) { return {index(interface), interface}; }
  void believe(const std::string& interface, __u8 role, __u16 slot) {
    run_inside(host_, [&] {
      auto number = ::if_nametoindex(interface.c_str());
      vnet_device device{};
      device.role = role;
      device.slot = slot;
      need(datapath_->maps().devices.set(number, device));
      need(datapath_->maps().trusted_devices.set(number, number));
    });
  }
  void set_flags(__u16 slot, __u32 flags, int uplink = 0) {
    vnet_network network{};
    network.flags = flags;
    network.uplink_ifindex = static_cast<__u32>(uplink);
    need(datapath_->maps().networks.set(slot, network));
  }
  // The network's entry, and the rules that mean the same.
  void put_up(__u32 flags, FenceRule rule) {
    set_flags(our_slot, flags);
    rule.gateway = index("gw0");
    rules_ = {rule};
    need(on_host([&] { return Fence::put_up(*datapath_, rules_); }));
    ASSERT_TRUE(stands());
  }
  bool stands() {
    return on_host([&] { return Fence::stands(*datapath_, rules_).value_or(false); });
  }
  std::uint64_t counted() {
    std::uint64_t sum = 0;
    for (std::uint64_t n : datapath_->maps().drops.get({.slot = our_slot, .reason = VNET_DROP_NO_WAY_OUT}))
      sum += n;
    return sum;
  }
  bool reaches(const std::string& v4, const std::string& v6) {
    bool four = gateway_.pings(v4, 1), six = gateway_.pings(v6, 1);
    EXPECT_EQ(four, six) << v4 << " and " << v6 << " differ";
    return four;
  }
  bool reaches_uplink() { return reaches("203.0.113.2", "2001:db8:113::2"); }
  bool reaches_lan() { return reaches("198.51.100.2", "2001:db8:51::2"); }
  bool reaches_other() { return reaches("192.168.123.2", "fd00:123::2"); }
  bool reaches_host() { return reaches("192.168.122.1", "fd00:122::1"); }
  std::string pin(const std::string& name) { return datapath_->pins() / "links" / name; }
  bool is_program() const { return GetParam() == FenceWay::Program; }
  FenceRule nat() { return {.gateway = 0, .out = {way("up0")}, .all_but = false, .translated = true}; }

  TemporaryFolder folder_;
  Namespace host_, gateway_, uplink_, lan_, other_;
  std::unique_ptr<Datapath> datapath_;
  std::vector<FenceRule> rules_;
};

// Everything that follows is the fence's doing.
TEST_P(FenceTest, WithoutItEverythingIsForwarded) {
  EXPECT_TRUE(reaches_uplink());
  EXPECT_TRUE(reaches_lan());
  EXPECT_TRUE(reaches_other());
  EXPECT_EQ(!is_program(), stands());  // no rules, no table
}

TEST_P(FenceTest, AnIsolatedNetworkReachesTheHostAlone) {
  put_up(VNET_NETWORK_F_ISOLATED, {});
  EXPECT_TRUE(reaches_host());
  EXPECT_EQ(0U, counted());
  EXPECT_FALSE(reaches_lan());
  if (is_program()) {
    EXPECT_GE(counted(), 2U);
  }
  EXPECT_FALSE(reaches_uplink());
  EXPECT_FALSE(reaches_other());
  EXPECT_TRUE(lan_.pings("203.0.113.2", 1));  // nobody else's packets
}

TEST_P(FenceTest, WhatMustBeTranslatedLeavesByAnUplink) {
  put_up(VNET_NETWORK_F_MASQUERADE4, nat());
  EXPECT_TRUE(reaches_uplink());
  EXPECT_EQ(0U, counted());
  EXPECT_FALSE(reaches_lan());
  // Its gateway's own program judges that, and there is none here. The table has been told nothing of it.
  EXPECT_EQ(is_program(), reaches_other());
  // The administrator's rule that leads elsewhere.
  host_.must("ip rule add iif gw0 lookup 7; ip route add 203.0.113.2 via 198.51.100.2 table 7");
  EXPECT_FALSE(gateway_.pings("203.0.113.2", 1));
}

TEST_P(FenceTest, ARoutedNetworkLeavesByAnything) {
  put_up(VNET_NETWORK_F_VISIBLE, {.gateway = 0, .out = {}, .all_but = true});
  EXPECT_TRUE(reaches_uplink());
  EXPECT_TRUE(reaches_lan());
  // Answers to a hidden network's guests are among it: that gateway's own program tells them apart.
  EXPECT_TRUE(reaches_other());
}

TEST_P(FenceTest, ANamedUplinkIsTheOnlyWay) {
  put_up(VNET_NETWORK_F_VISIBLE, {.gateway = 0, .out = {way("lan0")}});
  set_flags(our_slot, VNET_NETWORK_F_VISIBLE, index("lan0"));
  EXPECT_TRUE(reaches_lan());
  EXPECT_FALSE(reaches_uplink());
}

// The stack sees its packets come in by the VRF.
TEST_P(FenceTest, AGatewayMayBeInAVrf) {
  if (!host_.sh("ip link add vrf7 type vrf table 7").ok()) GTEST_SKIP() << "the kernel has no VRFs";
  host_.must(
      "ip link set vrf7 up; ip link set gw0 master vrf7; ip -6 addr replace fd00:122::1/64 dev gw0 nodad; "
      "for way in up0:203.0.113.0/24:2001:db8:113::/64 lan0:198.51.100.0/24:2001:db8:51::/64; do "
      "dev=${way%%:*}; way=${way#*:}; ip route add ${way%%:*} dev $dev table 7; "
      "ip -6 route add ${way#*:} dev $dev table 7; done; "
      "ip route add 192.168.122.0/24 dev gw0; ip -6 route add fd00:122::/64 dev gw0");
  ASSERT_TRUE(reaches_lan());
  put_up(VNET_NETWORK_F_MASQUERADE4, nat());
  EXPECT_TRUE(reaches_uplink());
  EXPECT_EQ(0U, counted());
  EXPECT_FALSE(reaches_lan());
  if (is_program()) {
    EXPECT_GE(counted(), 2U);
  }
}

// The table believes one that has its name, too: it is another name there.
TEST_P(FenceTest, AnInterfaceThatHasGoneIsNotBelievedByItsNumber) {
  put_up(VNET_NETWORK_F_MASQUERADE4, nat());
  ASSERT_TRUE(reaches_uplink());
  int number = index("up0");
  const std::string next = is_program() ? "up0" : "up0.7@x{$y";
  host_.must(
      fmt::format("ip link delete up0; ip link add '{0}' index {1} type veth peer name eth0 netns {2}; "
                  "ip link set '{0}' up; ip addr add 203.0.113.1/24 dev '{0}'; "
                  "ip addr add 2001:db8:113::1/64 dev '{0}' nodad",
                  next, number, uplink_.name()));
  uplink_.must(
      "ip link set eth0 up; ip addr add 203.0.113.2/24 dev eth0; ip addr add 2001:db8:113::2/64 dev eth0 "
      "nodad; "
      "ip route add default via 203.0.113.1; ip route add default via 2001:db8:113::1");
  ASSERT_EQ(number, index(next));
  ASSERT_TRUE(lan_.pings("203.0.113.2"));
  EXPECT_FALSE(reaches_uplink());
  EXPECT_TRUE(stands());  // as it was written
  believe(next, VNET_DEVICE_UPLINK, uplink_slot);
  if (!is_program()) {
    EXPECT_FALSE(reaches_uplink());
    put_up(VNET_NETWORK_F_MASQUERADE4, {.gateway = 0, .out = {way(next)}, .translated = true});
  }
  EXPECT_TRUE(reaches_uplink());
  EXPECT_FALSE(reaches_lan());
}

// Nor does a name say who it is.
TEST_P(FenceTest, AnotherInterfaceOfTheSameNameIsNotBelieved) {
  if (is_program()) GTEST_SKIP() << "of the table alone";
  put_up(VNET_NETWORK_F_MASQUERADE4, nat());
  ASSERT_TRUE(reaches_uplink());
  host_.must(
      "ip link set up0 down; ip link set up0 name up1; ip link set lan0 down; ip link set lan0 name up0; "
      "ip link set up0 up; ip addr replace 2001:db8:51::1/64 dev up0 nodad");
  ASSERT_TRUE(other_.pings("198.51.100.2"));
  EXPECT_FALSE(reaches_lan());
}

// It would be encapsulated as the guest sent it.
TEST_P(FenceTest, WhatIPsecWouldTakeStaysHere) {
  std::string states, policies;
  for (auto [from, to, here, there] :
       {std::tuple{"192.168.122.0/24", "203.0.113.2/32", "203.0.113.1", "203.0.113.2"},
        {"fd00:122::/64", "2001:db8:113::2/128", "2001:db8:113::1", "2001:db8:113::2"}}) {
    states += fmt::format(
        "ip xfrm state add src {} dst {} proto esp spi 0x77 mode tunnel "
        "enc 'ecb(cipher_null)' '' auth 'digest_null' '' && ",
        here, there);
    policies +=
        fmt::format("ip xfrm policy add dir out src {} dst {} tmpl src {} dst {} proto esp mode tunnel\n",
                    from, to, here, there);
  }
  if (Output made = host_.sh(states + "true"); !made.ok())
    GTEST_SKIP() << "the kernel has no IPsec: " << made.err;
  put_up(VNET_NETWORK_F_MASQUERADE4, nat());
  ASSERT_TRUE(reaches_uplink());
  host_.must(policies);
  auto encapsulated = [&] {
    auto before = host_.sh("ip -s xfrm state").out;
    EXPECT_FALSE(reaches_uplink());
    return before != host_.sh("ip -s xfrm state").out;
  };
  EXPECT_FALSE(encapsulated());
  if (is_program()) {
    EXPECT_GE(counted(), 2U);
  }
  need(on_host([&] { return Fence::take_down(datapath_->pins()); }));
  EXPECT_TRUE(encapsulated());
}

TEST_P(FenceTest, ItIsPutUpAgainWithoutAChange) {
  put_up(VNET_NETWORK_F_ISOLATED, {});
  auto links = [&] { return sh("bpftool link show pinned " + pin("%forward4")).out; };
  auto before = links();
  EXPECT_EQ(is_program(), !before.empty());
  need(on_host([&] { return Fence::put_up(*datapath_, rules_); }));
  EXPECT_TRUE(stands());
  EXPECT_EQ(before, links());
  EXPECT_FALSE(reaches_lan());
}

TEST_P(FenceTest, ItIsMissedWhenSomebodyTakesItAway) {
  put_up(VNET_NETWORK_F_ISOLATED, {});
  if (is_program()) {
    ASSERT_TRUE(sh("bpftool link detach pinned " + pin("%forward6")).ok());
    EXPECT_FALSE(stands());
    EXPECT_FALSE(stands());  // asking does not put it up
    need(on_host([&] { return Fence::put_up(*datapath_, rules_); }));
    EXPECT_TRUE(stands());
    std::filesystem::remove(pin("%forward4"));
  } else {
    host_.must("nft add rule inet vnet_bpf forward counter");
    EXPECT_FALSE(stands());
    need(on_host([&] { return Fence::put_up(*datapath_, rules_); }));
    EXPECT_TRUE(stands());
    host_.must("ip link set gw0 down; ip link set gw0 name gw7; ip link set gw7 up");
    EXPECT_TRUE(stands());  // by number
    host_.must("ip link set gw7 down; ip link set gw7 name gw0; ip link set gw0 up");
    host_.must("nft flush ruleset");
  }
  EXPECT_FALSE(stands());
  need(on_host([&] { return Fence::put_up(*datapath_, rules_); }));
  EXPECT_TRUE(stands());
  EXPECT_FALSE(reaches_lan());
}

TEST_P(FenceTest, AnotherProgramMayHaveItsPriority) {
  if (!is_program()) GTEST_SKIP() << "of the program alone";
  // The same program from another state directory: a foreigner.
  TemporaryFolder folder;
  ASSERT_EQ(0, ::mount("bpf", folder.path().c_str(), "bpf", 0, nullptr));
  {
    auto foreign = need(Datapath::open_or_create(folder.path() / "pins"));
    need(on_host([&] { return Fence::put_up(foreign, {}); }));
    put_up(VNET_NETWORK_F_ISOLATED, {});
    EXPECT_FALSE(reaches_lan());
    // Its maps say nothing of our gateway: it is not taken for ours.
    EXPECT_TRUE(on_host([&] { return Fence::stands(foreign, {}).value_or(false); }));
    need(Fence::take_down(folder.path() / "pins"));
    EXPECT_TRUE(stands());
  }
  ::umount2(folder.path().c_str(), MNT_DETACH);
}

TEST_P(FenceTest, TakenDownItLeavesNothing) {
  put_up(VNET_NETWORK_F_ISOLATED, {});
  EXPECT_FALSE(reaches_lan());
  for (int again = 0; again < 2; ++again) need(on_host([&] { return Fence::take_down(datapath_->pins()); }));
  EXPECT_FALSE(stands());
  EXPECT_TRUE(reaches_lan());
  EXPECT_EQ("", host_.sh("nft list ruleset").out);
  EXPECT_FALSE(std::filesystem::exists(pin("%forward4")));
  EXPECT_FALSE(std::filesystem::exists(pin("%forward6")));
}

// Another kernel, or a test: the way changes, and nothing of the other remains.
TEST_P(FenceTest, OneWayTakesThePlaceOfTheOther) {
  put_up(VNET_NETWORK_F_ISOLATED, {});
  if (is_program())
    ::setenv("VNET_BPF_FENCE", "nft", 1);
  else
    ::unsetenv("VNET_BPF_FENCE");
  if (!is_program() && Fence::way() == FenceWay::Table) GTEST_SKIP() << "the kernel has no other way";
  EXPECT_FALSE(stands());
  need(on_host([&] { return Fence::put_up(*datapath_, rules_); }));
  EXPECT_TRUE(stands());
  EXPECT_FALSE(reaches_lan());
  EXPECT_EQ(is_program(), !host_.sh("nft list ruleset").out.empty());
  EXPECT_NE(is_program(), std::filesystem::exists(pin("%forward4")));
}

INSTANTIATE_TEST_SUITE_P(Way, FenceTest, testing::Values(FenceWay::Program, FenceWay::Table),
                         [](const auto& of) { return of.param == FenceWay::Program ? "program" : "table"; });

}  // namespace
}  // namespace vnet::test
