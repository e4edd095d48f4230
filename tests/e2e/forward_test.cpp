// SPDX-License-Identifier: GPL-2.0-or-later
// XDP `forward` on live traffic: small answers go straight into taps, and into veths whose guest's end takes
// them; everything else goes by tc, and nothing is lost either way.
#include <net/if.h>
#include <memory>

#include "loader/bpf/datapath.h"
#include "loader/netlink/xdp_features.h"
#include "tests/e2e/port_fixture.h"
#include "tests/support/inside.h"
#include "tests/support/oracle.h"
#include "tests/support/tap_guest.h"

namespace vnet::test {
namespace {

using testing::HasSubstr;
using Json = nlohmann::json;

class XdpForward : public PortTest {
 protected:
  static std::string settings(const std::string& attributes) {
    return "<metadata><v:network xmlns:v='urn:vnet-bpf:network:1'><v:xdp " + attributes +
           "/></v:network></metadata>";
  }
  // No stack completes its checksums: what comes from outside looks as from a cable.
  void as_from_a_cable() { outside().must("ethtool -K eth0 tx off"); }
  void gro(const std::string& name, bool on) {
    guest(name).must(std::string("ethtool -K eth0 gro ") + (on ? "on" : "off"));
  }
  // A kernel that tells what a veth can do.
  bool kernel_tells() {
    bool tells = false;
    run_inside(host(), [&] { tells = xdp_features(static_cast<int>(if_nametoindex("eth0"))).has_value(); });
    return tells;
  }
  std::uint64_t forwarded() {
    return ground().vnet_json({"stats"})["uplinks"].at(0)["xdp_forwarded"].get<std::uint64_t>();
  }
  Json targets() { return ground().vnet_json({"show", "lab"})["xdp_ports"]; }
  // Nothing that this does is forwarded by XDP, or all of it is.
  std::uint64_t forwarded_by(const std::function<void()>& action) {
    auto before = forwarded();
    action();
    return forwarded() - before;
  }
  // Each is answered, however long a busy machine takes.
  void ask(Namespace& from, const std::string& to, int times = 3) {
    const std::string script = fmt::format(
        "exec 3<>/dev/udp/{}/9090; for i in $(seq {}); do echo question >&3; timeout 10 head -n1 <&3; done",
        to, times);
    std::string all;
    for (int i = 0; i < times; ++i) all += "question\n";
    EXPECT_EQ(all, from.exec({"bash", "-c", script}).out);
  }
  Background echo_service() {
    Background made =
        outside().background({"socat", "UDP6-LISTEN:9090,ipv6only=0,reuseaddr,fork", "EXEC:cat"});
    EXPECT_TRUE(wait_until([&] { return !outside().sh("ss -Hlun sport = 9090").out.empty(); }));
    return made;
  }
  // A network that forwards, with a tap, and an uplink whose checksums are whole.
  std::unique_ptr<TapGuest> start_with_tap() {
    start_lab(settings("mode='forward'"));
    auto tap = std::make_unique<TapGuest>(host(), "t1", GuestAddresses{.ipv4 = ip4(21), .ipv6 = ip6(21)});
    attach_tap("t1", tap->addresses().mac);
    as_from_a_cable();
    return tap;
  }
  void attach_tap(const std::string& name, const std::string& mac) {
    vnet({"attach", name, "--network", "lab", "--mac", mac});
    wait_until_forwarding(name);
  }
  static constexpr const char* peers[] = {"203.0.113.1", "2001:db8:113::1"};
};

// What arrives in the tap is the very frame that tc delivers: sums, MACs, TTL.
TEST_F(XdpForward, GivesAnswersToATap) {
  start_lab(settings("mode='forward'"));
  EXPECT_THAT(ground().vnet_json({"show", "lab"})["xdp"].value("eth0", ""), HasSubstr("forward, native"));
  GuestAddresses own{.ipv4 = ip4(21), .ipv6 = ip6(21)};
  TapGuest tap(host(), "t1", own);
  attach_tap("t1", own.mac);
  EXPECT_EQ((Json{{"t1", nullptr}}), targets());
  as_from_a_cable();
  Background service = echo_service();
  for (const std::string to : peers) {
    std::uint16_t port = to.find(':') == std::string::npos ? 4711 : 4712;
    auto exchange = [&] {
      tap.send(tap.to(to) / Udp{.src_port = port, .dst_port = 9090} / Payload("question"));
      auto got = tap.expect_frame([&](const VirtioFrame& frame) {
        Fields found = fields(frame.frame);
        return found.src == to && found.dst_port == port;
      });
      EXPECT_TRUE(got);
      return got ? *got : VirtioFrame{};
    };
    VirtioFrame by_xdp, by_tc;
    EXPECT_EQ(1U, forwarded_by([&] { by_xdp = exchange(); })) << to;
    outside().must("ethtool -K eth0 tx on");
    EXPECT_EQ(0U, forwarded_by([&] { by_tc = exchange(); })) << to << ": its checksum is not whole";
    as_from_a_cable();
    EXPECT_FALSE(by_xdp.needs_checksum());
    EXPECT_TRUE(is_sound(by_xdp));
    EXPECT_SOUND(by_xdp.frame);
    EXPECT_TRUE(is_sound(by_tc));
    auto without_id = [](Bytes frame) {
      if (frame.size() > 25 && frame[12] == 0x08) frame[18] = frame[19] = frame[24] = frame[25] = 0;
      return frame;
    };
    EXPECT_EQ(without_id(completed(by_tc)), without_id(by_xdp.frame)) << to;
  }
  auto uplink = ground().vnet_json({"stats"})["uplinks"].at(0);
  EXPECT_EQ("{}", uplink["drops"].dump());
}

TEST_F(XdpForward, CountsAsTcDoes) {
  auto tap_guest = start_with_tap();
  TapGuest& tap = *tap_guest;
  Background service = echo_service();
  tap.resolve("192.168.122.1");
  auto counted = [&] {
    auto stats = ground().vnet_json({"stats"});
    return std::pair(stats["ports"].at(0)["rx_packets"].get<int>(),
                     stats["uplinks"].at(0)["rx_packets"].get<int>());
  };
  auto exchange = [&] {
    tap.send(tap.to(peers[0]) / Udp{.src_port = 4711, .dst_port = 9090} / Payload("question"));
    EXPECT_TRUE(tap.expect_frame([&](const VirtioFrame& f) { return fields(f.frame).dst_port == 4711; }));
  };
  exchange();
  auto before = counted();
  auto flow = [&] { return ground().vnet_json({"flows"}).at(0); };
  auto flow_before = flow();
  EXPECT_EQ(5U, forwarded_by([&] {
              for (int i = 0; i < 5; ++i) exchange();
            }));
  auto after = counted();
  EXPECT_GE(after.first - before.first, 5);
  EXPECT_GE(after.second - before.second, 5);
  auto flow_after = flow();
  EXPECT_EQ("established", flow_after["state"]);
  EXPECT_EQ(flow_before["in_packets"].get<int>() + 5, flow_after["in_packets"].get<int>())
      << flow_after.dump();
}

// A veth's guest takes them with GRO on; else tc does, and nothing is lost.
TEST_F(XdpForward, GivesAnswersToAVethThatTakesThem) {
  start_lab(settings("mode='forward'"));
  if (!kernel_tells()) {
    add("g1", 11);
    attach("g1", 11);
    EXPECT_THAT(targets()["g1"].get<std::string>(), HasSubstr("this kernel does not tell"));
    GTEST_SKIP() << "this kernel does not tell whether a veth takes redirected frames (6.3 and later do)";
  }
  for (bool on : {true, false}) {
    SCOPED_TRACE(on);
    std::string name = on ? "g1" : "g2";
    add(name, on ? 11 : 12);
    gro(name, on);
    attach(name, on ? 11 : 12);
  }
  EXPECT_EQ(Json(), targets()["g1"]);
  EXPECT_THAT(targets()["g2"].get<std::string>(), HasSubstr("GRO off"));
  as_from_a_cable();
  Background service = echo_service();
  for (const std::string to : peers) {
    EXPECT_EQ(3U, forwarded_by([&] { ask(guest("g1"), to); })) << to;
    EXPECT_EQ(0U, forwarded_by([&] { ask(guest("g2"), to); })) << to;
    EXPECT_EQ(1U, forwarded_by([&] { EXPECT_TRUE(guest("g1").sh("ping -c1 -W3 " + to).ok()); })) << to;
  }
  EXPECT_THAT(ground().vnet({"show", "lab"}).out, HasSubstr("g2: the guest's end of the veth has GRO off"));
  EXPECT_THAT(ground().vnet({"doctor"}).out, HasSubstr("XDP forwards nothing to g2: the guest's end"));
}

// Data stays with tc, which merges it; connections work in both directions, whole and unharmed.
TEST_F(XdpForward, CarriesTcp) {
  start_lab(settings("mode='forward'"));
  add("g1", 11);
  gro("g1", true);
  attach("g1", 11);
  as_from_a_cable();
  Background echo =
      outside().background({"socat", "TCP6-LISTEN:8080,ipv6only=0,reuseaddr,fork", "SYSTEM:sha256sum"});
  Background source = outside().background(
      {"socat", "TCP6-LISTEN:8081,ipv6only=0,reuseaddr,fork", "SYSTEM:head -c 3000000 /dev/zero"});
  ASSERT_TRUE(wait_until([&] { return outside().sh("ss -Hltn sport = 8080").out.size() > 1; }));
  ASSERT_TRUE(wait_until([&] { return outside().sh("ss -Hltn sport = 8081").out.size() > 1; }));
  for (const std::string& to : {std::string("203.0.113.1"), std::string("[2001:db8:113::1]")}) {
    auto up = forwarded_by([&] {
      // So much that acknowledgements are many even where GRO merges data before it is acknowledged.
      std::string sum = guest("g1").sh("head -c 30000000 /dev/zero | socat -t5 - TCP:" + to + ":8080").out;
      EXPECT_EQ(sum, guest("g1").sh("head -c 30000000 /dev/zero | sha256sum").out) << to;
    });
    if (kernel_tells()) {
      EXPECT_GT(up, 10U) << to << ": acknowledgements";
    }
    EXPECT_EQ("3000000\n", guest("g1").sh("socat -u TCP:" + to + ":8081 - | wc -c").out) << to;
  }
  auto stats = ground().vnet_json({"stats"});
  EXPECT_EQ("{}", stats["uplinks"].at(0)["drops"].dump());
  EXPECT_EQ("{}", stats["ports"].at(0)["drops"].dump());
}

TEST_F(XdpForward, NoticesAGuestThatTakesThemNoMore) {
  start_lab(settings("mode='forward'"));
  if (!kernel_tells()) GTEST_SKIP() << "this kernel does not tell whether a veth takes redirected frames";
  add("g1", 11);
  gro("g1", true);
  attach("g1", 11);
  as_from_a_cable();
  Background service = echo_service();
  gro("g1", false);
  EXPECT_THAT(targets()["g1"].get<std::string>(), HasSubstr("packets to it are lost now"));
  add("g2", 12);
  attach("g2", 12);  // any command that changes something
  EXPECT_THAT(targets()["g1"].get<std::string>(),
              testing::StartsWith("the guest's end of the veth has GRO off"));
  EXPECT_EQ(0U, forwarded_by([&] { ask(guest("g1"), peers[0]); }));
  gro("g1", true);
  vnet({"detach", "g2"});
  EXPECT_EQ(Json(), targets()["g1"]);
  EXPECT_EQ(3U, forwarded_by([&] { ask(guest("g1"), peers[0]); }));
}

TEST_F(XdpForward, RoutedNetworksToo) {
  outside().must(
      "ip route add 192.168.122.0/24 via 203.0.113.2; ip -6 route add fd00:122::/64 via 2001:db8:113::2");
  vnet({"up", file("lab.xml",
                   "<network><name>lab</name><forward mode='route'/><bridge name='virbr0' "
                   "stp='off'/><mac address='" +
                       gateway_mac + "'/>" + settings("mode='forward'") +
                       "<ip address='192.168.122.1' netmask='255.255.255.0'/>"
                       "<ip family='ipv6' address='fd00:122::1' prefix='64'/></network>")});
  GuestAddresses own{.ipv4 = ip4(21), .ipv6 = ip6(21)};
  TapGuest tap(host(), "t1", own);
  attach_tap("t1", own.mac);
  as_from_a_cable();
  for (const std::string& to : {own.ipv4, own.ipv6}) {
    bool v6 = to.find(':') != std::string::npos;
    auto says = [&](const std::string& what, Namespace& from) {
      from.must(
          fmt::format("echo {} | socat -u - UDP:{}:53,sourceport=4711", what, v6 ? "[" + to + "]" : to));
      auto got = tap.expect_frame([&](const VirtioFrame& frame) {
        Fields found = fields(frame.frame);
        return found.dst == to && found.dst_port == 53 &&
               std::string(found.payload.begin(), found.payload.end()) == what + "\n";
      });
      if (got) {
        EXPECT_TRUE(is_sound(*got));
      }
    };
    // One that waits for the guest's MAC may come out on another CPU, and makes no session yet.
    says("resolved", host());
    EXPECT_EQ(0U, forwarded_by([&] { says("first", outside()); })) << "the host's rules decide on the first";
    EXPECT_EQ(1U, forwarded_by([&] { says("second", outside()); }));
  }
}

TEST_F(XdpForward, IsExplained) {
  auto tap_guest = start_with_tap();
  TapGuest& tap = *tap_guest;
  Background service = echo_service();
  tap.send(tap.to(peers[0]) / Udp{.src_port = 4711, .dst_port = 9090} / Payload("question"));
  ASSERT_TRUE(tap.expect_frame([&](const VirtioFrame& f) { return fields(f.frame).dst_port == 4711; }));
  auto before = forwarded();
  Output said = ground().vnet({"explain", "--port", "eth0", "--from", "203.0.113.1:9090", "--to",
                               "203.0.113.2:4711", "--proto", "udp"});
  EXPECT_THAT(said.out, HasSubstr("forwarded")) << said.err;
  EXPECT_THAT(said.out, HasSubstr("straight to t1"));
  EXPECT_THAT(said.out, HasSubstr("by XDP"));
  EXPECT_THAT(said.out, HasSubstr("destination 203.0.113.2:4711 becomes 192.168.122.21:4711"));
  EXPECT_EQ(before, forwarded()) << "explained, not done";
}

// Ports of networks that did not ask stay with tc, though the uplink forwards.
TEST_F(XdpForward, IsForTheNetworksThatAskForIt) {
  start_lab(settings("mode='filter'"));
  vnet({"up", file("two.xml", "<network><name>two</name><forward mode='nat'/><bridge name='virbr2'/>" +
                                  settings("mode='forward'") +
                                  "<ip address='192.168.132.1' netmask='255.255.255.0'/></network>")});
  GuestAddresses own{.ipv4 = ip4(21), .ipv6 = ip6(21)};
  TapGuest tap(host(), "t1", own);
  attach_tap("t1", own.mac);
  EXPECT_EQ(Json::object(), targets());
  EXPECT_EQ(0U, maps().xdp_targets.keys().size());
  as_from_a_cable();
  Background service = echo_service();
  EXPECT_EQ(
      0U, forwarded_by([&] {
        tap.send(tap.to(peers[0]) / Udp{.src_port = 4711, .dst_port = 9090} / Payload("question"));
        EXPECT_TRUE(tap.expect_frame([&](const VirtioFrame& f) { return fields(f.frame).dst_port == 4711; }));
      }));
  EXPECT_THAT(ground().vnet_json({"show", "two"})["xdp"].value("eth0", ""), HasSubstr("forward, native"));
}

TEST_F(XdpForward, ForgetsAPortThatLeaves) {
  start_lab(settings("mode='forward'"));
  {
    Tap one(host(), "t1"), two(host(), "t2");
    attach_tap("t1", mac_of(1));
    attach_tap("t2", mac_of(2));
    EXPECT_EQ(2U, maps().xdp_targets.keys().size());
    vnet({"detach", "t1"});
    EXPECT_EQ(1U, maps().xdp_targets.keys().size());
  }
  EXPECT_TRUE(wait_until([&] { return maps().xdp_targets.keys().empty(); }))
      << "the kernel takes it out itself";
}

// What a tap's frames look like XDP cannot tell: an uplink that is one only filters.
TEST_F(XdpForward, NeverOutOfATap) {
  Tap uplink(host(), "up0");
  host().must("ip addr add 192.0.2.2/24 dev up0; ip route replace default via 192.0.2.1 dev up0");
  start_lab(settings("mode='forward'"));
  auto xdp = ground().vnet_json({"show", "lab"})["xdp"];
  EXPECT_THAT(xdp.value("up0", ""), HasSubstr("filter (no forwarding: not from a tun"));
  EXPECT_THAT(ground().vnet({"doctor"}).out, HasSubstr("XDP filters at uplink up0, and does not forward"));
}

}  // namespace
}  // namespace vnet::test
