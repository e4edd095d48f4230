// SPDX-License-Identifier: GPL-2.0-or-later
// `doctor` on hosts that have something wrong: the finding is there, its command mends it, and then it is
// gone.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/utsname.h>
// Behind <net/if.h>, whose names it has too.
#include <linux/netfilter_ipv4/ip_tables.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <utility>

#include "loader/base/fd.h"
#include "tests/e2e/network_fixture.h"
#include "tests/support/inside.h"

namespace vnet::test {
namespace {

using nlohmann::json;
using testing::HasSubstr;

bool kernel_is_from(unsigned wanted_major, unsigned wanted_minor) {
  utsname names{};
  unsigned major = 0, minor = 0;
  uname(&names);
  EXPECT_EQ(2, std::sscanf(names.release, "%u.%u", &major, &minor)) << names.release;
  return std::pair(major, minor) >= std::pair(wanted_major, wanted_minor);
}

class DoctorTest : public NetworkTest {
 protected:
  void SetUp() override {
    NetworkTest::SetUp();
    if (IsSkipped()) return;
    // As on a host where nobody needs them; a new namespace has them on.
    host().must(
        "for f in iptables ip6tables; do k=net.bridge.bridge-nf-call-$f; "
        "[ ! -e /proc/sys/net/bridge ] || sysctl -qw $k=0; done");
    // The commands it names are the user's: `vnet-bpf` is found in PATH.
    std::filesystem::create_directory(ground().state_dir() / "bin");
    std::filesystem::create_symlink(VNET_PROGRAM, ground().state_dir() / "bin" / "vnet-bpf");
  }

  json examine() {
    Output ran = ground().vnet({"doctor", "--json"});
    json result = json::parse(ran.out, nullptr, false);
    EXPECT_TRUE(result.is_object()) << ran.out << ran.err;
    if (!result.is_object()) return {{"findings", json::array()}};
    EXPECT_EQ(result["ok"] == true ? 0 : 1, ran.status) << ran.err;
    return result;
  }

  std::vector<json> findings_of(const std::string& check) {
    std::vector<json> all;
    json result = examine();
    for (const auto& finding : result["findings"])
      if (finding["check"] == check) all.push_back(finding);
    return all;
  }

  json find(const std::string& check, const std::string& severity = "problem") {
    for (const auto& finding : findings_of(check))
      if (finding["severity"] == severity) return finding;
    ADD_FAILURE() << "no " << severity << " of " << check << "\n" << ground().vnet({"doctor"}).out;
    return {{"what", ""}, {"why", ""}, {"fix", "false"}};
  }

  void run_fix(const json& finding) {
    Output ran = host().exec({"env", "VNET_BPF_STATE_DIR=" + ground().state_dir().string(),
                              "PATH=" + (ground().state_dir() / "bin").string() + ":" + std::getenv("PATH"),
                              "sh", "-c", finding["fix"].get<std::string>()});
    EXPECT_TRUE(ran.ok()) << finding["fix"] << "\n" << ran.out << ran.err;
  }

  // Provoked by now: there, mended, gone.
  void expect_mendable(const std::string& check, const std::string& severity = "problem") {
    auto findings = findings_of(check);
    EXPECT_FALSE(findings.empty()) << "nothing of " << check << "\n" << ground().vnet({"doctor"}).out;
    for (const auto& finding : findings) {
      EXPECT_EQ(severity, finding["severity"].get<std::string>()) << finding;
      run_fix(finding);
    }
    EXPECT_TRUE(wait_until([&] { return findings_of(check).empty(); })) << ground().vnet({"doctor"}).out;
  }

