// SPDX-License-Identifier: GPL-2.0-or-later
// A bond of two cards as the way out, on kernels with the bonding driver: host eth0 and eth1 are its members,
// their other ends are ports of one switch outside (br0), or of one bond there (bond0).
#include <fmt/format.h>

#include "tests/e2e/network_fixture.h"

namespace vnet::test {
namespace {

using testing::HasSubstr;
using testing::Not;

class Bond : public NetworkTest {
 protected:
  void SetUp() override {
    NetworkTest::SetUp();
    if (IsSkipped()) return;
    if (!host().sh("ip link add bond7 type bond && ip link delete bond7").ok())
      GTEST_SKIP() << "the kernel has no bonding driver";
    host().must("ip link add eth1 type veth peer name eth1 netns " + outside().name());
  }

  static std::string gather(const std::string& master) {
    std::string text;
    for (const char* member : {"eth0", "eth1"})
      text += fmt::format(
          "ip addr flush dev {0}; ip link set {0} down; ip link set {0} master {1}; ip link set {0} up; ",
          member, master);
    return text + "ip link set " + master + " up; ";
  }
  static std::string addresses(const std::string& interface, int number) {
    return fmt::format(
        "ip addr add 203.0.113.{1}/24 dev {0}; ip addr add 2001:db8:113::{1}/64 dev {0} nodad; ", interface,
        number);
  }
  void switch_outside() {
    outside().must("ip link add br0 type bridge mcast_snooping 0; " + gather("br0") + addresses("br0", 1));
  }
  // What a switch calls a link aggregation.
  void bond_outside(const std::string& options) {
    outside().must("ip link add bond0 type bond " + options + "; " + gather("bond0") + addresses("bond0", 1));
  }
  void bond_host(const std::string& options) {
    host().must("ip link add bond0 type bond " + options + "; " + gather("bond0"));
  }
  void address_host(const std::string& interface) {
    host().must(addresses(interface, 2) +
                "ip route replace default via 203.0.113.1; "
                "ip -6 route replace default via 2001:db8:113::1");
  }

  std::string active_member() {
    auto link = nlohmann::json::parse(host().sh("ip -d -j link show bond0").out).at(0);
    return link["linkinfo"]["info_data"].value("active_slave", "");
  }
  // The cable of the member that carries the traffic is drawn.
  void fail_over() {
    std::string before = active_member();
    outside().must("ip link set " + before + " down");
    EXPECT_TRUE(wait_until([&] { return !active_member().empty() && active_member() != before; })) << before;
  }
  void mend() {
    outside().must("ip link set eth0 up; ip link set eth1 up");
    EXPECT_TRUE(wait_until([&] {
      std::string said = host().sh("cat /proc/net/bonding/bond0").out;
      return said.find("MII Status: down") == std::string::npos;
    }));
  }

  // A connection that is made once, over which a line comes every tenth of a second.
  class Stream {
   public:
    Stream(Namespace& sender, Namespace& receiver, const std::string& listen, const std::string& connect,
           bool receiver_listens, std::string file)
        : file_(std::move(file)),
          listener_(start(receiver_listens ? receiver : sender, listen, !receiver_listens)),
          client_(start_when_listening(receiver_listens ? receiver : sender,
                                       receiver_listens ? sender : receiver, listen, connect,
                                       receiver_listens)) {}
    std::uintmax_t size() const {
      std::error_code none_yet;
      auto size = std::filesystem::file_size(file_, none_yet);
      return none_yet ? 0 : size;
    }
    bool goes_on() const {
      auto before = size();
      return wait_until([&] { return size() > before + 10; });
    }

   private:
    Background start(Namespace& where, const std::string& address, bool sends) const {
      return where.background({"sh", "-c",
                               sends ? "while echo x; do sleep 0.1; done | exec socat -u - " + address
                                     : "exec socat -u " + address + " CREATE:" + file_});
    }
    Background start_when_listening(Namespace& server, Namespace& client, const std::string& listen,
                                    const std::string& connect, bool sends) const {
      std::string port = listen.substr(listen.find(':') + 1, 4);
      EXPECT_TRUE(wait_until([&] { return !server.sh("ss -Hltn sport = :" + port).out.empty(); }));
      return start(client, connect, sends);
    }
    std::string file_;
    Background listener_, client_;
  };

