// SPDX-License-Identifier: GPL-2.0-or-later
// Guests on the host's own bridge: g1 203.0.113.11, 2001:db8:113::11; g2 .12, ::12. The host's eth0 is a
// member of br0, which has the host's addresses (.2).
#include <fmt/format.h>

#include "tests/e2e/network_fixture.h"

namespace vnet::test {
namespace {

using testing::HasSubstr;

class Bridged : public NetworkTest {
 protected:
  void SetUp() override {
    NetworkTest::SetUp();
    if (IsSkipped()) return;
    // Where br_netfilter is there it filters inside bridges, and no frame would go past ours.
    host().sh(
        "for of in ip ip6 arp; do echo 0 > /proc/sys/net/bridge/bridge-nf-call-${of}tables; done "
        "2>/dev/null");
    host().must(
        "ip addr flush dev eth0 scope global; ip link add br0 type bridge; ip link set eth0 master br0; "
        "ip link set br0 up; ip addr add 203.0.113.2/24 dev br0; ip addr add 2001:db8:113::2/64 dev br0 "
        "nodad; "
        "ip route replace default via 203.0.113.1");
  }

  void start_bridged() {
    vnet({"up",
          file("lan.xml",
               "<network><name>lan</name><forward mode='bridge'/><bridge name='br0'/><metadata>"
               "<vnet:network xmlns:vnet='urn:vnet-bpf:network:1'><vnet:uplink dev='eth0'/></vnet:network>"
               "</metadata></network>")});
  }
  void plug_lan(const std::string& name, int number) {
    ground().add_guest(name);
    guest(name).must(fmt::format(
        "ip addr add 203.0.113.{0}/24 dev eth0; ip addr add 2001:db8:113::{0}/64 dev eth0 nodad", number));
    std::string mac = guest(name).sh("ip -br link show eth0 | awk '{print $3}'").out.substr(0, 17);
    vnet({"attach", name, "--network", "lan", "--mac", mac});
  }
  void start_with_guests() {
    start_bridged();
    plug_lan("g1", 11);
    plug_lan("g2", 12);
  }

  // A link of ours, by its pin: while it is there the program is, too. Without tcx: a filter, which nobody
  // else has here.
  bool is_attached(const std::string& interface) {
    if (!host().sh("tc filter show dev " + interface + " ingress").out.empty()) return true;
    return !host()
                .sh("find " + (ground().state_dir() / "bpf").string() + " -path '*/links/" + interface +
                    "-ingress'")
                .out.empty();
  }

  bool filters_vlans() { return host().sh("ip link set br0 type bridge vlan_filtering 1").ok(); }

