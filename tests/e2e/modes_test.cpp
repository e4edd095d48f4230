// SPDX-License-Identifier: GPL-2.0-or-later
// The comparison table of connection types, and who reaches whom between networks: docs/modes.md is checked
// against the same lists.
#include <fmt/format.h>

#include "tests/e2e/network_fixture.h"

namespace vnet::test {
namespace {

using testing::HasSubstr;

// A network of each kind, with one guest (N.11) or two (N.12); "NAT4" leaves IPv6 untranslated.
struct ModeKind {
  const char* name;
  const char* forward;  // XML
  int number;           // 10.88.N.0/24, fd00:88:N::/64
  bool hidden;          // nobody outside may begin
};
constexpr ModeKind mode_kinds[] = {
    {"nat", "<forward mode='nat'><nat ipv6='yes'/></forward>", 1, true},
    {"nat4", "<forward mode='nat'/>", 2, true},
    {"route", "<forward mode='route'/>", 3, false},
    {"isolated", "", 4, true},
    {"open", "<forward mode='open'/>", 5, false},
};

std::string v4_of(int network, int host) {
  return fmt::format("10.88.{}.{}", network, host);
}
std::string v6_of(int network, int host) {
  return fmt::format("fd00:88:{}::{}", network, host);
}

std::string network_xml(const ModeKind& kind, const std::string& extra = "", const std::string& dhcp = "") {
  return fmt::format(
      "<network><name>{0}</name>{1}<bridge name='br{0}' stp='off'/>{2}"
      "<ip address='10.88.{3}.1' netmask='255.255.255.0'>{4}</ip>"
      "<ip family='ipv6' address='fd00:88:{3}::1' prefix='64'/></network>",
      kind.name, kind.forward, extra, kind.number, dhcp);
}

class ModesTest : public NetworkTest {
 protected:
  void start_kind(const ModeKind& kind, const std::string& extra = "", const std::string& dhcp = "") {
    vnet({"up", file(std::string(kind.name) + ".xml", network_xml(kind, extra, dhcp))});
  }
  // Guest KIND-1 has .11, KIND-2 .12.
  void plug_kind(const ModeKind& kind, int nth = 1) {
    std::string name = guest_name(kind, nth);
    ground().add_guest(name);
    guest(name).must(
        fmt::format("ip addr add {}/24 dev eth0; ip addr add {}/64 dev eth0 nodad; ip link set eth0 up; "
                    "ip route replace default via {}; ip -6 route replace default via {}",
                    v4_of(kind.number, 10 + nth), v6_of(kind.number, 10 + nth), v4_of(kind.number, 1),
                    v6_of(kind.number, 1)));
    std::string mac = guest(name).sh("ip -br link show eth0 | awk '{print $3}'").out.substr(0, 17);
    vnet({"attach", name, "--network", kind.name, "--mac", mac});
    wait_until_forwarding(name);
  }
  static std::string guest_name(const ModeKind& kind, int nth = 1) {
    return fmt::format("{}-{}", kind.name, nth);
  }

