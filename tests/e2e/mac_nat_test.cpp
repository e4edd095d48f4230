// SPDX-License-Identifier: GPL-2.0-or-later
// <vnet:macNat>: direct attachment at a switch that lets one MAC pass, as an access point or a hoster's does.
// What guests do on a network works all the same: ARP, neighbour discovery, DHCP, SLAAC, DAD, mDNS, TCP.
#include "tests/e2e/direct_fixture.h"
#include "tests/support/sockets.h"

namespace vnet::test {
namespace {

using testing::HasSubstr;

class MacNatLan : public DirectTest {
 protected:
  void SetUp() override {
    DirectTest::SetUp();
    if (IsSkipped()) return;
    // The switch's port: from the host's interface nothing but its own MAC, to it nothing but that and
    // groups.
    outside().must(fmt::format(
        "nft -f - <<'E'\ntable netdev switch {{\n"
        "chain in {{ type filter hook ingress device eth0 priority 0; ether saddr != {0} drop; }}\n"
        "chain out {{ type filter hook egress device eth0 priority 0; "
        "ether daddr & 01:00:00:00:00:00 == 00:00:00:00:00:00 ether daddr != {0} drop; }}\n}}\nE",
        mac_of(host())));
  }
  static std::string settings(const std::string& mac_nat) {
    return "<metadata><vnet:network xmlns:vnet='urn:vnet-bpf:network:1'>" + mac_nat +
           "</vnet:network></metadata>";
  }
  void start_mac_nat(const std::string& mode = "bridge", const std::string& mac_nat = "<vnet:macNat/>") {
    std::string xml = lan_xml(mode);
    xml.insert(xml.find("<forward"), settings(mac_nat));
    vnet({"up", file("lan.xml", xml)});
  }
  // A guest that has no address yet.
  void plug_bare(const std::string& name) {
    ground().add_guest(name);
    vnet({"attach", name, "--network", "lan", "--mac", mac_of(guest(name))});
  }
  bool has_address(const std::string& name, const std::string& text) {
    return guest(name).sh("ip addr show dev eth0").out.find(text) != std::string::npos;
  }
};

TEST_F(MacNatLan, WithoutItTheSwitchLetsNoGuestPass) {
  start_lan("bridge");
  plug_direct("g1", 11);
  EXPECT_FALSE(guest("g1").pings(v4(1), 2));
  EXPECT_TRUE(host().pings(v4(1)));
}

// Everybody reaches everybody, in both families, whoever asks first; and nobody outside has seen a guest's
// MAC.
TEST_F(MacNatLan, GuestsAreInTheLanByTheirOwnAddresses) {
  start_mac_nat();
  plug_two();
  for (const char* name : {"g1", "g2"})
    for (int other : {1, 2, 11, 12}) EXPECT_TRUE(reaches_both(guest(name), other)) << name << " to " << other;
  const std::string card = mac_of(host());
  for (int number : {2, 11, 12}) {
    outside().must("ip neigh flush dev eth0; ip -6 neigh flush dev eth0");
    EXPECT_TRUE(reaches_both(outside(), number)) << number;
    for (const auto& address : {v4(number), v6(number)})
      EXPECT_THAT(outside().sh("ip neigh show " + address).out, HasSubstr("lladdr " + card));
  }
  for (int number : {11, 12}) EXPECT_TRUE(reaches_both(host(), number)) << number;
  EXPECT_THAT(guest("g1").sh("ip neigh show " + v4(12)).out, HasSubstr("lladdr " + mac_of(guest("g2"))));
  EXPECT_THAT(vnet({"show", "lan"}).out, HasSubstr("MAC NAT:        on"));
}

TEST_F(MacNatLan, TcpCarriesAndKeepsItsOffloads) {
  start_mac_nat();
  plug_two();
  for (const auto& [server, number] : {std::pair{&outside(), 1}, {&guest("g2"), 12}}) {
    Echo echo(*server, Transport::Tcp, 7000);
    for (const auto& to : {v4(number), v6(number)})
      EXPECT_EQ(3'000'000U, exchange(guest("g1"), {to, 7000}, 3'000'000)) << to;
  }
  Echo echo(guest("g1"), Transport::Tcp, 7000);
  for (const auto& to : {v4(11), v6(11)})
    EXPECT_EQ(3'000'000U, exchange(outside(), {to, 7000}, 3'000'000)) << to;
}

TEST_F(MacNatLan, DhcpSlaacAndDuplicateAddressDetection) {
  start_mac_nat();
  Background dnsmasq = outside().background(
      {"dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--port=0", "--interface=eth0",
       "--bind-interfaces", "--dhcp-range=203.0.113.100,203.0.113.150,255.255.255.0",
       "--dhcp-range=2001:db8:113::,ra-only", "--enable-ra",
       "--dhcp-leasefile=" + (ground().state_dir() / "lan.leases").string(), "--pid-file=", "--user=root"});
  for (const char* name : {"g1", "g2"}) {
    plug_bare(name);
    guest(name).must(
        "sysctl -qw net.ipv6.conf.eth0.accept_ra=1 net.ipv6.conf.eth0.autoconf=1 "
        "net.ipv6.conf.eth0.accept_dad=1; ip link set eth0 down; ip link set eth0 up");
  }
  for (const char* name : {"g1", "g2"}) {
    SCOPED_TRACE(name);
    EXPECT_TRUE(wait_until([&] { return ground().udhcpc(name).ok(); })) << guest(name).sh("ip addr").out;
    EXPECT_TRUE(has_address(name, "203.0.113.1"));
    EXPECT_TRUE(guest(name).pings(v4(1)));
    // dnsmasq takes its time to answer a solicitation, and so does DAD.
    auto configured = [&] { return has_address(name, "2001:db8:113:") && !has_address(name, "tentative"); };
    EXPECT_TRUE(wait_until(configured, std::chrono::seconds(30))) << guest(name).sh("ip addr").out;
    EXPECT_TRUE(guest(name).pings(v6(1)));
  }
  // The lease is for the guest's own MAC.
  for (const char* name : {"g1", "g2"})
    EXPECT_THAT(sh("cat " + (ground().state_dir() / "lan.leases").string()).out,
                HasSubstr(mac_of(guest(name))));
  // An address that somebody outside has is found to be taken.
  guest("g1").must("ip addr add " + v6(1) + "/64 dev eth0");
  EXPECT_TRUE(wait_until([&] { return has_address("g1", "dadfailed"); })) << guest("g1").sh("ip addr").out;
}

TEST_F(MacNatLan, MulticastGoesBothWays) {
  start_mac_nat();
  plug_two();
  const std::string listen =
      "import socket, struct, sys\n"
      "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\ns.setsockopt(socket.SOL_SOCKET, "
      "socket.SO_REUSEADDR, 1)\n"
      "s.bind(('', 5353)); s.settimeout(10)\n"
      "s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton('224.0.0.251') + "
      "socket.inet_aton(sys.argv[1]))\n"
      "data, peer = s.recvfrom(100); open(sys.argv[2], 'w').write(data.decode() + ' ' + peer[0])\n"
      "s.sendto(b'me', peer)\n";
  const std::string ask =
      "import socket, sys\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(1)\n"
      "s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(sys.argv[1]))\n"
      "for i in range(10):\n"
      "    s.sendto(b'who', ('224.0.0.251', 5353))\n"
      "    try: print(s.recvfrom(100)[1][0]); break\n"
      "    except TimeoutError: pass\n";
  struct Way {
    Namespace *from, *to;
    int asker, listener;
  };
  for (const auto& way : {Way{&guest("g1"), &outside(), 11, 1},
                          {&outside(), &guest("g1"), 1, 11},
                          {&guest("g1"), &guest("g2"), 11, 12}}) {
    const auto heard = ground().state_dir() / fmt::format("heard{}", way.listener);
    Background listener = way.to->background({"python3", "-c", listen, v4(way.listener), heard.string()});
    EXPECT_EQ(v4(way.listener) + "\n", way.from->exec({"python3", "-c", ask, v4(way.asker)}).out);
    EXPECT_EQ("who " + v4(way.asker), sh("cat " + heard.string()).out);
  }
}

TEST_F(MacNatLan, ChangesWhileGuestsAreAttached) {
  start_mac_nat("bridge", "<vnet:macNat mode='off'/>");
  plug_direct("g1", 11);
  EXPECT_FALSE(guest("g1").pings(v4(1), 2));
  vnet({"update", "lan", "modify", "vnet:macNat",
        "<vnet:macNat xmlns:vnet='urn:vnet-bpf:network:1' mode='on'/>", "--live"});
  EXPECT_TRUE(wait_until([&] { return guest("g1").pings(v4(1)); }));  // it had given up asking
  // A virtual card is not wireless.
  vnet({"update", "lan", "modify", "vnet:macNat",
        "<vnet:macNat xmlns:vnet='urn:vnet-bpf:network:1' mode='auto'/>", "--live"});
  EXPECT_FALSE(guest("g1").pings(v4(1), 2));
}

// The host's addresses are no guest's, nor is another guest's; explain says why.
TEST_F(MacNatLan, NobodyTakesAnothersAddress) {
  start_mac_nat();
  plug_two();
  EXPECT_TRUE(guest("g1").pings(v4(1)));
  guest("g2").must("ip addr add " + v4(11) + "/24 dev eth0");
  EXPECT_FALSE(guest("g2").sh("ping -c1 -W1 -I " + v4(11) + " " + v4(1)).ok());
  guest("g2").must("ip addr add " + v4(2) + "/24 dev eth0");
  EXPECT_FALSE(guest("g2").sh("ping -c1 -W1 -I " + v4(2) + " " + v4(1)).ok());
  EXPECT_GT(dropped("mac-nat"), 0U);
  EXPECT_TRUE(outside().pings(v4(11)));
  EXPECT_TRUE(host().pings(v4(1)));
  auto told = ground().vnet_json({"explain", "--port", "g2", "--from", v4(11), "--to", v4(1)});
  EXPECT_EQ("mac-nat", told["reason"]) << told;
  EXPECT_THAT(told["cause"].get<std::string>(), HasSubstr("<vnet:macNat/>"));
  told = ground().vnet_json({"explain", "--port", "g1", "--from", v4(11), "--to", v4(1)});
  EXPECT_EQ("outside", told["fate"]) << told;
  EXPECT_EQ(mac_of(host()), told["arrives"]["source_mac"]) << told;
  told = ground().vnet_json({"explain", "--port", "eth0", "--from", v4(1), "--to", v4(11)});
  EXPECT_EQ("guest", told["fate"]) << told;
  EXPECT_EQ("g1", told["interface"]) << told;
}

TEST_F(MacNatLan, PrivateGuestsReachTheOutsideAlone) {
  start_mac_nat("private");
  plug_two();
  EXPECT_TRUE(reaches_both(guest("g1"), 1));
  EXPECT_TRUE(reaches_both(outside(), 12));
  EXPECT_FALSE(guest("g1").pings(v4(12), 2));
}

TEST_F(MacNatLan, NothingOfADetachedGuestIsLeft) {
  start_mac_nat();
  plug_direct("g1", 11);
  EXPECT_TRUE(reaches_both(guest("g1"), 1));
  vnet({"detach", "g1"});
  EXPECT_FALSE(outside().pings(v4(11), 2));
  plug_direct("g2", 11);  // another guest has the address at once
  EXPECT_TRUE(reaches_both(guest("g2"), 1));
  outside().must("ip neigh flush dev eth0");
  EXPECT_TRUE(outside().pings(v4(11)));
}

}  // namespace
}  // namespace vnet::test
