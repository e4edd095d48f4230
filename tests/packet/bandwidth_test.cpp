// SPDX-License-Identifier: GPL-2.0-or-later
// <bandwidth>: what a bucket holds passes, and nothing more. The buckets of these tests fill with ten bytes a
// second, so that nothing depends on how long a test takes.
#include "tests/packet/datapath_fixture.h"

namespace vnet::test {
namespace {

constexpr __u64 one_second = 1'000'000'000, bytes_a_second = 10;

vnet_bucket bucket_of(__u64 bytes) {
  return {.ns_per_mib = (__u64{1} << 20) * (one_second / bytes_a_second),
          .depth_ns = bytes * (one_second / bytes_a_second),
          .full_at = 0};
}

class PortBandwidth : public BothFamilies {
 protected:
  void limit(std::uint16_t at_slot, vnet_direction direction, const vnet_limit& limit) {
    ASSERT_TRUE(maps().limits.set({.slot = at_slot, .direction = static_cast<__u16>(direction)}, limit));
    if (at_slot != slot::network)
      set_port(at_slot == slot::g1 ? "g1" : "g2", [&](vnet_port& port) {
        port.flags |= direction == VNET_IN ? VNET_PORT_F_LIMIT_IN : VNET_PORT_F_LIMIT_OUT;
      });
  }
  void share(vnet_direction direction, __u64 bytes) {
    limit(slot::network, direction, {.average = bucket_of(bytes)});
    for (auto port : {slot::g1, slot::g2}) limit(port, direction, {.network = slot::network});
  }
  // So many bytes on the wire.
  static Bytes sized(const Packet& packet, std::size_t bytes) {
    return packet / Payload(bytes - (packet / Payload(0)).bytes().size());
  }
  Bytes frame(const std::string& source, const std::string& destination, const std::string& from,
              const std::string& to) {
    return sized(Ethernet{.src = source, .dst = destination} / ip(from, to) / l4(L4::Udp, family(), 9, 53),
                 1000);
  }
  Bytes out(const std::string& guest) {
    return frame(guest, mac::gateway, guest == mac::guest1 ? at.guest1 : at.guest2, at.remote);
  }
  // How many of those pass until one is dropped for its bandwidth.
  int passes(Program program, const Bytes& bytes, int at_slot, RunContext context = {}) {
    for (int i = 0; i < 1000; ++i) {
      Ran ran = run(program, bytes, context);
      if (ran.verdict != Shot) continue;
      EXPECT_EQ((Drops{{{at_slot, "bandwidth"}, 1}}), ran.drops);
      return i;
    }
    return 1000;
  }
  RunContext at_g2() { return {.ifindex = ifindex("g2")}; }
};
VNET_BOTH_FAMILIES(PortBandwidth);

TEST_P(PortBandwidth, APortSendsWhatItsBucketHolds) {
  limit(slot::g1, VNET_OUT, {.average = bucket_of(10'000)});
  EXPECT_EQ(10, passes(Program::PortIngress, out(mac::guest1), slot::g1));
  EXPECT_EQ(10'000U, traffic(slot::g1).tx_bytes);
  // To other guests, too; they are not limited.
  EXPECT_EQ(0, passes(Program::PortIngress, frame(mac::guest1, mac::guest2, at.guest1, at.guest2), slot::g1));
  EXPECT_EQ(1000, passes(Program::PortIngress, out(mac::guest2), slot::g2, at_g2()));
}

TEST_P(PortBandwidth, APortReceivesWhatItsBucketHolds) {
  limit(slot::g1, VNET_IN, {.average = bucket_of(10'000)});
  Bytes from_other = frame(mac::guest2, mac::guest1, at.guest2, at.guest1);
  EXPECT_EQ(4, [&] {
    int passed = 0;
    for (int i = 0; i < 4; ++i) passed += run(Program::PortIngress, from_other, at_g2()).verdict == Redirect;
    return passed;
  }());
  // From the host; and flooded. The drop is the receiver's, whoever sends.
  Bytes from_host = frame(mac::gateway, mac::guest1, at.gateway, at.guest1);
  EXPECT_EQ(6, passes(Program::GatewayEgress, from_host, slot::g1));
  EXPECT_EQ(0, passes(Program::PortEgress, from_host, slot::g1));
  EXPECT_EQ(0, passes(Program::PortIngress, from_other, slot::g1, at_g2()));
  EXPECT_EQ(10'000U, traffic(slot::g1).rx_bytes);
  // Its own sending is another bucket's.
  EXPECT_EQ(1000, passes(Program::PortIngress, out(mac::guest1), slot::g1));
}

TEST_P(PortBandwidth, ThePeakHoldsBelowTheBurst) {
  limit(slot::g1, VNET_OUT, {.average = bucket_of(100'000), .peak = bucket_of(5'000)});
  EXPECT_EQ(5, passes(Program::PortIngress, out(mac::guest1), slot::g1));
}

TEST_P(PortBandwidth, AFullBucketTakesAnyPacket) {
  limit(slot::g1, VNET_OUT, {.average = bucket_of(500)});
  EXPECT_EQ(1, passes(Program::PortIngress, out(mac::guest1), slot::g1));
}

// Each segment will have the headers again.
TEST_P(PortBandwidth, AGsoPacketCountsAsItsFrames) {
  std::size_t headers = 14 + (family() == 4 ? 20U : 40U) + 20;
  Bytes big =
      sized(from_guest1 / ip(at.guest1, at.remote) / l4(L4::Tcp, family(), 9, 80, "A"), headers + 2000);
  limit(slot::g1, VNET_OUT, {.average = bucket_of(10 * 4 * (headers + 500))});
  EXPECT_EQ(10, passes(Program::PortIngress, big, slot::g1, {.gso_segs = 4, .gso_size = 500}));
  limit(slot::g1, VNET_OUT, {.average = bucket_of(10 * 4 * (headers + 500))});
  EXPECT_EQ(10, passes(Program::PortIngress, big, slot::g1, {.gso_segs = 0, .gso_size = 500}))
      << "a guest does not say how many segments there will be";
}

TEST_P(PortBandwidth, GuestsShareTheirNetworks) {
  share(VNET_OUT, 12'000);
  EXPECT_EQ(12, passes(Program::PortIngress, out(mac::guest1), slot::g1)) << "alone it has all of it";
  EXPECT_EQ(6, passes(Program::PortIngress, out(mac::guest2), slot::g2, at_g2()))
      << "half of it, whatever the other has taken";
  EXPECT_EQ(0, passes(Program::PortIngress, out(mac::guest1), slot::g1));
  // Among themselves they are free.
  EXPECT_EQ(1000,
            passes(Program::PortIngress, frame(mac::guest1, mac::guest2, at.guest1, at.guest2), slot::g1));
}

TEST_P(PortBandwidth, WhatComesFromOutsideIsShared) {
  share(VNET_IN, 12'000);
  auto from_host = [&](const std::string& guest) {
    return frame(mac::gateway, guest, at.gateway, guest == mac::guest1 ? at.guest1 : at.guest2);
  };
  EXPECT_EQ(12, passes(Program::GatewayEgress, from_host(mac::guest1), slot::g1));
  EXPECT_EQ(6, passes(Program::GatewayEgress, from_host(mac::guest2), slot::g2));
  EXPECT_EQ(1000, passes(Program::PortIngress, frame(mac::guest2, mac::guest1, at.guest2, at.guest1),
                         slot::g1, at_g2()));
}

TEST_P(PortBandwidth, APortsOwnHoldsWithinItsNetworks) {
  share(VNET_OUT, 12'000);
  limit(slot::g1, VNET_OUT, {.network = slot::network, .average = bucket_of(3'000)});
  EXPECT_EQ(3, passes(Program::PortIngress, out(mac::guest1), slot::g1));
  EXPECT_EQ(9, passes(Program::PortIngress, out(mac::guest2), slot::g2, at_g2()))
      << "its half, and what the other may not use";
}

}  // namespace
}  // namespace vnet::test
