// SPDX-License-Identifier: GPL-2.0-or-later
// Drops as the kernel reports them to a reader.
#include "loader/observe/monitor.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <unistd.h>

#include <sys/wait.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <thread>
#include <tuple>

#include "loader/model/drop_reason.h"
#include "loader/observe/packet_view.h"
#include "tests/packet/datapath_fixture.h"
#include "tests/support/namespace.h"

namespace vnet::test {
namespace {

using namespace std::chrono_literals;

class MonitorTest : public BothFamilies {
 protected:
  void SetUp() override {
    BothFamilies::SetUp();
    if (!IsSkipped()) run(Program::PortIngress, spoofed());  // loading may take longer than a claim lasts
  }
  Monitor start(const MonitorFilter& filter = {}) {
    auto monitor = Monitor::start(maps(), filter);
    if (!monitor) throw std::runtime_error(monitor.error().message);
    return std::move(*monitor);
  }
  static std::vector<vnet_event> read(Monitor& monitor) {
    std::vector<vnet_event> events;
    auto polled =
        monitor.poll(0ms, [&](const vnet_event& event, const vnet_cause*) { events.push_back(event); });
    EXPECT_TRUE(polled) << polled.error().message;
    return events;
  }
  static std::vector<std::string> reasons(Monitor& monitor) {
    std::vector<std::string> words;
    for (const vnet_event& event : read(monitor)) words.emplace_back(reason_word(event.head.reason));
    return words;
  }
  static std::uint64_t mask(unsigned reason) { return std::uint64_t{1} << reason; }

  Bytes spoofed() {
    return Ethernet{.src = mac::stranger, .dst = mac::gateway} / ip(at.guest1, at.remote) / udp();
  }
  Bytes unasked() { return into_host / ip(at.remote, at.guest2) / udp(); }
  Bytes unknown_answer() {
    return out_of_host / ip(at.guest1, at.remote, 63) / l4(L4::Tcp, family(), 1, 2, "R");
  }
  Packet udp() { return l4(L4::Udp, family(), 1234, 53); }

