// SPDX-License-Identifier: GPL-2.0-or-later
// Fragments in any order, through a host with and without connection tracking (which collects them).
#include <arpa/inet.h>
#include <linux/if_ether.h>

#include <cstring>

#include "tests/e2e/network_fixture.h"
#include "tests/support/raw_port.h"

namespace vnet::test {
namespace {

using std::chrono::seconds;

constexpr std::size_t payload = 2000;

struct Part {
  std::string source;
  std::size_t bytes = 0;  // of the datagram
};

// A fragment of UDP, or a whole datagram.
std::optional<Part> part_of(const Bytes& frame) {
  char text[INET6_ADDRSTRLEN];
  auto at = [&](std::size_t byte) { return frame[byte] << 8 | frame[byte + 1]; };
  if (frame.size() > 34 && at(12) == ETH_P_IP && frame[23] == IPPROTO_UDP) {
    inet_ntop(AF_INET, &frame[26], text, sizeof text);
    return Part{text, static_cast<std::size_t>(at(16) - (frame[14] & 15) * 4)};
  }
  if (frame.size() > 62 && at(12) == ETH_P_IPV6 && (frame[20] == IPPROTO_UDP || frame[20] == 44)) {
    inet_ntop(AF_INET6, &frame[22], text, sizeof text);
    return Part{text, static_cast<std::size_t>(at(18) - (frame[20] == 44 ? 8 : 0))};
  }
  return std::nullopt;
}

class Fragments : public NetworkTest, public testing::WithParamInterface<std::tuple<int, bool>> {
 protected:
  void SetUp() override {
    NetworkTest::SetUp();
    if (IsSkipped()) return;
    start();
    plug("g1", 11);
    if (std::get<1>(GetParam()))
      host().must(
          "nft 'table inet t { chain c { type filter hook forward priority 0; ct state invalid drop; }; }'");
  }
  bool v6() const { return std::get<0>(GetParam()) == 6; }
  std::string guest_ip() const { return v6() ? "fd00:122::11" : "192.168.122.11"; }
  std::string host_ip() const { return v6() ? "2001:db8:113::2" : "203.0.113.2"; }
  std::string outside_ip() const { return v6() ? "2001:db8:113::1" : "203.0.113.1"; }
  static std::string mac(Namespace& of, const std::string& device) {
    return of.sh("cat /sys/class/net/" + device + "/address").out.substr(0, 17);
  }
  Packet datagram(const Ethernet& link, const std::string& from, const std::string& to, bool back,
                  std::size_t bytes) const {
    Udp udp{.src_port = 5000, .dst_port = 6000};
    if (back) std::swap(udp.src_port, udp.dst_port);
    Packet network = v6() ? Packet(Ipv6{.src = from, .dst = to}) : Packet(Ipv4{.src = from, .dst = to});
    return link / network / udp / Payload(static_cast<int>(bytes));
  }
  // How much of the datagram from there has come, once all of it has.
  static std::size_t received(const RawPort& port, const std::string& from, std::size_t all) {
    std::size_t bytes = 0;
    while (bytes < all) {
      auto frame = port.receive(seconds(5));
      if (!frame) break;
      if (auto part = part_of(frame->frame); part && part->source == from) bytes += part->bytes;
    }
    return bytes;
  }
};

TEST_P(Fragments, ArriveInAnyOrder) {
  RawPort in_guest(guest("g1"), "eth0"), outside_port(outside(), "eth0");
  Ethernet from_guest{.src = mac(guest("g1"), "eth0"), .dst = mac(host(), "virbr0")};
  Ethernet from_outside{.src = mac(outside(), "eth0"), .dst = mac(host(), "eth0")};
  // The session, and the guest's word that the host leaves it alone.
  for (int i = 0; i < 2; ++i) {
    in_guest.send(datagram(from_guest, guest_ip(), outside_ip(), false, 30));
    EXPECT_EQ(38U, received(outside_port, host_ip(), 38));
  }
  std::uint32_t id = 100;
  for (auto order : {std::array{0U, 1U, 2U}, std::array{1U, 0U, 2U}, std::array{2U, 1U, 0U}}) {
    auto out = fragments(datagram(from_guest, guest_ip(), outside_ip(), false, payload), 900, ++id);
    auto back = fragments(datagram(from_outside, outside_ip(), host_ip(), true, payload), 900, ++id);
    ASSERT_EQ(3U, out.size());
    for (std::size_t i : order) in_guest.send(VirtioFrame{.frame = out[i]});
    EXPECT_EQ(payload + 8, received(outside_port, host_ip(), payload + 8)) << "out, " << order[0];
    for (std::size_t i : order) outside_port.send(VirtioFrame{.frame = back[i]});
    EXPECT_EQ(payload + 8, received(in_guest, outside_ip(), payload + 8)) << "in, " << order[0];
  }
}

INSTANTIATE_TEST_SUITE_P(Ip, Fragments, testing::Combine(testing::Values(4, 6), testing::Bool()),
                         [](const auto& of) {
                           return std::string(std::get<0>(of.param) == 4 ? "v4" : "v6") +
                                  (std::get<1>(of.param) ? "_tracked" : "");
                         });

}  // namespace
}  // namespace vnet::test
