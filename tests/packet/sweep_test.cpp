// SPDX-License-Identifier: GPL-2.0-or-later
// Good packets, damaged in every way that is cheap to try, through all programs. run() checks that the
// verdict is one of three and that every drop is counted once; here it is that no guest's address leaves, and
// that a sound packet stays sound. The seeds are fixed: a failure repeats.
#include <fmt/format.h>

#include <random>

#include "tests/packet/datapath_fixture.h"

namespace vnet::test {
namespace {

bool has_guest_source(const Bytes& frame) {
  auto prefix_at = [&](std::size_t at, const Bytes& prefix) {
    return frame.size() >= at + prefix.size() &&
           std::equal(prefix.begin(), prefix.end(), frame.begin() + static_cast<long>(at));
  };
  if (prefix_at(12, {0x08, 0x00})) return prefix_at(26, {192, 168, 122}) || prefix_at(26, {192, 168, 123});
  if (prefix_at(12, {0x86, 0xdd}))
    return prefix_at(22, {0xfd, 0, 1, 0x22, 0, 0, 0, 0}) || prefix_at(22, {0xfd, 0, 1, 0x23, 0, 0, 0, 0});
  return false;
}

class Sweep : public BothFamilies {
 protected:
  void SetUp() override {
    BothFamilies::SetUp();
    // Damage makes a flow of every packet; a limit keeps the run short.
    set_network([](vnet_network& n) { n.max_sessions = 200; });
    ASSERT_TRUE(maps().xdp_targets.set(ifindex("g1"), ifindex("g1")));
    for (L4 kind : {L4::Udp, L4::Tcp, L4::Echo}) open(kind, at.guest1, 2000, slot::g1);
    vnet_port_forward to{.to = address(at.guest1), .port_be = 0x5000, .network = slot::network};
    ASSERT_TRUE(
        maps().port_forwards.set({.port_be = 0x901f, .proto = 6, .family = static_cast<__u8>(family())}, to));
  }

  std::vector<Packet> good() {
    std::vector<Packet> all;
    for (L4 kind : {L4::Udp, L4::Tcp, L4::Echo}) {
      all.push_back(from_guest1 / ip(at.guest1, at.remote) / l4(kind, family(), 2000, 443));
      all.push_back(answer(kind, at.host, 2000));
      all.push_back(
          into_host / ip(at.next_hop, at.host) /
          icmp_error(Problem::TooBig, family(), ip(at.host, at.remote) / l4(kind, family(), 2000, 443)));
      all.push_back(from_guest1 / ip(at.guest1, at.remote) /
                    icmp_error(Problem::Unreachable, family(),
                               ip(at.remote, at.guest1) / l4_answer(kind, family(), 2000, 443)));
    }
    all.push_back(from_guest1 / ip(at.guest1, at.remote2) / l4(L4::Tcp, family(), 7777, 80));
    all.push_back(from_guest1 / ip(at.guest1, at.other_guest) / l4(L4::Udp, family(), 7777, 80));
    all.push_back(into_host / ip(at.remote, at.host) / l4(L4::Tcp, family(), 7777, 8080));
    all.push_back(into_host / ip(at.remote, at.guest1) / l4(L4::Udp, family(), 7777, 80));
    all.push_back(from_guest1 / Arp{.sender_ip = "192.168.122.10", .target_ip = "192.168.122.1"});
    if (family() == 4) {
      all.push_back(from_guest1 / Ipv4{.src = at.guest1, .dst = at.remote, .options = {7, 7, 4, 0, 0, 0, 0}} /
                    Udp{});
      all.push_back(from_guest1 / Ipv4{.src = at.guest1, .dst = at.remote, .more_fragments = true} /
                    Udp{.length = 900} / Payload(24));
      all.push_back(from_guest1 /
                    Ipv4{.src = at.guest1, .dst = at.remote, .fragment_offset = 32, .protocol = 17} /
                    Payload(24));
      all.push_back(Ethernet{.src = mac::gateway, .dst = mac::guest1} /
                    Ipv4{.src = at.gateway, .dst = at.guest1} / Udp{.src_port = 67, .dst_port = 68} /
                    Payload(80));
    } else {
      Packet outer = from_guest1 / Ipv6{.src = at.guest1, .dst = at.remote};
      all.push_back(outer / Ipv6HopByHop{} / Udp{} / Payload(9));
      all.push_back(outer / Ipv6HopByHop{} / Ipv6Fragment{.id = 5, .more = true} / Udp{.length = 900} /
                    Payload(24));
      all.push_back(outer / Ipv6Fragment{.id = 5, .offset = 32, .next_header = 17} / Payload(24));
    }
    return all;
  }

