// SPDX-License-Identifier: GPL-2.0-or-later
// A port forward under senders that do not exist: what they begin is never taken for a connection, and costs
// neither the guests' own connections nor those of real clients anything.
#include <algorithm>
#include <future>
#include <memory>
#include <thread>

#include "tests/e2e/real_host_fixture.h"
#include "tests/support/raw_port.h"

namespace vnet::test {
namespace {

using testing::Contains;
using testing::IsEmpty;
using testing::Not;

class SynFlood : public RealHostTest {
 protected:
  void SetUp() override {
    RealHostTest::SetUp();
    if (IsSkipped()) return;
    std::string forwards;
    for (bool v6 : {false, true})
      for (const char* proto : {"tcp", "udp"}) {
        forwards +=
            fmt::format("<v:portForward proto='{}' port='8080' to='{}' toPort='80'/>", proto, nat.ip(v6));
        if (!is_bridge()) continue;
        std::string ip = v6 ? "ip6" : "ip", to = v6 ? "[" + nat.ip(v6) + "]" : nat.ip(v6);
        rule("prerouting",
             fmt::format("{} daddr {} {} dport 8080 dnat {} to {}:80", ip, eth0.ours(v6), proto, ip, to));
        rule("admin", fmt::format("{} daddr {} {} dport 80 accept", ip, nat.ip(v6), proto));
      }
    up(nat, "<metadata><v:network xmlns:v='urn:vnet-bpf:network:1'><v:sessions max='2000'/>" + forwards +
                "</v:network></metadata>");
    plug(nat);
    plug(nat, 12);
    // The guest has its own protection.
    guest(nat.guest()).must("sysctl -qw net.ipv4.tcp_syncookies=2 net.ipv4.tcp_synack_retries=0");
    web_ = std::make_unique<Echo>(guest(nat.guest()), Transport::Tcp, 80);
    dns_ = std::make_unique<Echo>(guest(nat.guest()), Transport::Udp, 80);
    outer_ = std::make_unique<Echo>(outside(), Transport::Tcp, 9000);
    wire_ = std::make_unique<RawPort>(outside(), "eth0");
    auto mac = [](Namespace& of) { return of.sh("cat /sys/class/net/eth0/address").out.substr(0, 17); };
    to_host_ = Ethernet{.src = mac(outside()), .dst = mac(host())};
  }

  static std::string nobody(bool v6, int number) {
    return v6 ? fmt::format("2001:db8:f::{:x}", number)
              : fmt::format("198.19.{}.{}", number / 250, number % 250 + 1);
  }
  Packet from(bool v6, int number) const {
    return v6 ? to_host_ / Ipv6{.src = nobody(v6, number), .dst = eth0.ours(v6)}
              : to_host_ / Ipv4{.src = nobody(v6, number), .dst = eth0.ours(v6)};
  }
  void send(const Packet& packet) { wire_->send(packet); }
  RawPort& wire() { return *wire_; }

  // Of the port forward, as begun by nobody.
  std::vector<std::string> states(const std::string& protocol, const std::string& of = "") {
    std::vector<std::string> all;
    for (const auto& flow : ground().vnet_json({"flows"})) {
      std::string far = flow["outside"]["address"];
      bool forged = far.starts_with("198.19.") || far.starts_with("2001:db8:f:");
      if (flow["protocol"] == protocol && forged && (of.empty() || far == of)) all.push_back(flow["state"]);
    }
    return all;
  }
  // The real ones: in from outside, and out from both guests.
  void expect_all_work() {
    both_families([&](bool v6) {
      EXPECT_EQ(1000U, exchange(outside(), {eth0.ours(v6), 8080}, 1000)) << "a client";
      for (int number : {11, 12})
        EXPECT_EQ(1000U, exchange(guest(nat.guest(number)), {eth0.theirs(v6), 9000}, 1000)) << number;
    });
  }

