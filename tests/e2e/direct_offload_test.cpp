// SPDX-License-Identifier: GPL-2.0-or-later
// Direct attachment leaves unfinished checksums and super-frames as they are; only taps with a virtio header
// show it.
#include <filesystem>

#include "tests/e2e/direct_fixture.h"
#include "tests/support/oracle.h"
#include "tests/support/raw_port.h"
#include "tests/support/tap_guest.h"

namespace vnet::test {
namespace {

constexpr int direct_size = 8000;

class DirectOffload : public DirectTest, public testing::WithParamInterface<int> {
 protected:
  void SetUp() override {
    DirectTest::SetUp();
    if (IsSkipped()) return;
    start_lan("bridge");
  }
  bool is_v6() const { return GetParam() == 6; }
  std::string address(int number) const { return is_v6() ? v6(number) : v4(number); }
  std::unique_ptr<TapGuest> tap_guest(int number, const TapOptions& options = {}) {
    auto made = std::make_unique<TapGuest>(host(), fmt::format("tap{}", number),
                                           GuestAddresses{.mac = fmt::format("52:54:00:00:00:{}", number),
                                                          .ipv4 = v4(number),
                                                          .ipv6 = v6(number),
                                                          .on_link4 = "203.0.113.",
                                                          .on_link6 = "2001:db8:113::"},
                                           options);
    vnet({"attach", made->tap().name(), "--network", "lan", "--mac", made->addresses().mac});
    return made;
  }
  static bool ours(const VirtioFrame& frame) { return fields(frame.frame).src_port == 4711; }
  static Packet data() {
    return Tcp{.src_port = 4711, .dst_port = 8080, .flags = "PA", .seq = 1000, .ack = 1} /
           Packet(Payload(direct_size));
  }
};

TEST_P(DirectOffload, BetweenGuests) {
  auto from = tap_guest(11), to = tap_guest(12), simple = tap_guest(13, {.offload = false});
  VirtioFrame sent = super_frame(from->to(address(12)) / data(), 1428);
  from->send(sent);
  auto got = to->expect_frame(ours);
  ASSERT_TRUE(got);
  EXPECT_EQ(got->frame, sent.frame);
  EXPECT_EQ(got->header.gso_size, sent.header.gso_size);
  EXPECT_TRUE(is_sound(*got));
  from->send(super_frame(from->to(address(13)) / data(), 1428));
  EXPECT_EQ(tcp_payload([&](auto left) { return simple->receive(left); }, ours, 1000, direct_size),
            Payload(direct_size).bytes);
  from->send(from->to(address(12)) / Udp{.src_port = 4711, .dst_port = 9000} / Payload(301));
  got = to->expect_frame(ours);
  ASSERT_TRUE(got);
  EXPECT_TRUE(got->needs_checksum());
  EXPECT_TRUE(is_sound(*got));
}

TEST_P(DirectOffload, ToTheWire) {
  auto from = tap_guest(11);
  RawPort wire(outside(), "eth0");
  from->send(super_frame(from->to(address(1)) / data(), 1428));
  EXPECT_EQ(tcp_payload([&](auto left) { return wire.receive(left); }, ours, 1000, direct_size),
            Payload(direct_size).bytes);
  from->send(from->to(address(1)) / Udp{.src_port = 4711, .dst_port = 9000} / Payload(301));
  auto got = wire.expect_frame(
      [](const VirtioFrame& frame) { return ours(frame) && fields(frame.frame).dst_port == 9000; });
  ASSERT_TRUE(got);
  EXPECT_TRUE(is_sound(*got));
}

// Flooded clones as well: each receiver has its own idea of offload.
TEST_P(DirectOffload, AGroupFrame) {
  auto from = tap_guest(11), to = tap_guest(12), simple = tap_guest(13, {.offload = false});
  RawPort wire(outside(), "eth0");
  Packet group =
      Ethernet{.src = from->addresses().mac, .dst = is_v6() ? "33:33:00:00:12:34" : "01:00:5e:01:02:03"};
  group = is_v6() ? group / Ipv6{.src = v6(11), .dst = "ff0e::1234"}
                  : group / Ipv4{.src = v4(11), .dst = "239.1.2.3"};
  from->send(group / Udp{.src_port = 4711, .dst_port = 9000} / Payload(301));
  auto got = to->expect_frame(ours);
  ASSERT_TRUE(got);
  EXPECT_TRUE(got->needs_checksum());
  EXPECT_TRUE(is_sound(*got));
  got = simple->expect_frame(ours);
  ASSERT_TRUE(got);
  EXPECT_FALSE(got->needs_checksum());
  EXPECT_SOUND(got->frame);
  got = wire.expect_frame(ours);
  ASSERT_TRUE(got);
  EXPECT_TRUE(is_sound(*got));
  from->expect_no_frame(ours);
}

// The host's own stack takes a guest's super-frame, and sends one.
TEST_P(DirectOffload, WithTheHost) {
  for (bool offload : {true, false}) {
    auto guest = tap_guest(offload ? 11 : 12, {.offload = offload});
    std::string received = ground().state_dir() / "received";
    std::filesystem::remove(received);
    Background server =
        host().background({"socat", std::string(is_v6() ? "TCP6" : "TCP4") + "-LISTEN:8080,reuseaddr",
                           "SYSTEM:head -c 8000 > " + received + "; head -c 8000 /dev/zero; sleep 5"});
    ASSERT_TRUE(wait_until([&] { return host().sh("ss -ltn | grep -q :8080").ok(); }));
    auto connection = connect(*guest, address(2), 4711, 8080);
    ASSERT_TRUE(connection);
    const std::uint32_t first = connection->ack;
    if (offload) {
      guest->send(super_frame(segment(*guest, *connection, Payload(direct_size)), 1428));
      connection->seq += direct_size;
    } else {
      for (int done = 0; done < direct_size; done += 1000) {
        guest->send(segment(*guest, *connection, Payload(Bytes(1000))));
        connection->seq += 1000;
      }
    }
    EXPECT_TRUE(wait_until([&] {
      std::error_code none;
      return std::filesystem::file_size(received, none) == direct_size;
    }));
    auto answer = [&](const VirtioFrame& frame) {
      Fields found = fields(frame.frame);
      if (found.src_port != 8080 || found.payload.empty()) return false;
      if (!offload) {
        EXPECT_FALSE(frame.needs_checksum() || frame.is_gso());
      }
      std::uint32_t end = found.seq + static_cast<std::uint32_t>(found.payload.size());
      if (found.seq == connection->ack) connection->ack = end;
      guest->send(segment(*guest, *connection, Payload(0)));
      return true;
    };
    EXPECT_EQ(tcp_payload([&](auto left) { return guest->receive(left); }, answer, first, direct_size),
              Bytes(direct_size));
  }
}

INSTANTIATE_TEST_SUITE_P(Families, DirectOffload, testing::Values(4, 6),
                         [](const auto& info) { return info.param == 6 ? "V6" : "V4"; });

}  // namespace
}  // namespace vnet::test
