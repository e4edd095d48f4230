// SPDX-License-Identifier: GPL-2.0-or-later
// Sessions end by the timing wheel, which turns on its own here as everywhere: nothing runs it.
#include <time.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <optional>

#include "tests/packet/datapath_fixture.h"
#include "tests/support/namespace.h"

namespace vnet::test {
namespace {

std::uint32_t tick_now() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return static_cast<std::uint32_t>(
      (static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000ULL + static_cast<std::uint64_t>(now.tv_nsec)) >>
      VNET_TICK_SHIFT);
}

// What lasts so many seconds is never over sooner.
std::uint32_t ticks(double seconds) {
  return static_cast<std::uint32_t>(std::ceil(seconds * 1e9 / (1ULL << VNET_TICK_SHIFT)));
}

bool eventually(const std::function<bool()>& holds) {
  return wait_until(holds, std::chrono::seconds(30));
}

vnet_wheel_batch_key bunch_of(const vnet_due& due) {
  return {.tick = due.tick, .cpu = due.cpu, .number = due.place / VNET_WHEEL_BATCH};
}

class Expiry : public BothFamilies {
 protected:
  // `count` entries of this tick for CPU 0, as its programs would number them; the first.
  vnet_due reserve(std::uint32_t tick, std::uint32_t count = 1) {
    const __u32 slot = tick % VNET_WHEEL_TICKS;
    auto counts = maps().timer_wheel_fill.get(slot);
    vnet_due due{.tick = tick, .cpu = 0, .place = static_cast<__u32>(counts.at(0))};
    counts[0] += count;
    EXPECT_EQ(bpf_map_update_elem(maps().timer_wheel_fill.fd(), &slot, counts.data(), BPF_ANY), 0);
    return due;
  }
  // The wheel looks at the session in a moment, which was last used so many ticks ago.
  vnet_due look_soon(const vnet_flow& flow, std::uint32_t idle) {
    auto value = session(flow).value();
    value.due = reserve(tick_now() + 2);
    for (vnet_leg& leg : value.leg) leg.seen = tick_now() - idle;
    EXPECT_TRUE(maps().sessions.set(flow, value));
    enter(value.due, flow);
    return value.due;
  }
  void look_soon_as_it_is(const vnet_flow& flow) {
    auto value = session(flow).value();
    value.due = reserve(tick_now() + 2);
    EXPECT_TRUE(maps().sessions.set(flow, value));
    enter(value.due, flow);
  }
  void enter(const vnet_due& due, const vnet_flow& flow) {
    vnet_wheel_batch bunch = maps().timer_wheel.get(bunch_of(due)).value_or(vnet_wheel_batch{});
    bunch.flow[due.place % VNET_WHEEL_BATCH] = flow;
    ASSERT_TRUE(maps().timer_wheel.set(bunch_of(due), bunch));
  }
  std::optional<vnet_flow> entry(const vnet_due& due) {
    auto bunch = maps().timer_wheel.get(bunch_of(due));
    return bunch ? std::optional(bunch->flow[due.place % VNET_WHEEL_BATCH]) : std::nullopt;
  }
  bool is_gone(const vnet_due& due) { return !entry(due); }
};
VNET_BOTH_FAMILIES(Expiry);

TEST_P(Expiry, ANewSessionHasItsPlaceInTheWheel) {
  for (auto [kind, seconds] : {std::pair{L4::Udp, 120}, {L4::Tcp, 10}, {L4::Echo, 60}}) {
    open(kind, at.guest1, 2000);
    auto made = session(key(kind, at.guest1, 2000));
    ASSERT_TRUE(made);
    EXPECT_NEAR(made->due.tick, tick_now() + ticks(seconds), 1);
    auto named = entry(made->due);
    ASSERT_TRUE(named);
    const vnet_flow wanted = key(kind, at.guest1, 2000);
    EXPECT_EQ(0, std::memcmp(&*named, &wanted, sizeof(wanted)));
  }
  EXPECT_NE(0U, maps().timer_wheel_clock.get(0).value().version) << "the clock is wound";
}

TEST_P(Expiry, WhatIsIdleForTooLongGoesWithAllThatBelongsToIt) {
  for (L4 kind : {L4::Udp, L4::Tcp, L4::Echo}) open(kind, at.guest1, 2000, slot::g1);
  ASSERT_EQ(3U, usage(slot::network));
  ASSERT_EQ(3U, usage(slot::g1));
  std::vector<vnet_due> dues;
  for (L4 kind : {L4::Udp, L4::Tcp, L4::Echo})
    dues.push_back(look_soon(key(kind, at.guest1, 2000), kind == L4::Tcp ? 241 : 121));
  EXPECT_TRUE(eventually([&] { return session_count() == 0; }));
  for (L4 kind : {L4::Udp, L4::Tcp, L4::Echo}) EXPECT_FALSE(maps().rev_nat.get(reverse_key(kind, 2000)));
  EXPECT_EQ(0U, usage(slot::network));
  EXPECT_EQ(0U, usage(slot::g1));
  EXPECT_TRUE(eventually([&] { return std::ranges::all_of(dues, [&](auto& due) { return is_gone(due); }); }));
}

TEST_P(Expiry, WhatIsInUseIsLookedAtAgainWhenItMayBeOver) {
  open(L4::Udp, at.guest1, 2000);
  open(L4::Tcp, at.guest1, 2000);
  const vnet_flow udp = key(L4::Udp, at.guest1, 2000), tcp = key(L4::Tcp, at.guest1, 2000);
  const std::uint32_t udp_seen = tick_now() - 20;
  const vnet_due udp_first = look_soon(udp, 20), tcp_first = look_soon(tcp, 20);
  ASSERT_TRUE(eventually([&] { return is_gone(udp_first) && is_gone(tcp_first); }));
  ASSERT_EQ(2U, session_count());
  const vnet_due udp_next = session(udp)->due, tcp_next = session(tcp)->due;
  EXPECT_NEAR(udp_next.tick, udp_seen + ticks(120), 1);
  EXPECT_NEAR(tcp_next.tick, tcp_first.tick + 30, 3) << "it may close at any time";
  EXPECT_TRUE(entry(udp_next));
  EXPECT_TRUE(entry(tcp_next));
}

// Seconds, not ticks, which are longer. The wheel looks three or four ticks from now.
TEST_P(Expiry, ATimeoutLastsAsLongAsItSays) {
  for (std::uint16_t port : {2000, 2001}) open(L4::Tcp, at.guest1, port);
  vnet_quota_usage half_full{.sessions = 501};
  ASSERT_TRUE(maps().quota_usage.set(slot::network, half_full));
  const auto establish = [&](std::uint16_t port, std::uint32_t idle) {
    const vnet_flow tcp = key(L4::Tcp, at.guest1, port);
    look_soon(tcp, idle);
    auto value = session(tcp).value();
    value.state = VNET_SESSION_ESTABLISHED;
    EXPECT_TRUE(maps().sessions.set(tcp, value));
    return value.due;
  };
  const vnet_due first_look = establish(2000, ticks(7440) - 10);
  establish(2001, ticks(7440) - 1);
  ASSERT_TRUE(eventually([&] { return session_count() == 1 && is_gone(first_look); })) << session_count();
  ASSERT_TRUE(session(key(L4::Tcp, at.guest1, 2000)));
  EXPECT_NEAR(session(key(L4::Tcp, at.guest1, 2000))->due.tick, first_look.tick + 8, 2);
}

TEST_P(Expiry, ANetworksTimeoutsAreItsOwn) {
  set_network([](vnet_network& n) {
    n.timeouts[VNET_TIMEOUT_UDP] = 20;
    n.timeouts[VNET_TIMEOUT_ICMP] = 5;
  });
  for (auto [kind, seconds] : {std::pair{L4::Udp, 20}, {L4::Tcp, 10}, {L4::Echo, 5}}) {
    open(kind, at.guest1, 2000);
    EXPECT_NEAR(session(key(kind, at.guest1, 2000))->due.tick, tick_now() + ticks(seconds), 1);
  }
  look_soon(key(L4::Udp, at.guest1, 2000), 21);
  EXPECT_TRUE(eventually([&] { return session_count() == 2; }));
  EXPECT_FALSE(session(key(L4::Udp, at.guest1, 2000)));
}

// The wheel is shorter than what a network may ask for.
TEST_P(Expiry, ATimeoutMayBeLongerThanTheWheel) {
  set_network([](vnet_network& n) { n.timeouts[VNET_TIMEOUT_UDP] = 86'400; });
  open(L4::Udp, at.guest1, 2000);
  const vnet_flow udp = key(L4::Udp, at.guest1, 2000);
  const vnet_due first = look_soon(udp, 5000);
  auto value = session(udp).value();
  value.state = VNET_SESSION_ESTABLISHED;
  ASSERT_TRUE(maps().sessions.set(udp, value));
  ASSERT_TRUE(eventually([&] { return is_gone(first); }));
  ASSERT_TRUE(session(udp));
  EXPECT_NEAR(session(udp)->due.tick, tick_now() + VNET_WHEEL_TICKS - 1, 3);
}

// RFC 4787 REQ-6: by what the guest sends, and by nothing else.
TEST_P(Expiry, AMappingLastsAsLongAsItsGuestSends) {
  for (bool guest_sends : {true, false}) {
    SCOPED_TRACE(guest_sends);
    set_network([](vnet_network& n) { n.flags |= VNET_NETWORK_F_ONE_MAPPING; });
    const auto port = static_cast<std::uint16_t>(guest_sends ? 2000 : 2001);
    open(L4::Udp, at.guest1, port);
    const vnet_flow udp = key(L4::Udp, at.guest1, port);
    vnet_flow mapping = flow(at.guest1, at.host, IPPROTO_UDP, port, 0);
    mapping.kind = VNET_FLOW_MAPPING;
    auto unused = session(mapping).value();
    for (vnet_leg& leg : unused.leg) leg.seen = tick_now() - 700;
    ASSERT_TRUE(maps().sessions.set(mapping, unused));
    look_soon(udp, 1);
    auto used = session(udp).value();
    used.leg[VNET_OUT].seen = tick_now() - (guest_sends ? 1 : 700);
    ASSERT_TRUE(maps().sessions.set(udp, used));
    const vnet_due looked = used.due;
    ASSERT_TRUE(eventually([&] { return is_gone(looked); }));
    EXPECT_TRUE(session(udp));
    look_soon_as_it_is(mapping);
    ASSERT_TRUE(
        eventually([&] { return session(mapping)->due.tick > tick_now() + 30 || !session(mapping); }));
    EXPECT_EQ(guest_sends, session(mapping).has_value());
  }
}

TEST_P(Expiry, AClosedConnectionGoesSoon) {
  open(L4::Tcp, at.guest1, 2000);
  const vnet_flow tcp = key(L4::Tcp, at.guest1, 2000);
  look_soon(tcp, 11);
  auto closed = session(tcp).value();
  closed.state = VNET_SESSION_CLOSED;
  ASSERT_TRUE(maps().sessions.set(tcp, closed));
  EXPECT_TRUE(eventually([&] { return session_count() == 0; }));
}

// A session that went another way leaves its entry behind, and its flow may have come again.
TEST_P(Expiry, AnEntryThatIsNotTheSessionsOwnDoesNothing) {
  open(L4::Udp, at.guest1, 2000);
  const vnet_flow udp = key(L4::Udp, at.guest1, 2000);
  const vnet_due own = session(udp)->due;
  auto idle = session(udp).value();
  for (vnet_leg& leg : idle.leg) leg.seen = tick_now() - 10'000;
  ASSERT_TRUE(maps().sessions.set(udp, idle));
  const vnet_due stale = reserve(tick_now() + 2);
  enter(stale, udp);
  ASSERT_TRUE(eventually([&] { return is_gone(stale); }));
  ASSERT_TRUE(session(udp));
  EXPECT_EQ(own.tick, session(udp)->due.tick);
  EXPECT_FALSE(is_gone(own));
}

// Far more than one turn of the timer takes, all for one tick.
TEST_P(Expiry, ManyThatEndTogetherEndInTurns) {
  open(L4::Udp, at.guest1, 2000);  // winds the clock
  constexpr std::uint32_t many = 20'000;
  vnet_due due = reserve(tick_now() + 4, many);
  vnet_session value = session(key(L4::Udp, at.guest1, 2000)).value();
  for (vnet_leg& leg : value.leg) leg.seen = tick_now() - 10'000;
  for (std::uint32_t i = 0; i < many; ++i, ++due.place) {
    const vnet_flow flow = key(L4::Udp, at.guest2, static_cast<std::uint16_t>(3000 + i));
    value.due = due;
    ASSERT_TRUE(maps().sessions.set(flow, value));
    enter(due, flow);
  }
  vnet_quota_usage of_network{.sessions = many + 1};
  ASSERT_TRUE(maps().quota_usage.set(slot::network, of_network));
  EXPECT_TRUE(eventually([&] { return session_count() == 1; })) << session_count();
  EXPECT_EQ(1U, usage(slot::network));
}

}  // namespace
}  // namespace vnet::test
