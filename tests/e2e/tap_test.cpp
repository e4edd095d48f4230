// SPDX-License-Identifier: GPL-2.0-or-later
// Taps and packet sockets against a plain Linux bridge: what later failures may rely on not being the tools'.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>

#include "tests/support/oracle.h"
#include "tests/support/playground.h"
#include "tests/support/raw_port.h"
#include "tests/support/tap.h"

namespace vnet::test {
namespace {

constexpr const char* mac1 = "52:54:00:00:00:01";
constexpr const char* mac2 = "52:54:00:00:00:02";
constexpr int big = 8000;

bool v6(int family) {
  return family == 6;
}

Packet ip(int family) {
  Packet frame = Ethernet{.src = mac1, .dst = mac2};
  return v6(family) ? frame / Ipv6{.src = "fd00:122::10", .dst = "fd00:122::20"}
                    : frame / Ipv4{.src = "192.168.122.10", .dst = "192.168.122.20"};
}
Packet udp(int family) {
  return ip(family) / Udp{.src_port = 4711, .dst_port = 5353} / Payload(301);
}
Packet tcp(int family) {
  return ip(family) / Tcp{.src_port = 4711, .dst_port = 80, .flags = "PA", .seq = 1000, .ack = 1} /
         Payload(big);
}
bool ours(const VirtioFrame& frame) {
  return fields(frame.frame).src_port == 4711;
}

class TapTest : public testing::TestWithParam<int> {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root";
    ground_.emplace();
    ground_->host().must(
        "ip link add br0 type bridge mcast_snooping 0\n"
        "sysctl -qw net.ipv6.conf.br0.disable_ipv6=1\n"
        "ip link set br0 up");
  }
  Playground& ground() { return *ground_; }
  Tap tap(const std::string& name, const TapOptions& options = {}) {
    Tap made(ground().host(), name, options);
    ground().host().must("ip link set " + name + " master br0");
    return made;
  }

