// SPDX-License-Identifier: GPL-2.0-or-later
// The checks, fed with facts of hosts that have something wrong each.
#include "loader/doctor/checks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "cli/render.h"

namespace vnet {
namespace {

using testing::HasSubstr;

LinkFacts link(int ifindex, const std::string& name, const std::string& kind = "", unsigned mtu = 1500) {
  return {.link = {.ifindex = ifindex, .name = name, .kind = kind, .mtu = mtu, .up = true}};
}

// The default network, running, with a guest; nothing is wrong.
HostFacts healthy() {
  HostFacts facts;
  facts.kernel = {
      .release = "6.18.0", .major = 6, .minor = 18, .features = {{"helper bpf_fib_lookup", true}}};
  facts.distribution = {.id = "debian", .codename = "trixie"};
  facts.bpffs = "/sys/fs/bpf";
  facts.sysctls = {{"net.ipv4.ip_forward", "1"},
                   {"net.ipv6.conf.all.forwarding", "1"},
                   {"net.ipv4.conf.all.rp_filter", "1"},
                   {"net.ipv4.conf.eth0.rp_filter", "0"},
                   {"net.ipv6.conf.eth0.accept_ra", "1"},
                   {"net.bridge.bridge-nf-call-iptables", "0"},
                   {"net.ipv4.conf.virbr0.forwarding", "1"}};
  facts.links = {link(1, "lo"), link(2, "eth0"), link(3, "virbr0", "bridge"), link(4, "vnet0", "tun")};
  facts.links[1].xdp_features = 1;
  facts.links[1].addresses = {*Prefix::parse("203.0.113.2/24")};
  facts.uplinks = {"eth0"};
  facts.routes = {{.oif = 2, .gateway = Address::parse("203.0.113.1")},
                  {.destination = Prefix::parse("203.0.113.0/24"), .oif = 2},
                  {.destination = Prefix::parse("192.168.122.0/24"), .oif = 3}};
  facts.networks = {
      {.network = default_network(), .active = true, .dnsmasq_running = true, .ports = {"vnet0"}}};
  return facts;
}

// Exactly one finding, of this check.
Finding expect_one(const HostFacts& facts, const std::string& check, Severity severity = Severity::Problem) {
  auto findings = examine(facts);
  if (findings.size() != 1) {
    ADD_FAILURE() << findings.size() << " findings instead of one of " << check << "\n"
                  << cli::doctor_text(findings);
    return {};
  }
  EXPECT_EQ(check, findings[0].check);
  EXPECT_EQ(severity, findings[0].severity) << findings[0].what;
  EXPECT_FALSE(findings[0].why.empty() || findings[0].fix.empty());
  return findings[0];
}

Ruleset rules(const std::string& entries) {
  auto ruleset = Ruleset::parse(R"({"nftables":[)" + entries + "]}");
  EXPECT_TRUE(ruleset);
  return ruleset ? *ruleset : Ruleset{};
}

std::string base_chain(const std::string& table, const std::string& name, const std::string& hook,
                       const std::string& policy = "accept", const std::string& type = "filter") {
  return R"({"chain":{"family":"ip","table":")" + table + R"(","name":")" + name + R"(","type":")" + type +
         R"(","hook":")" + hook + R"(","prio":0,"policy":")" + policy + R"("}})";
}

TEST(Doctor, AHealthyHostHasNoFinding) {
  auto findings = examine(healthy());
  EXPECT_TRUE(findings.empty()) << cli::doctor_text(findings);
}

TEST(Doctor, RoomForAnotherDnsmasq) {
  auto facts = healthy();
  facts.inotify_limit = 128;
  facts.inotify_used = 112;
  EXPECT_TRUE(examine(facts).empty());
  facts.inotify_used = 113;
  auto note = expect_one(facts, "inotify", Severity::Note);
  EXPECT_EQ("113 of 128 inotify instances are taken (fs.inotify.max_user_instances)", note.what);
  EXPECT_THAT(note.fix, testing::StartsWith("sysctl -w fs.inotify.max_user_instances=1024 && "));
  EXPECT_THAT(note.fix, HasSubstr("'fs.inotify.max_user_instances=1024' > /etc/sysctl.d/"));
  for (unsigned used : {128U, 130U}) {
    facts.inotify_used = used;
    expect_one(facts, "inotify");
  }
  facts.inotify_limit = 1024;
  EXPECT_TRUE(examine(facts).empty());
  facts.inotify_used = 1020;
  EXPECT_THAT(expect_one(facts, "inotify", Severity::Note).fix, HasSubstr("max_user_instances=2048 "));
}

