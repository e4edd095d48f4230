// SPDX-License-Identifier: GPL-2.0-or-later
// `update`: what each section changes, and libvirt's words where it refuses.
#include "loader/config/update.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "loader/config/network_xml.h"

namespace vnet {
namespace {

using testing::HasSubstr;
using testing::Not;
using enum UpdateCommand;

constexpr const char* base = R"(<network>
  <name>lab</name>
  <uuid>11111111-2222-3333-4444-555555555555</uuid>
  <metadata>
    <other:thing xmlns:other='http://example.org/1'>kept</other:thing>
    <vnet:network xmlns:vnet='urn:vnet-bpf:network:1'>
      <!-- kept, too -->
      <vnet:portForward proto='tcp' port='8080' to='192.168.122.10' toPort='80'/>
      <vnet:inbound default='established'/>
    </vnet:network>
  </metadata>
  <forward mode='nat'/>
  <bridge name='virbr0' stp='on' delay='0'/>
  <dns>
    <txt name='a' value='b'/>
    <srv service='sip' protocol='tcp' domain='lab' target='g1.lab' port='5060'/>
    <srv service='sip' protocol='udp' domain='lab' target='g1.lab' port='5060'/>
    <host ip='192.168.122.2'><hostname>one</hostname></host>
    <host ip='192.168.122.3'><hostname>one</hostname><hostname>two</hostname></host>
  </dns>
  <ip address='192.168.122.1' netmask='255.255.255.0'>
    <dhcp>
      <range start='192.168.122.100' end='192.168.122.200'/>
      <host mac='52:54:00:00:00:01' name='g1' ip='192.168.122.10'/>
      <host mac='52:54:00:00:00:02' name='g2' ip='192.168.122.11'/>
    </dhcp>
  </ip>
  <ip family='ipv6' address='fd00:122::1' prefix='64'/>
  <portgroup name='fast' default='yes'/>
</network>)";

Network network() {
  auto parsed = parse_network(base, "base");
  EXPECT_TRUE(parsed) << parsed.error().message;
  return *parsed;
}

Result<Network> update(const std::string& section, UpdateCommand command, const std::string& xml,
                       int parent_index = -1) {
  return updated(network(), {.command = command,
                             .section = section,
                             .xml = xml,
                             .file_name = "the XML",
                             .parent_index = parent_index});
}

std::string xml_of(const Result<Network>& result) {
  return result ? format_network(*result) : "refused: " + result.error().message;
}

struct Changed {
  const char* section;
  UpdateCommand command;
  const char* xml;
  const char* has;
  const char* has_not;
};

TEST(Update, ChangesEachSection) {
  const Changed all[] = {
      {"ip-dhcp-host", AddLast, "<host mac='52:54:00:00:00:03' ip='192.168.122.12'/>",
       "ip='192.168.122.11'/>\n      <host mac='52:54:00:00:00:03' ip='192.168.122.12'/>", "\x01"},
      {"ip-dhcp-host", AddFirst, "<host mac='52:54:00:00:00:03' ip='192.168.122.12'/>",
       "<host mac='52:54:00:00:00:03' ip='192.168.122.12'/>\n      <host mac='52:54:00:00:00:01'", "\x01"},
      {"ip-dhcp-host", Modify, "<host mac='52:54:00:00:00:01' name='g9' ip='192.168.122.19'/>",
       "<host mac='52:54:00:00:00:01' name='g9' ip='192.168.122.19'/>", "192.168.122.10'/>\n      <host"},
      {"ip-dhcp-host", Delete, "<host mac='52:54:00:00:00:01'/>", "52:54:00:00:00:02", "52:54:00:00:00:01"},
      {"ip-dhcp-host", Delete, "<host ip='192.168.122.11'/>", "52:54:00:00:00:01", "52:54:00:00:00:02"},
      {"ip-dhcp-range", AddLast, "<range start='192.168.122.50' end='192.168.122.60'/>",
       "<range start='192.168.122.50' end='192.168.122.60'/>", "\x01"},
      {"ip-dhcp-range", Delete, "<range start='192.168.122.100' end='192.168.122.200'/>", "g1", "<range"},
      {"forward-interface", AddLast, "<interface dev='eth5'/>", "<interface dev='eth5'/>", "\x01"},
      {"portgroup", AddLast, "<portgroup name='slow'/>", "<portgroup name='slow'/>", "\x01"},
      {"portgroup", Modify, "<portgroup name='fast'/>", "<portgroup name='fast'/>", "default='yes'"},
      {"portgroup", Delete, "<portgroup name='fast'/>", "<name>", "portgroup"},
      {"dns-host", AddLast, "<host ip='192.168.122.4'><hostname>one</hostname></host>",
       "<host ip='192.168.122.4'>", "\x01"},
      {"dns-host", Delete, "<host ip='192.168.122.2'/>", "192.168.122.3", "ip='192.168.122.2'"},
      {"dns-host", Delete, "<host><hostname>two</hostname></host>", "192.168.122.2", "ip='192.168.122.3'"},
      {"dns-txt", AddFirst, "<txt name='z' value='y'/>", "<txt name='z' value='y'/>\n    <txt name='a'",
       "\x01"},
      {"dns-txt", Delete, "<txt name='a'/>", "<srv", "<txt"},
      {"dns-srv", AddLast, "<srv service='ldap' protocol='tcp'/>", "<srv service='ldap' protocol='tcp'/>",
       "\x01"},
      {"dns-srv", Delete, "<srv protocol='udp'/>", "protocol='tcp'", "protocol='udp'"},
      {"ip-address", AddLast, "<ip address='10.9.0.1' prefix='24'/>", "<ip address='10.9.0.1' prefix='24'/>",
       "\x01"},
      {"ip-address", Delete, "<ip family='ipv6' address='fd00:122::1' prefix='64'/>", "192.168.122.1",
       "fd00"},
      {"route", AddLast, "<route address='10.50.0.0' prefix='16' gateway='192.168.122.9'/>",
       "<route address='10.50.0.0' prefix='16' gateway='192.168.122.9'/>", "\x01"},
      {"forward-nat-port", AddLast, "<port start='2000' end='3000'/>", "<port start='2000' end='3000'/>",
       "\x01"},
      {"forward-nat-address", AddLast, "<address start='192.0.2.1' end='192.0.2.9'/>",
       "<address start='192.0.2.1' end='192.0.2.9'/>", "\x01"},
      {"vnet:portForward", AddLast, "<vnet:portForward proto='udp' port='53' to='192.168.122.10'/>",
       "<vnet:portForward proto=\"udp\" port=\"53\" to=\"192.168.122.10\"/>", "\x01"},
      {"vnet:portForward", Modify, "<vnet:portForward proto='tcp' port='8080' to='192.168.122.11'/>",
       "to=\"192.168.122.11\"", "192.168.122.10\" toPort"},
      {"vnet:portForward", Delete, "<vnet:portForward proto='tcp' port='8080'/>", "vnet:inbound",
       "portForward"},
      {"vnet:inbound", Modify, "<vnet:inbound default='drop'/>", "default=\"drop\"", "established"},
      {"vnet:inbound", Delete, "<vnet:inbound/>", "portForward", "inbound"},
      {"vnet:hostFirewall", AddLast, "<vnet:hostFirewall mode='bypass'/>", "mode=\"bypass\"", "\x01"},
      {"vnet:xdp", AddLast, "<vnet:xdp mode='off'/>", "mode=\"off\"", "\x01"},
      {"vnet:sessions", AddLast, "<vnet:sessions max='9'/>", "max=\"9\"", "\x01"},
      {"vnet:host", AddLast, "<vnet:host access='none'/>", "access=\"none\"", "\x01"},
      {"vnet:uplink", AddLast, "<vnet:uplink dev='eth5'/>", "dev=\"eth5\"", "\x01"},
      {"vnet:guard", AddLast, "<vnet:guard portgroup='fast' mac='any'/>", "portgroup=\"fast\"", "\x01"},
      {"vnet:link-protocols", AddLast, "<vnet:link-protocols forward='lldp'/>", "forward=\"lldp\"", "\x01"},
      {"vnet:nat", AddLast, "<vnet:nat mapping='endpoint-independent'/>", "endpoint-independent", "\x01"},
      {"vnet:timeouts", AddLast, "<vnet:timeouts udp='60'/>", "udp=\"60\"", "\x01"},
  };
  // The last two are for networks of other modes.
  std::set<std::string> tried{"bridge",     "domain",      "ip",           "forward",
                              "forward-pf", "vnet:macNat", "vnet:announce"};
  EXPECT_THAT(xml_of(update("vnet:announce", AddLast, "<vnet:announce/>")), HasSubstr("not allowed with"));
  EXPECT_THAT(xml_of(update("vnet:macNat", AddLast, "<vnet:macNat/>")), HasSubstr("not allowed with"));
  for (const auto& one : all) {
    SCOPED_TRACE(std::string(one.section) + " " + one.xml);
    tried.insert(one.section);
    auto xml = xml_of(update(one.section, one.command, one.xml));
    EXPECT_THAT(xml, HasSubstr(one.has));
    EXPECT_THAT(xml, Not(HasSubstr(one.has_not)));
    EXPECT_THAT(xml, HasSubstr("kept</other:thing>"));
    EXPECT_THAT(xml, HasSubstr("<!-- kept, too -->"));
  }
  auto names = section_names();
  EXPECT_EQ(tried, std::set<std::string>(names.begin(), names.end()));
}

struct Refused {
  const char* section;
  UpdateCommand command;
  const char* xml;
  const char* words;
};

// As libvirt's network driver says it.
TEST(Update, RefusesInLibvirtsWords) {
  const Refused all[] = {
      {"bridge", AddLast, "<bridge name='b'/>", "can't update 'bridge' section of network 'lab'"},
      {"domain", Modify, "<domain name='b'/>", "can't update 'domain' section of network 'lab'"},
      {"ip", AddLast, "<ip address='10.0.0.1'/>", "can't update 'ip' section of network 'lab'"},
      {"forward", Modify, "<forward/>", "can't update 'forward' section of network 'lab'"},
      {"forward-pf", AddLast, "<pf dev='e'/>", "can't update 'forward pf' section of network 'lab'"},
      {"ip-dhcp-host", AddLast, "<range/>",
       "unexpected element <range>, expecting <host>, while updating network 'lab'"},
      {"ip-dhcp-host", AddLast, "<host mac='52:54:00:00:00:01' ip='192.168.122.77'/>",
       "there is an existing dhcp host entry in network 'lab' that matches \"<host mac='52:54:00:00:00:01' "
       "name='unknown' ip='192.168.122.77'/>\""},
      {"ip-dhcp-host", Modify, "<host mac='52:54:00:00:00:09' name='x' ip='192.168.122.77'/>",
       "couldn't locate an existing dhcp host entry with \"mac='52:54:00:00:00:09'\" \"name='x'\" "
       "\"ip='192.168.122.77'\" in network 'lab'"},
      {"ip-dhcp-host", Delete, "<host mac='52:54:00:00:00:09'/>",
       "couldn't locate a matching dhcp host entry in network 'lab'"},
      {"ip-dhcp-host", AddLast, "<host name='x' ip='fd00:122::7'/>",
       "the address family of a host entry IP must match the address family of the dhcp element's parent"},
      {"ip-dhcp-range", Modify, "<range start='192.168.122.1' end='192.168.122.2'/>",
       "dhcp ranges cannot be modified, only added or deleted"},
      {"ip-dhcp-range", AddLast, "<range start='192.168.122.100' end='192.168.122.200'/>",
       "there is an existing dhcp range entry in network 'lab' that matches \"<range start='192.168.122.100' "
       "end='192.168.122.200'/>\""},
      {"ip-dhcp-range", Delete, "<range start='192.168.122.100' end='192.168.122.201'/>",
       "couldn't locate a matching dhcp range entry in network 'lab'"},
      {"forward-interface", Modify, "<interface dev='e'/>",
       "forward interface entries cannot be modified, only added or deleted"},
      {"forward-interface", Delete, "<interface dev='e'/>",
       "couldn't find an interface entry in network 'lab' matching <interface dev='e'>"},
      {"forward-interface", AddLast, "<interface/>", "missing dev attribute in <interface> element"},
      {"portgroup", AddLast, "<portgroup name='fast'/>",
       "there is an existing portgroup entry in network 'lab' that matches \"<portgroup name='fast'>\""},
      {"portgroup", Modify, "<portgroup name='slow'/>",
       "couldn't find a portgroup entry in network 'lab' matching <portgroup name='slow'>"},
      {"portgroup", AddLast, "<portgroup name='slow' default='yes'/>",
       "a different portgroup entry in network 'lab' is already set as the default. Only one default is "
       "allowed."},
      {"dns-host", Modify, "<host ip='192.168.122.2'/>",
       "DNS HOST records cannot be modified, only added or deleted"},
      {"dns-host", AddLast, "<host ip='192.168.122.2'><hostname>x</hostname></host>",
       "there is already at least one DNS HOST record with a matching field in network lab"},
      {"dns-host", Delete, "<host ip='192.168.122.9'/>",
       "couldn't locate a matching DNS HOST record in network lab"},
      {"dns-host", Delete, "<host><hostname>one</hostname></host>",
       "multiple matching DNS HOST records were found in network lab"},
      {"dns-txt", Modify, "<txt name='a' value='c'/>",
       "DNS TXT records cannot be modified, only added or deleted"},
      {"dns-txt", AddLast, "<txt name='a' value='c'/>",
       "there is already a DNS TXT record with name 'a' in network lab"},
      {"dns-txt", Delete, "<txt name='x'/>", "couldn't locate a matching DNS TXT record in network lab"},
      {"dns-srv", Modify, "<srv service='sip' protocol='udp'/>",
       "DNS SRV records cannot be modified, only added or deleted"},
      {"dns-srv", AddLast, "<srv service='sip' protocol='udp'/>",
       "there is already at least one DNS SRV record matching all specified fields in network lab"},
      {"dns-srv", Delete, "<srv service='x'/>", "couldn't locate a matching DNS SRV record in network lab"},
      {"dns-srv", Delete, "<srv service='sip'/>",
       "multiple DNS SRV records matching all specified fields were found in network lab"},
      {"ip-dhcp-host", AddLast, "<vnet:host ip='192.168.122.77'/>", "unexpected element <host>"},
      {"dns-host", AddLast, "<vnet:host ip='192.168.122.77'/>", "unexpected element <host>"},
      // Ours.
      {"vnet:inbound", AddLast, "<vnet:inbound default='drop'/>",
       "there is an existing inbound entry in network 'lab' that matches \"<vnet:inbound/>\""},
      {"vnet:portForward", Delete, "<vnet:portForward proto='tcp' port='1'/>",
       "couldn't locate a matching portForward entry in network 'lab': <vnet:portForward proto='tcp' "
       "port='1'/>"},
      {"vnet:portForward", AddLast, "<portForward proto='tcp' port='1' to='192.168.122.10'/>",
       "<portForward> is not in the namespace urn:vnet-bpf:network:1; write it <vnet:portForward>"},
      {"forward-nat-port", Delete, "<port start='2000' end='3000'/>",
       "couldn't find any port entry in the <nat> of network 'lab'"},
      {"nonsense", AddLast, "<x/>", "unrecognized section name 'nonsense'"},
  };
  for (const auto& one : all) {
    SCOPED_TRACE(std::string(one.section) + " " + one.xml);
    EXPECT_THAT(xml_of(update(one.section, one.command, one.xml)), HasSubstr(one.words));
  }
}

TEST(Update, TheIndexNamesTheIp) {
  auto added = update("ip-dhcp-host", AddLast, "<host name='x' ip='fd00:122::7'/>", 1);
  EXPECT_THAT(xml_of(added), HasSubstr("<host name='x' ip='fd00:122::7'/>"));
  EXPECT_THAT(
      xml_of(update("ip-dhcp-host", AddLast, "<host name='x' ip='fd00:122::7'/>", 7)),
      HasSubstr("couldn't update dhcp host entry - no <ip> element found at index 7 in network 'lab'"));
}

TEST(Update, WhatIsNotValidIsRefused) {
  auto refused =
      update("vnet:portForward", AddLast, "<vnet:portForward proto='tcp' port='1' to='10.0.0.1'/>");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::Invalid);
  EXPECT_THAT(refused.error().message, HasSubstr("in none of the network's subnets"));
  EXPECT_FALSE(update("ip-dhcp-host", AddLast, "<host mac='52:54:00:00:00:03' ip='192.168.122.12'/><host/>"));
  EXPECT_FALSE(update("ip-dhcp-host", AddLast, "<host"));
  EXPECT_FALSE(update("ip-dhcp-host", AddLast, ""));
}

TEST(Update, MakesTheMetadataThatIsMissing) {
  auto plain = *parse_network("<network><name>n</name><ip address='10.0.0.1' prefix='24'/></network>", "");
  auto changed = updated(plain, {.command = AddLast,
                                 .section = "vnet:inbound",
                                 .xml = "<vnet:inbound default='drop'/>",
                                 .file_name = "",
                                 .parent_index = -1});
  ASSERT_TRUE(changed) << changed.error().message;
  EXPECT_EQ(changed->settings.inbound, Inbound::Drop);
  EXPECT_THAT(changed->metadata_xml, Not(HasSubstr("<vnet:inbound xmlns")));
}

}  // namespace
}  // namespace vnet
