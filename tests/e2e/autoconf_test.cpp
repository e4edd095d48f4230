// SPDX-License-Identifier: GPL-2.0-or-later
// Guests that make up IPv6 addresses (SLAAC) from the router advertisements of the network's dnsmasq, and
// have addresses of --ip as well: both kinds count, unless --ip-only says otherwise.
#include "tests/e2e/port_fixture.h"

namespace vnet::test {
namespace {

using testing::HasSubstr;
using testing::Not;

class Autoconf : public PortTest {
 protected:
  void SetUp() override {
    PortTest::SetUp();
    if (IsSkipped()) return;
    start_lab();
  }

  // A guest that starts behind its guard, as a virtual machine does. What attach said beside that it is done.
  std::string boot(const std::string& name, int number, const Argv& options) {
    add(name, number, false);
    Argv words{"attach", name, "--network", "lab", "--mac", mac_of(number), "--filter", "clean-traffic"};
    words.insert(words.end(), options.begin(), options.end());
    std::string said = vnet(words).err;
    guest(name).must("sysctl -qw net.ipv6.conf.eth0.accept_dad=1; ip link set eth0 up");
    wait_until_forwarding(name);
    EXPECT_TRUE(wait_until([&] { return has(name, made_up(number)); }, std::chrono::seconds(15)))
        << guest(name).sh("ip -6 addr").out << all_drops(name);
    return said;
  }
  Argv fixed(int number) { return {"--ip", ip4(number), "--ip", ip6(number)}; }