TEST(Doctor, DefinedNetworksWantADnsmasqEach) {
  auto facts = healthy();
  facts.inotify_limit = 128;
  facts.inotify_used = 100;
  for (int n = 0; n < 29; ++n) {
    Network network = default_network();
    network.name = "n" + std::to_string(n);
    network.bridge = "virbr" + std::to_string(n + 1);
    network.ips[0].gateway = *Prefix::parse("10.0." + std::to_string(n) + ".1/24");
    facts.networks.push_back({.network = network});
  }
  expect_one(facts, "inotify", Severity::Note);
  facts.networks.pop_back();
  EXPECT_TRUE(examine(facts).empty());
}

TEST(Doctor, IpOnlyWhereGuestsMakeUpAddresses) {
  auto facts = healthy();
  facts.ip_only["vnet0"] = "guests make up IPv6 addresses";
  auto note = expect_one(facts, "ip-only", Severity::Note);
  EXPECT_THAT(note.what, HasSubstr("vnet0"));
  EXPECT_EQ("vnet-bpf set vnet0 --no-ip-only", note.fix);
}

TEST(Doctor, WhatFrrAnnouncesAgainstWhatRuns) {
  auto facts = healthy();
  auto add = [&](const char* prefix, AnnouncedState state, const char* why = "") {
    AnnouncedInfo info{{.prefix = *Prefix::parse(prefix), .network = "lab", .gateway = "virbr9"}, state, why};
    facts.announced.all = {info};
  };
  for (auto state : {AnnouncedState::NotAsked, AnnouncedState::Announced, AnnouncedState::ByOthers}) {
    add("10.9.0.0/24", state);
    EXPECT_TRUE(examine(facts).empty());
  }
  add("10.9.0.0/24", AnnouncedState::NoRoute);
  EXPECT_THAT(expect_one(facts, "announce", Severity::Note).what, HasSubstr("10.9.0.0/24"));
  add("10.9.0.0/24", AnnouncedState::Missing);
  EXPECT_EQ("vnet-bpf announce --frr", expect_one(facts, "announce").fix);
  add("10.9.0.0/24", AnnouncedState::Refused, "FRR's AS is 65001");
  EXPECT_THAT(expect_one(facts, "announce").what,
              HasSubstr("network lab is not announced: FRR's AS is 65001"));
  facts.announced.all.clear();
  facts.announced.stale = {*Prefix::parse("10.7.0.0/24")};
  EXPECT_THAT(expect_one(facts, "announce").what, HasSubstr("still has 10.7.0.0/24"));
}

TEST(Doctor, AnotherVersionsProgramsAndMaps) {
  auto facts = healthy();
  facts.layout = VNET_ABI_VERSION;
  EXPECT_TRUE(examine(facts).empty());
  facts.outdated = {"network default", "uplink eth0"};
  auto found = expect_one(facts, "versions");
  EXPECT_THAT(found.what, HasSubstr("network default, uplink eth0"));
  EXPECT_THAT(found.fix, HasSubstr("vnet-bpf upgrade"));
  facts.layout = VNET_ABI_VERSION - 1;
  EXPECT_THAT(expect_one(facts, "versions").what, HasSubstr("layout"));
  facts = healthy();
  facts.upgrade_interrupted = true;
  EXPECT_THAT(expect_one(facts, "versions").what, HasSubstr("interrupted"));
}

TEST(Doctor, EveryCheckHasItsOwnName) {
  std::set<std::string> names;
  for (const auto& check : doctor_checks()) EXPECT_TRUE(names.insert(check.name).second) << check.name;
}