  void route_back() {
    outside().must(
        "ip route add 10.88.0.0/16 via 203.0.113.2; ip -6 route add fd00:88::/32 via 2001:db8:113::2");
  }
  // Patient with a busy machine; who is refused hears so at once.
  static bool reaches(Namespace& from, const std::string& to) { return from.pings(to, 4); }
  // The address that a server sees of its client; empty: no connection.
  std::string seen_from(Namespace& client, Namespace& server, const std::string& address) {
    bool is_v6 = address.find(':') != std::string::npos;
    std::string bind = is_v6 ? "[" + address + "]" : address;
    Background listener = server.background(
        {"socat", std::string(is_v6 ? "TCP6" : "TCP4") + "-LISTEN:8080,reuseaddr,fork,bind=" + bind,
         "SYSTEM:echo $SOCAT_PEERADDR"});
    wait_until([&] { return server.sh("ss -Hltn sport = :8080").out.size() > 10; });
    return client.sh("socat -T2 - TCP:" + bind + ":8080,connect-timeout=2 </dev/null 2>/dev/null").out;
  }
};

// Guest-host, guest-guest, guest-outside, outside-guest: the table of virtual machine connection types.
class ConnectionTypes : public ModesTest, public testing::WithParamInterface<ModeKind> {};

TEST_P(ConnectionTypes, Row) {
  const ModeKind& kind = GetParam();
  bool leaves = std::string(kind.name) != "isolated";
  start_kind(kind);
  plug_kind(kind, 1);
  plug_kind(kind, 2);
  route_back();
  Namespace& one = guest(guest_name(kind, 1));
  for (auto of : {v4_of, v6_of}) {
    bool is_v6 = of == v6_of;
    std::string outside_address = is_v6 ? "2001:db8:113::1" : "203.0.113.1";
    SCOPED_TRACE(is_v6 ? "IPv6" : "IPv4");
    EXPECT_TRUE(reaches(one, of(kind.number, 1))) << "guest - host";
    EXPECT_TRUE(reaches(host(), of(kind.number, 11))) << "host - guest";
    EXPECT_TRUE(reaches(one, is_v6 ? "2001:db8:113::2" : "203.0.113.2"))
        << "guest - the host's other address";
    EXPECT_TRUE(reaches(one, of(kind.number, 12))) << "guest - guest";
    EXPECT_EQ(leaves, reaches(one, outside_address)) << "guest - outside";
    EXPECT_EQ(!kind.hidden, reaches(outside(), of(kind.number, 11))) << "outside - guest";
    EXPECT_NE("", seen_from(one, host(), of(kind.number, 1)));
    EXPECT_NE("", seen_from(one, guest(guest_name(kind, 2)), of(kind.number, 12)));
    std::string seen = seen_from(one, outside(), outside_address);
    if (!leaves)
      EXPECT_EQ("", seen);
    else if (!kind.hidden)
      EXPECT_THAT(seen, HasSubstr(is_v6 ? "fd00:0088" : v4_of(kind.number, 11)));
    else if (!is_v6)
      EXPECT_EQ("203.0.113.2\n", seen);
    else
      EXPECT_THAT(seen, HasSubstr(std::string(kind.name) == "nat4" ? "fd00:0088" : "2001:0db8:0113"));
    EXPECT_EQ(!kind.hidden, !seen_from(outside(), one, of(kind.number, 11)).empty());
  }
  auto forwarding = host().sh("cat /proc/sys/net/ipv4/ip_forward").out;
  EXPECT_EQ(leaves ? "1\n" : "0\n", forwarding);
}

INSTANTIATE_TEST_SUITE_P(Mode, ConnectionTypes, testing::ValuesIn(mode_kinds),
                         [](const auto& kind) { return std::string(kind.param.name); });

// Isolation does not hang on the host not forwarding.
TEST_F(ModesTest, IsolatedHoldsOnAForwardingHost) {
  host().must("sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1");
  start_kind(mode_kinds[3]);
  plug_kind(mode_kinds[3]);
  route_back();
  outside().must(
      "ip addr add 169.254.169.254/32 dev lo; "  // a cloud's metadata service
      "nft add table inet w; nft add chain inet w i '{ type filter hook prerouting priority -300; }'; "
      "nft add rule inet w i ip saddr 10.88.4.0/24 counter; "
      "nft add rule inet w i ip6 saddr fd00:88:4::/64 counter");
  Namespace& inside = guest("isolated-1");
  for (auto [address, ours] : {std::pair{"203.0.113.1", v4_of(4, 11)},
                               {"169.254.169.254", v4_of(4, 11)},
                               {"2001:db8:113::1", v6_of(4, 11)}}) {
    EXPECT_FALSE(reaches(inside, address));
    EXPECT_FALSE(reaches(outside(), ours));
  }
  EXPECT_THAT(inside.sh("ping -c1 -W1 203.0.113.1").out, HasSubstr("Destination Port Unreachable"));
  // Not even a request gets there.
  std::string seen = outside().sh("nft list chain inet w i | grep -o 'packets [0-9]*'").out;
  EXPECT_EQ("packets 0\npackets 0\n", seen);
  EXPECT_GE(dropped("isolated"), 2U);
  EXPECT_GE(dropped("not-visible"), 2U);
}

// Two networks of every pair of mode_kinds, both families and directions.
class BetweenNetworks : public ModesTest {
 protected:
  void start_all() {
    for (const ModeKind& kind : mode_kinds) {
      start_kind(kind);
      plug_kind(kind);
    }
  }