  bool host_has(const std::string& script) { return host().sh(script).ok(); }
};

TEST_F(DoctorTest, NothingIsWrong) {
  Output fresh = ground().vnet({"doctor"});
  EXPECT_TRUE(fresh.ok()) << fresh.out << fresh.err;
  start();
  plug_both();
  Output ran = ground().vnet({"doctor"});
  EXPECT_TRUE(ran.ok()) << ran.out << ran.err;
  EXPECT_THAT(ran.out, HasSubstr(" checks, 0 problems, "));
  json result = examine();
  for (const auto& finding : result["findings"])
    EXPECT_EQ("tcx", finding["check"]) << finding;  // see AKernelWithoutTcx
}

TEST_F(DoctorTest, ReadOnly) {
  start();
  plug("g1", 11);
  auto state = [&] {
    return host()
               .sh("ip addr; ip route; nft list ruleset; sysctl -a 2>/dev/null | grep -E 'forward|filter'")
               .out +
           sh("find " + ground().state_dir().string() + " -type f -o -type l | sort").out;
  };
  std::string before = state();
  ground().vnet({"doctor"});
  EXPECT_EQ(before, state());
}

// Asked as the kernel is, and held to what `start` then does.
TEST_F(DoctorTest, AKernelWithoutTcx) {
  bool has_it = kernel_is_from(6, 6);
  start();
  bool has_filters = !host().sh("tc filter show dev eth0 ingress").out.empty();
  EXPECT_EQ(has_it, !has_filters);
  if (has_it) {
    EXPECT_TRUE(findings_of("tcx").empty());
  } else {
    EXPECT_THAT(find("tcx", "note")["what"], HasSubstr(" has no tcx"));
  }
}

// What a kernel of long ago says of itself.
TEST_F(DoctorTest, AnOldKernel) {
  Output ran = host().exec({"setarch", "--uname-2.6", VNET_PROGRAM, "--state-dir",
                            ground().state_dir().string(), "doctor", "--json"});
  EXPECT_EQ(0, ran.status) << "a note: its features are what counts\n" << ran.err;
  json told = json::parse(ran.out, nullptr, false);
  ASSERT_TRUE(told.is_object()) << ran.out;
  std::vector<std::string> all;
  for (const auto& finding : told["findings"])
    if (finding["check"] == "kernel") all.push_back(finding["what"]);
  EXPECT_THAT(all, testing::ElementsAre(testing::StartsWith("the kernel is 2.6.")));
}

TEST_F(DoctorTest, AKernelWithoutBtf) {
  Output ran = host().sh("unshare -m sh -c 'mount -t tmpfs none /sys/kernel/btf && exec " VNET_PROGRAM
                         " --state-dir " +
                         ground().state_dir().string() + " doctor'");
  EXPECT_EQ(1, ran.status) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("the kernel has no BTF"));
}

TEST_F(DoctorTest, ProgramsAreInterpreted) {
  if (!std::getenv("VNET_OWN_MACHINE"))
    GTEST_SKIP() << "net.core.bpf_jit_enable is the whole machine's; make vmtest does it in one of its own";
  EXPECT_TRUE(findings_of("jit").empty());
  if (!sh("sysctl -qw net.core.bpf_jit_enable=0").ok())
    GTEST_SKIP() << "this kernel knows no other way (CONFIG_BPF_JIT_ALWAYS_ON)";
  json finding = find("jit");
  EXPECT_TRUE(sh(finding["fix"].get<std::string>()).ok()) << finding;
  EXPECT_TRUE(findings_of("jit").empty());
}

// The kernel makes its tables for whoever asks, in the namespace that asks.
TEST_F(DoctorTest, RulesOfIptablesLegacy) {
  EXPECT_TRUE(findings_of("legacy-rules").empty());
  if (std::getenv("VNET_OWN_MACHINE")) (void)sh("modprobe ip_tables");  // as iptables-legacy does
  bool made = false;
  run_inside(host(), [&] {
    ipt_getinfo about{};
    std::strcpy(about.name, "filter");
    socklen_t size = sizeof(about);
    Fd socket(::socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW));
    made = socket && !getsockopt(socket.get(), SOL_IP, IPT_SO_GET_INFO, &about, &size);
  });
  if (!made) GTEST_SKIP() << "this kernel has no ip_tables (CONFIG_IP_NF_IPTABLES_LEGACY)";
  EXPECT_THAT(find("legacy-rules", "note")["what"], HasSubstr("iptables filter"));
}

TEST_F(DoctorTest, NoBpffsWhereStartCannotMountOne) {
  Output ran =
      host().exec({VNET_PROGRAM, "doctor", "--state-dir", (ground().state_dir() / "other").string()});
  EXPECT_EQ(1, ran.status);
  EXPECT_THAT(ran.out, HasSubstr("no bpffs is mounted at " + (ground().state_dir() / "other/bpf").string()));
}

TEST_F(DoctorTest, ForwardingIsOff) {
  start();
  host().must("sysctl -qw net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0");
  expect_mendable("forwarding");
  host().must("sysctl -qw net.ipv4.conf.virbr0.forwarding=0");
  expect_mendable("forwarding");
}

TEST_F(DoctorTest, RoutesFromRouterAdvertisements) {
  start();
  host().must(
      "ip -6 route add 2001:db8:77::/64 via 2001:db8:113::1 proto ra; sysctl -qw "
      "net.ipv6.conf.eth0.accept_ra=1");
  expect_mendable("accept-ra");
}

