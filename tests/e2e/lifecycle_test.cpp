// SPDX-License-Identifier: GPL-2.0-or-later
// Commands as a user gives them: the first run, the second run, the interrupted run, and what they say.
#include <signal.h>
#include <sys/wait.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "loader/state/state_dir.h"
#include "tests/e2e/network_fixture.h"

namespace vnet::test {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

class Lifecycle : public NetworkTest {
 protected:
  // Everything of ours on the host that must be gone after the last stop.
  std::string leftovers() {
    std::string left = host().sh("ip -br link show type bridge").out;
    left += sh("find " + (ground().state_dir() / "bpf").string() + " -path '*vnet-bpf*'").out;
    left += sh("find " + (ground().state_dir() / "run").string() +
               " -type f -not -name lock -not -name reserve -not -name sysctls.json")
                .out;
    left +=
        host().sh("pgrep -fa " + (ground().state_dir() / "run/dnsmasq").string() + " | grep -v pgrep").out;
    left += sh("ip netns pids " + host().name() + " | xargs -r ps -o comm= -p | grep dnsmasq").out;
    left += host().sh("tc qdisc show | grep clsact").out;
    return left;
  }
  bool forwards() { return host().sh("sysctl -n net.ipv4.ip_forward").out == "1\n"; }
};

TEST_F(Lifecycle, TheBuiltInNetworkUpTwiceAndDown) {
  EXPECT_THAT(vnet({"up"}).out, HasSubstr("Network default started"));
  EXPECT_THAT(vnet({"up"}).out, HasSubstr("already up"));
  EXPECT_THAT(host().sh("ip -br addr show virbr0").out, HasSubstr("192.168.122.1/24"));
  auto list = ground().vnet_json({"list"});
  ASSERT_EQ(1U, list.size());
  EXPECT_EQ("default", list[0]["name"]);
  EXPECT_EQ("nat", list[0]["mode"]);
  EXPECT_EQ("active", list[0]["state"]);
  EXPECT_EQ("virbr0", list[0]["gateway"]);
  EXPECT_THAT(vnet({"stop", "default"}).out, HasSubstr("Network default destroyed"));
  EXPECT_THAT(leftovers(), IsEmpty());
  EXPECT_TRUE(forwards()) << "somebody else may rely on it by now";
  Output again = ground().vnet({"stop", "default"});
  EXPECT_EQ(1, again.status);
  EXPECT_THAT(again.err, HasSubstr("not active"));
  // The definition stays, and starts again with the same identity.
  vnet({"start", "default"});
  vnet({"destroy", "default"});
  EXPECT_THAT(leftovers(), IsEmpty());
}

TEST_F(Lifecycle, DryRunChangesNothing) {
  Output plan = vnet({"--dry-run", "up"});
  EXPECT_THAT(plan.out, HasSubstr("create bridge virbr0"));
  EXPECT_THAT(plan.out, HasSubstr("attach uplink eth0"));
  EXPECT_THAT(plan.out, HasSubstr("start dnsmasq"));
  EXPECT_THAT(leftovers(), IsEmpty());
  EXPECT_TRUE(ground().vnet_json({"list", "--all"}).empty());
}

TEST_F(Lifecycle, ExitCodesAndMessages) {
  EXPECT_EQ(3, ground().vnet({"start", "nosuch"}).status);
  EXPECT_EQ(3, ground().vnet({"show", "nosuch"}).status);
  EXPECT_EQ(2, ground().vnet({"frobnicate"}).status);
  EXPECT_EQ(2, ground().vnet({"attach"}).status);
  Output bad = ground().vnet(
      {"define", file("bad.xml", "<network>\n<name>x</name>\n<forward mode='nut'/></network>")});
  EXPECT_EQ(2, bad.status);
  EXPECT_THAT(bad.err, HasSubstr("vnet-bpf: error: " + (ground().state_dir() / "bad.xml").string() + ":3:"));
  EXPECT_THAT(bad.err, HasSubstr("nat"));
  vnet({"up"});
  EXPECT_EQ(3, ground().vnet({"attach", "nosuch", "--network", "default"}).status);
  EXPECT_EQ(3, ground().vnet({"detach", "nosuch"}).status);
  EXPECT_EQ(2, ground().vnet({"attach", "eth0", "--network", "default"}).status);  // the uplink
  EXPECT_EQ(2, ground().vnet({"attach", "virbr0", "--network", "default"}).status);
  EXPECT_EQ(1, ground().vnet({"start", "default"}).status);  // active already
}

TEST_F(Lifecycle, ASubnetInUseIsRefusedWithTheInterface) {
  host().must(
      "ip link add lan0 type veth peer name lan1; ip addr add 192.168.122.7/24 dev lan0; ip link set lan0 "
      "up; "
      "ip link set lan1 up");
  Output up = ground().vnet({"up"});
  EXPECT_EQ(1, up.status);
  EXPECT_THAT(up.err, HasSubstr("lan0"));
  EXPECT_THAT(up.err, HasSubstr("192.168.122.0/24"));
  EXPECT_THAT(leftovers(), IsEmpty());
}

TEST_F(Lifecycle, AFailedStartIsUndone) {
  host().must("sysctl -qw net.ipv4.ip_forward=0");
  // Port 53 on the gateway is taken as soon as the address is there: dnsmasq cannot start.
  std::string xml =
      file("tftp.xml",
           "<network><name>t</name><forward mode='nat'/><bridge name='virbr0'/><ip address='192.168.122.1' "
           "netmask='255.255.255.0'><tftp root='/nonexistent/tftp'/></ip></network>");
  Output up = ground().vnet({"up", xml});
  EXPECT_EQ(1, up.status);
  EXPECT_THAT(up.err, HasSubstr("/nonexistent/tftp"));  // dnsmasq's own words
  EXPECT_THAT(leftovers(), IsEmpty());
  EXPECT_FALSE(forwards());
}

TEST_F(Lifecycle, AttachTwiceSetAndDetach) {
  vnet({"up"});
  ground().add_guest("g1");
  vnet({"attach", "g1", "--network", "default", "--mac", "52:54:00:00:00:01", "--model", "virtio"});
  EXPECT_THAT(host().sh("ip -d -o link show g1").out, HasSubstr("master virbr0"));
  vnet({"attach", "g1", "--network", "default"});
  auto ports = ground().vnet_json({"ports"});
  ASSERT_EQ(1U, ports.size());
  EXPECT_EQ("52:54:00:00:00:01", ports[0]["mac"]);
  EXPECT_EQ("virtio", ports[0]["model"]);
  EXPECT_EQ("network", ports[0]["type"]);
  EXPECT_EQ("virbr0", ports[0]["source"]);
  EXPECT_EQ("up", ports[0]["state"]);
  vnet({"set", "g1", "--link", "down", "--mac", "52:54:00:00:00:02"});
  ports = ground().vnet_json({"ports"});
  EXPECT_EQ("52:54:00:00:00:02", ports[0]["mac"]);
  EXPECT_EQ("down", ports[0]["state"]);
  EXPECT_THAT(host().sh("bridge fdb show dev g1").out, HasSubstr("52:54:00:00:00:02"));
  EXPECT_THAT(host().sh("bridge fdb show dev g1").out, testing::Not(HasSubstr("52:54:00:00:00:01")));
  vnet({"detach", "g1"});
  EXPECT_THAT(host().sh("ip -o link show g1").out, testing::Not(HasSubstr("master")));
  EXPECT_EQ(3, ground().vnet({"detach", "g1"}).status);
  EXPECT_EQ("[]", ground().vnet_json({"ports"}).dump());
}

TEST_F(Lifecycle, SeveralAreAttachedAtOnceOrNone) {
  vnet({"up"});
  for (const char* name : {"g1", "g2", "g3"}) ground().add_guest(name);
  Output refused = ground().vnet({"attach", "g1", "g2", "nowhere", "--network", "default"});
  EXPECT_EQ(3, refused.status) << refused.err;
  EXPECT_THAT(refused.err, HasSubstr("nowhere"));
  EXPECT_EQ("[]", ground().vnet_json({"ports"}).dump());

  EXPECT_THAT(vnet({"attach", "g1", "g2", "--network", "default", "--inbound", "drop"}).out,
              HasSubstr("2 interfaces attached to network default"));
  vnet({"attach", "g2", "g3", "--network", "default"});
  auto ports = ground().vnet_json({"ports"});
  ASSERT_EQ(3U, ports.size());
  EXPECT_EQ("drop", ports[1]["inbound"]) << "attached before, and not asked to change";
  EXPECT_EQ("accept", ports[2]["inbound"]);
  ground().vnet({"detach", "g1"});
  for (const char* name : {"g2", "g3"})
    EXPECT_TRUE(host().sh("ip -d -o link show " + std::string(name) + " | grep virbr0").ok()) << name;
}

TEST_F(Lifecycle, AllMembersOfTheBridgeAreAttached) {
  vnet({"up"});
  EXPECT_THAT(vnet({"attach", "--all-members", "default"}).out,
              HasSubstr("no guest's interface is in virbr0"));
  for (const char* name : {"g1", "g2", "g3"}) ground().add_guest(name);
  host().must("ip link set g1 master virbr0; ip link set g2 master virbr0");
  for (int time = 0; time < 2; ++time) {
    EXPECT_THAT(vnet({"attach", "--all-members", "default"}).out, HasSubstr("2 interfaces attached"));
    auto ports = ground().vnet_json({"ports"});
    ASSERT_EQ(2U, ports.size());
    EXPECT_EQ("g1", ports[0]["interface"]);
    EXPECT_EQ("g2", ports[1]["interface"]);
  }
  wait_until_forwarding("g1");
  EXPECT_TRUE(ground().udhcpc("g1").ok());
  vnet({"detach", "g1"});
  EXPECT_TRUE(host().sh("ip -d -o link show g1 | grep virbr0").ok()) << "it was there before us";
  EXPECT_EQ(3, ground().vnet({"attach", "--all-members", "nowhere"}).status);
}

// Killed anywhere: the same command once more gets there, and `stop` leaves nothing.
// Some are given out while planning, others while a step is carried out: nobody counts at another's.
TEST_F(Lifecycle, ACommandGivesOutASlotOnce) {
  start();
  for (const char* name : {"g1", "g2"}) ground().add_guest(name);
  // An uplink from the next command on, which plugs in guests, too.
  host().must(
      "ip link add lan0 type veth peer name lan1; ip link set lan0 up; ip addr add 198.18.0.2/24 dev lan0");
  vnet({"attach", "g1", "g2", "--network", "lab"});
  std::map<int, std::string> owners;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(ground().state_dir() / "run")) {
    if (entry.path().extension() != ".json") continue;
    auto record = nlohmann::json::parse(std::ifstream(entry.path()), nullptr, false);
    if (!record.is_object() || !record.contains("slot")) continue;
    auto [other, fresh] = owners.emplace(record["slot"].get<int>(), entry.path());
    EXPECT_TRUE(fresh) << entry.path() << " and " << other->second;
  }
  EXPECT_EQ(5U, owners.size());  // the network, two ports, eth0, lan0
}

