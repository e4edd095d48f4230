// SPDX-License-Identifier: GPL-2.0-or-later
// Guests on a physical interface without a bridge: who reaches whom, what is flooded, what stays whole.
#include <algorithm>
#include <filesystem>
#include <map>

#include "tests/e2e/direct_fixture.h"
#include "tests/support/raw_port.h"
#include "tests/support/tap.h"

namespace vnet::test {
namespace {

using testing::HasSubstr;

// A mode, and whether the switch outside sends frames back.
struct DirectCase {
  const char* mode;
  bool hairpin;
  bool guests, host;  // reach each other
};
constexpr DirectCase cases[] = {
    {"bridge", false, true, true}, {"bridge", true, true, true},     {"vepa", false, false, false},
    {"vepa", true, true, true},    {"private", false, false, false}, {"private", true, false, false},
};

class DirectModes : public DirectTest, public testing::WithParamInterface<DirectCase> {
 protected:
  void SetUp() override {
    DirectTest::SetUp();
    if (IsSkipped()) return;
    make_switch(GetParam().hairpin);
    start_lan(GetParam().mode);
    plug_two();
  }

  // What each namespace receives on a UDP port, as a file; everything sent is one byte.
  std::string heard(const std::string& who) { return (ground().state_dir() / ("heard-" + who)).string(); }
  std::uintmax_t count(const std::string& who) {
    std::error_code none;
    auto size = std::filesystem::file_size(heard(who), none);
    return none ? 0 : size;
  }
  Background ear(Namespace& where, const std::string& who, const std::string& interface) {
    std::filesystem::remove(heard(who));
    Background made =
        where.background({"socat", "-u", "UDP4-RECV:9000,reuseaddr,ip-add-membership=239.1.2.3:" + interface,
                          "CREATE:" + heard(who)});
    EXPECT_TRUE(wait_until([&] { return where.sh("ss -Hlun sport = :9000").out.size() > 10; }));
    return made;
  }
};

TEST_P(DirectModes, WhoReachesWhom) {
  const DirectCase& expected = GetParam();
  EXPECT_EQ(expected.guests, reaches_both(guest("g1"), 12)) << "guest - guest";
  EXPECT_EQ(expected.host, reaches_both(guest("g1"), 2)) << "guest - host";
  EXPECT_EQ(expected.host, reaches_both(host(), 12)) << "host - guest";
  EXPECT_TRUE(reaches_both(guest("g2"), 1)) << "guest - outside";
  EXPECT_TRUE(reaches_both(outside(), 11)) << "outside - guest";
  EXPECT_TRUE(reaches_both(host(), 1)) << "host - outside";
  if (std::string(expected.mode) == "private" && expected.hairpin) {
    EXPECT_GE(dropped("private"), 2U);
  }
}

// Broadcast and multicast reach everybody whom unicast reaches, and once.
TEST_P(DirectModes, GroupFramesArriveOnce) {
  const DirectCase& expected = GetParam();
  const std::string out = "outside";
  for (const char* group : {"203.0.113.255", "239.1.2.3"}) {
    for (const std::string from : {"g1", "host", "outside"}) {
      SCOPED_TRACE(fmt::format("{} from {}", group, from));
      std::map<std::string, Namespace*> all{
          {"g1", &guest("g1")}, {"g2", &guest("g2")}, {"host", &host()}, {out, &outside()}};
      std::vector<Background> ears;
      for (auto& [who, where] : all)
        if (who != from) ears.push_back(ear(*where, who, who == out ? "br0" : "eth0"));
      int number = from == "g1" ? 11 : from == "host" ? 2 : 1;
      all[from]->must(
          fmt::format("for i in 1 2 3; do printf x | socat -u - "
                      "UDP4-DATAGRAM:{}:9000,broadcast,bind={},ip-multicast-if={}; "
                      "done",
                      group, v4(number), v4(number)));
      std::map<std::string, unsigned> wanted;
      for (auto& [who, where] : all) {
        if (who == from) continue;
        bool by_wire = who == out || from == out;
        bool between_guests = who[0] == 'g' && from[0] == 'g';
        wanted[who] = by_wire || (between_guests ? expected.guests : expected.host) ? 3 : 0;
      }
      for (const auto& [who, n] : wanted)
        EXPECT_TRUE(wait_until([&] { return count(who) >= n; }, std::chrono::seconds(2))) << who;
      EXPECT_FALSE(wait_until(
          [&] {
            return std::ranges::any_of(wanted, [&](const auto& w) { return count(w.first) > w.second; });
          },
          std::chrono::milliseconds(300)));
      for (const auto& [who, n] : wanted) EXPECT_EQ(n, count(who)) << who;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Mode, DirectModes, testing::ValuesIn(cases), [](const auto& of) {
  return std::string(of.param.mode) + (of.param.hairpin ? "Hairpin" : "");
});

TEST_F(DirectTest, Passthrough) {
  start_lan("passthrough");
  std::string before = mac_of(host());
  plug_direct("g1", 11);
  EXPECT_EQ(mac_of(guest("g1")), mac_of(host()));
  EXPECT_TRUE(reaches_both(guest("g1"), 1));
  EXPECT_TRUE(reaches_both(outside(), 11));
  EXPECT_FALSE(reaches(guest("g1"), v4(2))) << "the interface is the guest's alone";
  ground().add_guest("g2");
  Output second = ground().vnet({"attach", "g2", "--network", "lan", "--mac", "52:54:00:00:00:02"});
  EXPECT_EQ(1, second.status);
  EXPECT_THAT(second.err, HasSubstr("eth0 has its own"));
  vnet({"set", "g1", "--mac", "52:54:00:00:00:03"});
  EXPECT_EQ("52:54:00:00:00:03", mac_of(host()));
  vnet({"detach", "g1"});
  EXPECT_EQ(before, mac_of(host()));
  EXPECT_TRUE(reaches(host(), v4(1))) << "the host has it back";
  Output unnamed = ground().vnet({"attach", "g2", "--network", "lan"});
  EXPECT_EQ(2, unnamed.status);
  EXPECT_THAT(unnamed.err, HasSubstr("--mac"));
  vnet({"attach", "g2", "--network", "lan", "--mac", "52:54:00:00:00:02"});
  vnet({"stop", "lan"});
  EXPECT_EQ(before, mac_of(host()));
}

TEST_F(DirectTest, AGuestIsItselfOnly) {
  start_lan("bridge");
  plug_two();
  guest("g1").must("ip link set eth0 address " + mac_of(guest("g2")));
  EXPECT_FALSE(reaches(guest("g1"), v4(1)));
  EXPECT_GE(dropped("spoofed-mac"), 1U);
  vnet({"set", "g2", "--link", "down"});
  EXPECT_FALSE(reaches(outside(), v4(12)));
}

// Without --mac MACs are learned; the host's own cannot be.
TEST_F(DirectTest, LearnsMacs) {
  start_lan("bridge");
  plug_direct("g2", 12);
  ground().add_guest("g1");
  guest("g1").must("ip addr add 203.0.113.11/24 dev eth0");
  vnet({"attach", "g1", "--network", "lan"});
  EXPECT_TRUE(reaches(guest("g1"), v4(12)));
  EXPECT_TRUE(reaches(host(), v4(11)));
  EXPECT_TRUE(reaches(outside(), v4(11)));
  auto ports = ground().vnet_json({"ports"});
  EXPECT_EQ(ports[0]["mac"], mac_of(guest("g1")));
  guest("g1").must("ip link set eth0 address " + mac_of(host()));
  EXPECT_FALSE(reaches(guest("g1"), v4(1)));
  EXPECT_GE(dropped("spoofed-mac"), 1U);
}

TEST_F(DirectTest, IsolatedPortsStayApartByWayOfTheSwitchToo) {
  for (const char* mode : {"bridge", "vepa"}) {
    SCOPED_TRACE(mode);
    if (std::string(mode) == "bridge") make_switch(true);
    start_lan(mode);
    if (std::string(mode) == "bridge") {
      plug_two({"--isolated"});
    } else {
      for (const char* name : {"g1", "g2"})
        vnet({"attach", name, "--network", "lan", "--mac", mac_of(guest(name)), "--isolated"});
    }
    EXPECT_FALSE(reaches(guest("g1"), v4(12)));
    EXPECT_TRUE(reaches_both(guest("g1"), 1));
    EXPECT_TRUE(reaches_both(guest("g1"), 2));
    EXPECT_GE(dropped("isolated-port"), 1U);
    vnet({"stop", "lan"});
  }
}

TEST_F(DirectTest, InboundHoldsForFloodsToo) {
  start_lan("bridge");
  plug_direct("g1", 11, {"--inbound", "established"});
  plug_direct("g2", 12);
  EXPECT_TRUE(reaches_both(guest("g1"), 12));
  EXPECT_TRUE(reaches_both(guest("g1"), 1));
  EXPECT_FALSE(reaches(outside(), v4(11)));
  EXPECT_FALSE(reaches(host(), v4(11)));
  EXPECT_FALSE(reaches(guest("g2"), v4(11)));
  auto before = dropped("inbound");
  outside().must("printf x | socat -u - UDP4-DATAGRAM:203.0.113.255:9000,broadcast");
  EXPECT_TRUE(wait_until([&] { return dropped("inbound") > before; }));
}

TEST_F(DirectTest, ADhcpServerOutsideAndItsLeaseIsTheGuests) {
  start_lan("bridge");
  // As a real card does: the checksum is on the wire.
  outside().must("ethtool -K eth0 tx off >/dev/null");
  Background server = outside().background(
      {"dnsmasq", "-k", "-C", "/dev/null", "-i", "eth0", "-p", "0", "--dhcp-range=203.0.113.50,203.0.113.99",
       "--dhcp-leasefile=" + (ground().state_dir() / "outside.leases").string(), "--bind-interfaces",
       "--pid-file="});
  ground().add_guest("g1");
  vnet({"attach", "g1", "--network", "lan", "--mac", mac_of(guest("g1")), "--filter", "clean-traffic"});
  Output client;
  EXPECT_TRUE(wait_until([&] { return (client = ground().udhcpc("g1")).ok(); }, std::chrono::seconds(20)))
      << client.err;
  EXPECT_TRUE(reaches(guest("g1"), v4(1)));
  guest("g1").must("ip addr add 203.0.113.77/32 dev eth0");
  EXPECT_FALSE(guest("g1").sh("ping -c1 -W1 -I 203.0.113.77 203.0.113.1").ok());
  EXPECT_GE(dropped("spoofed-source") + dropped("spoofed-arp"), 1U);
}

TEST_F(DirectTest, ADhcpServerOnTheHost) {
  start_lan("bridge");
  Background server = host().background(
      {"dnsmasq", "-k", "-C", "/dev/null", "-i", "eth0", "-p", "0", "--dhcp-range=203.0.113.50,203.0.113.99",
       "--dhcp-leasefile=" + (ground().state_dir() / "outside.leases").string(), "--bind-interfaces",
       "--pid-file="});
  for (const char* name : {"g1", "g2"}) {
    ground().add_guest(name);
    vnet({"attach", name, "--network", "lan"});
  }
  Output client;
  EXPECT_TRUE(wait_until([&] { return (client = ground().udhcpc("g1")).ok(); }, std::chrono::seconds(20)))
      << client.err;
  EXPECT_TRUE((client = ground().dhclient("g2")).ok()) << client.err;
  EXPECT_TRUE(reaches(guest("g1"), v4(2)));
}

// The kernel keeps the tag beside the frame, where the programs see it, and where it has to stay.
TEST_F(DirectTest, VlanTagsTravelAlong) {
  start_lan("bridge");
  plug_two();
  const std::string mac1 = mac_of(guest("g1")), mac2 = mac_of(guest("g2")), wire = mac_of(outside());
  std::map<std::string, std::unique_ptr<RawPort>> at;
  at["g1"] = std::make_unique<RawPort>(guest("g1"), "eth0", RawPortOptions{.vnet_hdr = false});
  at["g2"] = std::make_unique<RawPort>(guest("g2"), "eth0", RawPortOptions{.vnet_hdr = false});
  at["host"] = std::make_unique<RawPort>(host(), "eth0", RawPortOptions{.vnet_hdr = false});
  at["outside"] = std::make_unique<RawPort>(outside(), "eth0", RawPortOptions{.vnet_hdr = false});
  auto arrives = [&](const std::string& where, int port) {
    return wait_until([&] {
      auto frame = at[where]->receive(std::chrono::milliseconds(100));
      return frame && frame->vlan_tci == 5 && fields(frame->frame).dst_port == port;
    });
  };
  std::uint16_t port = 9000;
  auto sent = [&](const std::string& from, const std::string& source, const std::string& to) {
    at[from]->send(Ethernet{.src = source, .dst = to} / Vlan{.id = 5} / Ipv4{.src = v4(11), .dst = v4(12)} /
                   Udp{.src_port = 4711, .dst_port = ++port} / Payload(30));
    return port;
  };
  EXPECT_TRUE(arrives("g2", sent("g1", mac1, mac2)));
  EXPECT_TRUE(arrives("outside", sent("g1", mac1, wire)));
  EXPECT_TRUE(arrives("host", sent("g1", mac1, mac_of(host()))));
  EXPECT_TRUE(arrives("g1", sent("outside", wire, mac1)));
  EXPECT_TRUE(arrives("g1", sent("host", mac_of(host()), mac1)));
  int broadcast = sent("g1", mac1, "ff:ff:ff:ff:ff:ff");
  for (const char* who : {"g2", "host", "outside"}) EXPECT_TRUE(arrives(who, broadcast)) << who;
}

TEST_F(DirectTest, BulkTcpToEverybody) {
  start_lan("bridge");
  plug_two();
  Background on_host = host().background({"iperf3", "-s"}),
             on_guest = guest("g2").background({"iperf3", "-s"}),
             on_outside = outside().background({"iperf3", "-s"});
  for (int number : {1, 2, 12})
    for (const char* direction : {"", "-R"})
      for (const std::string& to : {v4(number), v6(number)}) {
        Output output;
        EXPECT_TRUE(wait_until([&] {
          output = guest("g1").sh("iperf3 -J -n 20M -c " + to + " " + direction);
          return output.ok();
        })) << to
            << direction << output.out;
      }
}

// A hypervisor can write larger frames to its tap than the wire takes.
TEST_F(DirectTest, MoreThanTheWireTakesIsDropped) {
  start_lan("bridge");
  Tap tap(host(), "tap1");
  host().must("ip link set tap1 mtu 4000");
  vnet({"attach", "tap1", "--network", "lan", "--mac", "52:54:00:00:00:11"});
  EXPECT_THAT(host().sh("ip link show tap1").out, HasSubstr("mtu 1500"));
  RawPort wire(outside(), "eth0");
  auto frame = [&](int size) {
    return Ethernet{.src = "52:54:00:00:00:11", .dst = mac_of(outside())} /
           Ipv4{.src = v4(11), .dst = v4(1)} / Udp{.src_port = 4711, .dst_port = 9000} / Payload(size);
  };
  auto ours = [](const VirtioFrame& f) { return fields(f.frame).src_port == 4711; };
  tap.send(frame(1473));
  wire.expect_no_frame(ours);
  EXPECT_EQ(1U, dropped("too-big"));
  tap.send(frame(1472));
  EXPECT_TRUE(wire.expect_frame(ours));
}

// An uplink and a parent at once: guests of a NAT network and those on the wire meet as strangers do.
TEST_F(DirectTest, SharesItsInterfaceWithAMasqueradedNetwork) {
  for (const char* how : {"tcx", "clsact"})
    for (bool direct_first : {true, false}) {
      SCOPED_TRACE(fmt::format("{} {}", how, direct_first));
      setenv("VNET_BPF_ATTACH", how, 1);
      if (direct_first) start_lan("bridge");
      start();
      if (!direct_first) start_lan("bridge");
      // Other addresses each time: the host remembers whose they were.
      int number = 20 + 2 * (how[0] == 'c') + direct_first;
      std::string d = fmt::format("d{}", number), n = fmt::format("n{}", number);
      plug_direct(d, number);
      plug(n, number);
      for (const std::string& bind : {v4(number), "[" + v6(number) + "]"}) {
        Background server = guest(d).background(
            {"socat",
             std::string(bind[0] == '[' ? "TCP6" : "TCP4") + "-LISTEN:8080,reuseaddr,fork,bind=" + bind,
             "SYSTEM:echo $SOCAT_PEERADDR"});
        EXPECT_TRUE(wait_until([&] { return guest(d).sh("ss -Hltn sport = :8080").out.size() > 10; }));
        for (int round = 0; round < 2; ++round) {
          std::string seen =
              guest(n).sh("socat -T2 - TCP:" + bind + ":8080,connect-timeout=2 </dev/null").out;
          EXPECT_THAT(seen, HasSubstr(bind[0] == '[' ? "0113:0000:0000:0000:0000:0002" : "203.0.113.2"));
        }
      }
      EXPECT_FALSE(guest(d)
                       .sh("ip route add 192.168.122.0/24 via 203.0.113.2; ping -c1 -W1 192.168.122." +
                           std::to_string(number))
                       .ok());
      EXPECT_TRUE(reaches_both(guest(d), 1));
      EXPECT_TRUE(reaches_both(guest(d), 2));
      EXPECT_TRUE(guest(n).pings("203.0.113.1"));
      vnet({"stop", direct_first ? "lan" : "lab"});
      EXPECT_TRUE(direct_first ? guest(n).pings("203.0.113.1") : reaches_both(guest(d), 1));
      vnet({"stop", direct_first ? "lab" : "lan"});
    }
  unsetenv("VNET_BPF_ATTACH");
}

}  // namespace
}  // namespace vnet::test
