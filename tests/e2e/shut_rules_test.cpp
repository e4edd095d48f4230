// SPDX-License-Identifier: GPL-2.0-or-later
// Shut by default: whatever the host's routing and its rules make of a packet, it leaves as its network may,
// or not at all.
#include <iterator>

#include "tests/e2e/shut_ways_fixture.h"

namespace vnet::test::ways {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::IsSupersetOf;

// What only the stack knows. The word goes to `to`, unless the rule makes something else of it.
struct Rule {
  const char* what;
  std::uint16_t to_port;
  int tos;
};
constexpr Rule rules[] = {
    {"a mark", 7001, 0}, {"a rule for ports", 7002, 0}, {"a rule for TOS", 9000, 0x10}, {"DNAT", 7003, 0}};

class Rules : public Ways {
 protected:
  // All rules lead by that link.
  void rule(const Link& by) {
    host().must(fmt::format(
        "nft -f - <<E\n"
        "table inet m {{\n"
        "chain p {{ type filter hook prerouting priority -150; udp dport 7001 meta mark set 7; }}\n"
        "chain d {{ type nat hook prerouting priority -100;\n"
        "udp dport 7003 dnat ip to {0}; udp dport 7003 dnat ip6 to {1}; }}\n}}\nE\n"
        "for f in -4 -6; do ip $f rule add fwmark 7 lookup 77; ip $f rule add ipproto udp dport 7002 lookup "
        "77; ip $f rule add tos 0x10 lookup 77; done; "
        "ip route replace default via {0} dev {2} table 77; ip route replace default via {1} dev {2} table "
        "77",
        by.theirs(false), by.theirs(true), by.device));
  }
  std::string say_to(const Net& from, bool v6, const Rule& rule) {
    return say(from, ip_header(from.ip(v6), uplink0.theirs(v6), 64, rule.tos), {}, rule.to_port);
  }
  // Nothing as the guest has sent it, nor anything of an isolated guest, anywhere.
  void expect_held(Ear& ear, const Link& by, bool arrives) {
    for (const Rule& rule : rules) {
      SCOPED_TRACE(rule.what);
      both_families([&](bool v6) {
        auto word = say_to(nat_net, v6, rule);
        auto sources = ear.heard(host(), word);
        EXPECT_THAT((std::set{by.ours(v6)}), IsSupersetOf(sources));
        EXPECT_EQ(arrives, !sources.empty());
        EXPECT_THAT((std::set{uplink0.ours(v6)}), IsSupersetOf(outside(word)));
        word = say_to(isolated, v6, rule);
        EXPECT_THAT(ear.heard(host(), word), IsEmpty());
        EXPECT_THAT(outside(word), IsEmpty());
        EXPECT_THAT(in_lan(word), IsEmpty());
      });
    }
  }
};

TEST_P(Rules, LeadOutTranslatedByALinkThatIsThere) {
  rule(lan0);
  Ear ear(lan_, lan0.theirs(false));
  expect_held(ear, lan0, true);
}

// Nobody has attached anything to it yet, and nobody is asked to.
TEST_P(Rules, LeadNobodyOutByALinkThatIsNew) {
  Namespace late;
  link(late0, late);
  rule(late0);
  Ear ear(late, late0.theirs(false));
  expect_held(ear, late0, false);
  if (has_counting_fence()) {
    // What the FIB can be asked by, the gateway has refused with an answer already.
    EXPECT_GE(dropped("no-way-out") + dropped("no-uplink"), 2U * std::size(rules));
  }
  // The routed network's guests are translated nowhere, and go by any. So the rules do lead there.
  for (const Rule& one : rules)
    both_families([&](bool v6) {
      EXPECT_THAT(ear.heard(host(), say_to(routed, v6, one)), ElementsAre(routed.ip(v6))) << one.what;
    });
  // The next command knows the link.
  vnet({"up", (ground().state_dir() / "nat.xml").string()});
  expect_held(ear, late0, true);
}

// No command has been called since, and nobody is watching.
TEST_P(Rules, LeadNobodyOutByALinkThatHasAnUplinksNumber) {
  both_families([&](bool v6) {
    EXPECT_THAT(in_lan(say(nat_net, ip_header(nat_net.ip(v6), lan0.theirs(v6)))), ElementsAre(lan0.ours(v6)));
  });
  std::string number = host().sh("cat /sys/class/net/lan0/ifindex | tr -d '\\n'").out;
  host().must("ip link delete lan0");
  Namespace other;
  link(reused, other, number);
  ASSERT_EQ(number, host().sh("cat /sys/class/net/reused0/ifindex | tr -d '\\n'").out);
  rule(reused);
  Ear ear(other, reused.theirs(false));
  auto hears = [&](const std::string& word) { return ear.heard(host(), word); };
  both_families([&](bool v6) {
    for (const Net* from : {&nat_net, &isolated}) {
      SCOPED_TRACE(from->name);
      EXPECT_THAT(hears(say(*from, ip_header(from->ip(v6), reused.theirs(v6)))), IsEmpty());
      for (const Rule& one : rules) EXPECT_THAT(hears(say_to(*from, v6, one)), IsEmpty()) << one.what;
    }
    EXPECT_THAT(hears(say(routed, ip_header(routed.ip(v6), reused.theirs(v6)))), ElementsAre(routed.ip(v6)));
  });
  vnet({"up", (ground().state_dir() / "nat.xml").string()});
  both_families([&](bool v6) {
    EXPECT_THAT(hears(say(nat_net, ip_header(nat_net.ip(v6), reused.theirs(v6)))),
                ElementsAre(reused.ours(v6)));
  });
}

INSTANTIATE_TEST_SUITE_P(Attach, Rules, testing::ValuesIn(way_kinds), way_name);

}  // namespace
}  // namespace vnet::test::ways
