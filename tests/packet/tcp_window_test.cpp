// SPDX-License-Identifier: GPL-2.0-or-later
// A connection ends by what its two ends have said, not by what somebody else guesses (RFC 5961, RFC 5927).
#include <time.h>

#include <algorithm>
#include <cstdio>

#include "tests/packet/datapath_fixture.h"

namespace vnet::test {
namespace {

class TcpWindow : public BothFamilies {
 protected:
  static constexpr std::uint16_t port = 2000;
  static constexpr std::uint32_t ours = 0xfffffff0, theirs = 5000;  // ours wraps

  Ran out(const std::string& flags, std::uint32_t seq, std::uint32_t ack, int bytes = 0,
          std::uint16_t window = 502, const Bytes& options = {}) {
    return run(Program::UplinkEgress,
               out_of_host / ip(at.guest1, at.remote, 63) /
                   Tcp{.src_port = port,
                       .dst_port = 443,
                       .flags = flags,
                       .seq = seq,
                       .ack = ack,
                       .window = window,
                       .options = options} /
                   Payload(bytes),
               {}, slot::g1);
  }
  Ran in(const std::string& flags, std::uint32_t seq, std::uint32_t ack, int bytes = 0,
         std::uint16_t window = 502, const Bytes& options = {}, RunContext context = {}) {
    return run(Program::UplinkIngress,
               into_host / ip(at.remote, at.host, 60) /
                   Tcp{.src_port = 443,
                       .dst_port = port,
                       .flags = flags,
                       .seq = seq,
                       .ack = ack,
                       .window = window,
                       .options = options} /
                   Payload(bytes),
               context);
  }
  std::string state() {
    auto known = session(key(L4::Tcp, at.guest1, port));
    if (!known) return "none";
    static const char* const names[] = {"new", "established", "closing", "closed"};
    return names[known->state];
  }
  // Both with a window scale of 7: windows of 64 KB.
  void connect() {
    const Bytes options{2, 4, 5, 180, 4, 2, 1, 3, 3, 7};
    out("S", ours, 0, 0, 64240, options);
    in("SA", theirs, ours + 1, 0, 65160, options);
    out("A", ours + 1, theirs + 1);
    ASSERT_EQ("established", state());
  }
};
VNET_BOTH_FAMILIES(TcpWindow);

TEST_P(TcpWindow, AGuessedResetEndsNothing) {
  connect();
  for (std::uint32_t off : {0x10000U, 0x1000000U, 0x40000000U, 0x80000000U, 0xc0000000U, 0xffffffffU}) {
    in("R", theirs + 1 + off, 0);
    EXPECT_EQ("established", state()) << off;
    in("RA", theirs + 1 + off, ours + 1);
    EXPECT_EQ("established", state()) << off;
    out("R", ours + 1 + off, 0);
    EXPECT_EQ("established", state()) << off;
  }
}

// The numbers that a guess is compared with are not moved by guesses.
TEST_P(TcpWindow, GuessedDataMovesNothing) {
  connect();
  for (std::uint32_t off : {0x20000U, 0x1000000U, 0x40000000U}) {
    in("A", theirs + 1 + off, ours + 1, 100);
    in("R", theirs + 1 + off + 100, 0);
    EXPECT_EQ("established", state()) << off;
    in("A", theirs + 1, ours + 1 + off);  // acknowledges what was never sent
    in("R", theirs + 1 + off, 0);
    EXPECT_EQ("established", state()) << off;
  }
  out("R", ours + 1, 0);
  EXPECT_EQ("closed", state());
}

TEST_P(TcpWindow, AGuessedFinAndResetEndNothing) {
  connect();
  in("FA", theirs + 0x1000000, ours + 1);
  EXPECT_EQ("established", state());
  in("R", theirs + 0x1000001, 0);
  EXPECT_EQ("established", state());
  out("A", ours + 1, theirs + 1, 10);
  in("A", theirs + 1, ours + 11, 10);
  EXPECT_EQ("established", state());
}

TEST_P(TcpWindow, TheOtherEndsResetEndsIt) {
  connect();
  in("A", theirs + 1, ours + 1, 1000);  // on its way to the guest when the other end gives up
  in("R", theirs + 1001, 0);
  EXPECT_EQ("closed", state());
}

TEST_P(TcpWindow, AResetAnswersWhatTheGuestHasAcknowledged) {
  connect();
  in("A", theirs + 1, ours + 1, 1000);
  out("A", ours + 1, theirs + 1001, 1000);
  in("R", theirs + 1, 0);  // an old one
  EXPECT_EQ("established", state());
  in("R", theirs + 1001, 0);
  EXPECT_EQ("closed", state());
}

TEST_P(TcpWindow, ASynIsRefusedByWhoHasSeenIt) {
  out("S", ours, 0);
  in("RA", 0, ours + 77);
  EXPECT_EQ("new", state());
  in("R", 0, 0);
  EXPECT_EQ("new", state());
  in("RA", 0, ours + 1);
  EXPECT_EQ("closed", state());
}

TEST_P(TcpWindow, IsClosedWhenBothEndsAreDone) {
  connect();
  out("FA", ours + 1, theirs + 1);
  EXPECT_EQ("closing", state());
  in("A", theirs + 1, ours + 2, 500);  // the other half still sends
  out("A", ours + 2, theirs + 501);
  EXPECT_EQ("closing", state());
  in("FA", theirs + 501, ours + 2);
  EXPECT_EQ("closing", state());  // the far end waits for an acknowledgement: its port is not free
  out("A", ours + 2, theirs + 502);
  EXPECT_EQ("closed", state());
  in("A", theirs + 502, ours + 2);
  EXPECT_EQ("closed", state()) << "the last acknowledgement revives nothing";
  in("S", 9, 0);
  EXPECT_EQ("closed", state()) << "only the opener opens again";
}

TEST_P(TcpWindow, GoesOnWhereAResetWasRefused) {
  connect();
  in("R", theirs + 1, 0);
  ASSERT_EQ("closed", state());
  out("A", ours + 1, theirs + 1);
  EXPECT_EQ("established", state());
}

TEST_P(TcpWindow, BothMayCloseAtOnce) {
  connect();
  out("FA", ours + 1, theirs + 1);
  in("FA", theirs + 1, ours + 1);
  in("A", theirs + 2, ours + 2);
  EXPECT_EQ("closing", state());
  out("A", ours + 2, theirs + 2);
  EXPECT_EQ("closed", state());
}

TEST_P(TcpWindow, FollowsWindowsAndSegmentsThatAreMerged) {
  connect();
  std::uint32_t seq = theirs + 1;
  for (int i = 0; i < 40; ++i, seq += 3000) {  // 120 KB, two windows
    in("A", seq, ours + 1, 3000, 502, {}, {.gso_segs = 3, .gso_size = 1400});
    if (i % 8 == 7) out("A", ours + 1, seq + 3000);
  }
  in("R", theirs + 0x10000, 0);
  EXPECT_EQ("established", state());
  in("R", seq, 0);
  EXPECT_EQ("closed", state());
}

// One that is older than the table, or was kept by an earlier version.
TEST_P(TcpWindow, TakesUpAConnectionInItsMiddle) {
  out("A", ours, theirs, 10);
  in("A", theirs, ours + 10, 20);
  EXPECT_EQ("established", state());
  out("A", ours + 10, theirs + 20);
  in("R", theirs + 0x50000000, 0);
  EXPECT_EQ("established", state());
  in("FA", theirs + 20, ours + 10);
  out("FA", ours + 10, theirs + 21);
  in("A", theirs + 21, ours + 11);
  EXPECT_EQ("closed", state());
}

TEST_P(TcpWindow, APortIsUsedAgainForANewConnection) {
  connect();
  out("FA", ours + 1, theirs + 1);
  in("FA", theirs + 1, ours + 2);
  out("A", ours + 2, theirs + 2);
  ASSERT_EQ("closed", state());
  out("S", 77, 0);
  EXPECT_EQ("new", state());
  in("SA", 1234, 78);
  out("A", 78, 1235);
  EXPECT_EQ("established", state());
  in("R", theirs + 2, 0);
  EXPECT_EQ("established", state());
  in("R", 1235, 0);
  EXPECT_EQ("closed", state());
}

// An error is about what was sent, or somebody has made it up.
TEST_P(TcpWindow, AnErrorQuotesWhatWasSent) {
  connect();
  out("A", ours + 1, theirs + 1, 1000);
  auto about = [&](std::uint32_t seq) {
    return into_host / ip(at.next_hop, at.host) /
           icmp_error(Problem::TooBig, family(),
                      ip(at.host, at.remote) /
                          Tcp{.src_port = port, .dst_port = 443, .flags = "A", .seq = seq} / Payload(1000));
  };
  for (std::uint32_t off : {0x10000U, 0x40000000U, 0xc0000000U})
    expect_drop(Program::UplinkIngress, about(ours + 1 + off), slot::uplink, "no-session");
  EXPECT_NE(Shot, run(Program::UplinkIngress, about(ours + 1)).verdict);
}

// Not a test: what a packet of an established connection costs, in a network whose addresses stay (the same
// packet is run many times over).
TEST_P(TcpWindow, DISABLED_Cost) {
  set_flags(flag::route);
  run(Program::UplinkEgress,
      out_of_host / ip(at.guest1, at.remote, 63) / Tcp{.src_port = port, .dst_port = 443, .flags = "S"}, {},
      slot::g1);
  const vnet_flow flow = key(L4::Tcp, at.guest1, port);
  double cost[VNET_DIRECTIONS] = {1e9, 1e9};
  for (int i = 0; i < 4000; ++i) {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    auto known = session(flow).value();
    known.state = VNET_SESSION_ESTABLISHED;
    known.flags = VNET_SESSION_F_PLAIN;
    vnet_hop& hop = known.leg[VNET_OUT].hop;
    hop.ifindex = ifindex("eth0");
    hop.tick = static_cast<__u32>((static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000ULL +
                                   static_cast<std::uint64_t>(now.tv_nsec)) >>
                                  VNET_TICK_SHIFT);
    hop.mtu = 1500;
    const __u8 to[] = {0x52, 0x54, 0, 0, 1, 0xfe}, from[] = {0x52, 0x54, 0, 0, 1, 0x0a};
    std::ranges::copy(to, hop.dmac);
    std::ranges::copy(from, hop.smac);
    ASSERT_TRUE(maps().sessions.set(flow, known));
    Packet mine = from_guest1 / ip(at.guest1, at.remote, 255) /
                  Tcp{.src_port = port, .dst_port = 443, .flags = "A", .seq = 100, .ack = 100} / Payload(100);
    Packet answer = into_host / ip(at.remote, at.guest1, 255) /
                    Tcp{.src_port = 443, .dst_port = port, .flags = "A", .seq = 100, .ack = 100} /
                    Payload(100);
    cost[VNET_OUT] = std::min(cost[VNET_OUT], nanoseconds_a_run(Program::PortIngress, mine, 250));
    cost[VNET_IN] = std::min(cost[VNET_IN], nanoseconds_a_run(Program::UplinkIngress, answer, 250));
  }
  std::printf("IPv%d, ns a packet: to outside %.0f, from outside %.0f\n", family(), cost[VNET_OUT],
              cost[VNET_IN]);
}

}  // namespace
}  // namespace vnet::test
