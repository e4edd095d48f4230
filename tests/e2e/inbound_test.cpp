// SPDX-License-Identifier: GPL-2.0-or-later
// What may reach a port: inbound policy, allow rules, isolation, the plug; on live ports, with real services.
#include <future>

#include "tests/e2e/port_fixture.h"

namespace vnet::test {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class Ports : public PortTest {
 protected:
  void plug_in(int guests = 2, const std::string& extra = "") {
    start_lab(extra);
    for (int i = 1; i <= guests; ++i) {
      std::string name = "g" + std::to_string(i);
      add(name, 10 + i);
      attach(name, 10 + i);
    }
  }
};

TEST_F(Ports, EstablishedLetsAnswersInAlone) {
  plug_in();
  Background one = service("g1", 8080), two = service("g2", 8080);
  for (const std::string& to : {ip4(11), ip6(11)}) EXPECT_TRUE(connects(guest("g2"), to, 8080)) << to;
  set("g1", {"--inbound", "established"});
  for (bool v6 : {false, true}) {
    std::string self = v6 ? ip6(11) : ip4(11), other = v6 ? ip6(12) : ip4(12);
    EXPECT_TRUE(connects(guest("g1"), other, 8080)) << other;
    for (const std::string& target : {other, std::string(v6 ? "fd00:122::1" : "192.168.122.1"),
                                      std::string(v6 ? "2001:db8:113::1" : "203.0.113.1")})
      EXPECT_TRUE(guest("g1").pings(target)) << target;
    EXPECT_FALSE(connects(guest("g2"), self, 8080)) << self;
    EXPECT_FALSE(connects(host(), self, 8080)) << self;
    EXPECT_FALSE(host().pings(self, 1)) << self;
    EXPECT_FALSE(guest("g2").pings(self, 1)) << self;
  }
  EXPECT_GE(dropped("inbound"), 6U);
  EXPECT_GE(drops_at("g2", "inbound"), 2U) << "counted where the frame came from";
}

TEST_F(Ports, LargeAnswersAndErrorsComeThrough) {
  plug_in();
  set("g1", {"--inbound", "established"});
  for (const std::string& target :
       {ip4(12), ip6(12), std::string("203.0.113.1"), std::string("2001:db8:113::1")})
    EXPECT_THAT(guest("g1").sh("ping -c3 -i0.2 -W2 -s4000 " + target).out, HasSubstr(" 0% packet loss"))
        << target;
  EXPECT_THAT(guest("g1").sh("socat -T2 - TCP:203.0.113.1:9 </dev/null").err,
              HasSubstr("Connection refused"));
  EXPECT_THAT(guest("g1").sh("(echo a; sleep 0.3; echo b) | socat -T2 - UDP:203.0.113.1:9").err,
              HasSubstr("Connection refused"));
  EXPECT_THAT(guest("g1").sh("traceroute -n -q1 -w1 -m2 203.0.113.1").out, HasSubstr(" 1  192.168.122.1"));
  EXPECT_THAT(guest("g1").sh("busybox nslookup localhost 192.168.122.1").out, HasSubstr("127.0.0.1"));
}

TEST_F(Ports, AllowRulesOpenAPortForSome) {
  plug_in(3);
  Background one = service("g1", 8080), two = service("g1", 8081);
  set("g1", {"--inbound", "established", "--allow", "tcp/8080@" + ip4(12) + "/32", "--allow", "tcp/8081"});
  EXPECT_TRUE(connects(guest("g2"), ip4(11), 8080));
  EXPECT_FALSE(connects(guest("g3"), ip4(11), 8080));
  EXPECT_FALSE(connects(host(), ip4(11), 8080));
  EXPECT_FALSE(connects(guest("g2"), ip6(11), 8080));
  for (Namespace* client : {&guest("g2"), &guest("g3"), &host()})
    for (const std::string& to : {ip4(11), ip6(11)}) EXPECT_TRUE(connects(*client, to, 8081)) << to;
  auto port = ground().vnet_json({"ports"})[0];
  EXPECT_EQ("established", port["inbound"]);
  EXPECT_EQ((nlohmann::json{"tcp/8080@192.168.122.12/32", "tcp/8081"}), port["allow"]);
  // Rules without answers: a service and nothing else.
  set("g1", {"--inbound", "drop"});
  EXPECT_TRUE(connects(guest("g3"), ip4(11), 8081));
  EXPECT_FALSE(guest("g1").pings("192.168.122.1", 1));
  set("g1", {"--allow", "none"});
  EXPECT_FALSE(connects(guest("g3"), ip4(11), 8081));
  set("g1", {"--inbound", "accept"});
  EXPECT_TRUE(connects(guest("g3"), ip4(11), 8080));
}

TEST_F(Ports, WhatTheBridgeFloodsIsHeldBackToo) {
  plug_in();
  RawPort ear(guest("g1"), "eth0"), mouth(guest("g2"), "eth0");
  auto send = [&](const std::string& to, std::uint16_t port) {
    mouth.send(Ethernet{.src = mac_of(12), .dst = to} / Ipv4{.src = ip4(12), .dst = "192.168.122.255"} /
               Udp{.src_port = port});
  };
  auto comes = [](std::uint16_t port) {
    return [port](const VirtioFrame& f) { return fields(f.frame).src_port == port; };
  };
  send("ff:ff:ff:ff:ff:ff", 4711);
  EXPECT_TRUE(ear.expect_frame(comes(4711)));
  set("g1", {"--inbound", "established"});
  send("ff:ff:ff:ff:ff:ff", 4712);
  send("02:00:00:00:00:99", 4712);  // nobody's MAC: to every port
  ear.expect_no_frame(comes(4712));
  EXPECT_TRUE(wait_until([&] { return drops_at("g1", "inbound") >= 2; })) << all_drops("g1");
}

TEST_F(Ports, TheNetworksDefaultHoldsUnlessAPortSaysOtherwise) {
  plug_in(2,
          "<metadata><vnet:network xmlns:vnet='urn:vnet-bpf:network:1'><vnet:inbound "
          "default='established'/></vnet:network></metadata>");
  EXPECT_FALSE(guest("g1").pings(ip4(12), 1) && guest("g2").pings(ip4(11), 1) && host().pings(ip4(11), 1));
  EXPECT_FALSE(host().pings(ip4(11), 1));
  EXPECT_TRUE(guest("g1").pings("203.0.113.1"));
  set("g1", {"--inbound", "accept"});
  EXPECT_TRUE(host().pings(ip4(11)));
  auto ports = ground().vnet_json({"ports"});
  EXPECT_EQ("accept", ports[0]["inbound"]);
  EXPECT_EQ("established", ports[1]["inbound"]);
}

TEST_F(Ports, IsolatedPortsReachEverybodyButEachOther) {
  plug_in(3);
  for (const char* name : {"g1", "g2"}) set(name, {"--isolated"});
  EXPECT_THAT(host().sh("bridge -d link show dev g1").out, HasSubstr("isolated on"));
  for (bool v6 : {false, true}) {
    EXPECT_FALSE(guest("g1").pings(v6 ? ip6(12) : ip4(12), 1));
    EXPECT_FALSE(guest("g2").pings(v6 ? ip6(11) : ip4(11), 1));
    for (const char* name : {"g1", "g2"})
      for (const std::string& to : {v6 ? ip6(13) : ip4(13), std::string(v6 ? "fd00:122::1" : "192.168.122.1"),
                                    std::string(v6 ? "2001:db8:113::1" : "203.0.113.1")})
        EXPECT_TRUE(guest(name).pings(to)) << name << " to " << to;
    EXPECT_TRUE(guest("g3").pings(v6 ? ip6(11) : ip4(11)));
  }
  // Neither by a known MAC, nor round the corner through the host's stack.
  for (const std::string& by : {mac_of(12), gateway_mac}) {
    std::uint64_t before = dropped("isolated-port");
    guest("g1").must("ip neigh replace " + ip4(12) + " lladdr " + by + " dev eth0 nud permanent");
    guest("g2").must("ip neigh replace " + ip4(11) + " lladdr " + (by == gateway_mac ? by : mac_of(11)) +
                     " dev eth0 nud permanent");
    EXPECT_FALSE(guest("g1").pings(ip4(12), 1)) << by;
    EXPECT_GT(dropped("isolated-port"), before) << by;
  }
  guest("g3").must("ip neigh replace " + ip4(12) + " lladdr " + gateway_mac + " dev eth0 nud permanent");
  EXPECT_TRUE(guest("g3").pings(ip4(12))) << "that corner exists";
  set("g1", {"--no-isolated"});
  guest("g1").must("ip neigh del " + ip4(12) + " dev eth0");
  guest("g2").must("ip neigh del " + ip4(11) + " dev eth0");
  EXPECT_TRUE(guest("g1").pings(ip4(12)));
  EXPECT_THAT(host().sh("bridge -d link show dev g1").out, HasSubstr("isolated off"));
}

TEST_F(Ports, ANetworkOfIsolatedPorts) {
  plug_in(2, "<port isolated='yes'/>");
  EXPECT_FALSE(guest("g1").pings(ip4(12), 1));
  EXPECT_TRUE(guest("g1").pings("203.0.113.1"));
  EXPECT_EQ(true, ground().vnet_json({"ports"})[0]["isolated"]);
  set("g2", {"--no-isolated"});
  EXPECT_TRUE(guest("g1").pings(ip4(12)));
}

TEST_F(Ports, LinkDownUnplugs) {
  plug_in();
  auto carrier = [&] {
    return guest("g1").sh("ip link show eth0").out.find("NO-CARRIER") == std::string::npos;
  };
  auto state = [&] { return ground().vnet_json({"ports"})[0]["state"].get<std::string>(); };
  ASSERT_TRUE(guest("g1").pings("203.0.113.1"));
  auto before = ground().vnet_json({"stats", "--port", "g1"})["ports"][0]["tx_packets"].get<std::uint64_t>();
  EXPECT_TRUE(carrier());
  set("g1", {"--link", "down"});
  EXPECT_FALSE(carrier());
  EXPECT_EQ("down", state());
  EXPECT_FALSE(guest("g1").pings("192.168.122.1", 1));
  // Whoever sets the interface up does not plug the guest in.
  host().must("ip link set g1 up");
  EXPECT_FALSE(guest("g1").pings("192.168.122.1", 1));
  vnet({"attach", "g1", "--network", "lab"});
  EXPECT_EQ("down", state());
  set("g1", {"--link", "up"});
  EXPECT_TRUE(carrier());
  EXPECT_EQ("up", state());
  wait_until_forwarding("g1");
  // The guest may still be giving up the neighbour that did not answer meanwhile.
  EXPECT_TRUE(wait_until([&] { return guest("g1").pings("203.0.113.1", 1); })) << all_drops("g1");
  auto after = ground().vnet_json({"stats", "--port", "g1"})["ports"][0]["tx_packets"].get<std::uint64_t>();
  EXPECT_GT(after, before);
}

TEST_F(Ports, SetChangesALivePortUnderItsTraffic) {
  plug_in();
  Background server = outside().background({"iperf3", "-s"});
  ASSERT_TRUE(wait_until([&] { return guest("g1").sh("iperf3 -n 1M -c 203.0.113.1").ok(); }));
  std::string dropped = all_drops("g1");  // what it has sent before it was plugged in
  EXPECT_THAT(dropped, testing::AnyOf("{}", testing::StartsWith("{\"no-bridge\":"))) << "and nothing else";
  auto bulk = std::async(std::launch::async, [&] { return guest("g1").sh("iperf3 -t 4 -c 203.0.113.1"); });
  std::uint64_t last = 0;
  for (const Argv& options :
       std::vector<Argv>{{"--ip", ip4(11), "--ip", ip6(11), "--filter", "clean-traffic"},
                         {"--inbound", "established"},
                         {"--allow", "tcp/22", "--isolated"},
                         {"--filter", "none", "--no-isolated"}}) {
    set("g1", options);
    auto stats = ground().vnet_json({"stats", "--port", "g1"})["ports"][0];
    EXPECT_GE(stats["tx_packets"].get<std::uint64_t>(), last);
    last = stats["tx_packets"].get<std::uint64_t>();
  }
  Output done = bulk.get();
  EXPECT_TRUE(done.ok()) << done.out << done.err << all_drops("g1");
  EXPECT_EQ(dropped, all_drops("g1"));
}

TEST_F(Ports, TheSecondRunDoesNothingAndDetachLeavesNothing) {
  plug_in(1);
  Argv options{"set",           "g1",        "--ip",        ip4(11),   "--filter",
               "clean-traffic", "--inbound", "established", "--allow", "tcp/22@192.0.2.0/24",
               "--allow",       "udp/53",    "--isolated"};
  vnet(options);
  options.insert(options.begin(), "--dry-run");
  EXPECT_THAT(vnet(options).out, IsEmpty());
  EXPECT_EQ(2U, maps().allow_rules.keys().size());
  EXPECT_EQ(1U, maps().allow_prefixes.keys().size());
  EXPECT_EQ(1U, maps().outgoing_flows.keys().size());
  EXPECT_EQ(1U, maps().isolated.keys().size());
  vnet({"detach", "g1"});
  auto left = maps();
  EXPECT_THAT(left.allow_rules.keys(), IsEmpty());
  EXPECT_THAT(left.allow_prefixes.keys(), IsEmpty());
  EXPECT_THAT(left.outgoing_flows.keys(), IsEmpty());
  EXPECT_THAT(left.isolated.keys(), IsEmpty());
  EXPECT_THAT(left.claims.keys(), IsEmpty());
  left.addresses.for_each([](const vnet_address_key&, const vnet_address& value) {
    EXPECT_EQ(0, value.port) << "a port's address";
  });
  EXPECT_THAT(host().sh("ip link show g1").out, Not(HasSubstr("master")));
}

// Killed between the record and the maps: the next command of the kind brings it to its end.
TEST_F(Ports, AnInterruptedChangeIsFinishedByTheNext) {
  plug_in(1);
  Argv options{"--allow", "tcp/22", "--inbound", "drop"};
  set("g1", options);
  for (const auto& key : maps().allow_rules.keys()) ASSERT_TRUE(maps().allow_rules.erase(key));
  std::string record = (ground().state_dir() / "run/ports/g1.json").string();
  ASSERT_TRUE(sh("sed -i 's/\"settled\": true/\"settled\": false/' " + record).ok());
  ASSERT_THAT(sh("cat " + record).out, HasSubstr("\"settled\": false"));
  set("g1", options);
  EXPECT_EQ(1U, maps().allow_rules.keys().size());
  EXPECT_THAT(sh("cat " + record).out, HasSubstr("\"settled\": true"));
}

TEST_F(Ports, WhatIsWrongIsSaid) {
  plug_in(1);
  EXPECT_EQ(2, ground().vnet({"set", "g1", "--filter", "no-such"}).status);
  EXPECT_EQ(2, ground().vnet({"set", "g1", "--isolated", "--no-isolated"}).status);
  EXPECT_EQ(2, ground().vnet({"set", "g1", "--allow", "tcp/22@nowhere"}).status);
  EXPECT_EQ(3, ground().vnet({"set", "nosuch", "--inbound", "drop"}).status);
}

}  // namespace
}  // namespace vnet::test