  void through_all(const Bytes& frame) {
    bool sound = complaints(frame).empty();
    for (Program program : all_programs) {
      Ran ran;
      try {
        ran = run(program, frame);
      } catch (const std::system_error& refused) {
        // The kernel runs no program on less than an IP header.
        if (refused.code().value() == EINVAL && frame.size() < 14 + 40) return;
        throw;
      }
      if (ran.verdict == Shot) continue;
      if (sound) {
        EXPECT_SOUND(ran.packet) << "out of program " << static_cast<int>(program) << "\n" << describe(frame);
      }
      if (program == Program::UplinkEgress) {
        EXPECT_FALSE(has_guest_source(ran.packet)) << "leaves with a guest's address:\n"
                                                   << describe(ran.packet);
      }
    }
    if (HasFailure()) FAIL() << "frame " << fmt::format("{:02x}", fmt::join(frame, ""));
  }
};
VNET_BOTH_FAMILIES(Sweep);

TEST_P(Sweep, GoodPackets) {
  for (const Packet& packet : good()) ASSERT_NO_FATAL_FAILURE(through_all(packet));
}

TEST_P(Sweep, EveryLength) {
  for (const Packet& packet : good()) {
    Bytes frame = packet;
    for (std::size_t size = frame.size() - 1; size >= 14; --size) {
      frame.resize(size);
      ASSERT_NO_FATAL_FAILURE(through_all(frame));
    }
  }
}

// Longer than the headers say: padding, which is nobody's.
TEST_P(Sweep, EveryLengthThatTheHeaderMayClaim) {
  for (const Packet& packet : good()) {
    Bytes frame = packet;
    bool v4 = family() == 4;
    for (std::size_t claim = 0; claim + 14 <= frame.size() + 2; ++claim) {
      frame[v4 ? 16 : 18] = static_cast<std::uint8_t>(claim >> 8);
      frame[v4 ? 17 : 19] = static_cast<std::uint8_t>(claim);
      ASSERT_NO_FATAL_FAILURE(through_all(frame));
    }
  }
}

TEST_P(Sweep, EveryByteOfTheHeaders) {
  std::minstd_rand random(20240607);
  for (const Packet& packet : good()) {
    const Bytes frame = packet;
    for (std::size_t at_byte = 0; at_byte < std::min<std::size_t>(frame.size(), 110); ++at_byte) {
      for (int i = 0; i < 3; ++i) {
        Bytes damaged = frame;
        damaged[at_byte] ^= static_cast<std::uint8_t>(i == 0 ? 1U << random() % 8 : 1 + random() % 255);
        ASSERT_NO_FATAL_FAILURE(through_all(damaged));
      }
    }
  }
}

TEST_P(Sweep, ManyBytesAtOnce) {
  std::minstd_rand random(42);
  std::vector<Packet> packets = good();
  for (int i = 0; i < 3000; ++i) {
    Bytes frame = packets[random() % packets.size()];
    for (unsigned n = 2 + random() % 6; n > 0; --n)
      frame[12 + random() % (frame.size() - 12)] = static_cast<std::uint8_t>(random());
    if (random() % 4 == 0) frame.resize(14 + random() % (frame.size() - 13));
    ASSERT_NO_FATAL_FAILURE(through_all(frame));
  }
}

}  // namespace
}  // namespace vnet::test
