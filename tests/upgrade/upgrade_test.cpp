// SPDX-License-Identifier: GPL-2.0-or-later
// From one version to another and back under traffic: no datagram is lost, no connection breaks, every new
// one begins at once (but for the moment of a hand-over), counters go on, and what must not pass does not in
// between.
//
//   older  the last release, built from its commit
//   ours   this build
//   wider  this tree with another layout: sessions with a member more (widen.py)
//
//   lab:  NAT, both families; g1, with UDP port 5000 of the host's forwarded to it; g2 with --inbound
//   established cage: isolated; i1
//
// VNET_UPGRADE_ROUNDS=N: N times there and back; one otherwise.
#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>

#include "loader/bpf/migrate.h"
#include "tests/e2e/port_fixture.h"
#include "tests/upgrade/load.h"

namespace vnet::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

// Of this tree; nothing lies behind it that could be built without git's history.
const std::string ours = VNET_PROGRAM;
std::string built(const char* kind) {
  return std::string(VNET_OTHER_BUILDS) + "/" + kind + "/vnet-bpf";
}

constexpr const char* cage_xml =
    "<network><name>cage</name><bridge name='virbr7' stp='off'/><mac address='52:54:00:00:00:fd'/>"
    "<ip address='10.77.0.1' netmask='255.255.255.0'/></network>";

std::string lab_xml() {
  std::string xml = dual_stack_xml("<nat ipv6='yes'/>", "<mac address='" + gateway_mac + "'/>");
  return xml.replace(xml.find("<forward"), 0,
                     "<metadata><v:network xmlns:v='urn:vnet-bpf:network:1'>"
                     "<v:portForward proto='udp' port='5000' to='192.168.122.11'/></v:network></metadata>");
}

class UpgradeTest : public PortTest, public testing::WithParamInterface<const char*> {
 protected:
  void SetUp() override {
    PortTest::SetUp();
    if (IsSkipped()) return;
    for (const char* kind : {"older", "wider"})
      if (!fs::exists(built(kind)))
        GTEST_SKIP() << "there is no build of the " << kind
                     << " version: needs git's history, and the target " << kind;
    ::setenv("VNET_BPF_ATTACH", GetParam(), 1);
    lab_ = file("lab.xml", lab_xml());
    cage_ = file("cage.xml", cage_xml);
  }
  void TearDown() override {
    for (const char* name : {"VNET_BPF_ATTACH", "VNET_BPF_PROGRAM"}) ::unsetenv(name);
  }

  void use(const std::string& program) { ::setenv("VNET_BPF_PROGRAM", program.c_str(), 1); }
  unsigned layout() { return pinned_layout(ground().state_dir() / "bpf/vnet-bpf/maps"); }
  bool is_under_way() { return fs::exists(ground().state_dir() / "bpf/vnet-bpf/before"); }

  void everything_up() {
    vnet({"up", lab_});
    vnet({"up", cage_});
    add("g1", 11);
    attach("g1", 11);
    add("g2", 12);
    attach("g2", 12, {"--inbound", "established"});
    ground().add_guest("i1");
    guest("i1").must(
        "ip addr add 10.77.0.11/24 dev eth0; ip link set eth0 up; ip route replace default via 10.77.0.1");
    vnet({"attach", "i1", "--network", "cage"});
    wait_until_forwarding("i1");
  }

  void upgrade_to(const std::string& program) {
    use(program);
    vnet({"upgrade"});
    EXPECT_FALSE(is_under_way());
    // Nothing is left to do.
    EXPECT_THAT(vnet({"upgrade"}).out, HasSubstr("already"));
  }
  // By the newer one, for the other's next command.
  void take_back_to(const std::string& program, unsigned abi) {
    std::string newer = Playground::program();
    Background giving = host().background({"env", "VNET_BPF_STATE_DIR=" + ground().state_dir().string(),
                                           newer, "upgrade", "--to-abi", std::to_string(abi)});
    ASSERT_TRUE(soon([&] { return layout() == abi; }));
    use(program);
    vnet({"up", lab_});
    EXPECT_TRUE(soon([&] { return !is_under_way(); })) << "the other version has not taken over";
  }

  // Of everything, by name: what no version may let run backwards.
  std::map<std::string, std::uint64_t> counters() {
    std::map<std::string, std::uint64_t> all;
    auto stats = ground().vnet_json({"stats"});
    for (const char* group : {"networks", "ports", "uplinks"})
      for (const auto& entry : stats[group])
        for (const char* counter : {"rx_packets", "rx_bytes", "tx_packets", "tx_bytes"})
          all[fmt::format("{} {} {}", group, entry.value("interface", entry.value("network", "")), counter)] =
              entry[counter];
    return all;
  }
  void expect_no_counter_ran_backwards() {
    auto now = counters();
    for (const auto& [name, before] : counted_) EXPECT_GE(now[name], before) << name;
    EXPECT_GT(now["ports g1 tx_packets"], counted_["ports g1 tx_packets"]);
    counted_ = std::move(now);
  }
  std::string dnsmasq() {
    return host().sh("cat " + (ground().state_dir() / "run/dnsmasq/lab.pid").string()).out;
  }

  std::string lab_, cage_;
  std::map<std::string, std::uint64_t> counted_;
};