 private:
  std::optional<Playground> ground_;
};

TEST_P(TapTest, AnUnfinishedChecksumStaysSoBetweenTapsThatTakeIt) {
  Tap from = tap("t1"), to = tap("t2");
  from.send(partial(udp(GetParam())));
  auto got = to.expect_frame(ours);
  ASSERT_TRUE(got);
  EXPECT_TRUE(got->needs_checksum());
  EXPECT_TRUE(is_sound(*got));
  EXPECT_TRUE(is_sound(got->frame, L4Sum::Partial));
  EXPECT_FALSE(is_sound(got->frame)) << "nobody may have completed it";
}

TEST_P(TapTest, TheOldHeaderSizeWorksToo) {
  Tap from = tap("t1", {.header_size = 10}), to = tap("t2", {.header_size = 10});
  from.send(partial(udp(GetParam())));
  auto got = to.expect_frame(ours);
  ASSERT_TRUE(got);
  EXPECT_TRUE(got->needs_checksum());
  EXPECT_TRUE(is_sound(*got));
}

TEST_P(TapTest, ASuperFrameStaysWholeBetweenTapsThatTakeIt) {
  Tap from = tap("t1"), to = tap("t2");
  VirtioFrame sent = super_frame(tcp(GetParam()));
  from.send(sent);
  auto got = to.expect_frame(ours);
  ASSERT_TRUE(got);
  EXPECT_EQ(got->frame, sent.frame);
  EXPECT_EQ(got->header.gso_type, sent.header.gso_type);
  EXPECT_EQ(got->header.gso_size, 1448);
  EXPECT_TRUE(is_sound(*got));
}

TEST_P(TapTest, ATapWithoutOffloadGetsCompleteChecksums) {
  for (bool header : {true, false}) {
    Tap from = tap("t1"), to = tap("t2", {.vnet_hdr = header, .offload = false});
    from.send(partial(udp(GetParam())));
    auto got = to.expect_frame(ours);
    ASSERT_TRUE(got);
    EXPECT_FALSE(got->needs_checksum());
    EXPECT_SOUND(got->frame);
  }
}

TEST_P(TapTest, ATapWithoutOffloadGetsSegments) {
  Tap from = tap("t1"), to = tap("t2", {.offload = false});
  from.send(super_frame(tcp(GetParam())));
  std::size_t biggest = 0;
  auto next = [&](std::chrono::milliseconds left) {
    auto frame = to.receive(left);
    if (frame && ours(*frame)) {
      biggest = std::max(biggest, fields(frame->frame).payload.size());
      EXPECT_FALSE(frame->needs_checksum() || frame->is_gso());
    }
    return frame;
  };
  EXPECT_EQ(tcp_payload(next, ours, 1000, big), Payload(big).bytes);
  EXPECT_EQ(biggest, 1448U);
}

TEST_P(TapTest, AVethsPeerGetsItWithTheKernelsMetadata) {
  ground().add_guest("g1");
  ground().host().must("ip link set g1 master br0");
  Tap from = tap("t1");
  RawPort to(ground().guest("g1"), "eth0");
  from.send(partial(udp(GetParam())));
  auto got = to.expect_frame(ours);
  ASSERT_TRUE(got);
  EXPECT_TRUE(got->needs_checksum());
  EXPECT_TRUE(is_sound(*got));
  from.send(super_frame(tcp(GetParam())));
  EXPECT_EQ(tcp_payload([&](auto left) { return to.receive(left); }, ours, 1000, big), Payload(big).bytes);
}

TEST_P(TapTest, APacketSocketWithoutHeaderSaysThatTheChecksumIsNotReady) {
  ground().add_guest("g1");
  ground().host().must("ip link set g1 master br0");
  Tap from = tap("t1");
  RawPort to(ground().guest("g1"), "eth0", {.vnet_hdr = false});
  from.send(partial(udp(GetParam())));
  std::optional<CapturedFrame> got;
  ASSERT_TRUE(wait_until([&] { return (got = to.receive(std::chrono::milliseconds(100))) && ours(*got); }));
  EXPECT_FALSE(got->checksum_ready);
  EXPECT_TRUE(is_sound(got->frame, L4Sum::Partial));
  from.send(udp(GetParam()));
  ASSERT_TRUE(wait_until([&] { return (got = to.receive(std::chrono::milliseconds(100))) && ours(*got); }));
  EXPECT_TRUE(got->checksum_ready);
  EXPECT_SOUND(got->frame);
}

TEST_P(TapTest, APacketSocketInjectsUnfinishedFramesAndHearsNothingOfItsOwn) {
  ground().add_guest("g1");
  ground().host().must("ip link set g1 master br0");
  Tap to = tap("t1");
  RawPort from(ground().guest("g1"), "eth0");
  from.send(super_frame(tcp(GetParam())));
  auto got = to.expect_frame(ours);
  ASSERT_TRUE(got);
  EXPECT_TRUE(got->is_gso());
  EXPECT_TRUE(is_sound(*got));
  from.expect_no_frame(ours);
}

// The judges have to be able to say no.
TEST_P(TapTest, AWrongSumIsFoundAtTheOtherEnd) {
  Tap from = tap("t1"), to = tap("t2"), plain_one = tap("t3", {.offload = false});
  VirtioFrame bad = partial(udp(GetParam()));
  bad.frame[bad.header.csum_start + 7U] ^= 1;  // the pseudo header's sum
  from.send(bad);
  auto got = to.expect_frame(ours);
  ASSERT_TRUE(got);
  EXPECT_FALSE(is_sound(*got));
  got = plain_one.expect_frame(ours);
  ASSERT_TRUE(got);
  EXPECT_FALSE(got->needs_checksum());
  EXPECT_FALSE(is_sound(got->frame));
}

TEST_P(TapTest, AFramePointingToTheWrongPlaceIsFound) {
  VirtioFrame good = super_frame(tcp(GetParam()));
  EXPECT_TRUE(is_sound(good));
  VirtioFrame start = good, offset = good, type = good, finished = good;
  start.header.csum_start += 2;
  offset.header.csum_offset = 6;
  type.header.gso_type ^= VirtioHeader::gso_tcp4 ^ VirtioHeader::gso_tcp6;
  finished.header.flags = 0;
  for (const VirtioFrame& bad : {start, offset, type, finished}) EXPECT_FALSE(is_sound(bad));
}

INSTANTIATE_TEST_SUITE_P(Families, TapTest, testing::Values(4, 6),
                         [](const auto& info) { return info.param == 6 ? "V6" : "V4"; });

}  // namespace
}  // namespace vnet::test