TEST(Doctor, TheKernel) {
  auto facts = healthy();
  facts.kernel.major = 5;  // with all features, as RHEL's
  expect_one(facts, "kernel", Severity::Note);
  facts = healthy();
  facts.kernel.major = 6;
  facts.kernel.minor = 0;
  expect_one(facts, "kernel", Severity::Note);
  facts = healthy();
  facts.kernel.btf = false;
  EXPECT_THAT(expect_one(facts, "kernel").what, HasSubstr("BTF"));
  facts = healthy();
  facts.kernel.features.push_back({"helper bpf_timer_init", false});
  EXPECT_THAT(expect_one(facts, "kernel").what, HasSubstr("bpf_timer_init"));
  facts = healthy();
  facts.kernel.tcx = false;
  expect_one(facts, "tcx", Severity::Note);
  facts = healthy();
  facts.kernel.jit = false;
  expect_one(facts, "jit");
}

TEST(Doctor, ABpffsIsMissingOnlyWhereStartCannotMountIt) {
  auto facts = healthy();
  facts.bpffs_mounted = false;
  EXPECT_TRUE(examine(facts).empty());
  facts.initial_mounts = false;
  EXPECT_THAT(expect_one(facts, "bpffs").fix, HasSubstr("mount -t bpf bpf /sys/fs/bpf"));
}

TEST(Doctor, Forwarding) {
  auto facts = healthy();
  facts.sysctls["net.ipv4.ip_forward"] = "0";
  EXPECT_EQ("sysctl -w net.ipv4.ip_forward=1", expect_one(facts, "forwarding").fix);
  facts.networks[0].active = false;  // `start` will switch it on
  facts.links.erase(facts.links.begin() + 2, facts.links.end());
  EXPECT_TRUE(examine(facts).empty());
  facts = healthy();
  facts.sysctls["net.ipv4.conf.virbr0.forwarding"] = "0";
  EXPECT_EQ("sysctl -w net.ipv4.conf.virbr0.forwarding=1", expect_one(facts, "forwarding").fix);
  facts = healthy();
  facts.networks[0].network.mode = Mode::Isolated;
  facts.sysctls["net.ipv4.ip_forward"] = "0";
  EXPECT_TRUE(examine(facts).empty());
}

TEST(Doctor, ReversePathFilter) {
  auto facts = healthy();  // strict, but there is one way only
  facts.links.push_back(link(5, "wan.2"));
  facts.links.back().xdp_features = 1;
  facts.uplinks = {"eth0", "wan.2"};
  facts.sysctls["net.ipv4.conf.eth0.rp_filter"] = "2";
  facts.sysctls["net/ipv4/conf/wan.2/rp_filter"] = "0";
  EXPECT_EQ("sysctl -w net/ipv4/conf/wan.2/rp_filter=2", expect_one(facts, "rp-filter").fix);
  facts.sysctls["net.ipv4.conf.all.rp_filter"] = "0";
  EXPECT_TRUE(examine(facts).empty());
}

TEST(Doctor, RouterAdvertisements) {
  auto facts = healthy();
  IpConfig six;
  six.gateway = *Prefix::parse("fd00:122::1/64");
  facts.networks[0].network.ips.push_back(six);
  EXPECT_TRUE(examine(facts).empty());
  facts.routes.push_back({.family = Family::V6, .oif = 2, .protocol = RTPROT_RA});
  EXPECT_EQ("sysctl -w net.ipv6.conf.eth0.accept_ra=2", expect_one(facts, "accept-ra").fix);
}

TEST(Doctor, BridgedFramesInTheFirewall) {
  auto facts = healthy();
  facts.sysctls["net.bridge.bridge-nf-call-iptables"] = "1";
  expect_one(facts, "br-netfilter", Severity::Note);
  facts.networks[0].network.settings.host_firewall = HostFirewall::Bypass;  // else forward-rules, too
  facts.ruleset = rules(base_chain("filter", "FORWARD", "forward", "drop"));
  expect_one(facts, "br-netfilter");
}

// The host's own bridge, with a bond as its way out.
TEST(Doctor, BridgeMode) {
  auto facts = healthy();
  Network& network = facts.networks[0].network;
  network.mode = Mode::Bridge;
  network.bridge = "br0";
  network.ips.clear();
  facts.links.push_back(link(7, "br0", "bridge"));
  facts.links.push_back(link(8, "bond0", "bond"));
  facts.links.back().link.master = 7;
  auto findings = examine(facts);
  EXPECT_TRUE(findings.empty()) << cli::doctor_text(findings);
  facts.links.back().bond_mode = 6;
  EXPECT_THAT(expect_one(facts, "bonding").what, HasSubstr("bond0"));
  facts.links.back().bond_mode = 4;
  facts.sysctls["net.bridge.bridge-nf-call-iptables"] = "1";
  facts.ruleset = rules(base_chain("filter", "FORWARD", "forward", "drop"));
  expect_one(facts, "br-netfilter");
}

