// SPDX-License-Identifier: GPL-2.0-or-later
// Lines of the last table in docs/migrating.md, each on both sides. Where it says EXPECT_EQ(theirs(), ...),
// that is the difference.
#include <fmt/format.h>

#include <fstream>
#include <set>

#include "tests/guest/side_by_side.h"

namespace vnet::test {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;

INSTANTIATE_TEST_SUITE_P(On, SideBySideTest, testing::Values(Driver::Libvirt, Driver::VnetBpf),
                         [](const auto& of) { return of.param == Driver::Libvirt ? "libvirt" : "vnet_bpf"; });

TEST_P(SideBySideTest, OfLinkProtocolsStpAloneFloodsABridge) {
  RawPort mouth(guest("g1"), "eth0"), ear(guest("g2"), "eth0");
  auto floods = [&](const std::string& to, std::uint16_t type) {
    mouth.send(Ethernet{.src = mac("g1"), .dst = to, .type = type} / Payload(60));
    return hears(ear, [&](const VirtioFrame& frame) { return fields(frame.frame).dst_mac == to; });
  };
  EXPECT_TRUE(floods("ff:ff:ff:ff:ff:ff", 0x88b5));
  EXPECT_EQ(theirs(), floods("01:80:c2:00:00:00", 38));
  EXPECT_FALSE(floods("01:80:c2:00:00:02", 0x8809)) << "LACP";
  EXPECT_FALSE(floods("01:80:c2:00:00:0e", 0x88cc)) << "LLDP";
}

TEST_P(SideBySideTest, ASynAckWithoutAConnection) {
  RawPort ear(outside(), "eth0"), mouth(guest("g1"), "eth0");
  auto leaves_as = [&](const std::string& source, const std::string& flags) {
    mouth.send(
        Ethernet{.src = mac("g1"), .dst = gateway_mac} / Ipv4{.src = address("g1"), .dst = outside_address} /
        Tcp{.src_port = 4711, .dst_port = 81, .flags = flags, .seq = 1, .ack = flags == "S" ? 0U : 1U});
    return hears(ear, [&](const VirtioFrame& frame) {
      Fields is = fields(frame.frame);
      return is.src == source && is.dst_port == 81 && is.tcp_flags == flags;
    });
  };
  EXPECT_EQ(theirs(), leaves_as(address("g1"), "SA"));
  EXPECT_FALSE(leaves_as("203.0.113.2", "SA"));
  EXPECT_TRUE(leaves_as("203.0.113.2", "S"));
}

TEST_P(SideBySideTest, TheSameSourcePortToTheSamePeer) {
  Background server =
      outside().background({"socat", "TCP4-LISTEN:9000,fork,reuseaddr", "SYSTEM:echo $SOCAT_PEERPORT"});
  ASSERT_TRUE(wait_until([&] { return !outside().sh("ss -Hltn sport = :9000").out.empty(); }));
  std::set<std::string> ports;
  for (const char* name : {"g1", "g2"})
    ports.insert(guest(name).sh("socat -u TCP4:203.0.113.1:9000,sourceport=20000 -").out);
  EXPECT_THAT(ports, AllOf(SizeIs(2), Contains("20000\n"), Not(Contains(""))));
}

TEST_P(SideBySideTest, FromNetworkToNetwork) {
  EXPECT_TRUE(soon("answered", "g1", outside_address));
  EXPECT_TRUE(soon("refused", "g1", address("g3"))) << "NAT to NAT";
  EXPECT_TRUE(soon("refused", "g4", outside_address)) << "isolated to outside";
  EXPECT_TRUE(soon("refused", "g4", address("g1"))) << "isolated to NAT";
  RawPort ear(guest("g5"), "eth0");
  EXPECT_EQ(theirs() ? "nothing" : "refused", ping("g4", address("g5"))) << "isolated to routed";
  EXPECT_EQ(theirs(),
            hears(ear, [&](const VirtioFrame& frame) { return fields(frame.frame).src == address("g4"); }));
}

TEST_P(SideBySideTest, IsolatedPortsByWayOfTheHost) {
  EXPECT_TRUE(soon("answered", "g1", address("g2")));
  for (auto [name, peer] : {std::pair{"g1", "g2"}, {"g2", "g1"}}) {
    isolate(name, true);
    guest(name).must("ip route add " + address(peer) + " via 192.168.122.1; ip neigh flush dev eth0");
  }
  if (theirs())
    EXPECT_TRUE(soon("answered", "g1", address("g2")));
  else
    EXPECT_EQ("nothing", ping("g1", address("g2")));
  for (auto [name, peer] : {std::pair{"g1", "g2"}, {"g2", "g1"}}) {
    guest(name).must("ip route del " + address(peer));
    EXPECT_EQ("nothing", ping(name, address(peer)));  // without the detour
  }
  for (const char* name : {"g1", "g2"}) isolate(name, false);
  EXPECT_TRUE(soon("answered", "g1", address("g2")));
}

// Without a checksum rule, libvirt's dnsmasq leaves the sum to a network card that is not there.
TEST_P(SideBySideTest, DhcpRepliesAreWhole) {
  auto is_whole = [&] {
    RawPort ear(guest("g1"), "eth0");
    Background client =
        guest("g1").background({"busybox", "udhcpc", "-q", "-i", "eth0", "-n", "-s", "/bin/true"});
    auto reply =
        ear.expect_frame([](const VirtioFrame& frame) { return fields(frame.frame).src_port == 67; });
    return reply && !reply->needs_checksum() && is_sound(*reply);
  };
  std::string rules = ground().state_dir() / "mangle";
  EXPECT_TRUE(is_whole());
  host().must("iptables-save -t mangle > " + rules + "; iptables -t mangle -F");
  EXPECT_EQ(ours(), is_whole());
  host().must("iptables-restore < " + rules);
}

TEST_P(SideBySideTest, CleanTraffic) {
  std::string peer =
      guest("g2").sh("ip -6 addr show dev eth0 | grep -o 'fe80[^/]*' | tr -d '\\n'").out + "%eth0";
  EXPECT_TRUE(soon("answered", "g1", peer));
  if (theirs()) {
    auto file = ground().state_dir() / "binding.xml";
    std::ofstream(file) << fmt::format(
        "<filterbinding><owner><name>g1</name><uuid>12345678-1234-1234-1234-1234567890ab</uuid></owner>"
        "<portdev name='g1'/><mac address='{}'/><filterref filter='clean-traffic'>"
        "<parameter name='MAC' value='{}'/><parameter name='IP' value='{}'/></filterref></filterbinding>",
        mac("g1"), mac("g1"), address("g1"));
    libvirt().must({"nwfilter-binding-create", file});
  } else {
    vnet({"set", "g1", "--filter", "clean-traffic", "--ip", address("g1")});
  }
  EXPECT_TRUE(soon("answered", "g1", address("g2")));
  EXPECT_EQ(ours() ? "answered" : "nothing", ping("g1", peer));
  RawPort ear(guest("g2"), "eth0");
  RawPort(guest("g1"), "eth0")
      .send(Ethernet{.src = mac("g1"), .dst = "ff:ff:ff:ff:ff:ff"} /
            Arp{.sender_mac = mac("g1"), .target_ip = address("g1")});
  EXPECT_EQ(ours(), hears(ear, [&](const VirtioFrame& frame) {
              return fields(frame.frame).src_mac == mac("g1") &&
                     fields(frame.frame).dst_mac == "ff:ff:ff:ff:ff:ff";
            }));
  if (theirs())
    libvirt().must({"nwfilter-binding-delete", "g1"});
  else
    vnet({"set", "g1", "--filter", "none", "--ip", "none"});
}

// Both keep them whole; whose are seen by the host's FORWARD chain is the difference.
TEST_P(SideBySideTest, SegmentsBetweenGuests) {
  EXPECT_TRUE(soon("answered", "g1", address("g2")));
  host().must("iptables -I FORWARD -s " + address("g1") + " -d " + address("g2"));
  Background sink = guest("g2").background({"socat", "-u", "TCP4-LISTEN:9100,reuseaddr", "OPEN:/dev/null"});
  ASSERT_TRUE(wait_until([&] { return !guest("g2").sh("ss -Hltn sport = :9100").out.empty(); }));
  RawPort ear(guest("g2"), "eth0");
  guest("g1").must("head -c 4000000 /dev/zero | socat -u -b 262144 - TCP4:" + address("g2") + ":9100");
  EXPECT_TRUE(hears(ear, [](const VirtioFrame& frame) { return frame.frame.size() > 30000; }));
  long bytes = std::stol(host().sh("iptables -nvxL FORWARD 1 | awk '{print $2}'").out);
  EXPECT_EQ(theirs(), bytes > 1000000) << bytes;
  host().must("iptables -D FORWARD 1");
}

// Docker's policy. What libvirt accepts in the FORWARD chain itself is an exception from it; its nftables
// backend has a table of its own, whose rules are none.
TEST_P(SideBySideTest, ForwardPolicyDrop) {
  bool in_the_chain = theirs() && !host().sh("nft list table ip libvirt_network").ok();
  host().must("iptables -P FORWARD DROP");
  EXPECT_EQ(in_the_chain ? "answered" : "nothing", ping("g1", outside_address));
  EXPECT_EQ(in_the_chain || ours() ? "answered" : "nothing", ping("g1", address("g2")));
  host().must("iptables -P FORWARD ACCEPT");
}

// libvirtd, or `vnet-bpf run`.
TEST_P(SideBySideTest, WhoeverMadeTheRulesMayEnd) {
  if (theirs()) {
    libvirt().stop();
  } else {
    std::string state = ground().state_dir();
    Background run = host().background(
        {"sh", "-c",
         fmt::format("VNET_BPF_STATE_DIR={0} {1} run; echo $? > {0}/ended", state, VNET_PROGRAM)});
    auto written = [&](const std::string& name) {
      return wait_until([&] { return sh("test -s " + state + "/" + name).ok(); });
    };
    ASSERT_TRUE(written("run/run.lock"));
    EXPECT_TRUE(soon("answered", "g1", outside_address));
    sh("kill $(awk '/pid/ {print $2}' " + state + "/run/run.lock)");
    EXPECT_TRUE(written("ended"));
  }
  EXPECT_TRUE(soon("answered", "g1", outside_address));
  EXPECT_TRUE(soon("refused", "g4", address("g1")));
  if (theirs()) libvirt().start();
}

TEST_P(SideBySideTest, AFlushOfTheFirewall) {
  host().must("nft flush ruleset");
  EXPECT_EQ(ours() ? "answered" : "nothing", ping("g1", outside_address));
  EXPECT_TRUE(soon(ours() ? "refused" : "answered", "g4", address("g1")));
  stop("other");
  EXPECT_EQ(ours(), start("other").ok());
  if (theirs()) {
    libvirt().restart();
    EXPECT_TRUE(starts_soon("other"));
    EXPECT_TRUE(soon("refused", "g4", address("g1")));
  }
  plug("g3");
}

TEST_P(SideBySideTest, ANetworkStopsWhileAGuestRuns) {
  stop("other");
  EXPECT_FALSE(host().sh("ip link show virbr1").ok());
  Output card = host().sh("ip -o link show g3");
  EXPECT_TRUE(card.ok());
  EXPECT_THAT(card.out, Not(HasSubstr("master")));
  EXPECT_EQ("nothing", ping("g3", "192.168.123.1"));
  EXPECT_TRUE(starts_soon("other"));
  plug("g3");
  EXPECT_TRUE(soon("answered", "g3", "192.168.123.1"));
}

}  // namespace
}  // namespace vnet::test