TEST_F(DoctorTest, StrictReversePathFilter) {
  host().must(
      "ip link add wan.2 type veth peer name wan2peer; ip addr add 198.18.0.2/24 dev wan.2; ip link set "
      "wan.2 up; ip "
      "link set wan2peer up; ip route add default via 198.18.0.1 metric 200; sysctl -qw "
      "net.ipv4.conf.all.rp_filter=1");
  expect_mendable("rp-filter");
}

TEST_F(DoctorTest, BridgedFramesPassTheFirewall) {
  if (!host_has("[ -e /proc/sys/net/bridge ]")) GTEST_SKIP() << "this kernel has no br_netfilter loaded";
  start();
  host().must("sysctl -qw net.bridge.bridge-nf-call-iptables=1");
  expect_mendable("br-netfilter", "note");
  host().must(
      "sysctl -qw net.bridge.bridge-nf-call-iptables=1; nft add table ip t; nft add chain ip t f '{ type "
      "filter hook "
      "forward priority 0; policy drop; }'");
  run_fix(find("br-netfilter"));
  EXPECT_TRUE(findings_of("br-netfilter").empty());
}

TEST_F(DoctorTest, NoPortIsLeft) {
  host().must("sysctl -qw net.ipv4.ip_local_port_range='1024 65535'");
  expect_mendable("port-range");
}

constexpr const char* honors =
    "<metadata><v:network xmlns:v='urn:vnet-bpf:network:1'><v:hostFirewall "
    "mode='honor'/></v:network></metadata>";

// Docker's rules as iptables-nft leaves them.
TEST_F(DoctorTest, DockersForwardPolicy) {
  start(dual_stack_xml("<nat ipv6='yes'/>", honors));
  plug("g1", 11);
  host().must(
      "nft 'add table ip filter; add chain ip filter DOCKER-USER; add chain ip filter FORWARD { type filter "
      "hook forward "
      "priority 0; policy drop; }; add rule ip filter FORWARD jump DOCKER-USER; add rule ip filter FORWARD "
      "iifname "
      "\"docker0\" oifname != \"docker0\" accept'");
  EXPECT_FALSE(guest("g1").pings("203.0.113.1", 1));
  EXPECT_THAT(find("forward-rules")["what"], HasSubstr("(Docker)"));
  expect_mendable("forward-rules");
  EXPECT_TRUE(guest("g1").pings("203.0.113.1"));  // not only doctor is content
}

TEST_F(DoctorTest, FirewalldHasNoZoneForTheNetwork) {
  start();
  host().must(
      "nft 'add table inet firewalld; add chain inet firewalld filter_FORWARD { type filter hook forward "
      "priority 10; "
      "policy accept; }; add rule inet firewalld filter_FORWARD ct state { established, related } accept; "
      "add rule inet "
      "firewalld filter_FORWARD reject with icmpx admin-prohibited'");
  EXPECT_THAT(find("forward-rules")["fix"],
              HasSubstr("firewall-cmd --zone=vnet-bpf --change-interface=virbr0"));
  // What that command makes of it.
  host().must("nft insert rule inet firewalld filter_FORWARD iifname virbr0 accept");
  EXPECT_TRUE(findings_of("forward-rules").empty());
}

TEST_F(DoctorTest, TheHostRefusesGuestsDhcp) {
  start(dual_stack_xml("<nat ipv6='yes'/>", honors));
  plug("g1", 11);
  host().must("nft 'add table ip t; add chain ip t in { type filter hook input priority 0; policy drop; }'");
  expect_mendable("input-rules");
  EXPECT_TRUE(ground().udhcpc("g1").ok());
}

TEST_F(DoctorTest, AnotherMasqueradeRule) {
  start();
  plug("g1", 11);
  host().must(
      "nft 'add table ip nat; add chain ip nat POSTROUTING { type nat hook postrouting priority 100; }; add "
      "rule ip nat "
      "POSTROUTING oifname \"eth0\" masquerade'");
  expect_mendable("masquerade-rules", "note");
  ASSERT_TRUE(guest("g1").pings("203.0.113.1"));
  EXPECT_EQ(1U, ground().vnet_json({"flows"}).size());  // a session of ours
}

TEST_F(DoctorTest, NoWayOut) {
  start();
  EXPECT_TRUE(findings_of("uplink").empty());
  vnet({"stop", "lab"});
  host().must("ip route del default; ip -6 route del default");
  EXPECT_THAT(find("uplink", "note")["what"], HasSubstr("no interface has a default route"));
}

TEST_F(DoctorTest, MtusDiffer) {
  start();
  plug_both();
  host().must("ip link set dev virbr0 mtu 1500; ip link set dev g1 mtu 1400");
  expect_mendable("mtu");
  host().must("ip link set dev eth0 mtu 1300");
  expect_mendable("mtu", "note");
}

