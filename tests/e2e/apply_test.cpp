// SPDX-License-Identifier: GPL-2.0-or-later
// Networks that change while their guests talk.
#include <fmt/format.h>

#include <cstdlib>
#include <fstream>
#include <list>
#include <sstream>

#include "tests/e2e/network_fixture.h"
#include "tests/support/probe.h"

namespace vnet::test {
namespace {

using testing::HasSubstr;
using testing::Not;

// What the network backlogs of the CPUs had no room for: too many packets for this machine, whoever had sent
// them.
std::uint64_t backlog_drops() {
  std::ifstream file("/proc/net/softnet_stat");
  std::uint64_t sum = 0;
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string processed, dropped;
    words >> processed >> dropped;
    sum += std::stoull(dropped, nullptr, 16);
  }
  return sum;
}

// The lab's definition with parts of it otherwise.
struct Parts {
  std::string settings, nat = "<nat ipv6='yes'/>", elements, dhcp, after;
};
std::string lab(const Parts& parts) {
  std::string metadata = parts.settings.empty() ? ""
                                                : "<metadata><v:network xmlns:v='urn:vnet-bpf:network:1'>" +
                                                      parts.settings + "</v:network></metadata>";
  return "<network><name>lab</name>" + metadata + "<forward mode='nat'>" + parts.nat +
         "</forward><bridge name='virbr0' stp='off'/>" + parts.elements +
         "<ip address='192.168.122.1' netmask='255.255.255.0'><dhcp><range start='192.168.122.100' "
         "end='192.168.122.200'/>" +
         parts.dhcp + "</dhcp></ip><ip family='ipv6' address='fd00:122::1' prefix='64'/>" + parts.after +
         "</network>";
}

// Each of these is of no concern to the flows of g1.
const std::vector<std::pair<const char*, Parts>>& harmless_changes() {
  static const std::vector<std::pair<const char*, Parts>> all{
      {"port forward",
       {.settings = "<v:portForward proto='tcp' port='8080' to='192.168.122.12' toPort='80'/>"}},
      {"inbound", {.settings = "<v:inbound default='established'/>"}},
      {"host access", {.settings = "<v:host access='services'/>"}},
      {"host firewall", {.settings = "<v:hostFirewall mode='bypass'/>"}},
      {"sessions", {.settings = "<v:sessions max='1000'/>"}},
      {"guard", {.settings = "<v:guard mac='any'/>"}},
      {"link protocols", {.settings = "<v:link-protocols forward='lldp'/>"}},
      {"XDP", {.settings = "<v:xdp mode='filter' generic='yes'/>"}},
      {"new flows", {.settings = "<v:xdp mode='off' newFlows='1000'/>"}},
      {"NAT ports", {.nat = "<nat ipv6='yes'><port start='1024' end='65535'/></nat>"}},
      {"MTU", {.elements = "<mtu size='1600'/>"}},
      {"domain", {.elements = "<domain name='lab'/>"}},
      {"DNS host", {.elements = "<dns><host ip='192.168.122.9'><hostname>nine</hostname></host></dns>"}},
      {"DHCP host", {.dhcp = "<host mac='52:54:00:00:00:99' ip='192.168.122.99'/>"}},
      {"isolated ports", {.elements = "<port isolated='yes'/>"}},
      {"address", {.after = "<ip address='10.70.0.1' prefix='24'/>"}},
      {"route", {.after = "<route address='10.71.0.0' prefix='16' gateway='192.168.122.12'/>"}},
      {"portgroup",
       {.after = "<portgroup name='slow'><bandwidth><outbound average='100'/></bandwidth></portgroup>"}},
      {"nothing", {}},
  };
  return all;
}

class ApplyTest : public NetworkTest, public testing::WithParamInterface<const char*> {
 protected:
  void SetUp() override {
    ::setenv("VNET_BPF_ATTACH", GetParam(), 1);
    NetworkTest::SetUp();
    if (IsSkipped()) return;
    vnet({"up", file("lab.xml", lab({}))});
  }
  void TearDown() override { ::unsetenv("VNET_BPF_ATTACH"); }

