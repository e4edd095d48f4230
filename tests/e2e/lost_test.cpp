// SPDX-License-Identifier: GPL-2.0-or-later
// What the host's own stack drops of the guests' packets, as `monitor` and `stats` show it, with real rules
// and routes of the host's; and what they must not show.
#include <bpf/bpf.h>
#include <signal.h>
#include <sys/wait.h>

#include <algorithm>
#include <iterator>
#include <thread>

#include "loader/bpf/fence.h"
#include "loader/bpf/shared_maps.h"
#include "tests/e2e/monitor_fixture.h"
#include "tests/support/raw_port.h"

namespace vnet::test {
namespace {

using testing::HasSubstr;

struct Ends {
  std::string name, guest, outside, gateway, stranger;  // stranger: on the uplink's link, and nobody is there
  std::string bracketed(const std::string& address) const {
    return name == "ipv6" ? "[" + address + "]" : address;
  }
  std::string udp() const { return name == "ipv6" ? "UDP6" : "UDP4"; }
  std::string ip() const { return name == "ipv6" ? "ip -6" : "ip"; }
};
void PrintTo(const Ends& ends, std::ostream* to) {
  *to << ends.name;
}
const Ends families[] = {
    {"ipv4", "192.168.122.11", "203.0.113.1", "192.168.122.1", "203.0.113.77"},
    {"ipv6", "fd00:122::11", "2001:db8:113::1", "fd00:122::1", "2001:db8:113::77"},
};

std::vector<__u32> ids_of_maps(int program) {
  std::vector<__u32> maps(64);
  bpf_prog_info info{};
  info.nr_map_ids = static_cast<__u32>(maps.size());
  info.map_ids = reinterpret_cast<__u64>(maps.data());
  __u32 size = sizeof(info);
  if (bpf_obj_get_info_by_fd(program, &info, &size)) return {};
  maps.resize(info.nr_map_ids);
  return maps;
}

template <typename Info>
Info info_of(int fd) {
  Info info{};
  __u32 size = sizeof(info);
  bpf_obj_get_info_by_fd(fd, &info, &size);
  return info;
}

class LostTest : public MonitorFixture, public testing::WithParamInterface<Ends> {
 protected:
  void SetUp() override {
    MonitorFixture::SetUp();
    if (!IsSkipped()) start_all();
  }

  // The kernel's own list: tracing programs that are attached, and look into this network's maps.
  int attached() {
    auto maps = SharedMaps::open(ground().state_dir() / "bpf/vnet-bpf/maps");
    if (!maps || !*maps) return 0;
    __u32 drops = info_of<bpf_map_info>((*maps)->drops.fd()).id;
    int count = 0;
    for (__u32 id = 0; !bpf_link_get_next_id(id, &id);) {
      Fd link(bpf_link_get_fd_by_id(id));
      auto info = info_of<bpf_link_info>(link.get());
      if (info.type != BPF_LINK_TYPE_RAW_TRACEPOINT && info.type != BPF_LINK_TYPE_TRACING) continue;
      count += static_cast<int>(
          std::ranges::count(ids_of_maps(Fd(bpf_prog_get_fd_by_id(info.prog_id)).get()), drops));
    }
    return count;
  }
  bool attached(int count) {
    return wait_until([&] { return attached() == count; });
  }

  Background watch(const std::string& options = "--json") {
    Background running = monitor(options);
    EXPECT_TRUE(attached(1)) << text(err_path());
    return running;
  }
  std::vector<Json> of_host() {
    std::vector<Json> all;
    std::ranges::copy_if(events(), std::back_inserter(all),
                         [](const Json& event) { return event.value("hook", "") == "host"; });
    return all;
  }
  // The first of the host's, once it is there.
  Json loss(const std::string& reason) {
    Json found;
    EXPECT_TRUE(wait_until([&] {
      for (const Json& event : of_host())
        if (event["reason"] == reason) found = event;
      return !found.is_null();
    })) << text(out_path());
    return found;
  }