TEST_F(DoctorTest, TheBondAnswersWithItsMembersMacs) {
  if (!host_has("ip link add bond7 type bond mode balance-alb")) GTEST_SKIP() << "this kernel has no bonding";
  host().must(
      "ip link set bond7 up; ip addr add 198.18.0.2/24 dev bond7; ip route add default via 198.18.0.1 metric "
      "9");
  expect_mendable("bonding");
}

TEST_F(DoctorTest, NativeXdpIsAskedOfCardsOnly) {
  if (!kernel_is_from(6, 3)) GTEST_SKIP() << "this kernel does not tell what drivers can (it came with 6.3)";
  host().must(
      "ip link add br9 type bridge; ip link set br9 up; ip addr add 198.18.0.2/24 dev br9; ip route add "
      "default via "
      "198.18.0.1 metric 9");
  EXPECT_TRUE(findings_of("xdp-driver").empty());
}

// A program that lets everything pass.
Fd pass_program(bpf_prog_type type, int verdict) {
  bpf_insn code[] = {{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = verdict},
                     {.code = BPF_JMP | BPF_EXIT}};
  Fd program(bpf_prog_load(type, "stranger", "GPL", code, 2, nullptr));
  EXPECT_TRUE(program);
  return program;
}

TEST_F(DoctorTest, ProgramsOfOthersAtTheUplink) {
  start();
  Fd program = pass_program(BPF_PROG_TYPE_SCHED_CLS, -1);
  run_inside(host(), [&] {
    DECLARE_LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = static_cast<int>(if_nametoindex("eth0")),
                        .attach_point = BPF_TC_INGRESS);
    DECLARE_LIBBPF_OPTS(bpf_tc_opts, options, .prog_fd = program.get(), .priority = 7);
    bpf_tc_hook_create(&hook);  // may be there
    EXPECT_EQ(0, bpf_tc_attach(&hook, &options));
  });
  EXPECT_THAT(find("foreign-programs", "note")["what"],
              HasSubstr("eth0 has another program at clsact ingress: filter bpf"));
  expect_mendable("foreign-programs", "note");
  Fd held;
  run_inside(host(), [&] {
    held = Fd(bpf_link_create(program.get(), static_cast<int>(if_nametoindex("eth0")),
                              static_cast<bpf_attach_type>(46), nullptr));
  });
  if (!held) GTEST_SKIP() << "this kernel has no tcx";
  EXPECT_THAT(find("foreign-programs", "note")["what"],
              HasSubstr("eth0 has another program at tcx ingress: stranger"));
  expect_mendable("foreign-programs", "note");
}

TEST_F(DoctorTest, XdpAtAGuestsInterface) {
  start();
  plug("g1", 11);
  Fd program = pass_program(BPF_PROG_TYPE_XDP, 2);
  run_inside(host(), [&] {
    EXPECT_EQ(0, bpf_xdp_attach(static_cast<int>(if_nametoindex("g1")), program.get(), XDP_FLAGS_SKB_MODE,
                                nullptr));
  });
  EXPECT_THAT(find("foreign-programs")["what"],
              HasSubstr("g1 has another program at xdp (generic): stranger"));
  expect_mendable("foreign-programs");
}

TEST_F(DoctorTest, TheBridgesNameIsTaken) {
  host().must("ip link add virbr0 type bridge");
  expect_mendable("bridge-name");
  start();
  plug("g1", 11);
  host().must("ip link del virbr0");
  expect_mendable("bridge-name");
}

TEST_F(DoctorTest, TheSubnetIsElsewhere) {
  host().must("ip addr add 192.168.122.77/24 dev eth0");
  expect_mendable("subnet");
  host().must("ip route add 192.168.122.0/25 via 203.0.113.1");
  expect_mendable("subnet");
}

TEST_F(DoctorTest, DnsmasqHasDied) {
  start();
  host().must("kill -9 $(cat " + (ground().state_dir() / "run/dnsmasq/lab.pid").string() + ")");
  expect_mendable("dnsmasq");
  EXPECT_EQ(true, ground().vnet_json({"show", "lab"})["dnsmasq"]);
}

TEST_F(DoctorTest, SomebodyElseHasTheDnsPort) {
  Background server = host().background({"socat", "UDP4-RECVFROM:53,fork", "EXEC:cat"});
  ASSERT_TRUE(wait_until([&] { return !findings_of("service-ports").empty(); }));
  EXPECT_THAT(find("service-ports")["what"],
              HasSubstr("socat (pid " + std::to_string(server.pid()) + ") has udp port 53"));
  expect_mendable("service-ports");
  start();
}

}  // namespace
}  // namespace vnet::test
