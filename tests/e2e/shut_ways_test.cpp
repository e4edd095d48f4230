// SPDX-License-Identifier: GPL-2.0-or-later
// Shut by default: whatever the frame's tags and source make of a packet, and the host of its answer, it
// leaves as its network may, or not at all.
#include <algorithm>

#include "tests/e2e/shut_ways_fixture.h"

namespace vnet::test::ways {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST_P(Ways, AnotherLinkOfTheHostIsAnUplinkToo) {
  both_families([&](bool v6) {
    EXPECT_THAT(outside(say(nat_net, ip_header(nat_net.ip(v6), uplink0.theirs(v6)))),
                ElementsAre(uplink0.ours(v6)));
    EXPECT_THAT(in_lan(say(nat_net, ip_header(nat_net.ip(v6), lan0.theirs(v6)))), ElementsAre(lan0.ours(v6)));
    EXPECT_THAT(in_lan(say(routed, ip_header(routed.ip(v6), lan0.theirs(v6)))), ElementsAre(routed.ip(v6)));
    EXPECT_THAT(in_lan(say(isolated, ip_header(isolated.ip(v6), lan0.theirs(v6)))), IsEmpty());
    EXPECT_THAT(outside(say(isolated, ip_header(isolated.ip(v6), uplink0.theirs(v6)))), IsEmpty());
    EXPECT_THAT(in_open(say(isolated, ip_header(isolated.ip(v6), routed.ip(v6)))), IsEmpty());
    EXPECT_TRUE(guest(nat_net.guest()).pings(lan0.theirs(v6)));
  });
}

// A LAN of the host's that nobody goes out by.
TEST_P(Ways, AGuestsAddressIsForgedFromNoLinkOfTheHost) {
  Ethernet to_host{.src = lan_.sh("cat /sys/class/net/eth0/address").out.substr(0, 17),
                   .dst = mac_at("lan0")};
  both_families([&](bool v6) {
    for (const Net* of : {&nat_net, &isolated, &routed}) {
      SCOPED_TRACE(of->name);
      auto before = dropped("spoofed-source");
      EXPECT_THAT(in_open(say(lan_, to_host / ip_header(of->ip(v6, 12), routed.ip(v6)))), IsEmpty());
      EXPECT_THAT(outside(say(lan_, to_host / ip_header(of->ip(v6, 12), uplink0.theirs(v6)))), IsEmpty());
      EXPECT_EQ(before + 2, dropped("spoofed-source"));
    }
    auto own = lan0.theirs(v6);
    EXPECT_THAT(in_open(say(lan_, to_host / ip_header(own, routed.ip(v6)))), ElementsAre(own));
    EXPECT_THAT(outside(say(lan_, to_host / ip_header(own, uplink0.theirs(v6)))), ElementsAre(own));
  });
}

Packet tags(std::initializer_list<Vlan> all) {
  Packet result;
  for (const Vlan& tag : all) result = result / Packet(tag);
  return result;
}
const Packet priority_tags[] = {tags({Vlan{}}), tags({Vlan{.priority = 5}}), tags({Vlan{.tpid = 0x88a8}}),
                                tags({Vlan{}, Vlan{}}), tags({Vlan{.tpid = 0x88a8}, Vlan{.priority = 7}})};

TEST_P(Ways, APriorityTagHidesNothingOfAGuest) {
  for (std::size_t i = 0; i < std::size(priority_tags); ++i) {
    SCOPED_TRACE(fmt::format("tags {}", i));
    const Packet& tag = priority_tags[i];
    both_families([&](bool v6) {
      for (auto far : {uplink0, lan0}) {
        auto hear = [&](const std::string& word) {
          return far.device == uplink0.device ? outside(word) : in_lan(word);
        };
        EXPECT_THAT(hear(say(nat_net, ip_header(nat_net.ip(v6), far.theirs(v6)), tag)),
                    ElementsAre(far.ours(v6)));
        EXPECT_THAT(hear(say(isolated, ip_header(isolated.ip(v6), far.theirs(v6)), tag)), IsEmpty());
        // With a network's address that may leave, and with one of the far end's own network.
        EXPECT_THAT(hear(say(isolated, ip_header(nat_net.ip(v6, 12), far.theirs(v6)), tag)), IsEmpty());
        EXPECT_THAT(hear(say(isolated, ip_header(far.theirs(v6) + "7", far.theirs(v6)), tag)), IsEmpty());
      }
      EXPECT_THAT(in_open(say(isolated, ip_header(isolated.ip(v6), routed.ip(v6)), tag)), IsEmpty());
    });
  }
}

TEST_P(Ways, ATagOfAVlanIsForNoGateway) {
  for (const Packet& tag : {tags({Vlan{.id = 7}}), tags({Vlan{.id = 7, .tpid = 0x88a8}}),
                            tags({Vlan{}, Vlan{.id = 7}}), tags({Vlan{.id = 7}, Vlan{}})})
    both_families([&](bool v6) {
      for (const Net* from : {&nat_net, &isolated, &routed}) {
        SCOPED_TRACE(from->name);
        auto before = dropped("vlan-tagged");
        EXPECT_THAT(outside(say(*from, ip_header(from->ip(v6), uplink0.theirs(v6)), tag)), IsEmpty());
        EXPECT_EQ(before + 1, dropped("vlan-tagged"));
      }
      EXPECT_THAT(outside(say(nat_net, ip_header(nat_net.ip(v6), uplink0.theirs(v6)))),
                  ElementsAre(uplink0.ours(v6)));
    });
}

TEST_P(Ways, APriorityTagHidesNothingOfTheOutside) {
  vnet({"block", "add", "203.0.113.66", "2001:db8:113::66"});
  Ethernet to_host{.src = outside().sh("cat /sys/class/net/eth0/address").out.substr(0, 17),
                   .dst = mac_at("eth0")};
  for (std::size_t i = 0; i < std::size(priority_tags); ++i) {
    SCOPED_TRACE(fmt::format("tags {}", i));
    both_families([&](bool v6) {
      auto enters = [&](const std::string& from, const std::string& to) {
        return in_open(say(outside(), to_host / priority_tags[i] / ip_header(from, to)));
      };
      auto blocked = dropped("blocked"), spoofed = dropped("spoofed-source");
      std::string anybody = uplink0.theirs(v6), enemy = v6 ? "2001:db8:113::66" : "203.0.113.66";
      EXPECT_THAT(enters(anybody, routed.ip(v6)), ElementsAre(anybody));
      EXPECT_THAT(enters(enemy, routed.ip(v6)), IsEmpty());
      EXPECT_EQ(blocked + 1, dropped("blocked"));
      for (const Net* of : {&nat_net, &isolated, &routed})
        EXPECT_THAT(enters(of->ip(v6, 12), routed.ip(v6)), IsEmpty()) << of->name;
      EXPECT_EQ(spoofed + 3, dropped("spoofed-source"));
    });
  }
}

// The host answers: with redirects, with time exceeded, and with a service that sends back what it gets.
TEST_P(Ways, WhatTheHostAnswersAGuestStaysInItsNetwork) {
  Background echo4 = host().background({"socat", "UDP4-RECVFROM:9000,reuseaddr,fork", "EXEC:cat"});
  Background echo6 = host().background({"socat", "UDP6-RECVFROM:9000,reuseaddr,ipv6only=1,fork", "EXEC:cat"});
  ASSERT_TRUE(wait_until([&] {
    auto sockets = host().sh("ss -Huln sport = :9000").out;
    return std::ranges::count(sockets, '\n') == 2;
  }));
  Ear ear(guest(isolated.guest()), isolated.ip(false));
  auto say_big = [&](const std::string& from, const std::string& to, int ttl) {
    std::string mac = to == "255.255.255.255"  ? "ff:ff:ff:ff:ff:ff"
                      : to == "224.0.0.1"      ? "01:00:5e:00:00:01"
                      : to.starts_with("ff02") ? "33:33:00:00:00:01"
                                               : isolated.gateway();
    return say(guest(isolated.guest()),
               Ethernet{.src = isolated.mac(), .dst = mac} / ip_header(from, to, ttl), 9000, 900);
  };
  both_families([&](bool v6) {
    // The host does answer what has a right to it.
    auto word = say_big(isolated.ip(v6), isolated.ip(v6, 1), 64);
    EXPECT_TRUE(wait_until([&] { return !ear.heard(host(), word).empty(); }));
    std::vector<std::string> targets{"255.255.255.255", "224.0.0.1", isolated.ip(false, 1),
                                     isolated.ip(false, 99)};
    if (v6)
      targets = {"ff02::1", "fe80::1", "fe80::5054:ff:fe00:99", isolated.ip(true, 1), isolated.ip(true, 99)};
    std::vector<std::string> words;
    for (const std::string& source : {uplink0.theirs(v6), lan0.theirs(v6), routed.ip(v6), nat_net.ip(v6),
                                      std::string(v6 ? "2001:db8:51::1" : "198.51.100.1")})
      for (const auto& target : targets)
        for (int ttl : {1, 64}) words.push_back(say_big(source, target, ttl));
    // What was answered at all is out when the last honest question has been.
    word = say_big(isolated.ip(v6), isolated.ip(v6, 1), 64);
    EXPECT_TRUE(wait_until([&] { return !ear.heard(host(), word).empty(); }));
    for (const auto& one : words) {
      EXPECT_THAT(outside(one), IsEmpty());
      EXPECT_THAT(in_lan(one), IsEmpty());
      EXPECT_THAT(in_open(one), IsEmpty());
    }
  });
}

INSTANTIATE_TEST_SUITE_P(Attach, Ways, testing::ValuesIn(way_kinds), way_name);

}  // namespace
}  // namespace vnet::test::ways