TEST(Doctor, PortRange) {
  auto facts = healthy();
  facts.ephemeral = {1024, 65535};
  EXPECT_THAT(expect_one(facts, "port-range").what, HasSubstr(" 0 ports"));
  facts.ephemeral = {2048, 65535};
  expect_one(facts, "port-range", Severity::Note);
  facts.ephemeral = {32768, 60999};
  facts.networks[0].network.nat.ports = PortRange{40000, 50000};
  EXPECT_EQ("sysctl -w net.ipv4.ip_local_port_range='50001 60999'",
            expect_one(facts, "port-range", Severity::Note).fix);
  facts.networks[0].network.nat.ports = PortRange{1024, 32767};
  EXPECT_TRUE(examine(facts).empty());
}

TEST(Doctor, ForwardRules) {
  auto facts = healthy();
  facts.networks[0].network.settings.host_firewall = HostFirewall::Honor;
  facts.ruleset = rules(base_chain("mine", "f", "forward", "drop"));
  EXPECT_THAT(expect_one(facts, "forward-rules").fix,
              HasSubstr("insert rule ip mine f iifname \"virbr0\" accept"));
  facts.ruleset = rules(R"({"chain":{"family":"ip","table":"filter","name":"DOCKER-USER"}},)" +
                        base_chain("filter", "FORWARD", "forward", "drop"));
  auto docker = expect_one(facts, "forward-rules");
  EXPECT_THAT(docker.what, HasSubstr("(Docker)"));
  EXPECT_THAT(docker.fix, HasSubstr("ip filter DOCKER-USER iifname"));
  facts.ruleset = rules(base_chain("firewalld", "filter_FORWARD", "forward", "drop"));
  EXPECT_THAT(expect_one(facts, "forward-rules").fix,
              HasSubstr("firewall-cmd --zone=vnet-bpf --change-interface=virbr0"));
  facts.networks[0].network.settings.host_firewall = HostFirewall::Bypass;
  EXPECT_TRUE(examine(facts).empty());
}

TEST(Doctor, WaysOutThatOneRuleMendsAreOneFinding) {
  auto facts = healthy();
  facts.networks[0].network.settings.host_firewall = HostFirewall::Honor;
  facts.uplinks = {"docker0", "eth0"};
  facts.sysctls["net.ipv4.conf.docker0.rp_filter"] = "2";
  facts.sysctls["net.ipv4.conf.eth0.rp_filter"] = "2";
  facts.ruleset = rules(base_chain("filter", "FORWARD", "forward", "drop"));
  EXPECT_THAT(expect_one(facts, "forward-rules").what, HasSubstr("send to docker0, eth0 (IPv4;"));
}

TEST(Doctor, InputRules) {
  auto facts = healthy();
  facts.networks[0].network.settings.host_firewall = HostFirewall::Honor;
  facts.ruleset = rules(base_chain("filter", "INPUT", "input", "drop"));
  EXPECT_THAT(expect_one(facts, "input-rules").fix, HasSubstr("udp dport { 53, 67, 547 } accept"));
}

constexpr const char* our_chain =
    R"(,{"chain":{"family":"ip","table":"filter","name":"VNET_BPF_FORWARD"}},
       {"rule":{"family":"ip","table":"filter","chain":"FORWARD","expr":[{"jump":{"target":"VNET_BPF_FORWARD"}}]}},
       {"rule":{"family":"ip","table":"filter","chain":"VNET_BPF_FORWARD","expr":[{"match":{"op":"==","left":
       {"meta":{"key":"iifname"}},"right":"virbr0"}},{"accept":null}]}})";

