// SPDX-License-Identifier: GPL-2.0-or-later
// Packets whose sum the kernel knows already (CHECKSUM_COMPLETE), as from many network cards: here a
// tunnel's, whose outer checksum has been looked at. A rewrite that forgets skb->csum goes unseen between
// veths and taps; on real cards it is a flood of "hw csum failure".
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <net/if.h>

#include "checksum.skel.h"
#include "tests/e2e/network_fixture.h"
#include "tests/support/inside.h"

namespace vnet::test {
namespace {

class CompleteChecksum : public NetworkTest, public testing::WithParamInterface<int> {
 protected:
  void SetUp() override {
    NetworkTest::SetUp();
    if (IsSkipped()) return;
    if (!host().sh("ip link add probe type vxlan id 1 dstport 1 && ip link del probe").ok())
      GTEST_SKIP() << "this kernel has no VXLAN";
    move_outside_behind_a_tunnel(host(), 2, 1);
    move_outside_behind_a_tunnel(outside(), 1, 2);
    host().must("ip route replace default via 203.0.113.1; ip -6 route replace default via 2001:db8:113::1");
    start();
    plug("g1", 11);
    probe_ = checksum_bpf::open_and_load();
    ASSERT_TRUE(probe_);
    run_inside(guest("g1"), [&] {
      bpf_tc_hook hook{};
      hook.sz = sizeof hook;
      hook.ifindex = static_cast<int>(if_nametoindex("eth0"));
      hook.attach_point = BPF_TC_INGRESS;
      bpf_tc_opts options{};
      options.sz = sizeof options;
      options.prog_fd = bpf_program__fd(probe_->progs.checksum);
      ASSERT_EQ(0, bpf_tc_hook_create(&hook));
      ASSERT_EQ(0, bpf_tc_attach(&hook, &options));
    });
    for (const char* kind : {"UDP", "TCP"})
      echoes_.push_back(outside().background(
          {"socat", fmt::format("{}{}-LISTEN:9000,fork,reuseaddr", kind, GetParam()), "PIPE"}));
    ASSERT_TRUE(
        wait_until([&] { return outside().sh("ss -ltn | grep -q :9000 && ss -lun | grep -q :9000").ok(); }));
  }
  void TearDown() override {
    if (probe_) checksum_bpf::destroy(probe_);
  }

  // The UDP checksum around the frames is not left to the interface: the receiver looks at it, and knows the
  // sum of what is inside.
  static void move_outside_behind_a_tunnel(Namespace& where, int own, int other) {
    where.must(fmt::format(
        "ip addr flush dev eth0; ip addr add 10.9.0.{0}/24 dev eth0; ethtool -K eth0 tx off >&2\n"
        "ip link add vx0 type vxlan id 7 dstport 4789 local 10.9.0.{0} remote 10.9.0.{1} udpcsum\n"
        "ip addr add 203.0.113.{0}/24 dev vx0; ip addr add 2001:db8:113::{0}/64 dev vx0 nodad\n"
        "ip link set vx0 up\n",
        own, other));
  }

  std::string server() const { return GetParam() == 6 ? "2001:db8:113::1" : "203.0.113.1"; }
  // Whether it comes back. A port below 1024 is not kept: its translation is in the checksum, too.
  bool echoed(const std::string& kind, int source_port) {
    const std::string address = GetParam() == 6 ? "[" + server() + "]" : server();
    return guest("g1")
               .sh(fmt::format("echo hello | socat -T2 - {}{}:{}:9000,sourceport={}", kind, GetParam(),
                               address, source_port))
               .out == "hello\n";
  }

  checksum_bpf* probe_ = nullptr;
  std::vector<Background> echoes_;
};

TEST_P(CompleteChecksum, IsKeptByEveryRewrite) {
  EXPECT_TRUE(guest("g1").pings(server()));
  const auto pings = probe_->bss->right;
  EXPECT_GT(pings, 0U) << "the receiver is told the sum, or this tests nothing";
  for (int port : {4711, 500}) {
    EXPECT_TRUE(echoed("UDP", port));
    EXPECT_TRUE(echoed("TCP", port));
  }
  EXPECT_GE(probe_->bss->right, pings + 4);
  const auto answered = probe_->bss->right;
  // An error quotes what was translated.
  guest("g1").sh(fmt::format("echo x | socat -T1 -u - UDP{}:{}:9999", GetParam(),
                             GetParam() == 6 ? "[" + server() + "]" : server()));
  EXPECT_TRUE(wait_until([&] { return probe_->bss->right > answered; })) << "the ICMP error";
  EXPECT_EQ(0U, probe_->bss->wrong);
}
INSTANTIATE_TEST_SUITE_P(Ip, CompleteChecksum, testing::Values(4, 6),
                         [](const auto& family) { return "v" + std::to_string(family.param); });

}  // namespace
}  // namespace vnet::test
