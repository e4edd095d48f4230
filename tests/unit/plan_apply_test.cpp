// SPDX-License-Identifier: GPL-2.0-or-later
// A definition that changes while its network runs: desired() and diff(), without a kernel.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <set>

#include "loader/config/network_xml.h"
#include "loader/plan/live.h"
#include "tests/support/network_samples.h"
#include "tests/support/simulated_host.h"
#include "tests/support/with_settings.h"

namespace vnet {
namespace {

PortForward forward(std::uint16_t port) {
  PortForward one;
  one.proto = "tcp";
  one.ports = {port, port};
  one.to = *Address::parse("10.1.0.5");
  one.to_port = 80;
  return one;
}

using test::SimulatedHost;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

// One setting after the other, each allowed in the mode.
struct ApplyCase {
  const char* row;
  const char* mode;
  std::function<void(Network&)> change;
};

template <auto member>
std::function<void(Network&)> set_to(auto value) {
  return [value](Network& n) { n.*member = value; };
}

const std::vector<ApplyCase>& live_cases() {
  static const std::vector<ApplyCase> all{
      {"addresses", "nat", [](Network& n) { n.ips.push_back({.gateway = *Prefix::parse("fd00:1::1/64")}); }},
      {"interfaces", "nat", [](Network& n) { n.devices = {"eth2"}; }},
      {"title", "nat", [](Network& n) { n.title = "Lab"; }},
      {"description", "nat", [](Network& n) { n.description = "of the lab"; }},
      {"spanning tree", "nat", [](Network& n) { n.stp = false; }},
      {"macTableManager", "nat", [](Network& n) { n.mac_table_libvirt = true; }},
      {"MTU", "nat", [](Network& n) { n.mtu = 1400; }},
      {"ipv6", "nat", [](Network& n) { n.ipv6_attribute = true; }},
      {"NAT of IPv6", "nat", [](Network& n) { n.nat.ipv6 = true; }},
      {"NAT addresses", "nat",
       [](Network& n) {
         n.nat.addresses = {*Address::parse("192.0.2.10"), *Address::parse("192.0.2.20")};
       }},
      {"NAT ports", "nat",
       [](Network& n) {
         n.nat.ports = {20000, 30000};
       }},
      {"zone", "nat", [](Network& n) { n.zone = "internal"; }},
      {"domain", "nat", [](Network& n) { n.domain = DnsDomain{.name = "lab"}; }},
      {"DNS", "nat", [](Network& n) { n.dns.forward_plain_names = false; }},
      {"DNS forwarders", "nat",
       [](Network& n) { n.dns.forwarders = {{.address = Address::parse("192.0.2.53")}}; }},
      {"DNS hosts", "nat",
       [](Network& n) {
         n.dns.hosts = {{*Address::parse("10.1.0.7"), {"seven"}}};
       }},
      {"DNS TXT records", "nat",
       [](Network& n) {
         n.dns.txts = {{"a", "b"}};
       }},
      {"DNS SRV records", "nat",
       [](Network& n) { n.dns.srvs = {{.service = "sip", .protocol = "udp", .domain = {}, .target = {}}}; }},
      {"reverse DNS", "nat", [](Network& n) { n.ips[0].local_ptr = true; }},
      {"TFTP", "nat", [](Network& n) { n.ips[0].tftp_root = "/srv/tftp"; }},
      {"DHCP ranges", "nat",
       [](Network& n) {
         n.ips[0].ranges.push_back({*Address::parse("10.1.0.20"), *Address::parse("10.1.0.30"), {}});
       }},
      {"DHCP hosts", "nat",
       [](Network& n) {
         n.ips[0].hosts = {{.mac = Mac::parse("52:54:00:00:00:07"),
                            .id = {},
                            .name = {},
                            .ip = Address::parse("10.1.0.7")}};
       }},
      {"boot files", "nat",
       [](Network& n) {
         n.ips[0].bootp = Bootp{"pxe.0", ""};
       }},
      {"dnsmasq's options", "nat", [](Network& n) { n.dnsmasq_options = {"log-dhcp"}; }},
      {"routes", "nat",
       [](Network& n) {
         n.routes = {{*Prefix::parse("10.50.0.0/16"), *Address::parse("10.1.0.9"), {}}};
       }},
      {"bandwidth", "nat",
       [](Network& n) {
         n.bandwidth = BandwidthPair{Bandwidth{1000, 0, 0}, {}};
       }},
      {"VLAN", "nat", [](Network& n) { n.vlan = Vlan{.trunk = false, .tags = {{.id = 42}}}; }},
      {"VLAN", "bridge", [](Network& n) { n.vlan = Vlan{.trunk = false, .tags = {{.id = 42}}}; }},
      {"isolation of ports", "nat", [](Network& n) { n.isolated_ports = true; }},
      {"trustGuestRxFilters", "nat", [](Network& n) { n.trust_guest_rx_filters = true; }},
      {"portgroups", "nat",
       [](Network& n) {
         n.portgroups = {{.name = "slow",
                          .is_default = true,
                          .trust_guest_rx_filters = {},
                          .bandwidth = BandwidthPair{{}, Bandwidth{1000, 0, 0}},
                          .vlan = {}}};
       }},
      {"guard", "nat", [](Network& n) { n.settings.any_mac[""] = true; }},
      {"host firewall", "nat", [](Network& n) { n.settings.host_firewall = HostFirewall::Bypass; }},
      {"XDP", "nat", [](Network& n) { n.settings.xdp = XdpMode::Off; }},
      {"new flows", "nat", [](Network& n) { n.settings.new_flows = 100; }},
      {"sessions", "nat", [](Network& n) { n.settings.max_sessions = 1000; }},
      {"inbound", "nat", [](Network& n) { n.settings.inbound = Inbound::Drop; }},
      {"host access", "nat", [](Network& n) { n.settings.host_access = HostAccess::None; }},
      {"link protocols", "nat", [](Network& n) { n.settings.link_protocols = 1 << 14; }},
      {"NAT mapping", "nat",
       [](Network& n) {
         n.settings.nat_mapping = NatMapping::EndpointIndependent;
         n.settings.nat_filtering = NatFiltering::AddressDependent;
       }},
      {"timeouts", "nat", [](Network& n) { n.settings.timeouts.udp = 60; }},
      {"MAC NAT", "direct", [](Network& n) { n.settings.mac_nat = MacNat::On; }},
      {"announce", "route", [](Network& n) { n.settings.announce = Announce{.as = 0, .hosts = true}; }},
      {"uplinks", "bridge", [](Network& n) { n.settings.uplinks = {"eth3"}; }},
      {"port forwards", "nat", [](Network& n) { n.settings.port_forwards = {forward(8080)}; }},
  };
  return all;
}

class ApplyTest : public testing::Test {
 protected:
  void start(const std::string& mode) {
    host_.define(test::network_samples().at(mode));
    auto done = host_.run(Start{mode});
    ASSERT_TRUE(done) << done.error().message;
  }
  void attach(const std::string& interface, const std::string& network) {
    auto done = host_.run(Attach{{{.interface = interface, .network = network}}});
    ASSERT_TRUE(done) << done.error().message;
  }
  Network active(const std::string& name) { return host_.snapshot.network(name)->network; }
  Apply to(const Network& network) { return {.name = network.name, .active = network, .definition = {}}; }
  std::vector<std::string> texts(const Intent& intent) {
    auto plan = make_plan(host_.snapshot, intent);
    if (!plan) return {plan.error().message};
    std::vector<std::string> all;
    for (const auto& step : plan->steps) all.push_back(text(step.change));
    return all;
  }