TEST_F(Lifecycle, KilledAtAnyPointTheNextRunConverges) {
  ground().add_guest("g1");
  for (int milliseconds = 2; milliseconds < 400; milliseconds += milliseconds / 3 + 3) {
    ground().vnet({"define", file("lab.xml", dual_stack_xml())});
    std::string timeout = "timeout -s KILL " + std::to_string(milliseconds / 1000.0) +
                          " env VNET_BPF_STATE_DIR=" + ground().state_dir().string() + " " VNET_PROGRAM " ";
    host().sh(timeout + "start lab");
    Output start = ground().vnet({"start", "lab"});
    EXPECT_TRUE(start.ok() || start.err.find("already active") != std::string::npos)
        << milliseconds << start.err;
    host().sh(timeout + "attach g1 --network lab");
    vnet({"attach", "g1", "--network", "lab"});
    host().sh(timeout + "stop lab");
    Output stop = ground().vnet({"stop", "lab"});
    EXPECT_TRUE(stop.ok() || stop.err.find("not active") != std::string::npos) << milliseconds << stop.err;
    ASSERT_THAT(leftovers(), IsEmpty()) << "killed after " << milliseconds << " ms";
  }
}

// `stop` takes the datapath away before it forgets the network: killed between the two, or while its pins go,
// it is finished by the next.
TEST_F(Lifecycle, StopFinishesWhereTheDatapathIsGoneAlready) {
  auto pins = StateDir(ground().state_dir()).pins();
  ground().add_guest("g1");
  for (const auto& gone : {pins, pins / "maps" / "sessions"}) {
    SCOPED_TRACE(gone);
    start();
    vnet({"attach", "g1", "--network", "lab"});
    std::filesystem::remove_all(gone);
    // Below 6.6 programs outlive their pins; `stop` had taken them off before.
    for (const char* interface : {"g1", "virbr0", "eth0"})
      host().sh(std::string("tc qdisc del dev ") + interface + " clsact");
    vnet({"stop", "lab"});
    EXPECT_THAT(leftovers(), IsEmpty());
    EXPECT_EQ("[]", ground().vnet_json({"ports"}).dump());
  }
}

TEST_F(Lifecycle, DnsmasqIsRestartedByTheNextCommand) {
  vnet({"up"});
  auto pid_file = ground().state_dir() / "run/dnsmasq/default.pid";
  ASSERT_TRUE(std::filesystem::exists(pid_file));
  sh("kill -9 $(cat " + pid_file.string() + ")");
  vnet({"up"});
  ground().add_guest("g1");
  vnet({"attach", "g1", "--network", "default"});
  wait_until_forwarding("g1");
  EXPECT_TRUE(ground().udhcpc("g1").ok());
}

TEST_F(Lifecycle, TheClsactWayServesTheSame) {
  setenv("VNET_BPF_ATTACH", "clsact", 1);
  start();
  plug_both();
  EXPECT_THAT(host().sh("tc filter show dev g1 ingress").out, HasSubstr("port_ingress"));
  EXPECT_TRUE(guest("g1").pings("203.0.113.1"));
  EXPECT_TRUE(guest("g1").pings("192.168.122.12"));
  vnet({"stop", "lab"});
  unsetenv("VNET_BPF_ATTACH");
  EXPECT_THAT(leftovers(), IsEmpty());
}

}  // namespace
}  // namespace vnet::test