  // Both families, both ways, all begun by the guest.
  std::vector<std::unique_ptr<Stream>> streams(Namespace& guest) {
    std::vector<std::unique_ptr<Stream>> all;
    for (bool upload : {true, false})
      for (auto [family, address] : {std::pair{4, "203.0.113.1"}, {6, "[2001:db8:113::1]"}}) {
        std::string port = fmt::format("90{}{}", upload ? 1 : 2, family);
        all.push_back(std::make_unique<Stream>(upload ? guest : outside(), upload ? outside() : guest,
                                               fmt::format("TCP{}-LISTEN:{},reuseaddr", family, port),
                                               fmt::format("TCP{}:{}:{}", family, address, port), upload,
                                               ground().state_dir() / ("stream" + port)));
      }
    return all;
  }
  void expect_all_go_on(const std::vector<std::unique_ptr<Stream>>& streams, const char* when) {
    for (const auto& stream : streams)
      EXPECT_TRUE(stream->goes_on()) << when << ", stream " << (&stream - streams.data()) << "\n"
                                     << ground().vnet({"stats"}).out;
  }
  // What is a fixture of the bridged tests, over bond0.
  void start_bridged() {
    host().must("ip link add br0 type bridge; ip link set bond0 master br0; ip link set br0 up");
    address_host("br0");
    vnet({"up", file("lan.xml",
                     "<network><name>lan</name><forward mode='bridge'/><bridge name='br0'/></network>")});
  }
  void plug_lan(const std::string& name, int number) {
    ground().add_guest(name);
    guest(name).must(addresses("eth0", number));
    std::string mac = guest(name).sh("ip -br link show eth0 | awk '{print $3}'").out.substr(0, 17);
    vnet({"attach", name, "--network", "lan", "--mac", mac});
  }
  void expect_outside_reached(Namespace& from, const std::string& when) {
    for (const char* target : {"203.0.113.1", "2001:db8:113::1"})
      EXPECT_TRUE(from.pings(target, 20)) << target << " " << when << "\n" << ground().vnet({"stats"}).out;
  }
  std::uint64_t unasked() {
    std::uint64_t sum = 0;
    auto stats = ground().vnet_json({"stats"});
    for (const auto& uplink : stats["uplinks"])
      if (uplink["interface"] == "bond0") sum += uplink["drops"].value("not-visible", std::uint64_t{0});
    return sum;
  }
};

TEST_F(Bond, SessionsOutliveAFailoverOfTheUplink) {
  switch_outside();
  bond_host("mode active-backup miimon 50");
  address_host("bond0");
  start();
  plug("g1", 11);
  EXPECT_THAT(ground().vnet_json({"show", "lab"})["xdp"].value("bond0", ""), HasSubstr("filter, native"));
  outside().must(
      "ip route add 192.168.122.0/24 via 203.0.113.2; ip -6 route add fd00:122::/64 via 2001:db8:113::2");
  auto running = streams(guest("g1"));
  expect_all_go_on(running, "before");
  for (const char* when : {"first", "second"}) {
    fail_over();
    expect_all_go_on(running, when);
    expect_outside_reached(guest("g1"), when);
    // Ours are on the bond, whichever member it is that receives.
    for (const char* target : {"192.168.122.11", "fd00:122::11"}) {
      auto before = unasked();
      EXPECT_FALSE(outside().pings(target, 1)) << target;
      EXPECT_GT(unasked(), before) << target << " " << when;
    }
    mend();
  }
}

TEST_F(Bond, SessionsOutliveAFailoverUnderABridge) {
  switch_outside();
  bond_host("mode active-backup miimon 50");
  start_bridged();
  plug_lan("g1", 11);
  plug_lan("g2", 12);
  EXPECT_EQ("bond0", ground().vnet_json({"stats"})["uplinks"].at(0)["interface"]);
  auto running = streams(guest("g1"));
  expect_all_go_on(running, "before");
  for (const char* when : {"first", "second"}) {
    fail_over();
    expect_all_go_on(running, when);
    expect_outside_reached(guest("g2"), when);
    for (const char* target : {"203.0.113.11", "2001:db8:113::12"})
      EXPECT_TRUE(outside().pings(target, 20)) << when;
    EXPECT_TRUE(guest("g1").pings("203.0.113.12"));
    mend();
  }
}

// The administrator moves the traffic; both cables are there, and the switch learns where the guests are.
TEST_F(Bond, TheActiveMemberIsChangedByHand) {
  switch_outside();
  bond_host("mode active-backup miimon 50");
  start_bridged();
  plug_lan("g1", 11);
  auto running = streams(guest("g1"));
  expect_all_go_on(running, "before");
  std::string other = active_member() == "eth0" ? "eth1" : "eth0";
  host().must("ip link set bond0 type bond active_slave " + other);
  EXPECT_EQ(other, active_member());
  expect_all_go_on(running, "after");
}

TEST_F(Bond, ALinkAggregationUnderABridge) {
  for (const char* options : {"mode balance-xor miimon 50", "mode 802.3ad miimon 50 lacp_rate fast"}) {
    SCOPED_TRACE(options);
    bond_outside(options);
    bond_host(options);
    start_bridged();
    plug_lan("g1", 11);
    expect_outside_reached(guest("g1"), options);
    auto running = streams(guest("g1"));
    expect_all_go_on(running, "before");
    outside().must("ip link set eth0 down");
    expect_all_go_on(running, "with one link");
    outside().must("ip link set eth0 up");
    running.clear();
    vnet({"stop", "lan"});
    host().must("ip link delete g1; ip link delete br0; ip link delete bond0");
    outside().must("ip link delete bond0");
  }
}

// Behind NAT outside sees the host's MAC alone: no mode is refused there.
TEST_F(Bond, EveryModeCarriesARoutedOrNatNetwork) {
  for (const char* mode :
       {"balance-rr", "active-backup", "balance-xor", "broadcast", "802.3ad", "balance-tlb", "balance-alb"}) {
    SCOPED_TRACE(mode);
    bool aggregated = std::string(mode).starts_with("balance-rr") || std::string(mode) == "balance-xor" ||
                      std::string(mode) == "broadcast" || std::string(mode) == "802.3ad";
    std::string options = fmt::format("mode {} miimon 50", mode);
    if (aggregated)
      bond_outside(options);
    else
      switch_outside();
    bond_host(options);
    address_host("bond0");
    start();
    plug("g1", 11);
    expect_outside_reached(guest("g1"), mode);
    auto stats = ground().vnet_json({"stats"});
    EXPECT_GT(stats["uplinks"].at(0)["rx_packets"].get<int>(), 0);
    vnet({"stop", "lab"});
    host().must("ip link delete g1; ip link delete bond0");
    outside().must(aggregated ? "ip link delete bond0" : "ip link delete br0");
  }
}

TEST_F(Bond, AVlanOnABondIsAnUplink) {
  switch_outside();
  outside().must(
      "ip link add link br0 name br0.20 type vlan id 20; ip link set br0.20 up; ip addr flush dev br0; " +
      addresses("br0.20", 1));
  bond_host("mode active-backup miimon 50");
  host().must("ip link add link bond0 name bond0.20 type vlan id 20; ip link set bond0.20 up");
  address_host("bond0.20");
  start();
  plug("g1", 11);
  EXPECT_EQ("bond0.20", ground().vnet_json({"stats"})["uplinks"].at(0)["interface"]);
  auto running = streams(guest("g1"));
  expect_all_go_on(running, "before");
  fail_over();
  expect_all_go_on(running, "after");
}

}  // namespace
}  // namespace vnet::test