 private:
  Packet to_host_;
  std::unique_ptr<Echo> web_, dns_, outer_;
  std::unique_ptr<RawPort> wire_;
};

TEST_P(SynFlood, LeavesEverybodyTheirConnections) {
  constexpr int count = 5000;
  std::vector<Packet> syns;
  for (int i = 0; i < count; ++i)
    syns.push_back(from(i % 2, i) / Tcp{.src_port = static_cast<std::uint16_t>(1024 + i), .dst_port = 8080});
  auto flood = std::async(std::launch::async, [&] {
    for (std::size_t i = 0; i < syns.size(); ++i) {
      send(syns[i]);
      if (i % 50 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  });
  // Not so often that they use up the network's sessions themselves.
  do expect_all_work();
  while (!HasFailure() && flood.wait_for(std::chrono::milliseconds(200)) != std::future_status::ready);
  flood.get();
  expect_all_work();
  if (!is_bridge()) {
    EXPECT_THAT(states("tcp"), Not(Contains("established")));
    EXPECT_EQ(0U, dropped("session-limit"));
  }
  if (HasFailure()) ADD_FAILURE() << seen();
}

// What our own sessions are: a bridge has none.
class HalfOpen : public SynFlood {};

TEST_P(HalfOpen, IsEstablishedByNoGuess) {
  both_families([&](bool v6) {
    std::string client = nobody(v6, 77);
    Tcp syn{.src_port = 4711, .dst_port = 8080, .flags = "S", .seq = 100};
    send(from(v6, 77) / syn);
    auto answer = wire().expect_frame([&](const VirtioFrame& frame) {
      auto f = fields(frame.frame);
      return f.dst == client && f.tcp_flags == "SA";
    });
    ASSERT_TRUE(answer);
    std::uint32_t right = fields(answer->frame).seq + 1;
    for (std::uint32_t ack : {right - 1, right + 0x20000, right ^ 0x80000000, 0U}) {
      send(from(v6, 77) / Tcp{.src_port = 4711, .dst_port = 8080, .flags = "A", .seq = 101, .ack = ack});
      send(from(v6, 77) / Tcp{.src_port = 4711, .dst_port = 8080, .flags = "PA", .seq = 101, .ack = ack} /
           Payload("guess"));
    }
    // What was sent before it has been seen when this connection is there.
    EXPECT_EQ(1U, exchange(outside(), {eth0.ours(v6), 8080}, 1));
    EXPECT_THAT(states("tcp", client), Not(Contains("established")));
    send(from(v6, 77) / syn);
    auto again = wire().expect_frame([&](const VirtioFrame& frame) {
      auto f = fields(frame.frame);
      return f.dst == client && f.tcp_flags == "SA";
    });
    ASSERT_TRUE(again);
    send(from(v6, 77) / Tcp{.src_port = 4711,
                            .dst_port = 8080,
                            .flags = "A",
                            .seq = 101,
                            .ack = fields(again->frame).seq + 1});
    EXPECT_TRUE(
        wait_until([&] { return std::ranges::count(states("tcp", client), "established") == 1; }, patience))
        << seen();
  });
}

TEST_P(HalfOpen, OneDatagramIsNoConversation) {
  for (int i = 0; i < 200; ++i)
    send(from(i % 2, i) / Udp{.src_port = static_cast<std::uint16_t>(2000 + i), .dst_port = 8080} /
         Payload("hello"));
  both_families([&](bool v6) {
    UdpSocket client(outside(), 5353);
    for (int i = 0; i < 2; ++i) EXPECT_TRUE(client.gets_answer({eth0.ours(v6), 8080}));
    // The real one, and nobody else.
    EXPECT_TRUE(wait_until(
        [&] {
          return std::ranges::any_of(ground().vnet_json({"flows"}), [&](const auto& flow) {
            return flow["outside"]["address"] == eth0.theirs(v6) && flow["protocol"] == "udp" &&
                   flow["state"] == "established";
          });
        },
        patience))
        << seen();
  });
  EXPECT_THAT(states("udp"), Not(IsEmpty()));
  EXPECT_THAT(states("udp"), Not(Contains("established")));
}

INSTANTIATE_TEST_SUITE_P(All, SynFlood, testing::Values("tcx", "bridge"), way_of);
INSTANTIATE_TEST_SUITE_P(All, HalfOpen, testing::Values("tcx"), way_of);

}  // namespace
}  // namespace vnet::test
