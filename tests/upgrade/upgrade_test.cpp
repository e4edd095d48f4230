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
    ::setenv("VNET_BPF_ATTACH", GetParam(), 1);
    lab_ = file("lab.xml", lab_xml());
    cage_ = file("cage.xml", cage_xml);
  }
  void TearDown() override {
    for (const char* name : {"VNET_BPF_ATTACH", "VNET_BPF_PROGRAM"}) ::unsetenv(name);
  }

  // Whether the other version that a test is about has been built.
  static bool has(const char* kind) { return fs::exists(built(kind)); }
  static std::string missing(const char* kind) {
    return fmt::format("there is no build of the {} version (cmake --build build --target {})", kind, kind);
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

// Traffic of every kind, from before the first change of version until the end.
class Traffic {
 public:
  Traffic(const Namespace& outside, const Namespace& g1, const Namespace& g2, const Namespace& i1)
      : far_(outside, 7000),
        near_(g1, 5000),
        shut_(g2, 9000),
        never_(outside, 9001),
        web_(outside, Transport::Tcp, 7001),
        hello_(outside, Transport::Tcp, 7002),
        out4_(g1, {"203.0.113.1", 7000}, 500),
        out6_(g1, {"2001:db8:113::1", 7000}, 500),
        in_(outside, {"203.0.113.2", 5000}, 1000),
        forbidden_(g1, {ip4(12), 9000}, 200),
        caged_(i1, {"198.51.100.1", 9001}, 200),
        flows_(g1, ends()),
        fresh_(g2, {"198.51.100.1", 7002}) {}

  bool flows() const { return fresh_.made() > 20 && flows_.bytes() > 1'000'000; }

  // late: new connections of which a packet may have been lost.
  void expect_nothing_lost(unsigned late, const char* attached_by) {
    EXPECT_EQ(flows_.broken(), 0U);
    fresh_.end();
    EXPECT_LE(fresh_.late(), late) << "of " << fresh_.made();
    EXPECT_EQ(fresh_.failed(), 0U) << "of " << fresh_.made();
    EXPECT_EQ(out4_.lost(), 0U) << "of " << out4_.sent();
    EXPECT_EQ(out6_.lost(), 0U) << "of " << out6_.sent();
    EXPECT_EQ(in_.lost(), 0U) << "of " << in_.sent();
    EXPECT_EQ(shut_.heard(), 0U) << "let in to g2, of " << forbidden_.sent();
    EXPECT_EQ(never_.heard(), 0U) << "let out of the isolated network, of " << caged_.sent();
    EXPECT_GT(forbidden_.sent() + caged_.sent(), 100U);
    fmt::print("{}: {} datagrams answered, {} connections begun, {} MB carried\n", attached_by,
               out4_.sent() + out6_.sent() + in_.sent(), fresh_.made(), flows_.bytes() >> 20);
  }

 private:
  static std::vector<Endpoint> ends() {
    std::vector<Endpoint> all;
    for (int i = 0; i < 5; ++i) all.insert(all.end(), {{"198.51.100.1", 7001}, {"2001:db8:51::1", 7001}});
    return all;
  }

  DatagramEcho far_, near_, shut_, never_;
  Echo web_, hello_;
  Probes out4_, out6_, in_, forbidden_, caged_;
  Flows flows_;
  NewConnections fresh_;
};

int rounds() {
  const char* wished = std::getenv("VNET_UPGRADE_ROUNDS");
  return wished ? std::atoi(wished) : 1;
}

// An older version that takes over replaces an uplink's programs one after the other, with other maps: a new
// connection may lose a packet then (docs/upgrading.md).
constexpr unsigned late_of_a_hand_over = 2;

TEST_P(UpgradeTest, NothingIsLostFromTheLastReleaseAndBack) {
  if (!has("older")) GTEST_SKIP() << missing("older");
  use(built("older"));
  everything_up();
  const unsigned older = layout();
  counted_ = counters();
  const std::string served_by = dnsmasq();
  Traffic traffic(outside(), guest("g1"), guest("g2"), guest("i1"));
  ASSERT_TRUE(soon([&] { return traffic.flows(); }));
  for (int round = 0; round < rounds(); ++round) {
    upgrade_to(ours);
    EXPECT_EQ(layout(), unsigned{VNET_ABI_VERSION});
    expect_no_counter_ran_backwards();
    take_back_to(built("older"), older);
    expect_no_counter_ran_backwards();
  }
  traffic.expect_nothing_lost(late_of_a_hand_over * static_cast<unsigned>(rounds()), GetParam());
  EXPECT_EQ(dnsmasq(), served_by);
}

// Sessions are copied while packets change them in both places.
TEST_P(UpgradeTest, NothingIsLostWhereSessionsAreOthersAndBack) {
  if (!has("wider")) GTEST_SKIP() << missing("wider");
  use(ours);
  everything_up();
  counted_ = counters();
  Traffic traffic(outside(), guest("g1"), guest("g2"), guest("i1"));
  ASSERT_TRUE(soon([&] { return traffic.flows(); }));
  for (int round = 0; round < rounds(); ++round) {
    upgrade_to(built("wider"));
    EXPECT_EQ(layout(), VNET_ABI_VERSION + 1U);
    expect_no_counter_ran_backwards();
    take_back_to(ours, VNET_ABI_VERSION);
    expect_no_counter_ran_backwards();
  }
  traffic.expect_nothing_lost(late_of_a_hand_over * static_cast<unsigned>(rounds()), GetParam());
}

// Without another layout: a build that differs in its programs alone.
TEST_P(UpgradeTest, TheOlderVersionsMapsCanBeReadAndOnlyRead) {
  if (!has("older")) GTEST_SKIP() << missing("older");
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
  if (!has("wider")) GTEST_SKIP() << missing("wider");
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