  // What the kernel makes of the prefix and the MAC.
  static std::string made_up(int number) { return fmt::format("fd00:122::5054:ff:fe00:{:x}", number); }
  bool has(const std::string& name, const std::string& address) {
    return !guest(name)
                .sh("ip -6 -o addr show dev eth0 to " + address + " -tentative -dadfailed")
                .out.empty();
  }
  void take(const std::string& name, const std::string& address) {
    guest(name).must("ip addr replace " + address + "/64 dev eth0 preferred_lft 0");
    EXPECT_TRUE(wait_until([&] {
      return guest(name).sh("ip -6 -o addr show dev eth0 to " + address + " tentative").out.empty();
    }));
  }
  bool reaches(const std::string& name, const std::string& from, const std::string& to = "2001:db8:113::1") {
    return guest(name).sh("ping -6 -q -c3 -i0.3 -W1 -I " + from + " " + to).ok();
  }
};

TEST_F(Autoconf, AddressesThatAreMadeUpCountBesideThoseGiven) {
  EXPECT_EQ("", boot("g1", 11, fixed(11)));
  take("g1", ip6(11));
  EXPECT_TRUE(reaches("g1", made_up(11))) << seen();
  EXPECT_TRUE(has("g1", ip6(11))) << guest("g1").sh("ip -6 addr").out;
  EXPECT_TRUE(reaches("g1", ip6(11))) << seen() << guest("g1").sh("ip -6 addr; ip -6 route").out;
  EXPECT_TRUE(guest("g1").pings("2001:db8:113::1")) << seen();  // from whichever it prefers
  EXPECT_EQ(0U, drops_at("g1", "spoofed-source") + drops_at("g1", "spoofed-nd")) << all_drops("g1");
  EXPECT_EQ(false, ground().vnet_json({"ports"})[0]["ip_only"]);

  // IPv4 is not made up: --ip stays alone.
  guest("g1").must("ip addr add " + ip4(99) + "/24 dev eth0");
  EXPECT_FALSE(guest("g1").sh("ping -q -c1 -W1 -I " + ip4(99) + " 192.168.122.1").ok());
}

TEST_F(Autoconf, WhatIsSomebodyElsesCannotBeClaimed) {
  boot("g1", 11, fixed(11));
  boot("g2", 12, {});
  ASSERT_TRUE(reaches("g2", made_up(12))) << all_drops("g2");
  const std::uint64_t before = drops_at("g1", "spoofed-nd");
  take("g1", made_up(12));  // g2's, by a claim
  take("g1", "fd00:122::1");
  EXPECT_FALSE(reaches("g1", made_up(12)));
  EXPECT_FALSE(reaches("g1", "fd00:122::1"));
  EXPECT_LE(before + 2, drops_at("g1", "spoofed-nd")) << all_drops("g1");
  take("g2", ip6(11));  // g1's, by the administrator
  EXPECT_FALSE(reaches("g2", ip6(11)));
  EXPECT_TRUE(reaches("g2", made_up(12))) << all_drops("g2");
}

TEST_F(Autoconf, WhatTheAdministratorGivesAwayIsNobodysClaimAnyLonger) {
  boot("g2", 12, {});
  take("g2", ip6(11));
  ASSERT_TRUE(reaches("g2", ip6(11))) << all_drops("g2");
  boot("g1", 11, fixed(11));
  EXPECT_FALSE(reaches("g2", ip6(11)));
  guest("g2").must("ip addr del " + ip6(11) + "/64 dev eth0");
  take("g1", ip6(11));
  // It asks for the gateway's MAC, by which the host learns who has the address now.
  EXPECT_TRUE(reaches("g1", ip6(11), "fd00:122::1"))
      << all_drops("g1") << guest("g1").sh("ip -6 addr").out << host().sh("ip -6 neigh").out;
  EXPECT_TRUE(reaches("g1", ip6(11))) << all_drops("g1") << host().sh("ip -6 neigh").out;
}

TEST_F(Autoconf, IpOnlyMeansIt) {
  Argv options = fixed(11);
  options.emplace_back("--ip-only");
  EXPECT_THAT(boot("g1", 11, options),
              HasSubstr("vnet-bpf: note: guests of network lab make up IPv6 addresses"));
  take("g1", ip6(11));
  EXPECT_FALSE(reaches("g1", made_up(11)));
  EXPECT_LT(0U, drops_at("g1", "spoofed-source")) << all_drops("g1");
  EXPECT_TRUE(reaches("g1", ip6(11))) << all_drops("g1");
  EXPECT_EQ(true, ground().vnet_json({"ports"})[0]["ip_only"]);
  EXPECT_THAT(ground().vnet({"doctor"}).out, HasSubstr("vnet-bpf set g1 --no-ip-only"));
  auto seen =
      ground().vnet({"explain", "--port", "g1", "--from", made_up(11), "--to", "2001:db8:113::1"}).out;
  EXPECT_THAT(seen, HasSubstr(" --ip-only"));

  // What doctor proposes; it counts once the guest looks for duplicates again.
  EXPECT_EQ("", vnet({"set", "g1", "--no-ip-only"}).err);
  guest("g1").must("ip link set eth0 down; ip link set eth0 up");
  EXPECT_TRUE(wait_until([&] { return has("g1", made_up(11)) && reaches("g1", made_up(11)); },
                         std::chrono::seconds(15)))
      << all_drops("g1");
  EXPECT_THAT(ground().vnet({"doctor"}).out, Not(HasSubstr("ip-only")));

  // And back: what it had claimed is its no longer.
  EXPECT_THAT(vnet({"set", "g1", "--ip-only"}).err, HasSubstr("note: "));
  EXPECT_FALSE(reaches("g1", made_up(11)));
}

// Without a filter, or without --ip of the family, it costs nothing and nothing is said.
TEST_F(Autoconf, IpOnlyIsQuietWhereItCostsNothing) {
  boot("g1", 11, {"--ip", ip4(11), "--ip-only"});
  EXPECT_TRUE(reaches("g1", made_up(11))) << all_drops("g1");
  EXPECT_EQ("", vnet({"set", "g1", "--ip-only", "--filter", "none", "--ip", ip6(11)}).err);
  EXPECT_THAT(ground().vnet({"doctor"}).out, Not(HasSubstr("ip-only")));
}

}  // namespace
}  // namespace vnet::test