TEST(Doctor, PoliciesThatGuestsAreLetPast) {
  auto facts = healthy();
  const std::string policy = base_chain("filter", "FORWARD", "forward", "drop");
  facts.ruleset = rules(policy + our_chain);
  auto told = expect_one(facts, "firewall-passes", Severity::Note);
  EXPECT_THAT(told.what, HasSubstr("network default are let past the host's policies (table ip filter, chain "
                                   "FORWARD, policy drop)"));
  EXPECT_THAT(told.fix, HasSubstr("honor"));
  // The rules have been written anew since.
  facts.ruleset = rules(policy);
  EXPECT_THAT(expect_one(facts, "forward-rules").fix, HasSubstr("vnet-bpf apply default"));
  facts.ruleset = rules(base_chain("filter", "INPUT", "input", "drop"));
  EXPECT_THAT(expect_one(facts, "input-rules").fix, HasSubstr("vnet-bpf apply default"));
  // A start will see to it.
  facts.networks[0].active = false;
  for (const Finding& finding : examine(facts)) EXPECT_NE("input-rules", finding.check);
  facts.networks[0].active = true;
  // What a rule drops is nothing to be passed.
  facts.ruleset =
      rules(base_chain("filter", "FORWARD", "forward", "accept") +
            R"(,{"rule":{"family":"ip","table":"filter","chain":"FORWARD","expr":[{"drop":null}]}})");
  expect_one(facts, "forward-rules");
}

TEST(Doctor, FirewalldsZones) {
  auto facts = healthy();
  facts.firewalld = Firewalld{.zones = {"public", "vnet-bpf"}, .zone_of = {{"virbr0", "vnet-bpf"}}};
  EXPECT_THAT(expect_one(facts, "firewall-passes", Severity::Note).what,
              HasSubstr("firewalld: zone vnet-bpf"));
  facts.firewalld->zone_of = {{"virbr0", "public"}};
  EXPECT_TRUE(examine(facts).empty());
  facts.ruleset = rules(base_chain("firewalld", "filter_FORWARD", "forward", "drop"));
  EXPECT_EQ("firewall-cmd --zone=vnet-bpf --change-interface=virbr0", expect_one(facts, "forward-rules").fix);
  facts.firewalld->zones = {"public"};
  EXPECT_THAT(expect_one(facts, "forward-rules").fix, HasSubstr("/usr/lib/firewalld/zones"));
}

TEST(Doctor, NamesOfGuests) {
  auto facts = healthy();
  facts.networks[0].network.domain = DnsDomain{.name = "lab.test", .local_only = true, .register_ = true};
  EXPECT_THAT(expect_one(facts, "names").what, HasSubstr("lab.test"));
  facts.resolved = true;
  EXPECT_TRUE(examine(facts).empty());
}

TEST(Doctor, WhoAnswersLibvirt) {
  auto facts = healthy();
  facts.libvirt = LibvirtHost{};
  EXPECT_TRUE(examine(facts).empty());
  facts.libvirt->kind = LibvirtKind::Monolithic;
  facts.libvirt->server = NetworkServer::Libvirt;
  EXPECT_THAT(expect_one(facts, "libvirt", Severity::Note).what, HasSubstr("libvirt's own"));
  facts.libvirt->server = NetworkServer::VnetBpf;
  EXPECT_THAT(expect_one(facts, "libvirt").fix, HasSubstr("vnet-bpf-network.socket"));
  facts.libvirt->units["vnet-bpf-network.socket"] = {"enabled", true};
  EXPECT_THAT(expect_one(facts, "libvirt", Severity::Note).what, HasSubstr("by vnet-bpf"));
}

TEST(Doctor, ForeignMasquerade) {
  auto facts = healthy();
  facts.ruleset =
      rules(base_chain("nat", "POSTROUTING", "postrouting", "accept", "nat") +
            R"(,{"rule":{"family":"ip","table":"nat","chain":"POSTROUTING","expr":[{"masquerade":null}]}})");
  EXPECT_EQ("nft insert rule ip nat POSTROUTING ip saddr 192.168.122.0/24 accept",
            expect_one(facts, "masquerade-rules", Severity::Note).fix);
}

TEST(Doctor, PortForwardsByHand) {
  auto facts = healthy();
  auto forwards = [](const char* to) {
    return rules(base_chain("nat", "PREROUTING", "prerouting", "accept", "nat") +
                 R"(,{"rule":{"family":"ip","table":"nat","chain":"PREROUTING","expr":[{"dnat":{"addr":")" +
                 to + R"(","port":80}}]}})");
  };
  facts.ruleset = forwards("172.17.0.2");
  EXPECT_TRUE(examine(facts).empty());
  facts.ruleset = forwards("192.168.122.11");
  EXPECT_THAT(expect_one(facts, "port-forward-rules", Severity::Note).what, HasSubstr("chain PREROUTING"));
}

