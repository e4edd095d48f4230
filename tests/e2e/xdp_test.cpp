// SPDX-License-Identifier: GPL-2.0-or-later
// XDP at the uplink on live traffic, and the block list, which holds with and without it.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <xdp/libxdp.h>

#include <cstdlib>
#include <iterator>

#include "loader/bpf/datapath.h"
#include "stranger.skel.h"
#include "tests/e2e/port_fixture.h"
#include "tests/support/inside.h"

namespace vnet::test {
namespace {

using testing::HasSubstr;
using testing::Not;
using Json = nlohmann::json;

std::string with_xdp(const std::string& attributes) {
  return "<metadata><v:network xmlns:v='urn:vnet-bpf:network:1'><v:xdp " + attributes +
         "/></v:network></metadata>";
}
std::string routed_xml(const std::string& attributes) {
  return "<network><name>lab</name><forward mode='route'/><bridge name='virbr0' stp='off'/><mac address='" +
         gateway_mac + "'/>" + with_xdp(attributes) +
         "<ip address='192.168.122.1' netmask='255.255.255.0'/>"
         "<ip family='ipv6' address='fd00:122::1' prefix='64'/></network>";
}

class Xdp : public PortTest {
 protected:
  void SetUp() override {
    PortTest::SetUp();
    if (IsSkipped()) return;
    outside().must(
        "ip route add 192.168.122.0/24 via 203.0.113.2; ip -6 route add fd00:122::/64 via 2001:db8:113::2");
  }
  void start_nat(const std::string& attributes = "mode='filter'") { start_lab(with_xdp(attributes)); }
  std::string how() { return ground().vnet_json({"show", "lab"})["xdp"].value("eth0", "none wanted"); }
  void add_and_attach(const std::string& name, int number, const Argv& options = {}) {
    add(name, number);
    attach(name, number, options);
  }
  // Whether the uplink's interface has an XDP program, as the kernel says.
  bool has_xdp() { return host().sh("ip link show dev eth0").out.find("xdp") != std::string::npos; }
  // Whether a sniffer sees any of it; it does not see what XDP drops.
  bool sniffed(const std::string& filter, const std::string& from_outside) {
    std::string out = (ground().state_dir() / "sniffed").string();
    Background sniffer = host().background({"sh", "-c",
                                            "exec tcpdump -Z root -lnni eth0 --immediate-mode -Q in '" +
                                                filter + "' > " + out + " 2> " + out + ".err"});
    EXPECT_TRUE(wait_until([&] { return text_of(out + ".err").find("listening on") != std::string::npos; }));
    outside().sh(from_outside);
    return !text_of(out).empty();
  }
  static std::string text_of(const std::string& path) {
    std::ifstream in(path);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  std::uint64_t at_uplink(const std::string& reason) {
    return ground().vnet_json({"stats"})["uplinks"].at(0)["drops"].value(reason, std::uint64_t{0});
  }
  std::filesystem::path pins() { return StateDir(ground().state_dir()).pins(); }
};

TEST_F(Xdp, DropsUnaskedTrafficBeforeTheHostSeesIt) {
  start_nat();
  add_and_attach("g1", 11);
  EXPECT_THAT(how(), HasSubstr("filter, native"));
  EXPECT_TRUE(has_xdp());
  for (const std::string& to : {ip4(11), ip6(11)}) {
    auto before = at_uplink("not-visible");
    EXPECT_FALSE(outside().pings(to, 1)) << to;
    EXPECT_GT(at_uplink("not-visible"), before) << to;
  }
  EXPECT_FALSE(sniffed("icmp and dst 192.168.122.11", "ping -c2 -i0.2 -W1 192.168.122.11"));
  EXPECT_TRUE(wait_until([&] {
    return sniffed("icmp and dst 203.0.113.2", "ping -c2 -i0.2 -W1 203.0.113.2");
  })) << "the sniffer works";
}

TEST_F(Xdp, DoctorSaysWhenItIsAlone) {
  start_nat();
  Output doctor = ground().vnet({"doctor"});
  bool alone = how().find("alone") != std::string::npos;
  EXPECT_EQ(alone, doctor.out.find("vnet-bpf has the XDP hook of uplink eth0 to itself") != std::string::npos)
      << doctor.out;
  EXPECT_THAT(doctor.out, Not(HasSubstr("has another program at xdp")));
}

TEST_F(Xdp, MonitorShowsItsDrops) {
  start_nat();
  add_and_attach("g1", 11);
  std::string out = (ground().state_dir() / "monitor.out").string();
  Background monitor =
      host().background({"sh", "-c",
                         "exec " VNET_PROGRAM " --state-dir " + ground().state_dir().string() +
                             " monitor --count 1 --json > " + out});
  EXPECT_TRUE(wait_until([&] {
    outside().sh("echo x | socat -u - UDP:192.168.122.11:53,sourceport=4711");
    return !text_of(out).empty();
  }));
  auto drop = Json::parse(text_of(out));
  EXPECT_EQ("uplink-xdp", drop["hook"]);
  EXPECT_EQ("not-visible", drop["reason"]);
  EXPECT_EQ("eth0", drop["interface"]);
  EXPECT_EQ("lab", drop["network"]);
  EXPECT_EQ(4711, drop["source"]["port"]);
  EXPECT_EQ(53, drop["destination"]["port"]);
}

TEST_F(Xdp, HindersNobodyElse) {
  start_nat();
  add_and_attach("g1", 11);
  Background service =
      outside().background({"socat", "TCP6-LISTEN:8080,ipv6only=0,reuseaddr,fork", "EXEC:cat"});
  Background own = host().background({"socat", "TCP6-LISTEN:8081,ipv6only=0,reuseaddr,fork", "EXEC:cat"});
  ASSERT_TRUE(wait_until([&] { return connects(outside(), "127.0.0.1", 8080); }));
  ASSERT_TRUE(wait_until([&] { return connects(host(), "127.0.0.1", 8081); }));
  for (const std::string& to : {std::string("203.0.113.1"), std::string("2001:db8:113::1")}) {
    EXPECT_TRUE(guest("g1").pings(to)) << to;
    EXPECT_TRUE(connects(guest("g1"), to, 8080)) << to;
    EXPECT_TRUE(connects(host(), to, 8080)) << to;
    // Fragments, and errors about what was sent.
    EXPECT_THAT(guest("g1").sh("ping -c3 -i0.2 -W2 -s4000 " + to).out, HasSubstr(" 0% packet loss")) << to;
    EXPECT_THAT(host().sh("ping -c3 -i0.2 -W2 -s4000 " + to).out, HasSubstr(" 0% packet loss")) << to;
  }
  EXPECT_TRUE(connects(outside(), "203.0.113.2", 8081));
  EXPECT_THAT(outside().sh("ping -c3 -i0.2 -W2 -s4000 203.0.113.2").out, HasSubstr(" 0% packet loss"));
  EXPECT_THAT(guest("g1").sh("(echo a; sleep 0.3; echo b) | socat -T2 - UDP:203.0.113.1:9").err,
              HasSubstr("Connection refused"));
  EXPECT_EQ("{}", ground().vnet_json({"stats"})["uplinks"].at(0)["drops"].dump());
}

TEST_F(Xdp, KeepsToTheGuestsOwnPolicy) {
  vnet({"up", file("lab.xml", routed_xml("mode='filter'"))});
  add_and_attach("g1", 11, {"--inbound", "established", "--allow", "tcp/8080"});
  Background one = service("g1", 8080), two = service("g1", 8081);
  for (const std::string& to : {ip4(11), ip6(11)}) {
    EXPECT_TRUE(connects(outside(), to, 8080)) << to;
    auto before = at_uplink("inbound");
    EXPECT_FALSE(connects(outside(), to, 8081)) << to;
    EXPECT_GT(at_uplink("inbound"), before) << to;
  }
  EXPECT_TRUE(guest("g1").pings("203.0.113.1"));
  set("g1", {"--inbound", "accept"});
  EXPECT_TRUE(connects(outside(), ip4(11), 8081));
}

TEST_F(Xdp, LimitsNewFlowsOfASourceWithAndWithoutXdp) {
  for (const char* mode : {"filter", "off"}) {
    SCOPED_TRACE(mode);
    vnet({"up", file("lab.xml", routed_xml(fmt::format("mode='{}' newFlows='5'", mode)))});
    add_and_attach(std::string("g") + mode, 11);
    EXPECT_EQ(std::string(mode) == "filter", has_xdp());
    outside().must("for i in $(seq 40); do echo x | socat -u - UDP:192.168.122.11:9; done");
    EXPECT_GE(at_uplink("new-flows"), 10U);
    EXPECT_TRUE(outside().pings("203.0.113.2")) << "the host's own is not counted";
    EXPECT_TRUE(wait_until([&] { return outside().pings(ip4(11), 1); }))
        << "after a second it may begin again";
    vnet({"stop", "lab"});
  }
}

TEST_F(Xdp, IsOffAtAVethUnlessAskedFor) {
  for (const char* mode : {"auto", "off"}) {
    start_nat(fmt::format("mode='{}'", mode));
    EXPECT_FALSE(has_xdp()) << mode;
    EXPECT_EQ("none wanted", how());
    vnet({"stop", "lab"});
    vnet({"undefine", "lab"});
  }
}

TEST_F(Xdp, TheStrongestWishOfAnUplinksNetworksHolds) {
  start_nat("mode='off'");
  EXPECT_FALSE(has_xdp());
  vnet({"up", file("two.xml", "<network><name>two</name><forward mode='nat'/><bridge name='virbr2'/>" +
                                  with_xdp("mode='filter'") +
                                  "<ip address='192.168.132.1' netmask='255.255.255.0'/></network>")});
  EXPECT_TRUE(has_xdp());
  EXPECT_THAT(how(), HasSubstr("filter, native"));
  vnet({"stop", "two"});
  EXPECT_FALSE(has_xdp());
}

TEST_F(Xdp, LeavesNothing) {
  start_nat();
  EXPECT_TRUE(has_xdp());
  vnet({"stop", "lab"});
  EXPECT_FALSE(has_xdp());
  EXPECT_FALSE(std::filesystem::exists(pins()));
}

TEST_F(Xdp, ComesBackWhenItWasTakenAway) {
  start_nat();
  auto link = pins() / "links" / "eth0-xdp";
  if (!std::filesystem::exists(link)) GTEST_SKIP() << "attached by libxdp's dispatcher: no link of our own";
  std::filesystem::remove(link);
  EXPECT_THAT(how(), HasSubstr("not attached: somebody has taken it away"));
  add_and_attach("g1", 11);
  EXPECT_THAT(how(), HasSubstr("filter, native"));
}

TEST_F(Xdp, LeavesAStrangersProgramAlone) {
  stranger_bpf* stranger = stranger_bpf::open_and_load();
  ASSERT_TRUE(stranger);
  int program = bpf_program__fd(stranger->progs.stranger);
  run_inside(host(), [&] {
    EXPECT_EQ(0,
              bpf_xdp_attach(static_cast<int>(if_nametoindex("eth0")), program, XDP_FLAGS_DRV_MODE, nullptr));
  });
  start_nat();
  EXPECT_EQ("not attached: another program, stranger, has the hook to itself", how());
  auto before = stranger->bss->seen;
  add_and_attach("g1", 11);
  EXPECT_TRUE(guest("g1").pings("203.0.113.1"));
  EXPECT_FALSE(outside().pings(ip4(11), 1)) << "the tc program drops it";
  EXPECT_GE(at_uplink("not-visible"), 1U);
  EXPECT_GT(stranger->bss->seen, before);
  vnet({"stop", "lab"});
  EXPECT_TRUE(has_xdp());
  stranger_bpf::destroy(stranger);
}

// What a guest sends would lose its offloads: no command can do that by any way.
TEST_F(Xdp, NeverStandsAtAGuestsInterface) {
  start_nat();
  add_and_attach("g1", 11);
  auto datapath = Datapath::open(pins());
  ASSERT_TRUE(datapath && *datapath);
  int g1 = std::stoi(host().sh("cat /sys/class/net/g1/ifindex").out);
  auto state = (*datapath)->attach_uplink_xdp("g1", {.slot = 9, .ifindex = g1});
  ASSERT_FALSE(state);
  EXPECT_THAT(state.error().message, HasSubstr("g1 is a guest's interface: no XDP there"));
}

// On kernels whose XDP programs' functions can be replaced (freplace).
TEST_F(Xdp, SharesTheInterfaceByLibxdpsDispatcher) {
  setenv(XDP_BPFFS_ENVVAR, (ground().state_dir() / "bpf").c_str(), 1);
  libxdp_set_print([](libxdp_print_level, const char*, va_list) { return 0; });
  stranger_bpf* stranger = stranger_bpf::open();
  ASSERT_TRUE(stranger);
  DECLARE_LIBXDP_OPTS(xdp_program_opts, options, .obj = stranger->obj, .prog_name = "stranger");
  xdp_program* program = xdp_program__create(&options);
  ASSERT_FALSE(libxdp_get_error(program));
  bool alone = true;
  int ifindex = 0;
  auto programs_there = [&] {
    int count = 0;
    run_inside(host(), [&] {
      xdp_multiprog* all = xdp_multiprog__get_from_ifindex(ifindex);
      if (libxdp_get_error(all)) return;
      alone = xdp_multiprog__is_legacy(all);
      count = xdp_multiprog__program_count(all);
      xdp_multiprog__close(all);
    });
    return count;
  };
  run_inside(host(), [&] {
    ifindex = static_cast<int>(if_nametoindex("eth0"));
    EXPECT_EQ(0, xdp_program__attach(program, ifindex, XDP_MODE_NATIVE, 0));
  });
  programs_there();
  if (alone) {
    run_inside(host(), [&] { xdp_program__detach(program, ifindex, XDP_MODE_NATIVE, 0); });
    GTEST_SKIP() << "this kernel cannot replace a program's functions (freplace): libxdp attaches one alone";
  }
  start_nat();
  EXPECT_EQ("filter, native, shared by libxdp's dispatcher", how());
  EXPECT_EQ(2, programs_there());
  add_and_attach("g1", 11);
  EXPECT_TRUE(guest("g1").pings("203.0.113.1"));
  EXPECT_FALSE(outside().pings(ip4(11), 1));
  EXPECT_FALSE(sniffed("icmp and dst 192.168.122.11", "ping -c2 -i0.2 -W1 192.168.122.11"));
  int seen_map = bpf_map__fd(stranger->maps.bss);
  __u32 zero = 0;
  __u64 seen = 0;
  EXPECT_EQ(0, bpf_map_lookup_elem(seen_map, &zero, &seen));
  EXPECT_GT(seen, 0U) << "the stranger still gets what we let pass";
  // Another wish: the program is exchanged, not doubled.
  vnet({"up", file("two.xml", "<network><name>two</name><forward mode='nat'/><bridge name='virbr2'/>" +
                                  with_xdp("mode='filter' newFlows='10'") +
                                  "<ip address='192.168.132.1' netmask='255.255.255.0'/></network>")});
  EXPECT_EQ(2, programs_there());
  vnet({"stop", "two"});
  vnet({"stop", "lab"});
  EXPECT_EQ(1, programs_there());
  EXPECT_FALSE(alone);
  run_inside(host(), [&] { EXPECT_EQ(0, xdp_program__detach(program, ifindex, XDP_MODE_NATIVE, 0)); });
  xdp_program__close(program);
  stranger_bpf::destroy(stranger);
}

// --- the block list

class Block : public Xdp {
 protected:
  Json listed() { return ground().vnet_json({"block", "list"}); }
  static Json entry(const std::string& prefix) {
    return {{"prefix", prefix}, {"family", prefix.find(':') == std::string::npos ? "ipv4" : "ipv6"}};
  }
};

TEST_F(Block, HoldsWithAndWithoutXdp) {
  for (const char* mode : {"filter", "off"}) {
    SCOPED_TRACE(mode);
    start_nat(fmt::format("mode='{}'", mode));
    add_and_attach(std::string("g") + mode, 11);
    Namespace& g = guest(std::string("g") + mode);
    EXPECT_TRUE(outside().pings("203.0.113.2"));
    vnet({"block", "add", "203.0.113.0/25", "2001:db8:113::/64"});
    for (const std::string& there : {std::string("203.0.113.1"), std::string("2001:db8:113::1")}) {
      auto before = at_uplink("blocked");
      EXPECT_FALSE(g.pings(there, 1)) << "answers, too: " << there;
      EXPECT_FALSE(host().pings(there, 1)) << there;
      EXPECT_GE(at_uplink("blocked"), before + 2) << there;
    }
    EXPECT_TRUE(g.pings("198.51.100.1")) << "behind the same router, but not on the list";
    vnet({"block", "remove", "203.0.113.0/25", "2001:db8:113::/64"});
    EXPECT_TRUE(g.pings("203.0.113.1"));
    EXPECT_EQ(Json::array(), listed());
    vnet({"stop", "lab"});
    vnet({"undefine", "lab"});
  }
}

TEST_F(Block, IsAListThatStays) {
  EXPECT_EQ("2 blocked\n", vnet({"block", "add", "203.0.113.1", "2001:db8:113::/48"}).out);
  EXPECT_EQ("1 blocked, 1 already were\n", vnet({"block", "add", "10.1.2.3/8", "203.0.113.1/32"}).out);
  EXPECT_EQ((Json{entry("10.0.0.0/8"), entry("203.0.113.1/32"), entry("2001:db8:113::/48")}), listed());
  EXPECT_EQ("10.0.0.0/8\n203.0.113.1/32\n2001:db8:113::/48\n", vnet({"block", "list"}).out);
  start_nat("mode='off'");
  EXPECT_FALSE(host().pings("203.0.113.1", 1)) << "made before the network was";
  vnet({"stop", "lab"});
  EXPECT_EQ(3U, listed().size());
  start_nat("mode='off'");
  EXPECT_FALSE(host().pings("203.0.113.1", 1));
  EXPECT_EQ("unblock 203.0.113.1/32\n", vnet({"--dry-run", "block", "remove", "203.0.113.1"}).out);
  EXPECT_EQ("block 192.0.2.0/24\n", vnet({"--dry-run", "block", "add", "192.0.2.0/24", "10.0.0.0/8"}).out);
  EXPECT_EQ(3U, listed().size());
  EXPECT_EQ("1 unblocked, 1 were not\n", vnet({"block", "remove", "203.0.113.1", "192.0.2.1"}).out);
  EXPECT_TRUE(host().pings("203.0.113.1"));
  vnet({"stop", "lab"});
  vnet({"block", "remove", "10.0.0.0/8", "2001:db8:113::/48"});
  EXPECT_FALSE(std::filesystem::exists(pins())) << "an empty list leaves nothing";
}

TEST_F(Block, TakesAFile) {
  std::string text = "# a list\n192.0.2.0/24 # with a reason\n\n2001:db8:2::/48\n";
  for (int i = 0; i < 5000; ++i) text += fmt::format("10.{}.{}.0/24\n", i / 250, i % 250);
  EXPECT_EQ("5002 blocked\n", vnet({"block", "add", "--file", file("list", text)}).out);
  EXPECT_EQ(5002U, listed().size());
  Output bad = ground().vnet({"block", "add", "--file", file("bad", "192.0.2.1\nnobody\n")});
  EXPECT_EQ(2, bad.status);
  EXPECT_THAT(bad.err, HasSubstr("bad:2: 'nobody' is neither ADDR nor ADDR/LENGTH"));
  EXPECT_EQ(5002U, listed().size());
}

TEST_F(Block, RefusesEverybody) {
  for (const char* all : {"0.0.0.0/0", "::/0", "::/64"}) {
    Output refused = ground().vnet({"block", "add", all});
    EXPECT_EQ(2, refused.status) << all << refused.err;
  }
  EXPECT_EQ(Json::array(), listed());
}

}  // namespace
}  // namespace vnet::test
