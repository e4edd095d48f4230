// SPDX-License-Identifier: GPL-2.0-or-later
// What is read out of a valid definition, and that it survives being written and read again.
#include "loader/config/network_xml.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace vnet {
namespace {

std::string wrap(const std::string& body) {
  return "<network>\n<name>n</name>\n" + body + "\n</network>\n";
}

// Every definition in these tests also goes through the round trip.
Network read(const std::string& xml) {
  auto network = parse_network(xml, "test.xml");
  EXPECT_TRUE(network) << xml << "\n" << network.error().message;
  if (!network) return {};
  const auto once = format_network(*network);
  const auto again = parse_network(once, "once.xml");
  EXPECT_TRUE(again) << once << "\n" << again.error().message;
  EXPECT_EQ(again ? format_network(*again) : "", once);
  return std::move(*network);
}
Network body(const std::string& text) {
  return read(wrap(text));
}

const std::string subnet = "<ip address='192.168.5.1' netmask='255.255.255.0'/>";

TEST(NetworkXml, Modes) {
  struct Case {
    const char* forward;
    Mode mode;
    DirectMode direct;
    std::string rest;
  };
  using enum DirectMode;
  for (const auto& c :
       {Case{"", Mode::Isolated, Bridge, ""}, Case{"<forward/>", Mode::Nat, Bridge, subnet},
        Case{"<forward mode='nat'/>", Mode::Nat, Bridge, subnet},
        Case{"<forward mode='route'/>", Mode::Route, Bridge, subnet},
        Case{"<forward mode='open'/>", Mode::Open, Bridge, ""},
        Case{"<forward mode='bridge'/><bridge name='br0'/>", Mode::Bridge, Bridge, ""},
        Case{"<forward mode='bridge'><interface dev='eth0'/></forward>", Mode::Direct, Bridge, ""},
        Case{"<forward mode='private'><interface dev='eth0'/></forward>", Mode::Direct, Private, ""},
        Case{"<forward mode='vepa' dev='eth0'/>", Mode::Direct, Vepa, ""},
        Case{"<forward mode='passthrough'><interface dev='eth0'/><interface dev='eth1'/></forward>",
             Mode::Direct, Passthrough, ""}}) {
    const auto network = body(c.forward + c.rest);
    EXPECT_EQ(network.mode, c.mode) << c.forward;
    EXPECT_EQ(network.direct_mode, c.direct) << c.forward;
  }
}

TEST(NetworkXml, Identity) {
  const auto network = read(
      "<network ipv6='yes' trustGuestRxFilters='yes' connections='3'><name>a &amp; 'b'</name>"
      "<uuid>81FF0D90c91e6742-64da-4a736edb9a9b</uuid><title>T &lt;1&gt;</title>"
      "<description>two\nlines &amp; more</description><unknown><name>x</name></unknown></network>");
  EXPECT_EQ(network.name, "a & 'b'");
  EXPECT_EQ(network.uuid, "81ff0d90-c91e-6742-64da-4a736edb9a9b");
  EXPECT_EQ(network.title, "T <1>");
  EXPECT_EQ(network.description, "two\nlines & more");
  EXPECT_TRUE(network.ipv6_attribute);
  EXPECT_TRUE(network.trust_guest_rx_filters);
}

TEST(NetworkXml, MetadataIsKept) {
  const auto network = read(
      "<network xmlns:app='urn:other'><name>n</name><metadata><!-- note --><app:a x=\"1\">\n  "
      "<app:b>&lt;&amp;"
      "</app:b></app:a><o:c xmlns:o='urn:o'/></metadata></network>");
  EXPECT_NE(network.metadata_xml.find("<!-- note -->"), std::string::npos);
  EXPECT_NE(network.metadata_xml.find("xmlns:app=\"urn:other\""), std::string::npos);
  EXPECT_NE(network.metadata_xml.find("\n  <app:b>&lt;&amp;</app:b>"), std::string::npos);
  const auto again = parse_network(format_network(network), "x");
  ASSERT_TRUE(again);
  EXPECT_EQ(again->metadata_xml, network.metadata_xml);
}

TEST(NetworkXml, Gateway) {
  const auto network = body(
      "<bridge name='virbr9' stp='off' delay='2' macTableManager='libvirt' zone='dmz'/><mtu size='9000'/>"
      "<mac address='52:54:00:00:00:01'/><domain name='lab.example' localOnly='yes' register='yes'/>"
      "<port isolated='yes'/>" +
      subnet);
  EXPECT_EQ(network.bridge, "virbr9");
  EXPECT_FALSE(network.stp);
  EXPECT_EQ(network.delay_seconds, 2U);
  EXPECT_TRUE(network.mac_table_libvirt);
  EXPECT_EQ(network.zone, "dmz");
  EXPECT_EQ(network.mtu, 9000U);
  EXPECT_EQ(network.mac->text(), "52:54:00:00:00:01");
  EXPECT_EQ(network.domain->name, "lab.example");
  EXPECT_TRUE(network.domain->local_only && network.domain->register_);
  EXPECT_TRUE(network.isolated_ports);
}

TEST(NetworkXml, Nat) {
  const auto network = body(
      "<forward mode='nat' dev='eth0'><interface dev='eth0'/><nat ipv6='yes'><address start='203.0.113.5' "
      "end='203.0.113.9'/><port start='500' end='500'/></nat></forward>" +
      subnet);
  EXPECT_TRUE(network.nat.ipv6);
  EXPECT_EQ(network.nat.addresses->end.text(), "203.0.113.9");
  EXPECT_EQ(network.nat.ports, (PortRange{500, 500}));
  EXPECT_EQ(network.devices, std::vector<std::string>{"eth0"});
}

TEST(NetworkXml, DefaultPrefixes) {
  struct Case {
    const char *attributes, *gateway;
  };
  for (const auto& c :
       {Case{"address='10.1.2.3'", "10.1.2.3/8"}, Case{"address='172.16.0.1'", "172.16.0.1/16"},
        Case{"address='192.168.0.1'", "192.168.0.1/24"}, Case{"address='10.0.0.1' prefix='0'", "10.0.0.1/8"},
        Case{"family='ipv4' address='10.0.0.1' prefix='30'", "10.0.0.1/30"},
        Case{"address='10.0.0.1' netmask='255.255.128.0'", "10.0.0.1/17"},
        Case{"family='ipv6' address='2001:db8::1'", "2001:db8::1/64"},
        Case{"family='ipv6' address='2001:db8::1' prefix='48'", "2001:db8::1/48"}}) {
    const auto network = body(std::string("<ip ") + c.attributes + "/>");
    ASSERT_EQ(network.ips.size(), 1U) << c.attributes;
    EXPECT_EQ(network.ips[0].gateway.text(), c.gateway);
  }
}

TEST(NetworkXml, Dhcp) {
  const auto network = body(R"(
    <ip address='192.168.5.1' prefix='24' localPtr='yes'>
      <tftp root='/srv/tftp'/>
      <dhcp>
        <range start='192.168.5.1' end='192.168.5.254'><lease expiry='2' unit='hours'/></range>
        <host mac='52:54:00:00:00:02' name='web' ip='192.168.5.2'><lease expiry='0'/></host>
        <host name='db' ip='10.9.9.9'><lease expiry='2'/></host>
        <bootp file='pxe.0' server='192.168.5.3'/>
      </dhcp>
    </ip>
    <ip family='ipv6' address='2001:db8::1' prefix='64'>
      <dhcp><host id='0:1:AB' ip='2001:db8::2'/><bootp file='ignored'/></dhcp>
    </ip>
    <ip address='192.168.6.1' prefix='24'><dhcp/></ip>)");
  ASSERT_EQ(network.ips.size(), 3U);
  const auto& v4 = network.ips[0];
  EXPECT_TRUE(v4.local_ptr);
  EXPECT_EQ(v4.tftp_root, "/srv/tftp");
  EXPECT_EQ(v4.ranges.at(0).lease->seconds, 7200U);
  EXPECT_EQ(v4.ranges.at(0).lease->text, "2h");
  EXPECT_EQ(v4.hosts.at(0).lease->text, "infinite");
  EXPECT_EQ(v4.hosts.at(1).lease->text, "2m");
  EXPECT_EQ(v4.hosts.at(1).ip->text(), "10.9.9.9");  // outside the subnet is accepted
  EXPECT_EQ(v4.bootp->server, "192.168.5.3");
  EXPECT_EQ(network.ips[1].hosts.at(0).id, "0:1:AB");
  EXPECT_FALSE(network.ips[1].bootp);
  EXPECT_TRUE(network.ips[2].dhcp);
}

// RFC 1123; and libvirt takes them.
TEST(NetworkXml, NamesMayBeginWithADigit) {
  for (const char* name : {"1bad", "3com", "2h2", "12.lab", "0x", "10-0-0-1", "ignored"}) {
    const std::string text = name;
    const auto network =
        body("<domain name='" + text + "'/><dns><host ip='192.168.5.9'><hostname>" + text +
             "</hostname></host></dns><ip address='192.168.5.1' prefix='24'><dhcp><host name='" + text +
             "' ip='192.168.5.2'/></dhcp></ip>");
    ASSERT_EQ(network.ips.size(), 1U) << name;
    EXPECT_EQ(network.ips[0].hosts.at(0).name, name);
    EXPECT_EQ(network.dns.hosts.at(0).names.at(0), name);
    EXPECT_EQ(network.domain->name, name);
  }
}

TEST(NetworkXml, Dns) {
  const auto network = body(R"(
    <dns forwardPlainNames='no'>
      <forwarder addr='8.8.8.8' port='5353'/><forwarder domain='example.com'/>
      <host ip='192.168.5.9'><hostname>a</hostname><hostname> b </hostname></host>
      <txt name='t' value='some &amp; "text", more'/>
      <srv service='ldap' protocol='tcp' target='.' port='1'/>
    </dns>)" + subnet);
  EXPECT_FALSE(network.dns.forward_plain_names);
  EXPECT_EQ(network.dns.forwarders.at(0).port, 5353U);
  EXPECT_EQ(network.dns.forwarders.at(1).domain, "example.com");
  EXPECT_EQ(network.dns.hosts.at(0).names, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(network.dns.txts.at(0).value, "some & \"text\", more");
  EXPECT_EQ(network.dns.srvs.at(0).port, 1U);
  EXPECT_FALSE(body("<dns enable='no'/>" + subnet).dns.enable);
}

TEST(NetworkXml, Routes) {
  const auto network =
      body(subnet +
           "<route address='10.0.0.0' netmask='255.0.0.0' gateway='192.168.5.2' metric='3'/>"
           "<route address='0.0.0.0' prefix='0' gateway='192.168.5.2'/>"
           "<ip family='ipv6' address='2001:db8::1'/>"
           "<route family='ipv6' address='2001:db8:9::' prefix='48' gateway='2001:db8::2'/>");
  ASSERT_EQ(network.routes.size(), 3U);
  EXPECT_EQ(network.routes[0].destination.text(), "10.0.0.0/8");
  EXPECT_EQ(network.routes[0].metric, 3U);
  EXPECT_EQ(network.routes[1].destination.text(), "0.0.0.0/0");
  EXPECT_EQ(network.routes[2].gateway.text(), "2001:db8::2");
}

TEST(NetworkXml, PortsOfABridge) {
  const auto network = body(R"(
    <forward mode='bridge'/><bridge name='br0' macTableManager='libvirt'/>
    <bandwidth><inbound average='1000' peak='2000' burst='64'/><outbound average='500'/></bandwidth>
    <vlan trunk='yes'><tag id='42'/><tag id='47' nativeMode='untagged'/></vlan>
    <portgroup name='a' default='yes' trustGuestRxFilters='no'><vlan><tag id='7'/></vlan></portgroup>
    <portgroup name='b'><bandwidth><inbound average='1'/></bandwidth></portgroup>)");
  EXPECT_EQ(network.bandwidth->inbound->burst, 64U);
  EXPECT_EQ(network.bandwidth->outbound->average, 500U);
  EXPECT_TRUE(network.vlan->trunk);
  EXPECT_TRUE(network.vlan->tags.at(1).native);
  EXPECT_EQ(network.portgroups.at(0).trust_guest_rx_filters, false);
  EXPECT_FALSE(network.portgroups.at(0).vlan->trunk);
  EXPECT_FALSE(network.portgroups.at(1).is_default);
}

TEST(NetworkXml, DnsmasqOptions) {
  const auto network =
      read("<network xmlns:d='http://libvirt.org/schemas/network/dnsmasq/1.0'><name>n</name>" + subnet +
           "<d:options><d:option value='log-queries'/><d:option value='a=\"b\"'/></d:options></network>");
  EXPECT_EQ(network.dnsmasq_options, (std::vector<std::string>{"log-queries", "a=\"b\""}));
}

TEST(NetworkXml, DefaultNetworkSurvives) {
  const auto xml = format_network(default_network());
  EXPECT_EQ(format_network(read(xml)), xml);
}

TEST(Complete, FillsInWhatIsMissing) {
  const auto network = complete(body(subnet), {"virbr0", "virbr2"});
  EXPECT_EQ(network.bridge, "virbr1");
  EXPECT_EQ(network.uuid.size(), 36U);
  EXPECT_EQ(network.uuid[14], '4');
  ASSERT_TRUE(network.mac);
  EXPECT_TRUE(network.mac->text().starts_with("52:54:00:"));
  EXPECT_EQ(format_network(complete(network, {"virbr1"})),
            format_network(network));  // nothing left to choose
  read(format_network(network));
}

TEST(Complete, Templates) {
  EXPECT_EQ(complete(body("<bridge name='lab%dx'/>" + subnet), {"lab0x"}).bridge, "lab1x");
  const auto direct = complete(body("<forward mode='vepa' dev='eth0'/>"), {});
  EXPECT_EQ(direct.bridge, "");
  EXPECT_FALSE(direct.mac);
}

// A misspelt attribute would silently do nothing.
TEST(NetworkXml, WhatIsNotKnownIsNamed) {
  std::vector<std::string> ignored;
  const auto network = parse_network(R"(<network connections='2'>
  <name>a</name>
  <bridge nmae='b0' stp='on'/>
  <domain name='x'><alias/></domain>
  <metadata><other:thing xmlns:other='urn:other' size='1'/></metadata>
  <dns><forwarder addr='192.0.2.1' prot='53'/></dns>
  <ip address='192.0.2.1' prefix='24'><dhcp><range start='192.0.2.2' end='192.0.2.3' lease='1'/></dhcp></ip>
</network>)",
                                     "f", &ignored);
  ASSERT_TRUE(network);
  EXPECT_THAT(ignored, testing::ElementsAre("f:3: <bridge nmae=...>: unknown attribute, ignored",
                                            "f:4: <alias> in <domain>: unknown element, ignored",
                                            "f:6: <forwarder prot=...>: unknown attribute, ignored",
                                            "f:7: <range lease=...>: unknown attribute, ignored"));
}

}  // namespace
}  // namespace vnet
