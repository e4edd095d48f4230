// SPDX-License-Identifier: GPL-2.0-or-later
// Direct attachment as a user handles it: pools, refusals, second runs, interrupted runs, interfaces that
// come and go.
#include "tests/e2e/direct_fixture.h"

namespace vnet::test {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class DirectLifecycle : public DirectTest {
 protected:
  // Another physical interface: a veth to outside, both ends of that name.
  void add_wire(const std::string& name) {
    host().must(fmt::format("ip link add {0} type veth peer name {0} netns {1}; ip link set {0} up", name,
                            outside().name()));
    outside().must("ip link set " + name + " up");
  }
  std::string leftovers() {
    std::string left = sh("find " + (ground().state_dir() / "bpf").string() + " -path '*vnet-bpf*'").out;
    left +=
        sh("find " + (ground().state_dir() / "run").string() + " -type f -not -name lock -not -name reserve")
            .out;
    left += host().sh("tc qdisc show | grep clsact").out;
    left += host().sh("ip link | grep PROMISC").out;
    return left;
  }
  std::map<std::string, std::string> sources() {
    std::map<std::string, std::string> all;
    for (const auto& port : ground().vnet_json({"ports"})) {
      EXPECT_EQ("direct", port["type"]);
      all[port["interface"]] = port["source"];
    }
    return all;
  }
  Output attach(const std::string& name, const Argv& options = {}, const std::string& network = "lan") {
    if (!host().sh("ip link show " + name).ok()) ground().add_guest(name);
    Argv words = {"attach", name, "--network", network};
    words.insert(words.end(), options.begin(), options.end());
    return ground().vnet(words);
  }
  void refused(const std::string& xml, int status, const std::string& why) {
    Output start = ground().vnet({"up", file("bad.xml", xml)});
    EXPECT_EQ(status, start.status) << start.out << start.err;
    EXPECT_THAT(start.err, HasSubstr(why));
    EXPECT_THAT(leftovers(), IsEmpty());
  }
};

TEST_F(DirectLifecycle, UpTwiceAndDown) {
  start_lan("bridge");
  EXPECT_THAT(vnet({"up", file("lan.xml", lan_xml("bridge"))}).out, HasSubstr("already up"));
  auto list = ground().vnet_json({"list"});
  EXPECT_EQ("direct", list[0]["mode"]);
  EXPECT_EQ("active", list[0]["state"]);
  EXPECT_THAT(vnet({"show", "lan"}).out, HasSubstr("eth0"));
  EXPECT_THAT(host().sh("ip link show eth0").out, HasSubstr("PROMISC"));
  plug_direct("g1", 11);
  EXPECT_EQ("eth0", sources()["g1"]);
  vnet({"attach", "g1", "--network", "lan"});
  EXPECT_TRUE(reaches_both(guest("g1"), 1));
  auto uplinks = ground().vnet_json({"stats"})["uplinks"];
  ASSERT_EQ(1U, uplinks.size());
  EXPECT_EQ("eth0", uplinks[0]["interface"]);
  EXPECT_GE(uplinks[0]["rx_packets"], 2);
  EXPECT_GE(uplinks[0]["tx_packets"], 2);
  EXPECT_EQ(2, attach("eth0").status) << "a parent is no guest's interface";
  vnet({"detach", "g1"});
  EXPECT_FALSE(reaches(guest("g1"), v4(1)));
  vnet({"attach", "g1", "--network", "lan"});
  vnet({"stop", "lan"});
  EXPECT_THAT(leftovers(), IsEmpty());
  EXPECT_TRUE(host().pings(v4(1)));
}

TEST_F(DirectLifecycle, WhatTheInterfaceWasBeforeComesBack) {
  host().must("ip link set eth0 promisc on");
  start_lan("bridge");
  vnet({"stop", "lan"});
  EXPECT_THAT(host().sh("ip link show eth0").out, HasSubstr("PROMISC"));
  host().must("ip link set eth0 promisc off; ip link set eth0 down");
  start_lan("vepa");
  EXPECT_THAT(host().sh("ip link show eth0").out, HasSubstr("PROMISC,UP"));
  vnet({"stop", "lan"});
  EXPECT_THAT(host().sh("ip link show eth0").out, Not(HasSubstr("UP,")));
  EXPECT_THAT(leftovers(), IsEmpty());
}

TEST_F(DirectLifecycle, APoolGivesTheInterfaceWithTheFewestPorts) {
  add_wire("eth1");
  start_lan("bridge", {"eth0", "eth1"});
  for (const char* name : {"g1", "g2", "g3"}) EXPECT_EQ(0, attach(name).status);
  auto where = sources();
  EXPECT_EQ("eth0", where["g1"]);
  EXPECT_EQ("eth1", where["g2"]);
  EXPECT_EQ("eth0", where["g3"]);
  vnet({"detach", "g1"});
  vnet({"detach", "g3"});
  EXPECT_EQ(0, attach("g3").status);
  EXPECT_EQ("eth0", sources()["g3"]);
  // Another network's ports count, too.
  start_lan("vepa", {"eth0", "eth1"}, "wan");
  EXPECT_EQ(0, attach("g1", {}, "wan").status);
  EXPECT_EQ(0, attach("g4", {}, "wan").status);
  where = sources();
  EXPECT_NE(where["g1"], where["g4"]);
  vnet({"stop", "lan"});
  EXPECT_EQ(2U, sources().size()) << "the other network still has its ports";
  EXPECT_THAT(host().sh("ip link show eth0").out, HasSubstr("PROMISC"));
  vnet({"stop", "wan"});
  EXPECT_THAT(leftovers(), IsEmpty());
}

TEST_F(DirectLifecycle, PassthroughTakesFreeInterfacesOnly) {
  add_wire("eth1");
  std::string mac1 = mac_of(host(), "eth1");
  start_lan("passthrough", {"eth0", "eth1"});
  EXPECT_EQ(0, attach("g1", {"--mac", "52:54:00:00:00:01"}).status);
  EXPECT_EQ(0, attach("g2", {"--mac", "52:54:00:00:00:02"}).status);
  EXPECT_EQ("52:54:00:00:00:02", mac_of(host(), "eth1"));
  Output third = attach("g3", {"--mac", "52:54:00:00:00:03"});
  EXPECT_EQ(1, third.status);
  EXPECT_THAT(third.err, HasSubstr("eth0, eth1 have theirs"));
  EXPECT_EQ(2U, sources().size());
  Output shared = ground().vnet({"up", file("wan.xml", lan_xml("bridge", {"eth1"}, "wan"))});
  EXPECT_EQ(1, shared.status);
  EXPECT_THAT(shared.err, HasSubstr("in use by network lan"));
  vnet({"detach", "g2"});
  EXPECT_EQ(mac1, mac_of(host(), "eth1"));
  EXPECT_EQ(0, attach("g3", {"--mac", "52:54:00:00:00:03"}).status);
  EXPECT_EQ("eth1", sources()["g3"]);
  vnet({"stop", "lan"});
  EXPECT_EQ(mac1, mac_of(host(), "eth1"));
  EXPECT_THAT(leftovers(), IsEmpty());
}

TEST_F(DirectLifecycle, RefusedWithTheReason) {
  add_wire("eth1");
  host().must("ip link add br0 type bridge; ip link set eth1 master br0");
  refused(lan_xml("bridge", {"eth1"}), 1, "is in bridge br0; name that instead (<bridge name='br0'/>)");
  refused(lan_xml("bridge", {"br0"}), 1, "is a bridge");
  refused(lan_xml("bridge", {"lo"}), 1, "not an Ethernet interface");
  refused(lan_xml("bridge", {"nosuch"}), 3, "there is no interface nosuch");
  refused(lan_xml("private", {}), 2, "needs a physical interface");
  refused(
      "<network><name>lan</name><metadata><vnet:network xmlns:vnet='urn:vnet-bpf:network:1'><vnet:host "
      "access='none'/></vnet:network></metadata><forward mode='bridge'><interface "
      "dev='eth0'/></forward></network>",
      2, "<vnet:host access>");
  start_lan("bridge");
  Output hosts = attach("g1", {"--mac", mac_of(host())});
  EXPECT_EQ(1, hosts.status);
  EXPECT_THAT(hosts.err, HasSubstr("eth0 has the MAC"));
  EXPECT_EQ(0, attach("g1", {"--mac", "52:54:00:00:00:01"}).status);
  EXPECT_EQ(1, attach("g2", {"--mac", "52:54:00:00:00:01"}).status);
  start_lan("vepa", {"eth0"}, "wan");
  Output other = attach("g2", {"--mac", "52:54:00:00:00:01"}, "wan");
  EXPECT_EQ(1, other.status);
  EXPECT_THAT(other.err, HasSubstr("g1 has the MAC"));
}

TEST_F(DirectLifecycle, KilledAtAnyPointTheNextRunConverges) {
  ground().add_guest("g1");
  std::string before = mac_of(host());
  int kept = 0;
  for (int milliseconds = 2; milliseconds < 400; milliseconds += milliseconds / 3 + 3) {
    const char* mode = ++kept % 2 ? "bridge" : "passthrough";
    ground().vnet({"define", file("lan.xml", lan_xml(mode))});
    std::string timeout = "timeout -s KILL " + std::to_string(milliseconds / 1000.0) +
                          " env VNET_BPF_STATE_DIR=" + ground().state_dir().string() + " " VNET_PROGRAM " ";
    host().sh(timeout + "start lan");
    Output start = ground().vnet({"start", "lan"});
    EXPECT_TRUE(start.ok() || start.err.find("already active") != std::string::npos)
        << milliseconds << start.err;
    host().sh(timeout + "attach g1 --network lan --mac 52:54:00:00:00:01");
    vnet({"attach", "g1", "--network", "lan", "--mac", "52:54:00:00:00:01"});
    EXPECT_EQ(mode[0] == 'p' ? "52:54:00:00:00:01" : before, mac_of(host()));
    host().sh(timeout + "stop lan");
    Output stop = ground().vnet({"stop", "lan"});
    EXPECT_TRUE(stop.ok() || stop.err.find("not active") != std::string::npos) << milliseconds << stop.err;
    ASSERT_THAT(leftovers(), IsEmpty()) << "killed after " << milliseconds << " ms";
    ASSERT_EQ(before, mac_of(host()));
  }
}

TEST_F(DirectLifecycle, AnInterfaceThatVanishesAndComesBack) {
  add_wire("eth1");
  start_lan("bridge", {"eth1"});
  plug_direct("g1", 11);
  host().must("ip link del eth1");
  EXPECT_FALSE(reaches(guest("g1"), v4(1)));
  EXPECT_GE(dropped("no-parent"), 1U);
  EXPECT_EQ(1U, sources().size());
  add_wire("eth1");
  outside().must("ip addr flush dev eth0; ip addr add 203.0.113.1/24 dev eth1");
  vnet({"up", file("lan.xml", lan_xml("bridge", {"eth1"}))});
  EXPECT_TRUE(reaches(guest("g1"), v4(1)));
  EXPECT_TRUE(reaches(outside(), v4(11)));
  host().must("ip link del eth1");
  vnet({"stop", "lan"});
  EXPECT_THAT(leftovers(), IsEmpty());
}

TEST_F(DirectLifecycle, AnInterfaceThatGetsAnotherMac) {
  start_lan("bridge");
  plug_direct("g1", 11);
  host().must("ip link set eth0 address 52:54:00:00:00:99; ip link set eth0 promisc off");
  vnet({"up", file("lan.xml", lan_xml("bridge"))});
  EXPECT_THAT(host().sh("ip link show eth0").out, HasSubstr("PROMISC"));
  EXPECT_TRUE(reaches(guest("g1"), v4(2)));
  EXPECT_TRUE(reaches(guest("g1"), v4(1)));
  vnet({"stop", "lan"});
  EXPECT_THAT(leftovers(), IsEmpty());
  EXPECT_EQ("52:54:00:00:00:99", mac_of(host()));
}

}  // namespace
}  // namespace vnet::test