  SimulatedHost host_;
};

TEST_F(ApplyTest, EveryRowIsTriedOrRefused) {
  std::set<std::string> tried{"UUID", "mode", "bridge name", "MAC address",  // refused below
                              "metadata"};                                   // what is no setting of ours
  for (const auto& one : live_cases()) tried.insert(one.row);
  std::set<std::string> rows;
  for (const auto& row : live_rows()) rows.insert(row.name);
  EXPECT_EQ(tried, rows);
}

// Afterwards everything is as if the network had been started with the new definition.
TEST_F(ApplyTest, EachSettingIsChangedAndLeavesWhatAStartLeaves) {
  for (const auto& one : live_cases()) {
    SCOPED_TRACE(one.row);
    host_ = SimulatedHost();
    host_.add_services();
    start(one.mode);
    attach("g1", one.mode);
    Network after = active(one.mode);
    one.change(after);
    after = test::with_settings(after);
    EXPECT_THAT(differences(active(one.mode), after), HasSubstr(one.row));

    SimulatedHost fresh = host_;
    ASSERT_TRUE(fresh.run(Stop{one.mode}));
    fresh.apply(StoreDefinition{"", format_network(after)});
    ASSERT_TRUE(fresh.run(Start{one.mode}));
    ASSERT_TRUE(fresh.run(Attach{{{.interface = "g1", .network = one.mode}}}));
    ASSERT_TRUE(fresh.follow());

    auto plan = host_.run(to(after));
    ASSERT_TRUE(plan) << plan.error().message;
    for (const auto& step : plan->steps)
      EXPECT_FALSE(std::holds_alternative<TakePortDown>(step.change) ||
                   std::holds_alternative<DeleteBridge>(step.change) ||
                   std::holds_alternative<ClaimNetwork>(step.change))
          << text(step.change);
    ASSERT_TRUE(host_.follow());
    EXPECT_EQ(host_.made, fresh.made);
    EXPECT_EQ(observe(host_.snapshot).passes, observe(fresh.snapshot).passes);
    EXPECT_EQ(observe(host_.snapshot).zones, observe(fresh.snapshot).zones);
    EXPECT_EQ(observe(host_.snapshot).link_names, observe(fresh.snapshot).link_names);
    auto mtu = [&](SimulatedHost& host, const std::string& name) { return host.link(name).mtu; };
    EXPECT_EQ(mtu(host_, "g1"), mtu(fresh, "g1"));
    if (one.mode == std::string("nat")) {
      EXPECT_EQ(mtu(host_, "virbr0"), after.mtu.value_or(1500));
    }
    EXPECT_EQ(format_network(active(one.mode)), format_network(after));
    EXPECT_THAT(host_.snapshot.network(one.mode)->record.before, IsEmpty());
    // And back again: with nobody on it, since an address goes.
    ASSERT_TRUE(host_.run(Detach{"g1"}));
    ASSERT_TRUE(host_.run(Apply{.name = one.mode, .active = {}, .definition = {}}));
    ASSERT_TRUE(host_.follow());
    EXPECT_EQ(differences(active(one.mode), *host_.snapshot.definition(one.mode)), "how it is written");
  }
}

TEST_F(ApplyTest, NamesAllThatCannotBeChangedAndChangesNothing) {
  start("nat");
  attach("g1", "nat");
  Network after = active("nat");
  after.uuid = "11111111-2222-3333-4444-555555555555";
  after.mode = Mode::Route;
  after.bridge = "virbr9";
  after.mac = Mac::parse("52:54:00:00:00:99");
  after.ips[0].gateway = *Prefix::parse("10.9.0.1/24");
  after.ips[0].ranges.clear();
  auto plan = make_plan(host_.snapshot, to(after));
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().kind, ErrorKind::Failed);
  for (const char* words :
       {"UUID", "mode", "bridge name", "MAC address", "addresses (10.1.0.1/24 is in use by the guests at g1)",
        "nothing has been changed"})
    EXPECT_THAT(plan.error().message, HasSubstr(words));
}

TEST_F(ApplyTest, WithoutGuestsAnotherSubnetIsTaken) {
  start("nat");
  Network after = active("nat");
  after.ips[0].gateway = *Prefix::parse("10.9.0.1/24");
  after.ips[0].ranges = {{*Address::parse("10.9.0.2"), *Address::parse("10.9.0.9"), {}}};
  EXPECT_THAT(
      texts(to(after)),
      ElementsAre("note the new definition of nat: addresses, DHCP ranges", "load the programs of nat anew",
                  "take the address 10.1.0.1/24 from virbr0",
                  "let no guest of nat have an address in 10.1.0.0/24",
                  "let guests of nat have addresses in 10.9.0.0/24", "give virbr0 the address 10.9.0.1/24",
                  "restart dnsmasq on virbr0", "note that nat is active"));
}

TEST_F(ApplyTest, OneOfSeveralSubnetsGoesUnlessAGuestIsSeenInIt) {
  start("nat");
  attach("g1", "nat");
  Network after = active("nat");
  after.ips.push_back({.gateway = *Prefix::parse("10.70.0.1/24")});
  ASSERT_TRUE(host_.run(to(after)));
  Apply back{.name = "nat", .active = {}, .definition = {}};
  host_.snapshot.guest_addresses["nat"] = {*Address::parse("10.1.0.5"), *Address::parse("10.70.0.7")};
  EXPECT_THAT(texts(back), ElementsAre(HasSubstr("addresses (10.70.0.1/24 is in use by 10.70.0.7)")));
  host_.snapshot.guest_addresses["nat"].erase(*Address::parse("10.70.0.7"));
  EXPECT_THAT(texts(back), Contains("take the address 10.70.0.1/24 from virbr0"));
}

TEST_F(ApplyTest, HostsNeedNoRestartOfDnsmasq) {
  start("nat");
  Network after = active("nat");
  after.dns.hosts = {{*Address::parse("10.1.0.7"), {"seven"}}};
  EXPECT_THAT(texts(to(after)),
              ElementsAre("note the new definition of nat: DNS hosts",
                          "let dnsmasq on virbr0 read its hosts again", "note that nat is active"));
}

TEST_F(ApplyTest, APortForwardChangesNothingElse) {
  start("nat");
  attach("g1", "nat");
  Network after = active("nat");
  after.settings.port_forwards = {forward(8080)};
  after = test::with_settings(after);
  EXPECT_THAT(texts(to(after)), ElementsAre("note the new definition of nat: port forwards",
                                            "note the host's addresses for port forwards",
                                            "let the host itself reach port forwards",
                                            "forward tcp/8080 to 10.1.0.5:80", "note that nat is active"));
  ASSERT_TRUE(host_.run(to(after)));
  after.settings.port_forwards.clear();
  EXPECT_THAT(texts(Apply{.name = "nat", .active = {}, .definition = {}}),
              ElementsAre("note the new definition of nat: port forwards",
                          "no longer forward tcp/8080 to 10.1.0.5:80",
                          "no longer lead the host itself to port forwards",
                          "note the host's addresses for port forwards",
                          "end the sessions that nat no longer translates so", "note that nat is active"));
}

TEST_F(ApplyTest, AParentComesAndOneWithoutGuestsGoes) {
  start("direct");
  attach("g1", "direct");
  Network after = active("direct");
  after.devices = {"eth1", "eth2"};
  ASSERT_TRUE(host_.run(to(after)));
  EXPECT_TRUE(host_.snapshot.parent("eth2"));
  ASSERT_TRUE(host_.run(Apply{.name = "direct", .active = {}, .definition = {}}));
  EXPECT_FALSE(host_.snapshot.parent("eth2"));
  after.devices = {"eth2"};
  EXPECT_THAT(texts(to(after)), ElementsAre(HasSubstr("interfaces (guests are attached by it: g1)")));
}

TEST_F(ApplyTest, UpOfAnotherDefinitionIsAnApply) {
  start("nat");
  Network after = active("nat");
  after.title = "Lab";
  auto plan = host_.run(Up{after, "nat.xml"});
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(plan->done[""], "Network nat changed");
  EXPECT_EQ(active("nat").title, "Lab");
  EXPECT_EQ(host_.snapshot.definition("nat")->title, "Lab");
  plan = host_.run(Up{after, "nat.xml"});
  EXPECT_EQ(plan->done[""], "Network nat is already up");
}

TEST_F(ApplyTest, UpdateFollowsVirshsRules) {
  auto title = [](const Network& network) -> Result<Network> {
    Network after = network;
    after.title += "x";
    return after;
  };
  auto update = [&](bool live, bool config) {
    return Update{.name = "nat", .change = title, .live = live, .config = config};
  };
  EXPECT_THAT(texts(update(false, false)), ElementsAre("no network with matching name 'nat'"));
  host_.define(test::network_samples().at("nat"));
  EXPECT_THAT(texts(update(true, false)), ElementsAre("network is not running"));
  auto plan = host_.run(update(false, false));
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->done[""], "Updated network nat persistent config");
  ASSERT_TRUE(host_.run(Start{"nat"}));
  plan = host_.run(update(false, false));
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->done[""], "Updated network nat live state");
  EXPECT_EQ(active("nat").title, "xx");
  EXPECT_EQ(host_.snapshot.definition("nat")->title, "x");
  plan = host_.run(update(true, true));
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->done[""], "Updated network nat persistent config and live state");
  EXPECT_EQ(active("nat").title, "xxx");
  EXPECT_EQ(host_.snapshot.definition("nat")->title, "xx");
  ASSERT_TRUE(host_.run(Undefine{"nat"}));
  EXPECT_THAT(texts(update(false, true)),
              ElementsAre("cannot change persistent config of a transient network"));
}

