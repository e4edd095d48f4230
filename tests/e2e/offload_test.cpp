// SPDX-License-Identifier: GPL-2.0-or-later
// Unfinished checksums and super-frames through the datapath. Only taps with a virtio header show whether the
// programs kept the kernel's metadata right; between veths a wrong one goes unseen.
#include <algorithm>
#include <filesystem>

#include "tests/e2e/network_fixture.h"
#include "tests/support/oracle.h"
#include "tests/support/raw_port.h"
#include "tests/support/tap_guest.h"

namespace vnet::test {
namespace {

using std::chrono::milliseconds;

constexpr int super_size = 8000;

class Offload : public NetworkTest {
 protected:
  std::unique_ptr<TapGuest> tap_guest(int number, const TapOptions& options = {}) {
    std::string n = std::to_string(number);
    auto made = std::make_unique<TapGuest>(
        host(), "tap" + n,
        GuestAddresses{.mac = "52:54:00:00:00:" + n, .ipv4 = "192.168.122." + n, .ipv6 = "fd00:122::" + n},
        options);
    vnet({"attach", "tap" + n, "--network", "lab", "--mac", made->addresses().mac});
    return made;
  }
};

class OffloadFamilies : public Offload, public testing::WithParamInterface<int> {
 protected:
  void SetUp() override {
    Offload::SetUp();
    if (IsSkipped()) return;
    start();
  }
  bool v6() const { return GetParam() == 6; }
  std::string server() const { return v6() ? "2001:db8:113::1" : "203.0.113.1"; }
  std::string translated() const { return v6() ? "2001:db8:113::2" : "203.0.113.2"; }
  std::string neighbour(int number) const {
    return (v6() ? "fd00:122::" : "192.168.122.") + std::to_string(number);
  }
  Background listener(const std::string& received) {
    return outside().background({"socat", "-u",
                                 std::string(v6() ? "TCP6" : "TCP4") + "-LISTEN:8080,reuseaddr",
                                 "CREATE:" + received});
  }
  bool listens() {
    return wait_until([&] { return outside().sh("ss -ltn | grep -q :8080").ok(); });
  }
};

TEST_P(OffloadFamilies, UnfinishedUdpThroughTheMasquerade) {
  auto guest = tap_guest(11);
  RawPort wire(outside(), "eth0");
  // The first goes through the host's stack, the others by the fast path.
  for (int size : {301, 18, 1200}) {
    guest->send(guest->to(server()) / Udp{.src_port = 4711, .dst_port = 9000} / Payload(size));
    auto got =
        wire.expect_frame([](const VirtioFrame& frame) { return fields(frame.frame).dst_port == 9000; });
    ASSERT_TRUE(got) << size;
    EXPECT_TRUE(is_sound(*got));
    EXPECT_NE(fields(completed(*got)).l4_checksum, 0) << "the guest asked for a checksum";
    EXPECT_EQ(fields(got->frame).src, translated());
    EXPECT_EQ(fields(got->frame).payload, Payload(size).bytes);
  }
}

TEST_P(OffloadFamilies, ASocketOutsideTakesUnfinishedUdpAndItsAnswerComesBack) {
  auto guest = tap_guest(11);
  Background echo = outside().background(
      {"socat", std::string(v6() ? "UDP6" : "UDP4") + "-RECVFROM:9000,fork", "EXEC:cat"});
  ASSERT_TRUE(wait_until([&] { return outside().sh("ss -lun | grep -q :9000").ok(); }));
  for (int round = 0; round < 3; ++round) {
    guest->send(guest->to(server()) / Udp{.src_port = 4711, .dst_port = 9000} / Payload(301));
    auto got =
        guest->expect_frame([](const VirtioFrame& frame) { return fields(frame.frame).src_port == 9000; });
    ASSERT_TRUE(got) << round;
    EXPECT_TRUE(is_sound(*got));
    Fields found = fields(got->frame);
    EXPECT_EQ(found.src, server());
    EXPECT_EQ(found.dst, neighbour(11));
    EXPECT_EQ(found.dst_port, 4711);
    EXPECT_EQ(found.payload, Payload(301).bytes);
  }
}

TEST_P(OffloadFamilies, ASuperFrameOfAnEstablishedFlowThroughTheMasquerade) {
  auto guest = tap_guest(11);
  std::string received = ground().state_dir() / "received";
  Background server_side = listener(received);
  ASSERT_TRUE(listens());
  auto connection = connect(*guest, server(), 4711, 8080);
  ASSERT_TRUE(connection);
  RawPort wire(outside(), "eth0");
  // 1448 and an IPv6 header would be more than the uplink's MTU.
  guest->send(super_frame(segment(*guest, *connection, Payload(super_size)), v6() ? 1428 : 1448));
  auto data = [&](const VirtioFrame& frame) {
    Fields found = fields(frame.frame);
    if (found.dst_port != 8080 || found.payload.empty()) return false;
    EXPECT_EQ(found.src, translated());
    return true;
  };
  EXPECT_EQ(tcp_payload([&](auto left) { return wire.receive(left); }, data, connection->seq, super_size),
            Payload(super_size).bytes);
  // The server's own stack agrees: it acknowledges all of it, and to the guest.
  guest->expect_frame([&](const VirtioFrame& frame) {
    Fields found = fields(frame.frame);
    return found.src_port == 8080 && found.dst_port == 4711 && found.ack == connection->seq + super_size &&
           is_sound(frame);
  });
  EXPECT_TRUE(wait_until([&] {
    std::error_code none;
    return std::filesystem::file_size(received, none) == super_size;
  }));
}

TEST_P(OffloadFamilies, ASuperFrameFromOutsideArrivesSound) {
  for (bool offload : {true, false}) {
    int number = offload ? 11 : 12;
    auto guest = tap_guest(number, {.offload = offload});
    Background server_side =
        outside().background({"socat", "-u", "SYSTEM:sleep 0.5; head -c 8000 /dev/zero; sleep 5",
                              std::string(v6() ? "TCP6" : "TCP4") + "-LISTEN:8080,reuseaddr"});
    ASSERT_TRUE(listens());
    auto connection = connect(*guest, server(), 4711, 8080);
    ASSERT_TRUE(connection);
    const std::uint32_t first = connection->ack;
    std::size_t pieces = 0;
    auto data = [&](const VirtioFrame& frame) {
      Fields found = fields(frame.frame);
      if (found.src_port != 8080 || found.payload.empty()) return false;
      if (!offload) {
        EXPECT_FALSE(frame.needs_checksum() || frame.is_gso());
      }
      // Without an acknowledgement the server keeps the last bytes back.
      std::uint32_t end = found.seq + static_cast<std::uint32_t>(found.payload.size());
      if (found.seq == connection->ack) connection->ack = end;
      guest->send(segment(*guest, *connection, Payload(0)));
      return ++pieces > 0;
    };
    EXPECT_EQ(tcp_payload([&](auto left) { return guest->receive(left); }, data, first, super_size),
              Bytes(super_size));
    if (!offload) {
      EXPECT_GE(pieces, 6U);
    }
  }
}

TEST_P(OffloadFamilies, UnfinishedUdpBetweenGuests) {
  auto from = tap_guest(11), to = tap_guest(12), simple = tap_guest(13, {.offload = false});
  for (TapGuest* target : {to.get(), simple.get()}) {
    int number = target == to.get() ? 12 : 13;
    for (int round = 0; round < 2; ++round) {
      from->send(from->to(neighbour(number)) / Udp{.src_port = 4711, .dst_port = 9000} / Payload(301));
      auto got =
          target->expect_frame([](const VirtioFrame& frame) { return fields(frame.frame).dst_port == 9000; });
      ASSERT_TRUE(got);
      EXPECT_EQ(got->needs_checksum(), target == to.get());
      EXPECT_TRUE(is_sound(*got));
    }
  }
}

TEST_P(OffloadFamilies, ASuperFrameBetweenGuests) {
  auto from = tap_guest(11), to = tap_guest(12), simple = tap_guest(13, {.offload = false});
  Packet data = Tcp{.src_port = 4711, .dst_port = 8080, .flags = "PA", .seq = 1000, .ack = 1} /
                Packet(Payload(super_size));
  auto ours = [](const VirtioFrame& frame) { return fields(frame.frame).src_port == 4711; };
  VirtioFrame sent = super_frame(from->to(neighbour(12)) / data);
  from->send(sent);
  auto got = to->expect_frame(ours);
  ASSERT_TRUE(got);
  EXPECT_EQ(got->frame, sent.frame);
  EXPECT_EQ(got->header.gso_size, sent.header.gso_size);
  EXPECT_TRUE(is_sound(*got));
  from->send(super_frame(from->to(neighbour(13)) / data));
  EXPECT_EQ(tcp_payload([&](auto left) { return simple->receive(left); }, ours, 1000, super_size),
            Payload(super_size).bytes);
}

INSTANTIATE_TEST_SUITE_P(Families, OffloadFamilies, testing::Values(4, 6),
                         [](const auto& info) { return info.param == 6 ? "V6" : "V4"; });

// A client on a raw socket believes what is in the frame and knows no virtio header.
TEST_F(Offload, DhcpRepliesSatisfyClientsThatReadRawFrames) {
  vnet({"up"});
  for (TapOptions options : {TapOptions{}, TapOptions{.offload = false}, TapOptions{.vnet_hdr = false}}) {
    Tap tap(host(), "tap11", options);
    vnet({"attach", "tap11", "--network", "default"});
    const Bytes mac = {0x52, 0x54, 0, 0, 0, 0x11};
    Bytes request(240);
    request[0] = request[1] = 1;
    request[2] = 6;
    std::ranges::copy(Bytes{0xca, 0xfe, 0xba, 0xbe}, request.begin() + 4);
    request[10] = 0x80;  // broadcast the reply
    std::ranges::copy(mac, request.begin() + 28);
    std::ranges::copy(Bytes{0x63, 0x82, 0x53, 0x63}, request.begin() + 236);
    for (std::uint8_t byte : {53, 1, 1, 55, 2, 1, 3, 255}) request.push_back(byte);  // a discovery
    Packet discover = Ethernet{.src = "52:54:00:00:00:11", .dst = "ff:ff:ff:ff:ff:ff"} /
                      Ipv4{.src = "0.0.0.0", .dst = "255.255.255.255"} / Udp{.src_port = 68, .dst_port = 67} /
                      Payload(request);
    std::optional<VirtioFrame> reply;
    for (int tries = 0; tries < 30 && !reply; ++tries) {
      tap.send(discover);
      wait_until(
          [&] {
            auto frame = tap.receive(milliseconds(100));
            if (frame && fields(frame->frame).src_port == 67) reply = frame;
            return reply.has_value();
          },
          milliseconds(300));
    }
    ASSERT_TRUE(reply) << "no offer";
    EXPECT_TRUE(is_sound(reply->frame)) << "as it is: 0 or right";
    EXPECT_TRUE(is_sound(*reply)) << "and after what the header asks for";
    vnet({"detach", "tap11"});
  }
}

}  // namespace
}  // namespace vnet::test
