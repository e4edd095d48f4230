// SPDX-License-Identifier: GPL-2.0-or-later
// `vnet-bpf run`: what others change on the host is followed, and the end of it changes nothing.
#include <arpa/inet.h>

#include <cstring>
#include <fstream>
#include <iterator>

#include "tests/e2e/run_fixture.h"

namespace vnet::test {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class Run : public RunTest {};

TEST_F(Run, StartsWhatIsMarkedAndTellsSystemd) {
  vnet({"define", file("lab.xml", dual_stack_xml())});
  vnet({"autostart", "lab"});
  EXPECT_THAT(vnet({"run", "--dry-run"}).out, HasSubstr("create bridge virbr0"));
  EXPECT_FALSE(is_up("lab"));
  run("export WATCHDOG_USEC=400000;");
  EXPECT_TRUE(is_up("lab"));
  EXPECT_THAT(log(), HasSubstr("Network lab started"));
  EXPECT_TRUE(manager().expect("WATCHDOG=1"));
  EXPECT_TRUE(manager().expect("WATCHDOG=1"));
  // What is stopped stays so, whatever happens; what is marked meanwhile is started when asked to read again.
  vnet({"stop", "lab"});
  std::string other = "<network><name>other</name><bridge name='virbr5'/></network>";
  vnet({"define", file("other.xml", other)});
  vnet({"autostart", "lab", "--disable"});
  vnet({"autostart", "other"});
  end(SIGHUP);
  EXPECT_TRUE(manager().expect("RELOADING=1"));
  EXPECT_TRUE(manager().expect("READY=1"));
  EXPECT_TRUE(is_up("other"));
  EXPECT_FALSE(is_up("lab"));
  end(SIGTERM);
  EXPECT_TRUE(ended());
  EXPECT_EQ("0\n", read("run.status")) << log();
}

TEST_F(Run, ATapThatIsPluggedInByHandIsAttached) {
  start_lab();
  run();
  add_tap("vnet7", "fe:54:00:00:00:07");
  ASSERT_TRUE(attached_to("vnet7", "lab")) << log();
  EXPECT_EQ(mac_of(7), port("vnet7")["mac"].get<std::string>());
  EXPECT_EQ("up", port("vnet7")["state"].get<std::string>());
  host().must("ip link set vnet7 nomaster");
  EXPECT_TRUE(attached_to("vnet7", "")) << log();
  host().must("ip link set vnet7 master virbr0");
  EXPECT_TRUE(attached_to("vnet7", "lab"));
  host().must("ip link delete vnet7");
  EXPECT_TRUE(attached_to("vnet7", "")) << log();
  EXPECT_THAT(sh("find " + (ground().state_dir() / "bpf").string() + " -path '*vnet7*'").out, IsEmpty());
  // Another first byte than 52 cannot be known: such a guest's MAC is learned.
  add_tap("vnet8", "fe:00:5e:00:53:08");
  ASSERT_TRUE(attached_to("vnet8", "lab"));
  EXPECT_TRUE(port("vnet8")["mac"].is_null()) << port("vnet8");
}

TEST_F(Run, OneThatIsThereAlreadyIsFoundAndServed) {
  start_lab();
  put_into_bridge("g1", 11);
  run();
  ASSERT_TRUE(attached_to("g1", "lab")) << log();
  wait_until_forwarding("g1");
  EXPECT_TRUE(guest("g1").pings("203.0.113.1"));
  EXPECT_TRUE(soon([&] { return port("g1")["mac"] == mac_of(11); }));
  // With SIGTERM the loop is gone, and nothing else.
  end(SIGTERM);
  ASSERT_TRUE(ended());
  EXPECT_EQ("0\n", read("run.status"));
  EXPECT_TRUE(manager().expect("STOPPING=1"));
  EXPECT_TRUE(guest("g1").pings("203.0.113.1"));
  EXPECT_TRUE(attached_to("g1", "lab"));
}

TEST_F(Run, AMoveToAnotherNetworkIsFollowed) {
  start_lab();
  vnet({"up", file("two.xml",
                   "<network><name>two</name><bridge name='virbr2'/><ip address='192.168.99.1' "
                   "prefix='24'/></network>")});
  run();
  add_tap("vnet7", "fe:54:00:00:00:07");
  ASSERT_TRUE(attached_to("vnet7", "lab"));
  host().must("ip link set vnet7 master virbr2");
  EXPECT_TRUE(attached_to("vnet7", "two")) << log();
  EXPECT_THAT(host().sh("ip -o link show vnet7").out, HasSubstr("master virbr2"));
}

TEST_F(Run, WhatACommandHasAttachedIsPluggedInAgain) {
  start_lab();
  add("g1", 11);
  attach("g1", 11, {"--filter", "clean-traffic"});
  run();
  host().must("ip link set g1 nomaster");
  EXPECT_TRUE(soon([&] {
    return host().sh("ip -o link show g1").out.find("master virbr0") != std::string::npos;
  })) << log();
  EXPECT_EQ("clean-traffic", port("g1")["filters"].at(0).get<std::string>());
  vnet({"detach", "g1"});
  host().must("ip link set g1 mtu 1400");  // an event
  EXPECT_TRUE(attached_to("g1", ""));
  EXPECT_THAT(host().sh("ip -o link show g1").out, Not(HasSubstr("master")));
}

TEST_F(Run, OnABridgeOfTheHostsOnlyTapsAreOurs) {
  vnet({"define",
        file("lan.xml", "<network><name>lan</name><forward mode='bridge'/><bridge name='br0'/></network>")});
  vnet({"autostart", "lan"});
  run();
  EXPECT_THAT(log(), HasSubstr("the host has no bridge br0"));
  host().must("ip link add br0 type bridge; ip link set br0 up");
  EXPECT_TRUE(soon([&] { return is_up("lan"); })) << log();
  ground().add_guest("c1");
  host().must("ip link set c1 master br0");
  add_tap("vnet7", "fe:54:00:00:00:07", "br0");
  EXPECT_TRUE(attached_to("vnet7", "lan")) << log();
  EXPECT_TRUE(port("c1").is_null());
  // It goes, and comes back as another one.
  host().must("ip link delete br0");
  EXPECT_TRUE(soon([&] { return log().find("br0 has gone") != std::string::npos; })) << log();
  host().must("ip link add br0 type bridge; ip link set br0 up; ip link set vnet7 master br0");
  EXPECT_TRUE(soon([&] { return log().find("Network lan started again") != std::string::npos; })) << log();
  EXPECT_TRUE(attached_to("vnet7", "lan"));
}

TEST_F(Run, TheUplinksAddressIsFollowed) {
  start_lab();
  add("g1", 11);
  attach("g1", 11);
  run();
  ASSERT_TRUE(guest("g1").pings("203.0.113.1"));
  host().must(
      "ip addr del 203.0.113.2/24 dev eth0; ip addr add 203.0.113.9/24 dev eth0; "
      "ip route add default via 203.0.113.1");
  auto index = static_cast<__u32>(std::stoi(host().sh("ip -o link show eth0").out));
  auto noted = [&] {
    auto device = maps().devices.get(index);
    return device && device->addr4.word_be[3] == inet_addr("203.0.113.9");
  };
  EXPECT_TRUE(soon(noted)) << log();
  EXPECT_TRUE(guest("g1").pings("203.0.113.1"));
}

TEST_F(Run, AnotherUplinkIsFollowed) {
  start_lab();
  run();
  auto uplinks = [&] { return ground().vnet_json({"show", "lab"})["uplinks"].dump(); };
  EXPECT_THAT(uplinks(), HasSubstr("eth0"));
  host().must(
      "ip link add wan1 type veth peer name wan1-far; ip link set wan1 up; ip link set wan1-far up; "
      "ip addr add 203.0.114.2/24 dev wan1; ip route replace default via 203.0.114.1 dev wan1; "
      "ip -6 route del default");
  EXPECT_TRUE(soon([&] { return uplinks() == "[\"wan1\"]"; })) << uplinks() << log();
}

TEST_F(Run, KilledAndStartedAgainItKeepsCountersAndSessions) {
  start_lab();
  put_into_bridge("g1", 11);
  run();
  ASSERT_TRUE(attached_to("g1", "lab"));
  wait_until_forwarding("g1");
  Background sink = outside().background(
      {"socat", "-u", "TCP-LISTEN:9000,reuseaddr", "CREATE:" + (ground().state_dir() / "got").string()});
  ASSERT_TRUE(soon([&] { return !outside().sh("ss -Hltn sport = :9000").out.empty(); }));
  Background source = guest("g1").background(
      {"sh", "-c", "while echo line; do sleep 0.05; done | socat -u - TCP:203.0.113.1:9000"});
  auto received = [&] { return read("got").size(); };
  ASSERT_TRUE(soon([&] { return received() > 20; }));
  auto before = sent_by("g1");
  end(SIGKILL);
  ASSERT_TRUE(ended());
  EXPECT_EQ("137\n", read("run.status"));
  auto had = received();
  EXPECT_TRUE(soon([&] { return received() > had + 20; }));
  run();
  EXPECT_THAT(log(), Not(HasSubstr("error")));
  had = received();
  EXPECT_TRUE(soon([&] { return received() > had + 20; }));
  EXPECT_GT(sent_by("g1"), before);
  EXPECT_EQ(1U, ground().vnet_json({"flows"}).size());
}

TEST_F(Run, AKilledDnsmasqComesBack) {
  start_lab();
  run();
  std::string pid = dnsmasq_pid();
  ASSERT_FALSE(pid.empty());
  sh("kill -9 " + pid);
  EXPECT_TRUE(soon([&] { return !dnsmasq_pid().empty() && dnsmasq_pid() != pid; })) << log();
  put_into_bridge("g1", 11);
  ASSERT_TRUE(attached_to("g1", "lab"));
  wait_until_forwarding("g1");
  EXPECT_TRUE(ground().udhcpc("g1").ok());
  // And again: it is the new one that is watched.
  pid = dnsmasq_pid();
  sh("kill -9 " + pid);
  EXPECT_TRUE(soon([&] { return !dnsmasq_pid().empty() && dnsmasq_pid() != pid; })) << log();
}

TEST_F(Run, ADeletedGatewayIsMadeAgainWithItsPorts) {
  start_lab();
  add("g1", 11);
  attach("g1", 11, {"--inbound", "established"});
  put_into_bridge("g2", 12);
  run();
  ASSERT_TRUE(attached_to("g2", "lab"));
  host().must("ip link delete virbr0");
  EXPECT_TRUE(soon([&] { return log().find("its bridge virbr0 had gone") != std::string::npos; })) << log();
  for (const char* name : {"g1", "g2"}) {
    EXPECT_TRUE(soon([&] {
      return host().sh(std::string("ip -o link show ") + name).out.find("master virbr0") != std::string::npos;
    })) << log();
    wait_until_forwarding(name);
    EXPECT_TRUE(guest(name).pings("203.0.113.1")) << name << log();
  }
  EXPECT_EQ("established", port("g1")["inbound"].get<std::string>());
  EXPECT_THAT(log(), Not(HasSubstr("error")));
}

// The programs by which the host's own sockets reach port forwards.
TEST_F(Run, PutsTheProgramsOfPortForwardsBack) {
  start(dual_stack_xml("<nat ipv6='yes'/>",
                       "<metadata><v:network xmlns:v='urn:vnet-bpf:network:1'><v:portForward proto='tcp' "
                       "port='8080' to='192.168.122.11' toPort='80'/></v:network></metadata>"));
  plug("g1", 11);
  auto web = service("g1", 80);
  run();
  EXPECT_TRUE(connects(host(), "127.0.0.1", 8080));
  for (const char* program : {"host_connect4", "host_peername6"}) {
    const std::string pin = fmt::format("%{}", program);
    ASSERT_TRUE(
        sh("bpftool link detach pinned " + (StateDir(ground().state_dir()).pins() / "links" / pin).string())
            .ok());
    EXPECT_TRUE(soon([&] {
      return !ground().vnet({"apply", "lab", "--dry-run"}).out.contains("let the host itself reach");
    })) << log();
  }
  EXPECT_TRUE(connects(host(), "127.0.0.1", 8080));
}

TEST_F(Run, ASecondOneIsRefused) {
  start_lab();
  run();
  Output second = ground().vnet({"run"});
  EXPECT_EQ(1, second.status);
  EXPECT_THAT(second.err, HasSubstr("another vnet-bpf is at work: pid "));
  EXPECT_THAT(second.err, HasSubstr("(run)"));
  EXPECT_FALSE(std::filesystem::exists(ground().state_dir() / "run.status"));
  add("g1", 11);
  attach("g1", 11);  // the commands go on working beside it
}

// With the capabilities that the unit leaves it, and dnsmasq.
TEST_F(Run, TheUnitsCapabilitiesAreEnough) {
  const std::string unit = VNET_SOURCE_DIR "/packaging/systemd/vnet-bpf.service.in";
  if (!std::filesystem::exists(unit)) GTEST_SKIP() << "the project's sources are not here";
  EXPECT_TRUE(sh("grep -q NoNewPrivileges=yes " + unit).ok());
  std::string set = sh("sed -n 's/^CapabilityBoundingSet=//p' " + unit +
                       " | tr A-Z a-z | sed 's/cap_/+/g; s/ /,/g' | tr -d '\\n'")
                        .out;
  ASSERT_THAT(set, HasSubstr("+net_admin"));
  vnet({"define", file("lab.xml", dual_stack_xml())});
  vnet({"autostart", "lab"});
  run("setpriv --no-new-privs --bounding-set -all," + set);
  EXPECT_TRUE(is_up("lab")) << log();
  put_into_bridge("g1", 11);
  ASSERT_TRUE(attached_to("g1", "lab")) << log();
  wait_until_forwarding("g1");
  EXPECT_TRUE(guest("g1").pings("203.0.113.1"));
  EXPECT_TRUE(ground().udhcpc("g1").ok());
  vnet({"stop", "lab"});
}

// With the file system that the unit leaves it: read-only, but for what is its own.
TEST_F(Run, TheUnitsFileSystemIsEnough) {
  const std::string unit = VNET_SOURCE_DIR "/packaging/systemd/vnet-bpf.service.in";
  if (!std::filesystem::exists(unit)) GTEST_SKIP() << "the project's sources are not here";
  EXPECT_TRUE(sh("grep -q ProtectSystem=strict " + unit).ok());
  vnet({"define", file("lab.xml", dual_stack_xml())});
  vnet({"autostart", "lab"});
  run(fmt::format(
      "unshare --mount sh -c 'mount --rbind {0} {0} && mount -o remount,bind,ro / && ! touch /tmp/rw && "
      "exec \"$@\"' sh",
      ground().state_dir().string()));
  EXPECT_TRUE(is_up("lab")) << log();
  put_into_bridge("g1", 11);
  ASSERT_TRUE(attached_to("g1", "lab")) << log();
  wait_until_forwarding("g1");
  EXPECT_TRUE(ground().udhcpc("g1").ok());
  vnet({"stop", "lab"});
}

TEST(RunUnit, IsSound) {
  if (!sh("command -v systemd-analyze").ok()) GTEST_SKIP() << "systemd-analyze is not installed";
  std::string pattern = "/tmp/vt-unit-XXXXXX";
  ASSERT_TRUE(mkdtemp(pattern.data()));
  Output output = sh("sed 's|@SBINDIR@/vnet-bpf|" VNET_PROGRAM "|' " VNET_SOURCE_DIR
                     "/packaging/systemd/vnet-bpf.service.in > " +
                     pattern +
                     "/vnet-bpf.service; "
                     "systemd-analyze verify --man=no " +
                     pattern +
                     "/vnet-bpf.service 2>&1 | grep vnet-bpf.service; "
                     "rm -r " +
                     pattern);
  EXPECT_THAT(output.out, IsEmpty());
}

}  // namespace
}  // namespace vnet::test
