// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "loader/config/network_xml.h"

namespace vnet {
namespace {

std::string with_settings(const std::string& inner) {
  return "<network><name>n</name><metadata><v:network xmlns:v='urn:vnet-bpf:network:1'>" + inner +
         "</v:network></metadata><ip address='192.168.122.1' prefix='24'/></network>";
}
std::string message(const std::string& inner) {
  const auto network = parse_network(with_settings(inner), "f");
  return network ? "accepted" : network.error().message;
}

// A network of a mode ("": isolated) with such a setting.
std::string of_mode(const std::string& mode, const std::string& inner) {
  const bool direct = mode == "bridge" || mode == "private" || mode == "vepa" || mode == "passthrough";
  return "<network><name>n</name><metadata><v:network xmlns:v='urn:vnet-bpf:network:1'>" + inner +
         "</v:network></metadata>" +
         (mode.empty()
              ? ""
              : "<forward mode='" + mode + "'>" + (direct ? "<interface dev='eth0'/>" : "") + "</forward>") +
         (direct ? "" : "<ip address='192.168.122.1' prefix='24'/>") + "</network>";
}
std::string mode_message(const std::string& mode, const std::string& inner) {
  const auto network = parse_network(of_mode(mode, inner), "f");
  return network ? "accepted" : network.error().message;
}

TEST(SettingsXml, Defaults) {
  const auto network = parse_network(with_settings(""), "f");
  ASSERT_TRUE(network);
  EXPECT_EQ(network->settings.host_firewall, HostFirewall::Auto);
  EXPECT_EQ(network->settings.max_sessions, 262144U);
  EXPECT_EQ(network->settings.host_access, HostAccess::All);
}

TEST(SettingsXml, EverySetting) {
  const auto first = parse_network(with_settings(R"(
      <v:hostFirewall mode='bypass'/><v:xdp mode='filter' generic='yes' newFlows='50'/><v:sessions max='1000' perPort='10'/>
      <v:inbound default='established'/><v:host access='services'/>
      <v:portForward proto='tcp' port='8080' to='192.168.122.10' toPort='80'/>
      <v:portForward proto='udp' port='8080' to='192.168.122.11'/>
      <v:portForward proto='sctp' port='8000-8010' to='192.168.122.11' toPort='90' listen='203.0.113.2'
                     from='198.51.100.0/24, 192.0.2.7'/>)"),
                                   "f");
  ASSERT_TRUE(first) << first.error().message;
  const auto network = parse_network(format_network(*first), "g");
  ASSERT_TRUE(network) << network.error().message;
  const auto& settings = network->settings;
  EXPECT_EQ(settings.host_firewall, HostFirewall::Bypass);
  EXPECT_EQ(settings.xdp, XdpMode::Filter);
  EXPECT_TRUE(settings.xdp_generic);
  EXPECT_EQ(50U, settings.new_flows);
  EXPECT_EQ(settings.max_sessions, 1000U);
  EXPECT_EQ(settings.max_sessions_per_port, 10U);
  EXPECT_EQ(settings.inbound, Inbound::Established);
  EXPECT_EQ(settings.host_access, HostAccess::Services);
  ASSERT_EQ(settings.port_forwards.size(), 3U);
  EXPECT_EQ(settings.port_forwards[0].to_port, 80);
  EXPECT_EQ(settings.port_forwards[1].to_port, 8080);
  const PortForward& range = settings.port_forwards[2];
  EXPECT_EQ((PortRange{8000, 8010}), range.ports);
  EXPECT_EQ((PortRange{90, 100}), range.to_ports());
  EXPECT_EQ("203.0.113.2", range.listen->text());
  ASSERT_EQ(2U, range.from.size());
  EXPECT_EQ("192.0.2.7/32", range.from[1].text());
}

// The port group's word goes before the network's, ours before libvirt's.
TEST(SettingsXml, WhoMaySendFromAnyMac) {
  const std::string all = "<v:guard mac='any'/>", none = "<v:guard mac='fixed'/>",
                    group = "<v:guard portgroup='lb' mac='any'/>",
                    no_group = "<v:guard portgroup='lb' mac='fixed'/>";
  for (const auto& [trust, group_trust, guards, network_any, group_any] :
       std::vector<std::tuple<const char*, const char*, std::string, bool, bool>>{
           {"no", "", "", false, false},
           {"yes", "", "", true, true},
           {"yes", "no", "", true, false},
           {"no", "yes", "", false, true},
           {"no", "", all, true, true},
           {"yes", "", none, false, false},
           {"no", "", group, false, true},
           {"no", "yes", no_group, false, false},
           {"no", "no", all, true, false},
           {"no", "no", all + group, true, true}}) {
    const std::string xml = fmt::format(
        "<network trustGuestRxFilters='{}'><name>n</name><metadata><v:network "
        "xmlns:v='urn:vnet-bpf:network:1'>{}</v:network></metadata><portgroup name='lb' {}/></network>",
        trust, guards, *group_trust ? fmt::format("trustGuestRxFilters='{}'", group_trust) : "");
    const auto first = parse_network(xml, "f");
    ASSERT_TRUE(first) << first.error().message;
    const auto network = parse_network(format_network(*first), "g");
    ASSERT_TRUE(network) << network.error().message;
    EXPECT_EQ(network_any, takes_any_mac(*network, "")) << xml;
    EXPECT_EQ(group_any, takes_any_mac(*network, "lb")) << xml;
    EXPECT_EQ(network_any, takes_any_mac(*network, "unknown")) << xml;
  }
}

// As libvirt: a port that names no group is the default one's.
TEST(SettingsXml, TheDefaultPortGroupsGuard) {
  const auto network = parse_network(
      "<network><name>n</name><portgroup name='a' default='yes' trustGuestRxFilters='yes'/></network>", "f");
  ASSERT_TRUE(network);
  EXPECT_TRUE(takes_any_mac(*network, ""));
}

TEST(SettingsXml, LinkProtocolsAsNamesOrAsABridgesMask) {
  for (const auto& [text, mask] : {std::pair{"lldp", 0x4000},
                                   {"eapol", 0x8},
                                   {"lldp eapol", 0x4008},
                                   {" eapol  lldp ", 0x4008},
                                   {"0x4008", 0x4008},
                                   {"16392", 0x4008},
                                   {"0x10 lldp", 0x4010},
                                   {"0", 0},
                                   {"0xfff8", 0xfff8}}) {
    const auto first =
        parse_network(with_settings(fmt::format("<v:link-protocols forward='{}'/>", text)), "f");
    ASSERT_TRUE(first) << first.error().message;
    const auto network = parse_network(format_network(*first), "g");
    ASSERT_TRUE(network) << network.error().message;
    EXPECT_EQ(mask, network->settings.link_protocols) << text;
  }
}

TEST(SettingsXml, NatAsRfc4787HasIt) {
  using enum NatFiltering;
  for (const auto& [attributes, mapping, filtering] :
       {std::tuple{"mapping='endpoint-dependent'", NatMapping::EndpointDependent, AddressAndPortDependent},
        {"mapping='endpoint-independent'", NatMapping::EndpointIndependent, AddressDependent},
        {"mapping='endpoint-independent' filtering='endpoint-independent'", NatMapping::EndpointIndependent,
         EndpointIndependent},
        {"mapping='endpoint-independent' filtering='address-and-port-dependent'",
         NatMapping::EndpointIndependent, AddressAndPortDependent}}) {
    const auto network = parse_network(of_mode("nat", fmt::format("<v:nat {}/>", attributes)), "f");
    ASSERT_TRUE(network) << network.error().message;
    EXPECT_EQ(mapping, network->settings.nat_mapping) << attributes;
    EXPECT_EQ(filtering, network->settings.nat_filtering) << attributes;
  }
  EXPECT_THAT(mode_message("nat", "<v:nat mapping='endpoint-dependent' filtering='address-dependent'/>"),
              testing::HasSubstr("needs mapping='endpoint-independent'"));
}

// What has no meaning in a mode is refused there by name.
void expect_modes(const std::string& setting, const std::string& name, const std::string& modes) {
  for (const char* mode : {"nat", "route", "open", "bridge", "private", "vepa", "passthrough", ""}) {
    const bool allowed = *mode && (" " + modes + " ").contains(" " + std::string(mode) + " ");
    const auto said = mode_message(mode, setting);
    if (allowed) {
      EXPECT_EQ("accepted", said) << mode << " " << setting;
    } else {
      EXPECT_THAT(said, testing::HasSubstr(fmt::format("<{}>", name))) << mode;
    }
  }
}

TEST(SettingsXml, NatAndTimeoutsByMode) {
  expect_modes("<v:nat mapping='endpoint-independent'/>", "nat", "nat");
  expect_modes("<v:timeouts udp='60'/>", "timeouts", "nat route open");
  const auto network = parse_network(of_mode("nat", "<v:timeouts tcp='7200' udp='60'/>"), "f");
  ASSERT_TRUE(network);
  EXPECT_EQ((Timeouts{.tcp = 7200, .udp = 60}), network->settings.timeouts);
}

TEST(SettingsXml, MacNatByMode) {
  expect_modes("<v:macNat/>", "macNat", "bridge private");
  EXPECT_EQ("accepted", mode_message("vepa", "<v:macNat mode='off'/>"));
  for (const auto& [text, wanted] : {std::pair{"<v:macNat/>", MacNat::On},
                                     {"<v:macNat mode='on'/>", MacNat::On},
                                     {"<v:macNat mode='auto'/>", MacNat::Auto},
                                     {"<v:macNat mode='off'/>", MacNat::Off}})
    EXPECT_EQ(wanted, parse_network(of_mode("bridge", text), "f")->settings.mac_nat) << text;
  // A tagged frame would not come back.
  std::string tagged = of_mode("bridge", "<v:macNat/>");
  tagged.insert(tagged.rfind("</network>"), "<vlan><tag id='42'/></vlan>");
  auto refused = parse_network(tagged, "f");
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("not allowed with <vlan>"), std::string::npos)
      << refused.error().message;
}

TEST(SettingsXml, AnnounceByMode) {
  expect_modes("<v:announce/>", "announce", "route open");
  using Wanted = std::optional<Announce>;
  for (const auto& [text, wanted] :
       {std::pair<const char*, Wanted>{"", std::nullopt},
        {"<v:announce/>", Announce{}},
        {"<v:announce hosts='no'/>", Announce{}},
        {"<v:announce bgp='4200000000' hosts='yes'/>", Announce{.as = 4200000000, .hosts = true}}})
    EXPECT_EQ(wanted, parse_network(of_mode("route", text), "f")->settings.announce) << text;
}

TEST(SettingsXml, SmallTableLowersTheQuota) {
  const auto network = parse_network(with_settings("<v:sessions max='100'/>"), "f");
  ASSERT_TRUE(network);
  EXPECT_EQ(network->settings.max_sessions_per_port, 100U);
}

TEST(SettingsXml, Rejections) {
  struct Case {
    const char *inner, *message;
  };
  for (const auto& c : {
           Case{"<v:hostFirewal mode='honor'/>", "<hostFirewal>: unknown setting"},
           Case{"<hostFirewall mode='honor'/>", "not in the namespace"},
           Case{"<v:hostFirewall mode='no'/>", "allowed: honor, bypass, auto"},
           Case{"<v:hostFirewall/>", "attribute mode is missing"},
           Case{"<v:hostFirewall mode='honor' Mode='x'/>", "unknown attribute Mode; allowed: mode"},
           Case{"<v:timeouts/>", "needs at least one of tcp, udp, icmp, other"},
           Case{"<v:timeouts udp='9'/>", "udp"},
           Case{"<v:timeouts tcp='31536001'/>", "tcp"},
           Case{"<v:timeouts sctp='60'/>", "unknown attribute sctp"},
           Case{"<v:nat/>", "attribute mapping is missing"},
           Case{"<v:nat mapping='cone'/>", "allowed: endpoint-dependent, endpoint-independent"},
           Case{"<v:macNat mode='yes'/>", "allowed: auto, on, off"},
           Case{"<v:announce bgp='0'/>", "bgp"},
           Case{"<v:announce bgp='4294967295'/>", "bgp"},
           Case{"<v:announce hosts='all'/>", "allowed: yes, no"},
           Case{"<v:announce dev='eth0'/>", "unknown attribute dev; allowed: bgp, hosts"},
           Case{"<v:xdp mode='on'/>", "allowed: auto, off, filter, forward"},
           Case{"<v:xdp mode='off'/><v:xdp mode='off'/>", "only one is allowed"},
           Case{"<v:xdp mode='filter' newFlows='0'/>", "newFlows"},
           Case{"<v:xdp mode='filter' generic='maybe'/>", "allowed: yes, no"},
           Case{"<v:xdp newFlows='5'/>", "mode"},
           Case{"<v:inbound default='no'/>", "allowed: accept, established, drop"},
           Case{"<v:host access='some'/>", "allowed: all, services, none"},
           Case{"<v:sessions max='0'/>", "must be a number from 1"},
           Case{"<v:sessions max='5' perPort='6'/>", "more than max"},
           Case{"<v:link-protocols/>", "attribute forward is missing"},
           Case{"<v:link-protocols forward='cdp'/>", "'cdp' is none of lldp, eapol"},
           Case{"<v:link-protocols forward='0x10000'/>", "no mask like 0x4008"},
           Case{"<v:link-protocols forward='-1'/>", "no mask like 0x4008"},
           Case{"<v:link-protocols forward='lldp lacp'/>", "'lacp': STP, pause frames and LACP"},
           Case{"<v:link-protocols forward='0x4001'/>", "for the next bridge alone"},
           Case{"<v:link-protocols forward='lldp'/><v:link-protocols forward='lldp'/>",
                "only one is allowed"},
           Case{"<v:guard mac='all'/>", "allowed: fixed, any"},
           Case{"<v:guard/>", "attribute mac is missing"},
           Case{"<v:guard mac='any'/><v:guard mac='any'/>", "only one without portgroup="},
           Case{"<v:guard portgroup='' mac='any'/>", "needs a name"},
           Case{"<v:guard portgroup='x' mac='any'/>", "no portgroup of this name"},
           Case{"<v:portForward proto='icmp' port='1' to='192.168.122.2'/>", "allowed: tcp, udp, sctp"},
           Case{"<v:portForward proto='tcp' port='9-8' to='192.168.122.2'/>", "or a range like 8000-8010"},
           Case{"<v:portForward proto='tcp' port='1-' to='192.168.122.2'/>", "or a range like 8000-8010"},
           Case{"<v:portForward proto='tcp' port='1-2' toPort='65535' to='192.168.122.2'/>", "beyond 65535"},
           Case{"<v:portForward proto='tcp' port='1' to='192.168.122.2' listen='::1'/>",
                "different families"},
           Case{"<v:portForward proto='tcp' port='1' to='192.168.122.2' listen='0.0.0.0'/>",
                "no address of a host"},
           Case{"<v:portForward proto='tcp' port='1' to='192.168.122.2' from='x'/>", "'x' is no prefix"},
           Case{"<v:portForward proto='tcp' port='1' to='192.168.122.2' from=' '/>", "needs a prefix"},
           Case{"<v:portForward proto='tcp' port='1' to='192.168.122.2' from='2001:db8::/32'/>",
                "different families"},
           Case{"<v:portForward proto='tcp' port='1-9' to='192.168.122.2' listen='192.0.2.1'/>"
                "<v:portForward proto='tcp' port='9' to='192.168.122.3'/>",
                "overlaps with tcp/1-9 at 192.0.2.1"},
           Case{"<v:portForward port='1' to='192.168.122.2'/>", "proto is missing"},
           Case{"<v:portForward proto='tcp' to='192.168.122.2'/>", "port is missing"},
           Case{"<v:portForward proto='tcp' port='1'/>", "to is missing"},
           Case{"<v:portForward proto='tcp' port='1' to='192.168.9.2'/>", "in none of the network's subnets"},
           Case{"<v:portForward proto='tcp' port='1' to='192.168.122.2'/>"
                "<v:portForward proto='tcp' port='1' to='192.168.122.3'/>",
                "forwarded twice"},
       })
    EXPECT_THAT(message(c.inner), testing::HasSubstr(c.message)) << c.inner;
}

TEST(SettingsXml, OtherMetadataIsNotOurs) {
  const auto network = parse_network(
      "<network><name>n</name><metadata><a:network xmlns:a='urn:a'><a:xdp "
      "mode='9'/></a:network></metadata></network>",
      "f");
  EXPECT_TRUE(network);
}

TEST(SettingsXml, UnknownTopElement) {
  const auto network = parse_network(
      "<network><name>n</name>\n<metadata>\n<v:net xmlns:v='urn:vnet-bpf:network:1'/></metadata></network>",
      "f");
  ASSERT_FALSE(network);
  EXPECT_EQ(network.error().line, 3);
}

}  // namespace
}  // namespace vnet