TEST_P(UpgradeTest, NothingIsLostThereAndBack) {
  use(built("older"));
  everything_up();
  const unsigned older = layout();
  counted_ = counters();
  const std::string served_by = dnsmasq();

  DatagramEcho far(outside(), 7000), near(guest("g1"), 5000), shut(guest("g2"), 9000), never(outside(), 9001);
  Echo web(outside(), Transport::Tcp, 7001), hello(outside(), Transport::Tcp, 7002);
  Probes out4(guest("g1"), {"203.0.113.1", 7000}, 500), out6(guest("g1"), {"2001:db8:113::1", 7000}, 500);
  Probes in(outside(), {"203.0.113.2", 5000}, 1000);
  Probes forbidden(guest("g1"), {ip4(12), 9000}, 200), caged(guest("i1"), {"198.51.100.1", 9001}, 200);
  std::vector<Endpoint> ends;
  for (int i = 0; i < 5; ++i) ends.insert(ends.end(), {{"198.51.100.1", 7001}, {"2001:db8:51::1", 7001}});
  Flows flows(guest("g1"), ends);
  NewConnections fresh(guest("g2"), {"198.51.100.1", 7002});
  ASSERT_TRUE(soon([&] { return fresh.made() > 20 && flows.bytes() > 1'000'000; }))
      << fresh.made() << " connections begun, " << fresh.failed() << " failed; " << flows.bytes() << " bytes";

  const char* wished = std::getenv("VNET_UPGRADE_ROUNDS");
  const int rounds = wished ? std::atoi(wished) : 1;
  for (int round = 0; round < rounds; ++round) {
    upgrade_to(ours);
    EXPECT_EQ(layout(), unsigned{VNET_ABI_VERSION});
    expect_no_counter_ran_backwards();
    upgrade_to(built("wider"));
    EXPECT_EQ(layout(), VNET_ABI_VERSION + 1U);
    expect_no_counter_ran_backwards();
    take_back_to(ours, VNET_ABI_VERSION);
    expect_no_counter_ran_backwards();
    take_back_to(built("older"), older);
    expect_no_counter_ran_backwards();
  }

  EXPECT_EQ(flows.broken(), 0U);
  fresh.end();
  // An older version that takes over replaces an uplink's programs one after the other, with other maps: see
  // docs/upgrading.md.
  EXPECT_LE(fresh.late(), 2U * static_cast<unsigned>(rounds)) << "of " << fresh.made();
  EXPECT_EQ(out4.lost(), 0U) << "of " << out4.sent();
  EXPECT_EQ(out6.lost(), 0U) << "of " << out6.sent();
  EXPECT_EQ(in.lost(), 0U) << "of " << in.sent();
  EXPECT_EQ(shut.heard(), 0U) << "let in to g2, of " << forbidden.sent();
  EXPECT_EQ(never.heard(), 0U) << "let out of the isolated network, of " << caged.sent();
  EXPECT_GT(forbidden.sent() + caged.sent(), 100U);
  EXPECT_EQ(dnsmasq(), served_by);
  fmt::print("{}: {} datagrams answered, {} connections begun, {} MB carried\n", GetParam(),
             out4.sent() + out6.sent() + in.sent(), fresh.made(), flows.bytes() >> 20);
}

// Without another layout: a build that differs in its programs alone.
TEST_P(UpgradeTest, TheOlderVersionsMapsCanBeReadAndOnlyRead) {
  use(built("older"));
  everything_up();
  use(ours);
  auto ports = ground().vnet_json({"ports"});
  EXPECT_EQ(ports.size(), 3U);
  EXPECT_THAT(ground().vnet_json({"stats"})["ports"].size(), 3U);
  auto refused = ground().vnet({"set", "g1", "--link", "down"});
  EXPECT_EQ(refused.status, 1);
  EXPECT_THAT(refused.err, HasSubstr("vnet-bpf upgrade"));
  auto doctor = ground().vnet({"doctor"});
  EXPECT_EQ(doctor.status, 1);
  EXPECT_THAT(doctor.out, HasSubstr("vnet-bpf upgrade"));
  auto plan = ground().vnet_json({"upgrade", "--dry-run"});
  EXPECT_FALSE(plan["done"].get<bool>());
  EXPECT_THAT(plan.dump(), HasSubstr("replace the programs of network lab"));
  EXPECT_EQ(plan["layout_before"], layout());
  vnet({"upgrade"});
  EXPECT_THAT(ground().vnet({"doctor"}).out, testing::Not(HasSubstr("vnet-bpf upgrade")));
}

TEST_P(UpgradeTest, ANewerVersionsNetworksCanBeStopped) {
  use(built("wider"));
  everything_up();
  use(ours);
  auto refused = ground().vnet({"ports"});
  EXPECT_EQ(refused.status, 1);
  EXPECT_THAT(refused.err, HasSubstr(fmt::format("--to-abi {}", VNET_ABI_VERSION)));
  EXPECT_EQ(ground().vnet({"upgrade"}).status, 1);
  vnet({"stop", "cage"});
  vnet({"stop", "lab"});
  EXPECT_FALSE(fs::exists(ground().state_dir() / "bpf/vnet-bpf"));
  EXPECT_THAT(host().sh("ip -br link").out, testing::Not(HasSubstr("virbr")));
  EXPECT_THAT(host().sh("tc filter show dev eth0 ingress; bpftool net show dev eth0").out,
              testing::Not(HasSubstr("uplink_")));
  vnet({"up", lab_});
}

INSTANTIATE_TEST_SUITE_P(Attach, UpgradeTest, testing::Values("tcx", "clsact"),
                         [](const auto& kind) { return std::string(kind.param); });

}  // namespace
}  // namespace vnet::test