  Output apply(const Parts& parts) { return vnet({"apply", "lab", file("changed.xml", lab(parts))}); }
  Output update(const Argv& words) {
    Argv all{"update", "lab"};
    all.insert(all.end(), words.begin(), words.end());
    return vnet(all);
  }
  std::string dnsmasq_pid() {
    return host().sh("cat " + (ground().state_dir() / "run/dnsmasq/lab.pid").string()).out;
  }
  std::string live_xml() { return vnet({"show", "lab", "--xml"}).out; }
  std::string stored_xml() { return vnet({"show", "lab", "--xml", "--inactive"}).out; }
};

// VNET_APPLIES=100 for that many; each of them once otherwise.
TEST_P(ApplyTest, NothingIsLostOfFlowsThatTheChangeDoesNotConcern) {
  plug_both();
  Echo echo(outside(), Transport::Udp, 7);
  Background server = outside().background({"iperf3", "-s"});
  ASSERT_TRUE(wait_until([&] { return guest("g1").sh("iperf3 -n 1K -c 203.0.113.1").ok(); }));
  const char* wanted = std::getenv("VNET_APPLIES");
  std::size_t applies = wanted ? std::stoul(wanted) : harmless_changes().size();
  Background streams = guest("g1").background(
      {"iperf3", "-P", "10", "-t", "3600", "-i", "1", "--forceflush", "-c", "203.0.113.1"});
  Probe v4(guest("g2"), {"203.0.113.1", 7}), v6(guest("g2"), {"2001:db8:113::1", 7});
  auto tcp_sessions = [&] {
    std::set<std::string> seen;
    for (const auto& flow :
         ground().vnet_json({"flows", "--network", "lab", "--proto", "tcp", "--state", "established"}))
      seen.insert(flow.value("inside", nlohmann::json()).dump());
    return seen;
  };
  ASSERT_TRUE(wait_until([&] { return tcp_sessions().size() >= 11; }));
  auto before = tcp_sessions();
  auto backlog = backlog_drops();
  for (std::size_t i = 0; i < applies; ++i) {
    const auto& [name, parts] = harmless_changes()[i % harmless_changes().size()];
    SCOPED_TRACE(name);
    EXPECT_THAT(apply(parts).out, HasSubstr("Network lab changed"));
  }
  auto after = tcp_sessions();
  EXPECT_TRUE(std::ranges::includes(after, before))
      << testing::PrintToString(before) << testing::PrintToString(after);
  for (Probe* probe : {&v4, &v6}) {
    auto [sent, lost] = probe->stop();
    EXPECT_GT(sent, applies * 10);
    EXPECT_LE(lost, backlog_drops() - backlog) << "of " << sent;
  }
  for (const char* reason : {"no-session", "spoofed-source", "unattached", "no-way-out"})
    EXPECT_EQ(0U, dropped(reason)) << reason;
}

TEST_P(ApplyTest, LeasesAreKeptAndDnsmasqIsNotRestartedForHosts) {
  ground().add_guest("g1");
  vnet({"attach", "g1", "--network", "lab"});
  wait_until_forwarding("g1");
  ASSERT_TRUE(ground().udhcpc("g1").ok());
  auto leases = ground().vnet_json({"leases", "lab"});
  ASSERT_EQ(1U, leases.size());
  auto pid = dnsmasq_pid();

  update({"add", "dns-host", "<host ip='192.168.122.77'><hostname>box</hostname></host>"});
  EXPECT_TRUE(wait_until([&] {
    return guest("g1").sh("busybox nslookup box 192.168.122.1").out.find("192.168.122.77") !=
           std::string::npos;
  }));
  ground().add_guest("g2");
  auto mac = guest("g2").sh("cat /sys/class/net/eth0/address").out.substr(0, 17);
  update({"add", "ip-dhcp-host", "<host mac='" + mac + "' name='pinned' ip='192.168.122.42'/>", "--live",
          "--config"});
  EXPECT_EQ(pid, dnsmasq_pid());
  vnet({"attach", "g2", "--network", "lab"});
  wait_until_forwarding("g2");
  ASSERT_TRUE(ground().udhcpc("g2").ok());
  EXPECT_THAT(guest("g2").sh("ip -br addr").out, HasSubstr("192.168.122.42"));

  update({"delete", "ip-dhcp-range", "<range start='192.168.122.100' end='192.168.122.200'/>"});
  update({"add", "ip-dhcp-range", "<range start='192.168.122.50' end='192.168.122.60'/>"});
  EXPECT_NE(pid, dnsmasq_pid());
  auto now = ground().vnet_json({"leases", "lab"});
  EXPECT_EQ(2U, now.size());
  EXPECT_THAT(now.dump(), HasSubstr(leases[0]["ip"].get<std::string>()));
  // Stored was what was asked to be.
  EXPECT_THAT(stored_xml(), HasSubstr("192.168.122.42"));
  EXPECT_THAT(stored_xml(), Not(HasSubstr("box")));
  EXPECT_THAT(live_xml(), HasSubstr("box"));
  vnet({"apply", "lab"});
  EXPECT_THAT(live_xml(), Not(HasSubstr("box")));
  EXPECT_EQ(live_xml(), stored_xml());
}

TEST_P(ApplyTest, APortForwardComesAndGoesWithItsSessionsOnly) {
  plug_both();
  Echo inside(guest("g1"), Transport::Tcp, 80), far(outside(), Transport::Tcp, 7);
  TcpConnection out(guest("g1"), {"203.0.113.1", 7});
  ASSERT_EQ(100U, out.exchange(100));
  EXPECT_FALSE(
      TcpConnection(outside(), {"203.0.113.2", 8080}, {.limit = std::chrono::milliseconds(500)}).is_open());
  const char* forward = "<vnet:portForward proto='tcp' port='8080' to='192.168.122.11' toPort='80'/>";
  update({"add", "vnet:portForward", forward});
  TcpConnection in(outside(), {"203.0.113.2", 8080});
  ASSERT_TRUE(in.is_open());
  EXPECT_EQ(100U, in.exchange(100));
  update({"delete", "vnet:portForward", "<vnet:portForward proto='tcp' port='8080'/>"});
  EXPECT_EQ(0U, in.exchange(100, std::chrono::milliseconds(800)));
  EXPECT_EQ(100U, out.exchange(100));
}

TEST_P(ApplyTest, SessionsEndThatAreTranslatedOtherwiseNow) {
  plug_both();
  Echo far(outside(), Transport::Udp, 7);
  UdpSocket low(guest("g1"), 2000), high(guest("g1"), 50000);
  ASSERT_TRUE(low.is_answered({"203.0.113.1", 7}));
  ASSERT_TRUE(high.is_answered({"203.0.113.1", 7}));
  far.forget_peers();
  apply({.nat = "<nat ipv6='yes'><port start='40000' end='60000'/></nat>"});
  auto flows = ground().vnet_json({"flows", "--network", "lab", "--proto", "udp"}).dump();
  EXPECT_THAT(flows, HasSubstr("\"port\":50000"));
  EXPECT_THAT(flows, Not(HasSubstr("\"port\":2000")));
  ASSERT_TRUE(high.is_answered({"203.0.113.1", 7}));
  ASSERT_TRUE(low.is_answered({"203.0.113.1", 7}));
  for (const auto& peer : far.peers()) EXPECT_GE(peer.port, 40000) << peer;
  EXPECT_TRUE(far.peers().contains({"203.0.113.2", 50000}));
}

TEST_P(ApplyTest, AddressesAndRoutesFollow) {
  plug_both();
  apply({.after = "<ip address='10.70.0.1' prefix='24'/><route address='10.71.0.0' prefix='16' "
                  "gateway='192.168.122.12'/>"});
  EXPECT_THAT(host().sh("ip -br addr show virbr0").out, HasSubstr("10.70.0.1/24"));
  EXPECT_THAT(host().sh("ip route").out, HasSubstr("10.71.0.0/16 via 192.168.122.12 dev virbr0"));
  guest("g1").must("ip addr add 10.70.0.11/24 dev eth0");
  EXPECT_TRUE(guest("g1").sh("ping -c1 -W2 -I 10.70.0.11 203.0.113.1").ok());
  // With guests that may be in it, a subnet is not taken away.
  Output refused = ground().vnet({"apply", "lab", file("lab.xml", lab({}))});
  EXPECT_EQ(1, refused.status);
  EXPECT_THAT(refused.err, HasSubstr("addresses (10.70.0.1/24 is in use by 10.70.0.11)"));
  EXPECT_THAT(stored_xml(), HasSubstr("10.70.0.1"));
  guest("g1").must("ip addr del 10.70.0.11/24 dev eth0");
  host().must("ip neigh flush dev virbr0 nud all");
  apply({});
  EXPECT_THAT(host().sh("ip -br addr show virbr0").out, Not(HasSubstr("10.70.0.1")));
  EXPECT_THAT(host().sh("ip route").out, Not(HasSubstr("10.71.0.0")));
}

TEST_P(ApplyTest, AFailureLeavesEverythingAsItWas) {
  plug_both();
  auto pid = dnsmasq_pid();
  auto live = live_xml(), stored = stored_xml();
  std::string xml =
      lab({.settings = "<v:host access='none'/>",
           .after = "<ip address='10.70.0.1' prefix='24'/>"
                    "<dnsmasq:options xmlns:dnsmasq='http://libvirt.org/schemas/network/dnsmasq/1.0'>"
                    "<dnsmasq:option value='no-such-option'/></dnsmasq:options>"});
  Output failed = ground().vnet({"apply", "lab", file("bad.xml", xml)});
  EXPECT_EQ(1, failed.status);
  EXPECT_THAT(failed.err, HasSubstr("dnsmasq"));
  EXPECT_EQ(live, live_xml());
  EXPECT_EQ(stored, stored_xml());
  EXPECT_EQ(pid, dnsmasq_pid());
  EXPECT_THAT(host().sh("ip -br addr show virbr0").out, Not(HasSubstr("10.70.0.1")));
  EXPECT_TRUE(guest("g1").pings("192.168.122.1"));
  EXPECT_TRUE(guest("g1").pings("203.0.113.1"));
}

TEST_P(ApplyTest, WhatCannotBeChangedIsNamed) {
  std::string xml = lab({});
  xml.replace(xml.find("virbr0"), 6, "virbr5");
  for (const Argv& verb : {Argv{"apply", "lab"}, Argv{"up"}}) {
    Argv words = verb;
    words.push_back(file("other.xml", xml));
    Output refused = ground().vnet(words);
    EXPECT_EQ(1, refused.status);
    EXPECT_THAT(refused.err, HasSubstr("bridge name (its bridge would have to be made anew)"));
  }
  EXPECT_THAT(stored_xml(), HasSubstr("virbr0"));
  EXPECT_EQ(2, ground().vnet({"apply", "other", file("lab.xml", lab({}))}).status);
  EXPECT_EQ(3, ground().vnet({"apply", "other"}).status);
  EXPECT_EQ(2, ground().vnet({"update", "lab", "add", "nonsense", "<x/>"}).status);
  EXPECT_EQ(1, ground().vnet({"update", "lab", "add", "bridge", "<bridge name='x'/>"}).status);
  // The difference, and nothing done.
  Output dry = vnet({"apply", "lab", file("lab.xml", lab({.elements = "<domain name='x'/>"})), "--dry-run"});
  EXPECT_THAT(dry.out, HasSubstr("note the new definition of lab: domain"));
  EXPECT_THAT(dry.out, HasSubstr("restart dnsmasq on virbr0"));
  EXPECT_THAT(live_xml(), Not(HasSubstr("domain")));
}

TEST_P(ApplyTest, ChangesOfTheProgramsReachEveryPort) {
  plug_both();
  EXPECT_TRUE(guest("g1").pings("192.168.122.1"));
  update({"add", "vnet:host", "<vnet:host access='none'/>"});
  EXPECT_FALSE(guest("g1").pings("192.168.122.1", 1));
  EXPECT_TRUE(guest("g1").pings("203.0.113.1"));
  update({"add", "vnet:inbound", "<vnet:inbound default='drop'/>"});
  EXPECT_FALSE(guest("g2").pings("192.168.122.11", 1));
  update({"delete", "vnet:inbound", "<vnet:inbound/>"});
  EXPECT_TRUE(guest("g2").pings("192.168.122.11"));
  EXPECT_THAT(vnet({"list"}).out, Not(HasSubstr("missing")));
}

INSTANTIATE_TEST_SUITE_P(Attach, ApplyTest, testing::Values("tcx", "clsact"),
                         [](const auto& kind) { return std::string(kind.param); });

}  // namespace
}  // namespace vnet::test