  // From g1's own address, port 4712.
  void from_guest(const std::string& to, int port, const std::string& more = "") {
    const Ends& ends = GetParam();
    guest("g1").sh("echo x | socat -u - " + ends.udp() + ":" + ends.bracketed(to) + ":" +
                   std::to_string(port) + ",bind=" + ends.bracketed(ends.guest) + ":4712" + more);
  }
  void forward_rule(const std::string& rule) {
    host().must(
        "nft 'add table inet admin; add chain inet admin forward { type filter hook forward priority 0; }; "
        "add rule inet admin forward " +
        rule + "'");
  }
};

INSTANTIATE_TEST_SUITE_P(, LostTest, testing::ValuesIn(families),
                         [](const auto& family) { return family.param.name; });

// A known session's packets go past the stack, unless they have options.
TEST_P(LostTest, TheFirewallOfASession) {
  bool v6 = GetParam().name == "ipv6";
  from_guest(GetParam().outside, 7000);
  forward_rule("udp dport 7000 drop");
  Background running = watch();
  from_guest(GetParam().outside, 7000,
             v6 ? ",setsockopt-bin=41:59:x0000010400000000" : ",ip-options=x01010100");
  Json event = loss("host-firewall");
  EXPECT_EQ("NETFILTER_DROP", event["kernel_reason"]);
  EXPECT_EQ("lab", event["network"]);
  EXPECT_EQ("g1", event["port"]);
  EXPECT_EQ("virbr0", event["interface"]);
  EXPECT_EQ("udp", event["protocol"]);
  EXPECT_EQ(Json({{"address", GetParam().guest}, {"port", 4712}}), event["source"]);
  EXPECT_EQ(Json({{"address", GetParam().outside}, {"port", 7000}}), event["destination"]);
  EXPECT_EQ(v6 ? 58 : 34, event["length"]);
  EXPECT_EQ(1U, of_host().size()) << text(out_path());
  EXPECT_EQ(1U, dropped("host-firewall"));
}

TEST_P(LostTest, TheFirewallOfANewFlow) {
  forward_rule("udp dport 7008 drop");
  Background running = watch("--json --port g1");
  from_guest(GetParam().outside, 7008);
  Json event = loss("host-firewall");
  EXPECT_EQ("g1", event["port"]);
  EXPECT_EQ(1U, of_host().size()) << text(out_path());
}

// A reset of a connection that nobody knows.
TEST_P(LostTest, InvalidToConnectionTracking) {
  forward_rule("ct state invalid drop");
  Background running = watch();
  auto mac_of = [](Namespace& where, const std::string& name) {
    return where.sh("cat /sys/class/net/" + name + "/address").out.substr(0, 17);
  };
  Packet link = Ethernet{.src = mac_of(guest("g1"), "eth0"), .dst = mac_of(host(), "virbr0")};
  Packet reset = Tcp{.src_port = 4712, .dst_port = 7001, .flags = "R"};
  RawPort raw(guest("g1"), "eth0");
  raw.send(GetParam().name == "ipv6"
               ? link / Ipv6{.src = GetParam().guest, .dst = GetParam().outside} / reset
               : link / Ipv4{.src = GetParam().guest, .dst = GetParam().outside} / reset);
  Json event = loss("host-firewall");
  EXPECT_EQ("NETFILTER_DROP", event["kernel_reason"]);
  EXPECT_EQ("tcp", event["protocol"]);
  EXPECT_EQ("g1", event["port"]);
  EXPECT_EQ(7001, event["destination"]["port"]);
}

TEST_P(LostTest, NobodyAnswersAtTheNextHop) {
  Background running = watch();
  from_guest(GetParam().stranger, 7002);
  // One packet may be lost before it comes to the stack, as any.
  if (!wait_until([&] { return !of_host().empty(); }, std::chrono::seconds(8)))
    from_guest(GetParam().stranger, 7002);
  Json event = loss("host-stack");
  // Not every kernel has a word for it.
  if (event["kernel_reason"] != "NEIGH_FAILED") {
    EXPECT_EQ("NOT_SPECIFIED", event["kernel_reason"]);
    EXPECT_THAT(event.value("kernel_function", ""), testing::HasSubstr("neigh")) << event;
  }
  EXPECT_EQ("lab", event["network"]);
  EXPECT_EQ("g1", event["port"]);
  EXPECT_EQ(7002, event["destination"]["port"]);
  EXPECT_GE(dropped("host-stack"), 1U);
}

TEST_P(LostTest, ASessionInABlackHole) {
  from_guest(GetParam().outside, 7003);
  host().must(GetParam().ip() + " route add blackhole " + GetParam().outside);
  std::this_thread::sleep_for(std::chrono::seconds(2));  // until the way is looked up anew
  Background running = watch();
  from_guest(GetParam().outside, 7003);
  Json event = loss("host-stack");
  EXPECT_TRUE(event["kernel_reason"] != "NOT_SPECIFIED" || !event.value("kernel_function", "").empty())
      << event;
  EXPECT_EQ("g1", event["port"]);
  EXPECT_EQ(7003, event["destination"]["port"]);
  EXPECT_EQ(1U, dropped("host-stack"));
}

// The host's own answers and questions to guests have no device yet when its rules see them.
TEST_P(LostTest, WhatTheHostItselfSends) {
  host().must(
      "nft 'add table inet admin; add chain inet admin output { type filter hook output priority 0; }; "
      "add rule inet admin output udp dport 7004 drop'");
  Background running = watch();
  host().sh("echo x | socat -u - " + GetParam().udp() + ":" + GetParam().bracketed(GetParam().guest) +
            ":7004");
  Json event = loss("host-firewall");
  EXPECT_EQ("lab", event["network"]);
  EXPECT_EQ("virbr0", event["interface"]);
  EXPECT_EQ(7004, event["destination"]["port"]);
}

TEST_P(LostTest, OurOwnDropsAreToldOnce) {
  Background running = watch();
  const Ends& ends = GetParam();
  send_from_outside(7005, ends.bracketed(ends.guest));
  RawPort raw(guest("g1"), "eth0");
  raw.send(Ethernet{.src = "02:00:00:00:00:99", .dst = "52:54:00:00:00:01"} / Ipv4{.src = "192.168.122.11"} /
           Udp{.src_port = 9, .dst_port = 10});
  vnet({"set", "g2", "--link", "down"});
  guest("g1").pings(ends.name == "ipv6" ? "fd00:122::12" : "192.168.122.12", 1);
  ASSERT_TRUE(wait_until([&] { return seen("not-visible") && seen("spoofed-mac") && seen("link-down"); }))
      << text(out_path());
  EXPECT_THAT(of_host(), testing::IsEmpty());
  EXPECT_EQ(0U, dropped("host-stack") + dropped("host-firewall"));
}

// Routed to where no program of ours is: the fence's own, though it is netfilter to the kernel.
TEST_P(LostTest, TheFenceTellsItself) {
  if (Fence::way() != FenceWay::Program) GTEST_SKIP() << "the kernel has no netfilter programs (6.4)";
  host().must("ip link add side type veth peer name its_end; ip link set its_end up; ip link set side up; " +
              GetParam().ip() + " rule add fwmark 9 lookup 99; " + GetParam().ip() +
              " route add default dev side table 99; nft 'add table inet admin; add chain inet admin "
              "prerouting { type filter hook prerouting priority -150; }; add rule inet admin prerouting udp "
              "dport 7014 meta mark set 9'");
  Background running = watch();
  from_guest(GetParam().outside, 7014);
  ASSERT_TRUE(wait_until([&] { return seen("no-way-out"); })) << text(out_path());
  EXPECT_EQ(1U, events().size()) << text(out_path());
  EXPECT_EQ("forward", events()[0]["hook"]);
  EXPECT_EQ(1U, dropped("no-way-out"));
  EXPECT_EQ(0U, dropped("host-firewall"));
}

TEST_P(LostTest, WhatArrivesIsNoLoss) {
  const Ends& ends = GetParam();
  std::string family = ends.name == "ipv6" ? "6" : "4";
  Background running = watch();
  for (const std::string& to : {ends.outside, ends.gateway}) EXPECT_TRUE(guest("g1").pings(to));
  EXPECT_TRUE(host().pings(ends.guest));
  Background listening = outside().background({"socat", "TCP" + family + "-LISTEN:7006,fork", "EXEC:cat"});
  Background at_home = host().background({"socat", "TCP" + family + "-LISTEN:7006,fork", "EXEC:cat"});
  for (const std::string& to : {ends.outside, ends.gateway})
    EXPECT_TRUE(wait_until([&] {
      return guest("g1")
                 .sh("(echo hello; sleep 0.2) | socat - TCP" + family + ":" + ends.bracketed(to) + ":7006")
                 .out == "hello\n";
    }));
  guest("g1").sh("dig +time=2 +tries=1 @" + ends.gateway + " nonesuch.example || true");
  EXPECT_THAT(of_host(), testing::IsEmpty());
}

// A tracepoint is the whole kernel's.
TEST_P(LostTest, OtherNamespacesAreNotOurs) {
  const Ends& ends = GetParam();
  Namespace other;
  other.must(
      "ip link set lo up; ip addr add " + ends.guest + " dev lo; " + ends.ip() + " route add " +
      ends.outside +
      " dev lo; nft 'add table inet admin; add chain inet admin output { type filter hook output priority 0; "
      "policy drop; }'");
  forward_rule("udp dport 7007 drop");
  Background running = watch();
  other.sh("echo x | socat -u - " + ends.udp() + ":" + ends.bracketed(ends.outside) + ":7008");
  from_guest(ends.outside, 7007);
  EXPECT_EQ(7007, loss("host-firewall")["destination"]["port"]);
  EXPECT_EQ(1U, of_host().size()) << text(out_path());
}

class LostReaders : public LostTest {};
INSTANTIATE_TEST_SUITE_P(, LostReaders, testing::Values(families[0]));

TEST_P(LostReaders, NothingIsAttachedWithoutOne) {
  EXPECT_EQ(0, attached());
  for (int signal : {SIGTERM, SIGKILL}) {
    Background running = watch();
    kill(running.pid(), signal);
    EXPECT_TRUE(attached(0));
  }
  {
    Background running = in_background("stats --watch 0.2", "stats");
    EXPECT_TRUE(attached(1)) << text(path("stats.err"));
  }
  EXPECT_TRUE(attached(0));
  Background others = monitor("--reason spoofed-mac");
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  EXPECT_EQ(0, attached());
}

TEST_P(LostReaders, OneOfThemCounts) {
  forward_rule("udp dport 7009 drop");
  from_guest(GetParam().outside, 7009);
  EXPECT_EQ(0U, dropped("host-firewall"));  // nobody watches
  Background counting = in_background("stats --watch 0.2", "stats");
  EXPECT_TRUE(attached(1));
  Background running = monitor("--json");
  EXPECT_TRUE(attached(2));
  from_guest(GetParam().outside, 7009);
  EXPECT_EQ(loss("host-firewall")["source"]["address"], GetParam().guest);
  EXPECT_EQ(1U, dropped("host-firewall"));
  EXPECT_TRUE(wait_until([&] { return text(path("stats.out")).find("host-firewall") != std::string::npos; }));
  kill(counting.pid(), SIGKILL);
  EXPECT_TRUE(attached(1));
  EXPECT_TRUE(wait_until([&] {
    from_guest(GetParam().outside, 7009);
    return dropped("host-firewall") > 1;
  }));
}

TEST_P(LostReaders, FiltersAndText) {
  forward_rule("udp dport 7010 drop");
  Background running = watch("--reason host-firewall --network lab --count 1");
  from_guest("203.0.113.77", 7011);
  from_guest(GetParam().outside, 7010);
  ASSERT_TRUE(wait_until([&] { return !text(err_path()).empty(); })) << text(out_path());
  EXPECT_THAT(text(out_path()), HasSubstr(" host-firewall    host            virbr0 "));
  EXPECT_THAT(text(out_path()),
              HasSubstr(" udp 192.168.122.11:4712 > 203.0.113.1:7010, 30 bytes (NETFILTER_DROP)\n"));
  EXPECT_EQ("1 shown, 0 not shown\n", text(err_path()));
}

// The sender is not where the host would look for it.
TEST_P(LostReaders, TheReversePathFilter) {
  EXPECT_TRUE(guest("g1").pings("192.168.122.1"));  // ARP would fail by the same filter
  host().must(
      "ip link add elsewhere type veth peer name its_end; ip link set its_end up; ip link set elsewhere up; "
      "ip route add 192.168.122.11 dev "
      "elsewhere; "
      "sysctl -qw net.ipv4.conf.virbr0.rp_filter=1");
  Background running = watch();
  from_guest("192.168.122.1", 7012);
  Json event = loss("host-stack");
  EXPECT_EQ("IP_RPFILTER", event["kernel_reason"]) << event;
  EXPECT_EQ("virbr0", event["interface"]);
}

TEST_P(LostReaders, ACaptureSaysIt) {
  if (!sh("command -v tshark").ok()) GTEST_SKIP() << "tshark is not installed";
  forward_rule("udp dport 7013 drop");
  std::string file = path("drops.pcapng");
  Background running = watch("--count 1 --pcap " + file);
  from_guest(GetParam().outside, 7013);
  ASSERT_TRUE(wait_until([&] { return !text(err_path()).empty(); })) << text(out_path());
  Output read = execute({"tshark", "-r", file, "-T", "fields", "-E", "separator=|", "-e",
                         "frame.interface_name", "-e", "frame.comment", "-e", "udp.dstport"});
  ASSERT_TRUE(read.ok()) << read.err;
  EXPECT_EQ(
      "virbr0|host-firewall: dropped by the host's firewall (while monitor or stats watched): "
      "NETFILTER_DROP (at host, network lab, port g1)|7013\n",
      read.out);
}

}  // namespace
}  // namespace vnet::test
