// SPDX-License-Identifier: GPL-2.0-or-later
// What libvirt's hook hands on, with a domain XML as libvirt writes it; tests/guest has the real libvirt.
#include <fmt/format.h>

#include "tests/e2e/port_fixture.h"

namespace vnet::test {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

class Hook : public PortTest {
 protected:
  void SetUp() override {
    if (access(VNET_SOURCE_DIR "/packaging/libvirt/hooks/qemu", X_OK))
      GTEST_SKIP() << "the project's sources are not here";
    PortTest::SetUp();
  }
  Output hook(const std::string& operation, const std::string& xml) {
    return host().sh(fmt::format("VNET_BPF=" VNET_PROGRAM " VNET_BPF_STATE_DIR={} " VNET_SOURCE_DIR
                                 "/packaging/libvirt/hooks/qemu g1 {} begin - < {}",
                                 ground().state_dir().string(), operation, file("domain.xml", xml)));
  }
  static std::string domain(const std::string& more = "", const std::string& tap = "vnet0",
                            const std::string& mac = "02:00:5e:00:53:01") {
    return fmt::format(
        "<domain><name>g1</name><uuid>1b4e28ba-2fa1-11d2-883f-0016d3cca427</uuid><devices><interface "
        "type='bridge'><mac address='{}'/>"
        "<target dev='{}'/><model type='virtio'/>{}</interface></devices></domain>",
        mac, tap, more);
  }
  void add_tap(const std::string& bridge = "virbr0") {
    host().must("ip tuntap add vnet0 mode tap; ip link set vnet0 master " + bridge +
                "; ip link set vnet0 up");
  }
  nlohmann::json port() {
    auto ports = ground().vnet_json({"ports"});
    return ports.empty() ? nlohmann::json() : ports.at(0);
  }
};

TEST_F(Hook, AnEarlierGuestsOptionsAreForgotten) {
  start_lab();
  add_tap();
  vnet({"attach", "vnet0", "--network", "lab", "--filter", "clean-traffic", "--model", "e1000"});
  host().must("ip link delete vnet0");
  add_tap();
  Output output = hook("start", domain());
  EXPECT_TRUE(output.ok()) << output.err;
  EXPECT_THAT(output.out, IsEmpty());  // libvirt would take it for XML
  EXPECT_EQ("02:00:5e:00:53:01", port()["mac"].get<std::string>());
  EXPECT_EQ("virtio", port()["model"].get<std::string>());
  EXPECT_EQ("g1", port()["guest"].get<std::string>());
  EXPECT_EQ("1b4e28ba-2fa1-11d2-883f-0016d3cca427", port()["guest_uuid"].get<std::string>());
  EXPECT_TRUE(port()["filters"].empty());
  // What an administrator has changed since stays, where the XML does not say otherwise.
  vnet({"set", "vnet0", "--filter", "no-mac-spoofing"});
  EXPECT_TRUE(hook("reconnect", domain()).ok());
  EXPECT_EQ(1U, port()["filters"].size());
  host().must("ip link delete vnet0");
  EXPECT_TRUE(hook("release", domain("", "")).ok());
  EXPECT_TRUE(port().is_null());
}

// Without a hook, too: what the network's XML says of a group.
TEST_F(Hook, APortgroupsOutboundBandwidthHolds) {
  start_lab(
      "<portgroup name='slow'><bandwidth><outbound average='500' burst='100'/></bandwidth></portgroup>");
  add("g1", 11);
  vnet({"attach", "g1", "--network", "lab", "--portgroup", "slow"});
  wait_until_forwarding("g1");
  EXPECT_EQ(500, port()["bandwidth"]["outbound"]["average"].get<int>());
  Background sink = outside().background({"socat", "-u", "TCP4-LISTEN:9000,reuseaddr", "OPEN:/dev/null"});
  EXPECT_TRUE(wait_until([&] { return !outside().sh("ss -Hltn sport = :9000").out.empty(); }));
  EXPECT_TRUE(guest("g1").sh("head -c 700000 /dev/zero | socat -u - TCP4:203.0.113.1:9000").ok());
  EXPECT_GT(drops_at("g1", "bandwidth"), 0U);
  EXPECT_THAT(vnet({"explain", "--port", "g1", "--to", "203.0.113.1:9000"}).out,
              HasSubstr("what g1 sends above 500 kB/s is dropped (bandwidth)"));
  // Another group says nothing of it.
  vnet({"set", "g1", "--portgroup", "other"});
  EXPECT_TRUE(port()["bandwidth"].is_null());
}

// What libvirt's own policer, behind the datapath's redirects, would not see.
TEST_F(Hook, ACardsOutboundBandwidthHolds) {
  for (const char* how : {"auto", "clsact"}) {
    SCOPED_TRACE(how);
    setenv("VNET_BPF_ATTACH", how, 1);
    start_lab();
    add("g1", 11);
    host().must("ip link set g1 master virbr0; tc qdisc add dev g1 ingress");  // as libvirt leaves it
    std::string limits =
        "<bandwidth><inbound average='4000'/><outbound average='500' burst='100'/></bandwidth>";
    ASSERT_TRUE(hook("start", domain(limits, "g1", mac_of(11))).ok());
    wait_until_forwarding("g1");
    EXPECT_EQ(500, port()["bandwidth"]["outbound"]["average"].get<int>());
    EXPECT_EQ(4000, port()["bandwidth"]["inbound"]["average"].get<int>());
    EXPECT_THAT(vnet({"ports"}).out, HasSubstr("in 4000 out 500 kB/s"));
    Background sink = outside().background({"socat", "-u", "TCP4-LISTEN:9000,reuseaddr", "OPEN:/dev/null"});
    EXPECT_TRUE(wait_until([&] { return !outside().sh("ss -Hltn sport = :9000").out.empty(); }));
    auto started = std::chrono::steady_clock::now();
    EXPECT_TRUE(guest("g1").sh("head -c 1500000 /dev/zero | socat -u - TCP4:203.0.113.1:9000").ok());
    wait_until([&] { return outside().sh("ss -Htn state established sport = :9000").out.empty(); });
    EXPECT_GT(std::chrono::steady_clock::now() - started, std::chrono::seconds(2));  // 1.4 MB above the burst
    EXPECT_GT(drops_at("g1", "bandwidth"), 0U);
    // Another limit at once, and none any more with the port.
    ASSERT_TRUE(
        hook("reconnect", domain("<bandwidth><outbound average='700'/></bandwidth>", "g1", mac_of(11))).ok());
    EXPECT_EQ(700, port()["bandwidth"]["outbound"]["average"].get<int>());
    vnet({"detach", "g1"});
    std::string left = host()
                           .sh("find " + (ground().state_dir() / "bpf").string() +
                               " -name 'g1*'; tc filter show dev g1 ingress")
                           .out;
    EXPECT_THAT(left, IsEmpty());
    vnet({"stop", "lab"});
    host().must("ip link delete g1");
  }
  unsetenv("VNET_BPF_ATTACH");
}

// Without a limit that says whose it is, an ingress qdisc is not ours to remove.
TEST_F(Hook, AStrangersIngressQdiscIsNamed) {
  setenv("VNET_BPF_ATTACH", "clsact", 1);
  start_lab();
  add_tap();
  host().must("tc qdisc add dev vnet0 ingress");
  Output refused = ground().vnet({"attach", "vnet0", "--network", "lab"});
  unsetenv("VNET_BPF_ATTACH");
  EXPECT_FALSE(refused.ok());
  EXPECT_THAT(refused.err, HasSubstr("tc qdisc del dev vnet0 ingress"));
  EXPECT_THAT(host().sh("tc qdisc show dev vnet0").out, HasSubstr("ingress"));
}

TEST_F(Hook, ACardsVlanIsTheBridges) {
  start_lab();
  add_tap();
  EXPECT_TRUE(hook("start", domain("<vlan><tag id='42'/></vlan>")).ok());
  EXPECT_EQ(42, port()["vlan"]["tags"].at(0).get<int>());
  EXPECT_TRUE(port()["vlan"]["applied"].get<bool>());
  vnet({"stop", "lab"});
  host().must("ip link delete vnet0");
  if (!host().sh("ip link add br7 type bridge vlan_filtering 1 && ip link set br7 up").ok())
    GTEST_SKIP() << "the kernel has no BRIDGE_VLAN_FILTERING; that a gateway's bridge is not one was tested";
  vnet({"up",
        file("lan.xml", "<network><name>lan</name><forward mode='bridge'/><bridge name='br7'/></network>")});
  add_tap("br7");
  auto vlans = [&] { return host().sh("bridge -c=never vlan show dev vnet0").out; };
  EXPECT_TRUE(hook("start", domain("<vlan><tag id='42'/></vlan>")).ok());
  EXPECT_TRUE(port()["vlan"]["applied"].get<bool>());
  EXPECT_THAT(vlans(), testing::ContainsRegex("42 PVID Egress Untagged"));
  EXPECT_THAT(vlans(), testing::Not(HasSubstr(" 1 ")));
  EXPECT_TRUE(
      hook("reconnect", domain("<vlan trunk='yes'><tag id='7' nativeMode='untagged'/><tag id='8'/></vlan>"))
          .ok());
  EXPECT_THAT(vlans(), testing::ContainsRegex("7 PVID Egress Untagged"));
  EXPECT_THAT(vlans(), testing::ContainsRegex("8\n"));
  EXPECT_THAT(vlans(), testing::Not(HasSubstr("42")));
  EXPECT_THAT(vnet({"ports"}).out, HasSubstr("7 (native),8"));
}

TEST_F(Hook, OnlyAFilterThatCannotBeKeptStopsAGuest) {
  start_lab();
  add_tap();
  std::string unknown = domain("<filterref filter='house-rule'/>");
  Output output = hook("start", unknown);
  EXPECT_FALSE(output.ok());
  EXPECT_THAT(output.err, HasSubstr("vnet-bpf: error: guest g1: <filterref filter='house-rule'>"));
  EXPECT_TRUE(hook("reconnect", unknown).ok());  // it runs already
  EXPECT_TRUE(hook("prepare", unknown).ok());
  EXPECT_TRUE(hook("start", "<domain").ok());
  EXPECT_EQ(false, port()["attached"]);  // it is in the bridge, and gets no traffic
  // Somebody else's bridge.
  host().must("ip link add br7 type bridge; ip link set vnet0 master br7");
  EXPECT_TRUE(hook("start", unknown).ok());
  EXPECT_TRUE(port().is_null());
}

}  // namespace
}  // namespace vnet::test
