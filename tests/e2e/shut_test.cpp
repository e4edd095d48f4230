// SPDX-License-Identifier: GPL-2.0-or-later
// Shut by default: an interface that is not attached, or in no bridge, has no way; a program that somebody
// has taken away is missed and put back.
#include <cstdio>
#include <thread>
#include <utility>

#include "tests/e2e/shut_fixture.h"

namespace vnet::test::shut {
namespace {

using testing::IsEmpty;

std::pair<int, int> kernel() {
  std::pair<int, int> version;
  std::sscanf(sh("uname -r").out.c_str(), "%d.%d", &version.first, &version.second);
  return version;
}

TEST_P(Shut, WhatIsNotAttachedReachesNobody) {
  add("g1", 11), add("g2", 12);
  attach("g1", 11);
  host().must("ip link set g2 master virbr0");
  wait_until_forwarding("g2");
  listen();
  RawPort two(guest("g2"), "eth0"), one(guest("g1"), "eth0"), far(outside(), "eth0");
  auto say = [&](int as, const std::string& word) {
    for (bool v6 : {false, true}) {
      std::string from = v6 ? ip6(as) : ip4(as), group = v6 ? "33:33:00:00:00:01" : "ff:ff:ff:ff:ff:ff";
      Ethernet neighbour{.src = mac_of(as), .dst = mac_of(11)}, all{.src = mac_of(as), .dst = group},
          gateway{.src = mac_of(as), .dst = gateway_mac};
      two.send(neighbour / datagram(from, v6 ? ip6(11) : ip4(11), word + " to a guest"));
      two.send(all / datagram(from, v6 ? "ff02::1" : "192.168.122.255", word + " to all"));
      two.send(gateway / datagram(from, v6 ? "2001:db8:113::1" : "203.0.113.1", word + " to outside"));
      two.send(gateway / datagram(from, v6 ? "fd00:122::1" : "192.168.122.1", word + " to the host"));
    }
  };
  auto flood = [&](const std::string& word) {
    for (bool v6 : {false, true})
      one.send(Ethernet{.src = mac_of(11), .dst = v6 ? "33:33:00:00:00:01" : "ff:ff:ff:ff:ff:ff"} /
               datagram(v6 ? ip6(11) : ip4(11), v6 ? "ff02::1" : "192.168.122.255", word + " by a guest"));
    for (const char* to : {"UDP4-DATAGRAM:192.168.122.255:9,broadcast", "UDP6-DATAGRAM:[ff02::1%virbr0]:9"})
      host().must("printf '" + word + " by the host' | socat -u - " + to);
  };
  say(12, "stranger"), say(11, "thief"), flood("early");
  for (const char* word : {"stranger", "thief"}) {
    one.expect_no_frame(carries(word));
    far.expect_no_frame(carries(word));
    EXPECT_THAT(heard(), Not(HasSubstr(word)));
  }
  two.expect_no_frame(carries("early"));
  EXPECT_GT(dropped("unattached"), 0U);
  auto entry = port("g2");
  EXPECT_EQ(false, entry.value("attached", true)) << entry;
  EXPECT_THAT(ground().vnet({"ports"}).out, HasSubstr("unattached"));
  EXPECT_THAT(doctor("unattached"), HasSubstr("g2 is in virbr0"));
  // Nobody was deaf, and nobody dumb.
  attach("g2", 12);
  say(12, "friend"), flood("late");
  for (int family = 0; family < 2; ++family) {
    EXPECT_TRUE(one.expect_frame(carries("friend to a guest")));
    EXPECT_TRUE(one.expect_frame(carries("friend to all")));
    EXPECT_TRUE(far.expect_frame(carries("friend to outside")));
    EXPECT_TRUE(two.expect_frame(carries("late by a guest")));
  }
  for (int family = 0; family < 2; ++family) EXPECT_TRUE(two.expect_frame(carries("late by the host")));
  EXPECT_TRUE(soon([&] { return heard().contains("friend to the host"); }));
  EXPECT_FALSE(port("g2").contains("attached"));
  EXPECT_THAT(doctor("unattached"), IsEmpty());
}

TEST_P(Shut, WhatIsDetachedOrStoppedIsDown) {
  add("g1", 11);
  RawPort far(outside(), "eth0"), raw(guest("g1"), "eth0");
  listen();
  for (const Argv& how : {Argv{"detach", "g1"}, Argv{"stop", "lab"}}) {
    SCOPED_TRACE(how[0]);
    host().must("sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1");
    attach("g1", 11);
    expect_works("g1");
    vnet(how);
    EXPECT_THAT(host().sh("ip -o link show g1").out, Not(HasSubstr(",UP")));
    EXPECT_EQ("1\n", host().sh("cat /proc/sys/net/ipv6/conf/g1/disable_ipv6").out);
    send_past_the_bridge(raw, how[0]);
    far.expect_no_frame(carries(how[0]));
    EXPECT_THAT(heard(), Not(HasSubstr(how[0])));
  }
  up_again();
  attach("g1", 11);
  expect_works("g1");
  raw.send(Ethernet{.src = mac_of(11), .dst = gateway_mac} / datagram(ip4(11), "203.0.113.1", "allowed"));
  EXPECT_TRUE(far.expect_frame(carries("allowed")));
}

// From 6.2 on; before, `run` sees to it.
TEST_P(Shut, AGuestWithoutABridgeIsNoNeighbourOfTheHost) {
  if (kernel() < std::pair(6, 2)) GTEST_SKIP() << "the programs cannot see it";
  add("g1", 11);
  attach("g1", 11);
  listen();
  RawPort far(outside(), "eth0");
  expect_works("g1");
  host().must("ip link set g1 nomaster");
  expect_no_bridge_no_way(far, "nomaster");
  EXPECT_EQ("1\n", host().sh("cat /proc/sys/net/ipv6/conf/g1/disable_ipv6").out);
  attach("g1", 11);
  expect_works("g1");
  host().must("ip link delete virbr0");
  expect_no_bridge_no_way(far, "bridgeless");
  run();
  EXPECT_TRUE(soon([&] { return guest("g1").pings("203.0.113.1", 1); })) << log();
  expect_works("g1");
  // The far end hears, and so does the host.
  RawPort raw(guest("g1"), "eth0");
  for (const char* to : {"203.0.113.1", "192.168.122.1"})
    raw.send(Ethernet{.src = mac_of(11), .dst = gateway_mac} / datagram(ip4(11), to, "allowed"));
  EXPECT_TRUE(far.expect_frame(carries("allowed")));
  EXPECT_TRUE(soon([&] { return heard().contains("allowed"); }));
}

TEST_P(Shut, NoGuestIsTheHostsRouter) {
  Namespace lan;
  host().must("ip link add lan0 type veth peer name eth0 netns " + lan.name());
  lan.must("ip link set eth0 address " + mac_of(99) + "; ip link set eth0 up");
  add("g1", 11);
  attach("g1", 11);
  // Asked for by the host's administrator, on every interface.
  host().must(
      "for c in /proc/sys/net/ipv6/conf/*; do echo 2 > $c/accept_ra; echo 1 > $c/accept_ra_defrtr; done; "
      "ip link set lan0 up; ip link set g1 nomaster; ip -6 route del default");
  auto advertise = [](const Namespace& from, int number) {
    RawPort(from, "eth0")
        .send(Ethernet{.src = mac_of(number), .dst = "33:33:00:00:00:01"} /
              Ipv6{.src = link_local(number), .dst = "ff02::1", .hop_limit = 255} /
              Icmpv6{.type = 134, .id = 64 << 8, .seq = 1800} / Payload(Bytes(8, 0)));
  };
  auto routers = [&] { return host().sh("ip -6 route show default").out; };
  advertise(guest("g1"), 11);
  EXPECT_TRUE(soon([&] {
    advertise(lan, 99);
    return routers().contains("dev lan0");
  })) << routers();
  EXPECT_THAT(routers(), Not(HasSubstr("dev g1")));
}

// No entry, no way: neither before the guard is there nor after it has gone, nor when it never came.
TEST_P(Shut, AnInboundPolicyHoldsFromTheFirstFrameToTheLast) {
  add("g1", 11), add("g2", 12);
  attach("g2", 12);
  RawPort one(guest("g1"), "eth0");
  std::atomic<int> unasked = 0;
  std::jthread sender([&, two = RawPort(guest("g2"), "eth0")](const std::stop_token& stop) {
    for (; !stop.stop_requested(); ++unasked) {
      bool v6 = unasked % 2, all = unasked % 8 / 2 == 0;
      auto to = all ? (v6 ? "33:33:00:00:00:01" : "ff:ff:ff:ff:ff:ff") : mac_of(11);
      two.send(Ethernet{.src = mac_of(12), .dst = to} /
               datagram(v6 ? ip6(12) : ip4(12), v6 ? ip6(11) : ip4(11), "unasked"));
      std::this_thread::sleep_for(std::chrono::microseconds(20));
    }
  });
  auto some_more = [&] { return soon([&, until = unasked + 20] { return unasked > until; }); };
  const std::string plug =
      fmt::format("{} attach g1 --network lab --mac {} --inbound drop", program_, mac_of(11));
  auto plug_in = [&](const std::string& how) {
    return host().sh(
        fmt::format("export VNET_BPF_STATE_DIR={}; {} {}", ground().state_dir().string(), how, plug));
  };
  for (int round = 0; round < 10; ++round) {
    EXPECT_TRUE(plug_in("").ok());
    EXPECT_TRUE(some_more());
    vnet({"detach", "g1"});
  }
  // Killed at any time, as a sample.
  int completed = 0;
  for (int milliseconds = 4; completed < 2 && milliseconds < 800; milliseconds += 1 + milliseconds / 20) {
    completed += plug_in(fmt::format("timeout -s KILL {}", milliseconds / 1000.0)).ok();
    EXPECT_TRUE(some_more());
    (void)ground().vnet({"detach", "g1"});
  }
  int got = 0;
  while (auto frame = one.receive(std::chrono::milliseconds(50))) got += carries("unasked")(*frame);
  EXPECT_EQ(0, got) << "of " << unasked;
  attach("g1", 11, {"--inbound", "accept"});
  EXPECT_TRUE(one.expect_frame(carries("unasked")));
}

TEST_P(Shut, AGuardThatSomebodyTookAwayIsMissedAndPutBack) {
  add("g1", 11), add("g2", 12);
  attach("g1", 11), attach("g2", 12);
  expect_guarded();
  EXPECT_EQ("", unguarded());
  EXPECT_EQ("", doctor("guards"));
  for (const Guard& guard : guards) {
    SCOPED_TRACE(guard.word);
    take_away(guard);
    expect_missing(guard);
    up_again();
    EXPECT_EQ("", unguarded());
    EXPECT_EQ("", doctor("guards"));
    expect_guarded();
  }
}

TEST_P(Shut, RunPutsAGuardBackByItself) {
  add("g1", 11), add("g2", 12);
  attach("g1", 11), attach("g2", 12);
  run();
  for (const Guard& guard : guards) {
    SCOPED_TRACE(guard.word);
    auto before = log().size();
    take_away(guard);
    // It looks twice a second; the rest is room for a busy machine.
    EXPECT_TRUE(wait_until([&] { return log().size() > before; }, seconds(10))) << guard.word;
    EXPECT_TRUE(soon([&] { return unguarded().empty(); })) << unguarded() << log();
    EXPECT_THAT(log().substr(before), HasSubstr(guard.interface));
    expect_guarded();
  }
}

INSTANTIATE_TEST_SUITE_P(Attach, Shut, testing::ValuesIn(kinds), name_of);

}  // namespace
}  // namespace vnet::test::shut