TEST_F(ApplyTest, ApplyOfWhatDoesNotRun) {
  EXPECT_THAT(texts(Apply{.name = "nat", .active = {}, .definition = {}}),
              ElementsAre("no network with matching name 'nat'"));
  host_.define(test::network_samples().at("nat"));
  EXPECT_THAT(texts(Apply{.name = "nat", .active = {}, .definition = {}}),
              ElementsAre("network 'nat' is not active"));
}

// A change that was killed, and yet another definition then: nothing of any of the two before is left.
TEST_F(ApplyTest, AnotherDefinitionBehindAnInterruptedChange) {
  start("nat");
  Network first = active("nat");
  first.settings.port_forwards = {forward(1)};
  first.routes = {{*Prefix::parse("10.50.0.0/16"), *Address::parse("10.1.0.9"), {}}};
  first = test::with_settings(first);
  Network second = active("nat");
  second.settings.port_forwards = {forward(2)};
  second = test::with_settings(second);
  auto plan = make_plan(host_.snapshot, to(first));
  ASSERT_TRUE(plan);
  for (std::size_t killed = 0; killed <= plan->steps.size(); ++killed) {
    SimulatedHost host = host_;
    host.apply(plan->steps, killed);
    auto done = host.run(to(second));
    ASSERT_TRUE(done) << done.error().message;
    EXPECT_TRUE(host.made.contains("forward tcp/2 to 10.1.0.5:80"));
    EXPECT_FALSE(host.made.contains("forward tcp/1 to 10.1.0.5:80")) << killed;
    for (const auto& [prefix, slot] : host.snapshot.subnets)
      EXPECT_NE(prefix.text(), "10.50.0.0/16") << killed;
  }
}

}  // namespace
}  // namespace vnet