  bool everybody_reaches_everybody() {
    bool all = true;
    auto reach = [&](Namespace& from, const char* to) {
      bool ok = from.pings(to);
      EXPECT_TRUE(ok) << to << "\n" << ground().vnet({"stats"}).out;
      all &= ok;
    };
    for (const char* to : {"203.0.113.1", "203.0.113.2", "203.0.113.12", "2001:db8:113::1", "2001:db8:113::2",
                           "2001:db8:113::12"})
      reach(guest("g1"), to);
    for (const char* to : {"203.0.113.11", "2001:db8:113::11"}) {
      reach(outside(), to);
      reach(host(), to);
      reach(guest("g2"), to);
    }
    return all;
  }
  // Ten requests, so that some take the shortcut where there is one.
  static int answers(Namespace& from, const std::string& to) {
    std::string out = from.sh("ping -q -c10 -i0.02 -W1 " + to).out;
    auto at = out.find(" received");
    auto comma = out.rfind(", ", at);
    return at == std::string::npos ? -1 : std::stoi(out.substr(comma + 2));
  }
  bool goes_silent(Namespace& from, const std::string& to) {
    return wait_until([&] { return answers(from, to) == 0; }, std::chrono::seconds(15));
  }
};

TEST_F(Bridged, TheWayOutIsNoGuest) {
  start_bridged();
  ground().add_guest("g1");
  host().must("ip link set g1 master br0");
  vnet({"attach", "--all-members", "lan"});
  auto ports = ground().vnet_json({"ports"});
  ASSERT_EQ(1U, ports.size());
  EXPECT_EQ("g1", ports[0]["interface"]);
}

TEST_F(Bridged, EverybodyReachesEverybody) {
  start_with_guests();
  everybody_reaches_everybody();
  EXPECT_EQ(10, answers(guest("g1"), "203.0.113.1"));
  EXPECT_EQ(10, answers(outside(), "203.0.113.11"));
  EXPECT_EQ(10, answers(guest("g1"), "203.0.113.12"));
  Output show = vnet({"show", "lan"});
  EXPECT_THAT(show.out, HasSubstr("eth0"));
  auto ports = ground().vnet_json({"ports"});
  EXPECT_EQ("bridge", ports[0]["type"]);
  EXPECT_EQ("br0", ports[0]["source"]);
}

TEST_F(Bridged, BulkTcpBothWaysAndFamilies) {
  start_with_guests();
  Background server = outside().background({"iperf3", "-s"});
  Background neighbour = guest("g2").background({"iperf3", "-s"});
  for (const char* target : {"203.0.113.1", "2001:db8:113::1", "203.0.113.12"})
    for (const char* direction : {"", "-R"}) {
      Output output;
      wait_until([&] {
        output = guest("g1").sh(std::string("iperf3 -J -n 20M -c ") + target + " " + direction);
        return output.ok();
      });
      EXPECT_TRUE(output.ok()) << target << direction << output.out;
    }
  // Nothing passes uncounted, by the bridge or past it.
  auto stats = ground().vnet_json({"stats"});
  auto link = nlohmann::json::parse(host().sh("ip -s -j link show eth0").out)[0]["stats64"];
  for (const char* way : {"rx", "tx"})
    EXPECT_NEAR(stats["uplinks"][0][std::string(way) + "_bytes"].get<double>(),
                link[way]["bytes"].get<double>(), 100'000.0)
        << way;
}

TEST_F(Bridged, TheBridgeStaysAsItWas) {
  auto look = [&] {
    return host()
        .sh("ip -br addr show br0 | cut -c34-; bridge link; bridge vlan; cat /proc/sys/net/ipv4/ip_forward")
        .out;
  };
  std::string before = look();
  start_bridged();
  EXPECT_TRUE(is_attached("eth0"));
  ground().add_guest("g1");
  vnet({"attach", "g1", "--network", "lan"});
  vnet({"detach", "g1"});
  EXPECT_EQ(before, look());
  vnet({"stop", "lan"});
  EXPECT_EQ(before, look());
  EXPECT_FALSE(is_attached("eth0"));
  start_bridged();  // and again
  vnet({"attach", "g1", "--network", "lan"});
  guest("g1").must("ip addr add 203.0.113.11/24 dev eth0");
  EXPECT_TRUE(guest("g1").pings("203.0.113.1"));
}

// Spanning tree, or an administrator, blocks a port: ours obey, even those that are in full swing.
TEST_F(Bridged, ABlockedPortCarriesNothing) {
  start_with_guests();
  ASSERT_EQ(10, answers(guest("g1"), "203.0.113.1"));
  host().must("bridge link set dev eth0 state 0");
  EXPECT_TRUE(goes_silent(guest("g1"), "203.0.113.1"));
  EXPECT_EQ(0, answers(outside(), "203.0.113.12"));
  EXPECT_EQ(10, answers(guest("g1"), "203.0.113.12"));
  host().must("bridge link set dev eth0 state 3");
  EXPECT_TRUE(guest("g1").pings("203.0.113.1"));
  host().must("bridge link set dev g1 state 0");
  EXPECT_TRUE(goes_silent(guest("g2"), "203.0.113.11"));
}

TEST_F(Bridged, VlanFilteringSeparates) {
  if (!filters_vlans()) GTEST_SKIP() << "the kernel has no BRIDGE_VLAN_FILTERING";
  start_with_guests();
  ASSERT_TRUE(guest("g1").pings("203.0.113.1"));
  host().must("bridge vlan del dev g1 vid 1; bridge vlan add dev g1 vid 10 pvid untagged");
  EXPECT_TRUE(goes_silent(guest("g1"), "203.0.113.1"));
  EXPECT_EQ(0, answers(guest("g1"), "203.0.113.12"));
  host().must("bridge vlan del dev g2 vid 1; bridge vlan add dev g2 vid 10 pvid untagged");
  EXPECT_TRUE(guest("g1").pings("203.0.113.12"));
  EXPECT_EQ(10, answers(guest("g1"), "203.0.113.12"));
}

// A guest's frames leave tagged: the shortcut must not take the tag away.
TEST_F(Bridged, TaggedUplink) {
  if (!filters_vlans()) GTEST_SKIP() << "the kernel has no BRIDGE_VLAN_FILTERING";
  host().must("bridge vlan add dev eth0 vid 20");
  start_with_guests();
  host().must("bridge vlan del dev g1 vid 1; bridge vlan add dev g1 vid 20 pvid untagged");
  Background capture = outside().background({"timeout", "60", "tcpdump", "-Z", "root", "-U", "-w",
                                             (ground().state_dir() / "wire.pcap").string(), "-c", "20", "-i",
                                             "eth0", "vlan", "20", "and", "arp"});
  std::string seen;
  EXPECT_TRUE(wait_until([&] {
    guest("g1").sh("ping -c1 -W1 203.0.113.1");
    seen = outside().sh("tcpdump -enr " + (ground().state_dir() / "wire.pcap").string() + " 2>/dev/null").out;
    return seen.find("vlan 20") != std::string::npos;
  })) << seen;
}

// Who filters inside the bridge sees every frame, also of what is under way.
TEST_F(Bridged, RulesOfTheBridgeFamilyHold) {
  host().must(
      "nft add table bridge t; nft add chain bridge t f '{ type filter hook forward priority 0; }'; "
      "nft add rule bridge t f tcp dport 8080 drop");
  start_with_guests();
  Background listener = outside().background({"socat", "TCP4-LISTEN:8080,reuseaddr,fork", "SYSTEM:echo yes"});
  ASSERT_EQ(10, answers(guest("g1"), "203.0.113.1"));
  EXPECT_EQ("", guest("g1").sh("socat -T1 - TCP:203.0.113.1:8080,connect-timeout=1 </dev/null").out);
  host().must("nft flush chain bridge t f");
  EXPECT_TRUE(wait_until(
      [&] { return guest("g1").sh("socat -T1 - TCP:203.0.113.1:8080 </dev/null").out == "yes\n"; }));
}

// Added while the network is active: every changing command looks.
TEST_F(Bridged, ChangesAroundTheBridgeAreSeenByTheNextCommand) {
  start_with_guests();
  ASSERT_EQ(10, answers(guest("g1"), "203.0.113.1"));
  EXPECT_THAT(vnet({"set", "g1", "--model", "virtio", "--dry-run"}).out, testing::Not(HasSubstr("br0")));
  host().must("nft add table bridge t");
  EXPECT_THAT(ground().vnet({"set", "g1", "--model", "virtio", "--dry-run"}).out,
              HasSubstr("leave every frame to br0"));
  EXPECT_EQ(true, ground().vnet_json({"show", "lan"})["shortcut"]);
  vnet({"set", "g1", "--model", "virtio"});
  EXPECT_EQ(false, ground().vnet_json({"show", "lan"})["shortcut"]);
  host().must("nft delete table bridge t");
  EXPECT_THAT(vnet({"set", "g1", "--model", "e1000", "--dry-run"}).out,
              HasSubstr("take the shortcut past br0"));
  // The way out is made anew, as when a driver is loaded again.
  host().must("ip link del eth0; ip link add eth0 type veth peer name eth0 netns " + outside().name() +
              "; ip link set eth0 master br0; ip link set eth0 up");
  outside().must("ip link set eth0 up; ip addr add 203.0.113.1/24 dev eth0");
  vnet({"set", "g1", "--model", "e1000"});
  guest("g1").must("ip neigh flush all");  // the outside's MAC is another one now
  ASSERT_TRUE(guest("g1").pings("203.0.113.1"));
  auto stats = ground().vnet_json({"stats"});
  EXPECT_GT(stats["uplinks"][0]["tx_packets"].get<int>(), 0);
}

TEST_F(Bridged, OtherMembersAreLeftAlone) {
  start_with_guests();
  ground().add_guest("g3");  // plugged in by somebody else
  host().must("ip link set g3 master br0");
  guest("g3").must("ip addr add 203.0.113.13/24 dev eth0");
  for (Namespace* from : {&guest("g1"), &outside(), &host()}) EXPECT_EQ(10, answers(*from, "203.0.113.13"));
  EXPECT_EQ(10, answers(guest("g3"), "203.0.113.11"));
  EXPECT_TRUE(is_attached("eth0") && is_attached("g1"));
  EXPECT_FALSE(is_attached("g3"));
}

// A guest moves to another host: its MAC shows up outside. Nobody may go on sending to where it was.
TEST_F(Bridged, AMovedGuestIsFollowed) {
  start_with_guests();
  ASSERT_EQ(10, answers(guest("g2"), "203.0.113.11"));
  std::string mac = guest("g1").sh("ip -br link show eth0 | awk '{print $3}'").out.substr(0, 17);
  guest("g1").must("ip link set eth0 down");
  vnet({"detach", "g1"});
  outside().must("ip link add mv0 link eth0 type macvlan mode bridge 2>/dev/null || true");
  if (outside().sh("ip link show mv0").ok()) {
    outside().must("ip link set mv0 address " + mac +
                   "; ip link set mv0 up; ip addr add 203.0.113.11/24 dev mv0");
  } else {
    outside().must("ip link set eth0 down; ip link set eth0 address " + mac +
                   "; ip link set eth0 up; ip addr add 203.0.113.11/24 dev eth0");
  }
  EXPECT_TRUE(guest("g2").pings("203.0.113.11"));
}

// The bridge's way out is a bond, which is found without being named.
TEST_F(Bridged, OverABond) {
  if (!host().sh("ip link add bond0 type bond mode active-backup miimon 100").ok())
    GTEST_SKIP() << "the kernel has no bonding driver";
  host().must(
      "ip link set eth0 nomaster; ip link set eth0 down; ip link set eth0 master bond0; ip link set bond0 "
      "up; "
      "ip link set bond0 master br0");
  auto lan = [&] {
    return ground().vnet({"up", file("bond.xml",
                                     "<network><name>lan</name><forward mode='bridge'/><bridge name='br0'/>"
                                     "</network>")});
  };
  Output up = lan();
  ASSERT_EQ(0, up.status) << up.err;
  plug_lan("g1", 11);
  plug_lan("g2", 12);
  everybody_reaches_everybody();
  EXPECT_EQ(10, answers(guest("g1"), "203.0.113.1"));
  auto stats = ground().vnet_json({"stats"});
  EXPECT_EQ("bond0", stats["uplinks"][0]["interface"]);
  vnet({"stop", "lan"});
  for (const char* mode : {"balance-rr", "broadcast", "balance-tlb", "balance-alb"}) {
    host().must(std::string("ip link add bad0 type bond mode ") + mode + "; ip link set bad0 master br0");
    Output refused = lan();
    EXPECT_EQ(1, refused.status) << mode;
    EXPECT_THAT(refused.err, HasSubstr(std::string("bond bad0 has mode ") + mode));
    host().must("ip link del bad0");
  }
}

TEST_F(Bridged, RefusalsSayWhatIsMissing) {
  auto start = [&](const std::string& bridge, const std::string& uplink = "") {
    return ground().vnet(
        {"up", file("x.xml", "<network><name>x</name><forward mode='bridge'/><bridge name='" + bridge +
                                 "'/><metadata>" + "<vnet:network xmlns:vnet='urn:vnet-bpf:network:1'>" +
                                 (uplink.empty() ? "" : "<vnet:uplink dev='" + uplink + "'/>") +
                                 "</vnet:network></metadata></network>")});
  };
  Output missing = start("br7");
  EXPECT_EQ(3, missing.status);
  EXPECT_THAT(missing.err, HasSubstr("the host has no bridge br7"));
  EXPECT_EQ(2, start("eth0").status);
  Output member = start("br0", "eth7");
  EXPECT_EQ(3, member.status);
  EXPECT_THAT(member.err, HasSubstr("no member of bridge br0"));
  start_bridged();
  EXPECT_EQ(1, start("br0").status);  // taken
}

}  // namespace
}  // namespace vnet::test