TEST(Doctor, LegacyRules) {
  auto facts = healthy();
  facts.legacy_tables = {"iptables nat"};
  EXPECT_THAT(expect_one(facts, "legacy-rules", Severity::Note).what, HasSubstr("iptables nat"));
}

TEST(Doctor, Uplinks) {
  auto facts = healthy();
  facts.uplinks.clear();
  expect_one(facts, "uplink", Severity::Note);
  facts = healthy();
  facts.networks[0].network.devices = {"eth7"};
  EXPECT_THAT(expect_one(facts, "uplink").what, HasSubstr("eth7"));
}

TEST(Doctor, Mtu) {
  auto facts = healthy();
  facts.links[3].link.mtu = 1400;
  EXPECT_EQ("ip link set dev vnet0 mtu 1500", expect_one(facts, "mtu").fix);
  facts = healthy();
  facts.links[1].link.mtu = 1450;
  EXPECT_EQ("for i in vnet0 virbr0; do ip link set dev $i mtu 1450; done",
            expect_one(facts, "mtu", Severity::Note).fix);
  facts.links[1].link.mtu = 9000;
  EXPECT_TRUE(examine(facts).empty());
}

TEST(Doctor, Bonding) {
  auto facts = healthy();
  facts.links[1].bond_mode = 1;
  EXPECT_TRUE(examine(facts).empty());
  facts.links[1].bond_mode = 6;
  EXPECT_THAT(expect_one(facts, "bonding").what, HasSubstr("balance-alb"));
  facts.links[1].bond_mode = 0;
  expect_one(facts, "bonding", Severity::Note);
}

TEST(Doctor, XdpOfTheDriver) {
  auto facts = healthy();
  facts.links[1].driver = "oldcard";
  facts.links[1].xdp_features = 0;
  EXPECT_THAT(expect_one(facts, "xdp-driver", Severity::Note).what, HasSubstr("oldcard"));
  facts.networks[0].network.settings.xdp = XdpMode::Off;
  EXPECT_TRUE(examine(facts).empty());
  facts.networks[0].network.settings.xdp = XdpMode::Auto;
  facts.links[1].link.kind = "bridge";
  EXPECT_TRUE(examine(facts).empty());
  facts.links[1].link.kind = "";
  facts.links[1].xdp_features.reset();  // a kernel that does not tell
  EXPECT_TRUE(examine(facts).empty());
}

TEST(Doctor, XdpThatIsMissingOrAlone) {
  auto facts = healthy();
  facts.xdp_alone = {"eth0"};
  EXPECT_THAT(expect_one(facts, "xdp", Severity::Note).what,
              HasSubstr("the XDP hook of uplink eth0 to itself"));
  facts.xdp_alone.clear();
  facts.xdp_missing = {{"eth0", "the driver has no queues left for it"}};
  EXPECT_THAT(expect_one(facts, "xdp", Severity::Note).what,
              HasSubstr("eth0: the driver has no queues left"));
  HostFacts forwarding = healthy();
  forwarding.xdp_no_forward = {{"eth0", "not from a tun"}};
  EXPECT_THAT(expect_one(forwarding, "xdp", Severity::Note).what,
              HasSubstr("does not forward: not from a tun"));
  forwarding.xdp_no_forward.clear();
  forwarding.xdp_no_port = {{"its driver cannot", {"g1", "g2", "g3"}}};
  EXPECT_THAT(expect_one(forwarding, "xdp", Severity::Note).what,
              HasSubstr("nothing to g1 (and 2 more ports): its driver cannot"));
  facts.links[1].xdp_features = 0;  // the driver's check says so already
  expect_one(facts, "xdp-driver", Severity::Note);
}

TEST(Doctor, ProgramsOfOthers) {
  auto facts = healthy();
  facts.links[1].programs = {{"tcx ingress", "spy", "bpftool link detach id 7"}};
  EXPECT_EQ("bpftool link detach id 7", expect_one(facts, "foreign-programs", Severity::Note).fix);
  facts.links[1].programs.clear();
  facts.links[3].programs = {{"xdp (generic)", "fast", "ip link set dev vnet0 xdpgeneric off"}};
  expect_one(facts, "foreign-programs");
  facts.links[3].programs.clear();
  facts.links[0].programs = {{"tcx ingress", "spy", "x"}};  // nothing of ours
  EXPECT_TRUE(examine(facts).empty());
}

