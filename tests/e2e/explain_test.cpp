// SPDX-License-Identifier: GPL-2.0-or-later
// `explain` against reality: for each of some hundred packets, what it foretells is compared with what
// becomes of the very same packet, and the live state must not have moved by the asking.
#include "tests/e2e/explain_fixture.h"

namespace vnet::test {
namespace {

using testing::HasSubstr;

class ExplainTest : public ExplainFixture {
 protected:
  void SetUp() override {
    NetworkTest::SetUp();
    if (IsSkipped()) return;
    start(dual_stack_xml("<nat ipv6='yes'/>",
                         "<metadata><vnet:network xmlns:vnet='urn:vnet-bpf:network:1'>"
                         "<vnet:portForward proto='tcp' port='8080' to='192.168.122.12' toPort='80'/>"
                         "</vnet:network></metadata>"));
    vnet({"up", file("other.xml",
                     "<network><name>other</name><forward mode='nat'/><bridge name='virbr1' stp='off'/>"
                     "<ip address='192.168.150.1' netmask='255.255.255.0'/>"
                     "<ip family='ipv6' address='fd00:150::1' prefix='64'/></network>")});
    plug_both();
    outside().must(
        "ip route add 192.168.122.0/24 via 203.0.113.2; ip -6 route add fd00:122::/64 via 2001:db8:113::2");
    add_party("g1", "virbr0", {"192.168.122.11", "fd00:122::11"});
    add_party("g2", "virbr0", {"192.168.122.12", "fd00:122::12"});
    for (const char* to : {"203.0.113.2", "2001:db8:113::2"}) ASSERT_TRUE(outside().pings(to));
    get_acquainted();
  }
};

struct Names {
  const char *guest1, *guest2, *stranger, *gateway, *host, *outside, *remote, *other_guest, *other_gateway,
      *group;
};
constexpr Names names4{"192.168.122.11", "192.168.122.12", "10.1.2.3",      "192.168.122.1", "203.0.113.2",
                       "203.0.113.1",    "198.51.100.1",   "192.168.150.9", "192.168.150.1", "239.1.2.3"};
constexpr Names names6{"fd00:122::11",    "fd00:122::12",   "fd00:77::3",  "fd00:122::1", "2001:db8:113::2",
                       "2001:db8:113::1", "2001:db8:51::1", "fd00:150::9", "fd00:150::1", "ff0e::1234"};

TEST_F(ExplainTest, AgreesWithWhatBecomesOfGuestsPackets) {
  inside([&] {
    std::uint16_t port = 0;
    for (const Names& at : {names4, names6})
      for (const char* protocol : {"tcp", "udp", "icmp"})
        for (const char* from : {at.guest1, at.guest2, at.stranger})
          for (const char* to : {at.guest2, at.gateway, at.host, at.outside, at.remote, at.other_guest,
                                 at.other_gateway, at.group})
            // A source port that can be kept, and one that cannot; each flow twice: past the stack, then by
            // its session.
            for (std::uint16_t base : {2000, 40000}) {
              ++port;
              ExplainCase about{"g1", from, to, protocol, static_cast<std::uint16_t>(base + port), 7};
              compare(about);
              compare(about);
            }
  });
  EXPECT_GE(compared_, 500);
  // The cases are not all alike.
  for (const char* fate : {"outside", "guest", "host", "dropped other-network", "dropped spoofed-source"})
    EXPECT_GE(fates_[fate], 10) << fate << testing::PrintToString(fates_);
}

TEST_F(ExplainTest, AgreesWithWhatBecomesOfPacketsFromOutside) {
  inside([&] {
    std::uint16_t port = 3000;
    for (const Names& at : {names4, names6}) {
      for (const char* protocol : {"tcp", "udp", "icmp"}) {
        for (const char* from : {at.outside, at.remote, at.guest2})
          for (const char* to : {at.guest1, at.guest2, at.host, at.gateway, at.other_guest}) {
            compare({"eth0", from, to, protocol, ++port, 7});
            compare({"eth0", from, to, protocol, port, 8080});
          }
        if (std::string(protocol) == "icmp") continue;
        // Into a session that a guest has opened.
        for (std::uint16_t base : {2000, 40000}) {
          ExplainCase opening{
              "g1", at.guest1, at.outside, protocol, static_cast<std::uint16_t>(base + ++port % 1000), 9};
          Seen seen = send(opening);
          ASSERT_EQ("outside", seen.fate) << opening.text();
          ExplainCase answer{"eth0", at.outside, at.host, protocol, 9, seen.source_port};
          compare(answer);
          compare(answer);
          EXPECT_EQ("guest", std::string(fate_word(ask(answer).fate)));
        }
      }
    }
  });
  EXPECT_GE(compared_, 150);
  for (const char* fate : {"guest", "host", "dropped not-visible", "dropped spoofed-source"})
    EXPECT_GE(fates_[fate], 3) << fate << testing::PrintToString(fates_);
}

TEST_F(ExplainTest, AgreesWithAnUnpluggedPort) {
  vnet({"set", "g2", "--link", "down"});
  inside([&] {
    for (const Names& at : {names4, names6})
      for (const char* protocol : {"tcp", "udp", "icmp"}) {
        compare({"g1", at.guest1, at.guest2, protocol, 2000, 7});
        compare({"g2", at.guest2, at.outside, protocol, 2000, 7});
        compare({"g1", at.guest1, at.outside, protocol, 2000, 7});
      }
  });
  EXPECT_EQ(6, fates_["dropped link-down"]);
  EXPECT_EQ(6, fates_["nowhere"]);
  EXPECT_EQ(6, fates_["outside"]);
}

TEST_F(ExplainTest, TheVerbTellsReasonAndCause) {
  auto told = ground().vnet_json({"explain", "--port", "g1", "--to", "203.0.113.1:80"});
  EXPECT_EQ("outside", told["fate"]);
  EXPECT_EQ("eth0", told["interface"]);
  EXPECT_EQ("203.0.113.2", told["arrives"]["source"]["address"]);
  std::vector<std::string> places;
  for (const auto& step : told["steps"]) places.push_back(step["where"]);
  EXPECT_THAT(places,
              testing::ElementsAre("port-ingress", "bridge", "gateway-ingress", "host", "uplink-egress"));

  Output text =
      ground().vnet({"explain", "--port", "eth0", "--from", "203.0.113.1", "--to", "192.168.122.11:22"});
  EXPECT_TRUE(text.ok()) << text.err;
  EXPECT_THAT(text.out, HasSubstr("It is dropped at eth0: not-visible"));
  EXPECT_THAT(text.out, HasSubstr("Because of: network lab: <forward mode='nat'"));

  vnet({"set", "g2", "--link", "down"});
  told = ground().vnet_json({"explain", "--port", "g1", "--to", "192.168.122.12"});
  EXPECT_EQ("link-down", told["reason"]);
  told = ground().vnet_json({"explain", "--port", "g2", "--to", "192.168.122.1"});
  EXPECT_EQ("vnet-bpf set g2 --link down", told["cause"]);

  told = ground().vnet_json({"explain", "--port", "g1", "--to", "192.168.150.9"});
  EXPECT_EQ("refused", told["fate"]);
  EXPECT_EQ("other-network", told["reason"]);

  told = ground().vnet_json({"explain", "--port", "g1", "--to", "192.168.122.99:22"});
  EXPECT_EQ("nowhere", told["fate"]);
  told = ground().vnet_json({"explain", "--port", "virbr0", "--to", "192.168.122.11"});
  EXPECT_EQ("guest", told["fate"]);
  EXPECT_EQ("g1", told["interface"]);

  for (const char* group : {"192.168.122.255:67", "239.1.2.3:67", "[ff0e::1234]:67"}) {
    told = ground().vnet_json({"explain", "--port", "virbr0", "--to", group, "--proto", "udp"});
    EXPECT_EQ("flooded", told["fate"]) << group;
    EXPECT_EQ("virbr0", told["interface"]);
  }

  EXPECT_EQ(3, ground().vnet({"explain", "--port", "nonesuch", "--to", "192.0.2.1"}).status);
  EXPECT_EQ(2, ground().vnet({"explain", "--port", "eth0", "--to", "192.168.122.11"}).status);
}

}  // namespace
}  // namespace vnet::test