  // One drop at each kind of hook.
  void drop_some() {
    run(Program::PortIngress, spoofed());
    run(Program::GatewayIngress, from_guest1 / ip(at.other_guest, at.remote) / udp(), {}, slot::g1);
    run(Program::UplinkIngress, unasked());
    run(Program::UplinkEgress, unknown_answer(), {}, slot::g2);
  }
};

VNET_BOTH_FAMILIES(MonitorTest);

TEST_P(MonitorTest, AnEventTellsEverything) {
  Monitor monitor = start();
  Bytes frame = spoofed();
  run(Program::PortIngress, frame);
  auto events = read(monitor);
  ASSERT_EQ(1U, events.size());
  const vnet_event_head& head = events[0].head;
  EXPECT_STREQ("port-ingress", hook_word(head.hook));
  EXPECT_STREQ("spoofed-mac", reason_word(head.reason));
  EXPECT_EQ(ifindex("g1"), head.ifindex);
  EXPECT_EQ(frame.size(), head.length);
  EXPECT_EQ(slot::g1, head.slot);
  EXPECT_EQ(slot::g1, head.port);
  EXPECT_EQ(slot::network, head.network);
  EXPECT_EQ(family() == 4 ? 0x0800 : 0x86dd, __builtin_bswap16(head.protocol_be));
  ASSERT_EQ(frame.size(), head.captured);
  EXPECT_EQ(frame, Bytes(events[0].bytes, events[0].bytes + head.captured));
  auto view = view_packet({events[0].bytes, head.captured}, true);
  Endpoint source{*Address::parse(at.guest1), 1234}, destination{*Address::parse(at.remote), 53};
  EXPECT_EQ("udp " + source.text(true) + " > " + destination.text(true), view.text());
  EXPECT_EQ(mac::stranger, view.source_mac->text());
}

TEST_P(MonitorTest, EveryHookNamesNetworkAndPort) {
  Monitor monitor = start();
  drop_some();
  std::vector<std::tuple<std::string, std::string, int, int, std::uint32_t>> seen;
  for (const vnet_event& event : read(monitor))
    seen.emplace_back(hook_word(event.head.hook), reason_word(event.head.reason), event.head.network,
                      event.head.port, event.head.ifindex);
  EXPECT_THAT(seen,
              testing::ElementsAre(
                  std::tuple("port-ingress", "spoofed-mac", slot::network, slot::g1, ifindex("g1")),
                  std::tuple("gateway-ingress", "spoofed-source", slot::network, slot::g1, ifindex("virbr0")),
                  std::tuple("uplink-ingress", "not-visible", slot::network, 0, ifindex("eth0")),
                  std::tuple("uplink-egress", "no-session", slot::network, slot::g2, ifindex("eth0"))));
}

// XDP drops most frames by their addresses: whose they are is looked for only now. Blocked is who sends it,
// to a guest or to the host's port that leads to one.
TEST_P(MonitorTest, XdpNamesTheNetwork) {
  ASSERT_TRUE(maps().port_forwards.set(
      {.port_be = htons(8080), .proto = IPPROTO_UDP, .family = static_cast<__u8>(family())},
      {.to = address(at.guest1), .port_be = htons(80), .network = slot::network}));
  Monitor monitor = start({.network = slot::network});
  run(Program::UplinkXdp, unasked());
  ASSERT_TRUE(maps().blocked.set({.prefixlen = 128, .addr = address(at.remote)}, 0));
  auto settings = maps().settings.get(0).value();
  settings.blocks = 1;
  ASSERT_TRUE(maps().settings.set(0, settings));
  run(Program::UplinkXdp, unasked());
  for (std::uint16_t port : {8080, 8081})
    run(Program::UplinkXdp, into_host / ip(at.remote, at.host) / l4(L4::Udp, family(), 1234, port));
  EXPECT_THAT(reasons(monitor), testing::ElementsAre("not-visible", "blocked", "blocked"));
}

// To the host's own address: only <portForward> tells whose it is.
TEST_P(MonitorTest, AForwardedConnectionIsItsNetworks) {
  for (L4 kind : {L4::Tcp, L4::Udp})
    ASSERT_TRUE(
        maps().port_forwards.set({.port_be = htons(8080),
                                  .proto = static_cast<__u8>(protocol(kind, family())),
                                  .family = static_cast<__u8>(family())},
                                 {.to = address(at.guest1), .port_be = htons(80), .network = slot::network}));
  set_network([](vnet_network& network) { network.max_sessions = 0; });
  Monitor monitor = start({.network = slot::network});
  for (L4 kind : {L4::Tcp, L4::Udp})
    run(Program::UplinkIngress, into_host / ip(at.remote, at.host) / l4(kind, family(), 1234, 8080));
  EXPECT_THAT(reasons(monitor), testing::ElementsAre("session-limit", "session-limit"));
}

TEST_P(MonitorTest, ARefusalShowsThePacketAndNotTheAnswer) {
  Monitor monitor = start();
  Bytes frame = from_guest1 / ip(at.guest1, at.other_guest) / udp();
  Ran ran = run(Program::GatewayIngress, frame);
  ASSERT_EQ(Redirect, ran.verdict);
  auto events = read(monitor);
  ASSERT_EQ(1U, events.size());
  EXPECT_STREQ("other-network", reason_word(events[0].head.reason));
  EXPECT_EQ(frame, Bytes(events[0].bytes, events[0].bytes + events[0].head.captured));
}

TEST_P(MonitorTest, ALongPacketIsCutAndAShortOneIsNotFilledUp) {
  Monitor monitor = start();
  Bytes frame = Ethernet{.src = mac::stranger} / ip(at.guest1, at.remote) / Udp{} / Payload(1200);
  run(Program::PortIngress, frame);
  auto events = read(monitor);
  ASSERT_EQ(1U, events.size());
  EXPECT_EQ(frame.size(), events[0].head.length);
  EXPECT_EQ(VNET_EVENT_BYTES, events[0].head.captured);
  frame.resize(VNET_EVENT_BYTES);
  EXPECT_EQ(frame, Bytes(events[0].bytes, events[0].bytes + VNET_EVENT_BYTES));
}

TEST_P(MonitorTest, FiltersWorkInTheKernel) {
  Monitor by_reason = start({.reasons = mask(VNET_DROP_NOT_VISIBLE) | mask(VNET_DROP_NO_SESSION)});
  Monitor by_port = start({.port = slot::g1});
  Monitor by_network = start({.network = slot::network});
  Monitor by_other = start({.reasons = mask(VNET_DROP_SPOOFED_MAC), .network = slot::other});
  drop_some();
  run(Program::UplinkIngress, into_host / ip(at.remote, at.other_guest) / udp());
  EXPECT_THAT(reasons(by_reason), testing::ElementsAre("not-visible", "no-session", "not-visible"));
  EXPECT_THAT(reasons(by_port), testing::ElementsAre("spoofed-mac", "spoofed-source"));
  EXPECT_THAT(reasons(by_network),
              testing::ElementsAre("spoofed-mac", "spoofed-source", "not-visible", "no-session"));
  EXPECT_THAT(reasons(by_other), testing::IsEmpty());
  for (Monitor* each : {&by_reason, &by_port, &by_network, &by_other}) EXPECT_EQ(0U, each->lost());
}

// 80 a second are ten in a window of 0.13 s; windows may change while we send.
TEST_P(MonitorTest, TheRateIsLimitedAndTheRestCounted) {
  Monitor slow = start({.per_second = 80}), fast = start({.per_second = 1'000'000});
  Monitor other = start({.reasons = mask(VNET_DROP_BPDU), .per_second = 1});
  for (int i = 0; i < 500; ++i) run(Program::PortIngress, spoofed());
  std::size_t shown = read(slow).size();
  EXPECT_GE(shown, 10U);
  EXPECT_LT(shown, 250U);
  EXPECT_EQ(500U, shown + slow.lost());
  EXPECT_EQ(500U, read(fast).size());
  EXPECT_EQ(0U, fast.lost());
  EXPECT_EQ(0U, other.lost());  // what it does not want is no loss
}

TEST_P(MonitorTest, WhatTheRingCannotHoldIsLostAndCounted) {
  Monitor monitor = start({.per_second = 1'000'000});
  std::size_t sent = VNET_MONITOR_RING / sizeof(vnet_event) + 100;
  nanoseconds_a_run(Program::PortIngress, spoofed(), static_cast<unsigned>(sent));  // all at once
  EXPECT_GE(monitor.lost(), 100U);
  EXPECT_EQ(sent, read(monitor).size() + monitor.lost());
}

TEST_P(MonitorTest, NobodyReadsNothingIsDone) {
  { Monitor monitor = start(); }
  vnet_readers table = maps().readers.get(0).value();
  EXPECT_EQ(0U, table.until);
  for (const vnet_reader& each : table.each) EXPECT_EQ(0U, each.until);
  int ring = 0;
  for (__u32 place = 0; place < VNET_MONITORS_MAX; ++place)
    EXPECT_NE(0, bpf_map_lookup_elem(maps().reader_rings.fd(), &place, &ring)) << "a ring is left";
}

// A reader that was killed: nobody renews, and the next few hundred drops after the claim has run out switch
// all off.
TEST_P(MonitorTest, AKilledReaderDoesNotLeaveItOn) {
  pid_t child = fork();
  if (child == 0) {
    auto monitor = Monitor::start(maps(), {});
    _exit(monitor ? 0 : 1);  // without its destructor
  }
  int status = 0;
  ASSERT_EQ(child, waitpid(child, &status, 0));
  ASSERT_EQ(0, status);
  EXPECT_NE(0U, maps().readers.get(0)->until);
  EXPECT_TRUE(wait_until([&] {
    for (int i = 0; i < 20; ++i) run(Program::PortIngress, spoofed());
    return maps().readers.get(0)->until == 0;
  }));
  Monitor monitor = start();  // and its place can be taken
  run(Program::PortIngress, spoofed());
  EXPECT_EQ(1U, read(monitor).size());
}

TEST_P(MonitorTest, AFloodIsShownOrCounted) {
  constexpr unsigned runs = 200'000;
  Monitor monitor = start();
  std::uint64_t shown = 0;
  bool running = true;
  std::thread reader([&] {
    while (std::atomic_ref(running).load())
      (void)monitor.poll(20ms, [&](const vnet_event&, const vnet_cause*) { ++shown; });
  });
  double watched = nanoseconds_a_run(Program::UplinkIngress, unasked(), runs);
  std::atomic_ref(running).store(false);
  reader.join();
  RecordProperty("nanoseconds", std::to_string(watched));
  shown += read(monitor).size();
  EXPECT_GT(shown, 0U);
  EXPECT_LT(shown, runs / 10) << "the rate holds";
  EXPECT_EQ(runs, shown + monitor.lost());
}

// A measurement, to be run by hand (--gtest_also_run_disabled_tests): what a drop costs, in ns, while nobody
// watches, while somebody does whose rate has long been reached, and whom it does not concern.
TEST_P(MonitorTest, DISABLED_WhatADropCosts) {
  auto measure = [&](const char* what) {
    std::vector<double> rounds;
    for (int i = 0; i < 9; ++i)
      rounds.push_back(nanoseconds_a_run(Program::UplinkIngress, unasked(), 300'000));
    std::ranges::sort(rounds);
    std::printf("%-40s %7.1f ns\n", what, rounds[rounds.size() / 2]);
  };
  auto alone = [&](const char* what, const MonitorFilter& filter) {
    Monitor monitor = start(filter);
    bool running = true;
    std::thread reader([&] {
      while (std::atomic_ref(running).load())
        (void)monitor.poll(100ms, [](const vnet_event&, const vnet_cause*) {});
    });
    measure(what);
    std::atomic_ref(running).store(false);
    reader.join();
  };
  measure("nobody watches");
  alone("everything, 1000 a second", {});
  alone("another reason", {.reasons = mask(VNET_DROP_BPDU)});
  alone("another network", {.network = slot::other});
  alone("everything, a million a second", {.per_second = 1'000'000});
  measure("nobody watches");
}

TEST_P(MonitorTest, PlacesAreLimitedAndComeBack) {
  std::vector<Monitor> readers;
  for (int i = 0; i < VNET_MONITORS_MAX; ++i) readers.push_back(start());
  auto refused = Monitor::start(maps(), {});
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, testing::HasSubstr("4 monitors are running"));
  readers.pop_back();
  EXPECT_TRUE(Monitor::start(maps(), {}));
  run(Program::PortIngress, spoofed());
  for (Monitor& reader : readers) EXPECT_EQ(1U, read(reader).size());
}

}  // namespace
}  // namespace vnet::test