TEST(Doctor, BridgeNames) {
  auto facts = healthy();
  facts.networks[0].active = false;
  EXPECT_THAT(expect_one(facts, "bridge-name").fix, HasSubstr("ip link delete dev virbr0"));
  facts = healthy();
  facts.links.erase(facts.links.begin() + 2);
  EXPECT_EQ("vnet-bpf start default", expect_one(facts, "bridge-name").fix);
}

TEST(Doctor, Subnets) {
  auto facts = healthy();
  facts.links[1].addresses.push_back(*Prefix::parse("192.168.122.77/24"));
  facts.routes.push_back({.destination = Prefix::parse("192.168.122.0/24"), .oif = 2});
  EXPECT_EQ("ip address del 192.168.122.77/24 dev eth0", expect_one(facts, "subnet").fix);
  facts.routes.back().destination = Prefix::parse("192.168.122.128/25");  // inside of ours
  EXPECT_EQ("ip route del 192.168.122.128/25 dev eth0", expect_one(facts, "subnet").fix);
  facts.routes.back().destination = Prefix::parse("192.168.0.0/16");  // wider: ours wins
  EXPECT_TRUE(examine(facts).empty());
}

TEST(Doctor, Dnsmasq) {
  auto facts = healthy();
  facts.dnsmasq_installed = false;
  EXPECT_EQ("apt install dnsmasq-base", expect_one(facts, "dnsmasq").fix);
  facts = healthy();
  facts.networks[0].dnsmasq_running = false;
  EXPECT_EQ("vnet-bpf show default --xml | vnet-bpf up -", expect_one(facts, "dnsmasq").fix);
}

TEST(Doctor, ServicePorts) {
  auto facts = healthy();
  facts.networks[0].active = facts.networks[0].dnsmasq_running = false;
  facts.links.erase(facts.links.begin() + 2, facts.links.end());
  SocketFacts named{.protocol = "udp", .port = 53, .pid = 42, .process = "named"};
  facts.sockets = {named};
  EXPECT_EQ("kill 42", expect_one(facts, "service-ports").fix);
  facts.sockets[0].unit = "named.service";
  EXPECT_EQ("systemctl disable --now named.service", expect_one(facts, "service-ports").fix);
  facts.sockets[0].address = *Address::parse("127.0.0.53");
  EXPECT_TRUE(examine(facts).empty());
  facts.sockets[0].address = *Address::parse("192.168.122.1");
  expect_one(facts, "service-ports");
  facts.sockets[0].address = *Address::parse("::");  // takes IPv4 along
  expect_one(facts, "service-ports");
  facts.sockets = {{.protocol = "udp", .port = 67, .pid = 43, .process = "dnsmasq"}};  // they share
  EXPECT_TRUE(examine(facts).empty());
  facts.sockets = {named};
  facts.networks[0].dnsmasq_running = true;  // it could bind, so nothing is in its way
  EXPECT_TRUE(examine(facts).empty());
}

TEST(Doctor, ProblemsComeFirstAndJsonTellsEveryCheck) {
  auto facts = healthy();
  facts.kernel.tcx = false;
  facts.dnsmasq_installed = false;
  auto findings = examine(facts);
  ASSERT_EQ(2U, findings.size());
  EXPECT_EQ("dnsmasq", findings[0].check);
  auto json = cli::doctor_json(findings);
  EXPECT_EQ(false, json["ok"]);
  EXPECT_EQ(doctor_checks().size(), json["checks"].size());
  for (const auto& check : json["checks"]) {
    std::string name = check["check"];
    EXPECT_EQ(name == "dnsmasq" ? "problem" : name == "tcx" ? "note" : "ok", check["state"]) << name;
  }
  EXPECT_EQ(true, cli::doctor_json({})["ok"]);
  EXPECT_THAT(cli::doctor_text(findings), HasSubstr("\n         # apt install dnsmasq-base\n"));
  EXPECT_THAT(cli::doctor_text(findings), HasSubstr("34 checks, 1 problem, 1 note\n"));
}

}  // namespace
}  // namespace vnet