  static bool leaves(const ModeKind& kind) { return std::string(kind.name) != "isolated"; }
  static bool is_masqueraded(const ModeKind& kind, bool is_v6) {
    return kind.hidden && (!is_v6 || std::string(kind.name) == "nat");
  }
  // socat writes IPv6 addresses out in full; the guest may prefer an address that it made itself (SLAAC).
  static std::string written(int network, int host, bool exact, bool is_v6) {
    if (!is_v6) return v4_of(network, host) + "\n";
    return fmt::format("fd00:0088:{:04}:0000:", network) +
           (exact ? fmt::format("0000:0000:0000:{:04}", host) : "");
  }
};

TEST_F(BetweenNetworks, EveryPair) {
  start_all();
  for (const ModeKind& from : mode_kinds)
    for (const ModeKind& to : mode_kinds) {
      if (from.number == to.number) continue;
      bool allowed = !to.hidden && leaves(from);
      for (bool is_v6 : {false, true}) {
        std::string target = is_v6 ? v6_of(to.number, 11) : v4_of(to.number, 11);
        SCOPED_TRACE(fmt::format("{} -> {} {}", from.name, to.name, target));
        EXPECT_EQ(allowed, reaches(guest(guest_name(from)), target));
        std::string seen = seen_from(guest(guest_name(from)), guest(guest_name(to)), target);
        // A masqueraded network shows the gateway's address of the network that it enters.
        if (!allowed)
          EXPECT_EQ("", seen);
        else if (is_masqueraded(from, is_v6))
          EXPECT_THAT(seen, HasSubstr(written(to.number, 1, true, is_v6)));
        else
          EXPECT_THAT(seen, HasSubstr(written(from.number, 11, false, is_v6)));
      }
    }
}

// To the others a bridged or a direct network is a part of the outside, by which the host itself goes out.
class LanAndOthers : public BetweenNetworks, public testing::WithParamInterface<const char*> {
 protected:
  void start_lan(bool bridged) {
    if (bridged)
      host().must(
          "ip addr flush dev eth0 scope global; ip link add br0 type bridge; ip link set eth0 master br0; "
          "ip link set br0 up; ip addr add 203.0.113.2/24 dev br0; "
          "ip addr add 2001:db8:113::2/64 dev br0 nodad; "
          "ip route replace default via 203.0.113.1; ip -6 route replace default via 2001:db8:113::1");
    std::string where = bridged ? "<forward mode='bridge'/><bridge name='br0'/>"
                                : "<forward mode='bridge'><interface dev='eth0'/></forward>";
    vnet({"up", file("lan.xml", "<network><name>lan</name>" + where + "</network>")});
    ground().add_guest("lan-1");
    guest("lan-1").must(
        "ip addr add 203.0.113.11/24 dev eth0; ip addr add 2001:db8:113::11/64 dev eth0 nodad; "
        "ip route add default via 203.0.113.2; ip -6 route add default via 2001:db8:113::2");
    vnet({"attach", "lan-1", "--network", "lan"});
  }
};

TEST_P(LanAndOthers, ALanIsOutside) {
  start_lan(std::string(GetParam()) == "bridge");
  start_all();
  Namespace& lan = guest("lan-1");
  for (const ModeKind& kind : mode_kinds)
    for (bool is_v6 : {false, true}) {
      std::string inside = is_v6 ? v6_of(kind.number, 11) : v4_of(kind.number, 11);
      std::string lan_address = is_v6 ? "2001:db8:113::11" : "203.0.113.11";
      SCOPED_TRACE(kind.name + (" " + inside));
      EXPECT_EQ(leaves(kind), reaches(guest(guest_name(kind)), lan_address));
      EXPECT_EQ(!kind.hidden, reaches(lan, inside));
      EXPECT_EQ(!kind.hidden, !seen_from(lan, guest(guest_name(kind)), inside).empty());
      std::string seen = seen_from(guest(guest_name(kind)), lan, lan_address);
      if (!leaves(kind))
        EXPECT_EQ("", seen);
      else if (is_masqueraded(kind, is_v6))
        EXPECT_THAT(seen, HasSubstr(is_v6 ? "2001:0db8:0113:0000:0000:0000:0000:0002" : "203.0.113.2\n"));
      else
        EXPECT_THAT(seen, HasSubstr(written(kind.number, 11, false, is_v6)));
    }
}

INSTANTIATE_TEST_SUITE_P(Mode, LanAndOthers, testing::Values("bridge", "direct"),
                         [](const auto& mode) { return std::string(mode.param); });

TEST_F(ModesTest, IsolatedDhcpGivesNoWayOut) {
  const ModeKind& kind = mode_kinds[3];
  start_kind(kind, "", "<dhcp><range start='10.88.4.100' end='10.88.4.200'/></dhcp>");
  ground().add_guest("g1");
  vnet({"attach", "g1", "--network", "isolated"});
  wait_until_forwarding("g1");
  guest("g1").must("ip link set eth0 down; ip link set eth0 up");  // asks for routers anew
  // SLAAC gives an address and no router.
  EXPECT_TRUE(wait_until(
      [&] { return guest("g1").sh("ip -6 addr show eth0").out.find("fd00:88:4:") != std::string::npos; },
      std::chrono::seconds(10)));
  EXPECT_EQ("", guest("g1").sh("ip -6 route show default").out);
  Output lease = ground().udhcpc("g1");
  EXPECT_TRUE(lease.ok()) << lease.err;
  EXPECT_THAT(guest("g1").sh("ip -4 addr show eth0").out, HasSubstr("10.88.4."));
  EXPECT_EQ("", guest("g1").sh("ip route show default").out);
}

TEST_F(ModesTest, TheHostCanBeNarrowed) {
  auto settings = [](const char* access) {
    return fmt::format(
        "<metadata><vnet:network xmlns:vnet='urn:vnet-bpf:network:1'><vnet:host access='{}'/>"
        "</vnet:network></metadata>",
        access);
  };
  const ModeKind& kind = mode_kinds[3];
  for (std::string access : {"services", "none"}) {
    start_kind(kind, settings(access.c_str()), "<dhcp><range start='10.88.4.100' end='10.88.4.200'/></dhcp>");
    if (access == "services") {
      plug_kind(kind, 1);
      plug_kind(kind, 2);
    } else {
      for (int nth : {1, 2}) vnet({"attach", guest_name(kind, nth), "--network", kind.name});
      for (int nth : {1, 2}) wait_until_forwarding(guest_name(kind, nth));
    }
    Namespace& one = guest(guest_name(kind, 1));
    bool services = access == "services";
    for (auto of : {v4_of, v6_of}) {
      SCOPED_TRACE(access + " " + of(4, 1));
      EXPECT_EQ(services, reaches(one, of(4, 1)));
      EXPECT_TRUE(reaches(one, of(4, 12)));
      EXPECT_TRUE(reaches(host(), of(4, 11)));
      EXPECT_EQ("", seen_from(one, host(), of(4, 1)));
      EXPECT_NE("", seen_from(host(), one, of(4, 11))) << "what the host begins is answered";
    }
    EXPECT_EQ(services, one.sh("timeout 3 busybox nslookup localhost 10.88.4.1 | grep -q 127.0.0.1").ok());
    EXPECT_GE(dropped("host-closed"), 2U);
    vnet({"stop", kind.name});
  }
}

// Open mode: the administrator's rules, and nothing else.
TEST_F(ModesTest, OpenObeysTheFirewallAlone) {
  const ModeKind& kind = mode_kinds[4];
  start_kind(kind);
  plug_kind(kind);
  route_back();
  host().must(
      "nft add table inet t; nft add chain inet t f '{ type filter hook forward priority 0; policy drop; }';"
      "nft add rule inet t f ct state established,related accept;"
      "nft add rule inet t f iifname bropen tcp dport 8080 counter accept");
  Namespace& one = guest("open-1");
  for (auto [far, near] :
       {std::pair{std::string("203.0.113.1"), v4_of(5, 11)}, {"2001:db8:113::1", v6_of(5, 11)}}) {
    EXPECT_NE("", seen_from(one, outside(), far));
    EXPECT_EQ("", seen_from(outside(), one, near)) << "blocked by the rules";
    EXPECT_FALSE(reaches(one, far)) << "blocked by the rules";
  }
  host().must("nft add rule inet t f oifname bropen tcp dport 8080 accept");
  for (const std::string& near : {v4_of(5, 11), v6_of(5, 11)}) EXPECT_NE("", seen_from(outside(), one, near));
  // A source that is not the network's: the firewall's affair, too.
  host().must("nft flush ruleset");
  one.must("ip addr add 10.77.0.1/32 dev lo");
  outside().must("ip route add 10.77.0.0/24 via 203.0.113.2");
  host().must("ip route add 10.77.0.0/24 via 10.88.5.11");
  EXPECT_TRUE(one.sh("ping -c1 -W2 -I 10.77.0.1 203.0.113.1").ok());
}

// Virtual server hosting: the host is managed on one interface, guests with public addresses live on another.
TEST_F(ModesTest, VirtualServerHosting) {
  host().must(
      "ip link add eth1 type veth peer name pub0; ip link set eth1 up; ip addr add 192.0.2.2/30 dev eth1");
  host().must("ip link set pub0 netns " + outside().name());
  outside().must(
      "ip link set pub0 up; ip addr add 192.0.2.1/30 dev pub0; ip route add 198.18.7.0/24 via 192.0.2.2; "
      "ip addr add 198.18.200.1/32 dev lo");
  // Guests' packets leave by the guest interface; the host's own default route is the management's.
  host().must(
      "ip rule add from 198.18.7.0/24 lookup 100; ip route add default via 192.0.2.1 dev eth1 table 100");
  vnet({"up", file("hosting.xml",
                   "<network><name>hosting</name><forward mode='route' dev='eth1'/>"
                   "<bridge name='brhost' stp='off'/>"
                   "<ip address='198.18.7.1' netmask='255.255.255.0'/></network>")});
  ground().add_guest("g1");
  guest("g1").must(
      "ip addr add 198.18.7.10/24 dev eth0; ip link set eth0 up; ip route add default via 198.18.7.1");
  vnet({"attach", "g1", "--network", "hosting"});
  wait_until_forwarding("g1");
  EXPECT_EQ("198.18.7.10\n", seen_from(guest("g1"), outside(), "198.18.200.1"));
  EXPECT_NE("", seen_from(outside(), guest("g1"), "198.18.7.10"));
  // Not by the management network, in neither direction.
  outside().must("ip route replace 198.18.7.0/24 via 203.0.113.2");
  EXPECT_EQ("", seen_from(outside(), guest("g1"), "198.18.7.10"));
  EXPECT_GE(dropped("no-uplink"), 1U);
  host().must("ip route replace default via 203.0.113.1 table 100");
  EXPECT_FALSE(reaches(guest("g1"), "198.18.200.1"));
  // What other routers must know.
  EXPECT_THAT(vnet({"show", "hosting"}).out, HasSubstr("198.18.7.0/24 via 192.0.2.2"));
}

}  // namespace
}  // namespace vnet::test
