// SPDX-License-Identifier: GPL-2.0-or-later
// Everything that reads what somebody else has written, with damaged input: no crash, an error that says
// something, and what is taken means the same when it is written and read again.
#include <gtest/gtest.h>

#include <set>
#include <sstream>

#include "cli/options.h"
#include "loader/config/domain_xml.h"
#include "loader/config/network_xml.h"
#include "loader/config/update.h"
#include "loader/firewall/ruleset.h"
#include "loader/model/port_rules.h"
#include "loader/services/dnsmasq_config.h"
#include "loader/services/leases.h"
#include "tests/fuzz/mutate.h"

namespace vnet::test {
namespace {

const std::vector<std::string> networks{
    R"(<network xmlns:dnsmasq='http://libvirt.org/schemas/network/dnsmasq/1.0'><name>n</name>
<uuid>3e3fce45-4f53-4fa7-bb32-11f34168b82b</uuid><title>t</title><description>d</description>
<metadata><vnet:network xmlns:vnet='urn:vnet-bpf:network:1'><vnet:hostFirewall mode='bypass'/>
<vnet:xdp mode='filter' generic='yes' newFlows='100'/><vnet:sessions max='65536' perPort='1000'/>
<vnet:portForward proto='tcp' port='8080' to='192.168.122.10' toPort='80'/></vnet:network></metadata>
<forward mode='nat' dev='eth0'><nat ipv6='yes'><address start='203.0.113.2' end='203.0.113.4'/>
<port start='500' end='1000'/></nat><interface dev='eth0'/></forward>
<bridge name='virbr0' stp='on' delay='2' macTableManager='libvirt'/><mtu size='1400'/><mac address='52:54:00:01:02:03'/>
<domain name='example.org' localOnly='yes'/><bandwidth><inbound average='1000' peak='5000' burst='1024'/>
<outbound average='1000'/></bandwidth>
<dns enable='yes' forwardPlainNames='no'><forwarder domain='example.com' addr='192.0.2.1'/>
<txt name='a' value='b'/><host ip='192.168.122.2'><hostname>gw</hostname><hostname>gw2</hostname></host>
<srv service='ldap' protocol='tcp' domain='example.org' target='.' port='389' priority='1' weight='2'/></dns>
<ip address='192.168.122.1' netmask='255.255.255.0' localPtr='yes'><tftp root='/srv/tftp'/><dhcp>
<range start='192.168.122.100' end='192.168.122.254'><lease expiry='1' unit='hours'/></range>
<host mac='00:16:3e:77:e2:ed' name='foo' ip='192.168.122.10'><lease expiry='0'/></host>
<bootp file='pxelinux.0' server='192.168.122.2'/></dhcp></ip>
<ip family='ipv6' address='2001:db8:ca2:2::1' prefix='64'><dhcp>
<range start='2001:db8:ca2:2::10' end='2001:db8:ca2:2::ff'/>
<host id='0:1:0:1:18:aa:62:fe:0:16:3e:44:55:66' name='six' ip='2001:db8:ca2:2::11'/></dhcp></ip>
<route address='192.168.200.0' prefix='24' gateway='192.168.122.2' metric='2'/>
<route family='ipv6' address='2001:db8:ca2:3::' prefix='64' gateway='2001:db8:ca2:2::2'/>
<dnsmasq:options><dnsmasq:option value='cname=a,b'/></dnsmasq:options></network>)",
    R"(<network ipv6='yes' trustGuestRxFilters='yes'><name>b</name><forward mode='bridge'/><bridge name='br0'/>
<vlan trunk='yes'><tag id='42'/><tag id='47' nativeMode='untagged'/></vlan><port isolated='yes'/>
<portgroup name='p' default='yes'><vlan><tag id='1'/></vlan></portgroup></network>)",
    R"(<network><name>m</name><forward mode='private' dev='eth1'><interface dev='eth1'/><interface dev='eth2'/></forward></network>)",

    R"(<network><name>o</name><forward mode='open'/><bridge name='virbr3'/><ip address='10.0.0.1' prefix='8'/></network>)"};

// Options that a definition can put into dnsmasq's configuration, and no other.
std::set<std::string> options_of(const std::string& conf) {
  std::set<std::string> names;
  std::istringstream lines(conf);
  for (std::string line; std::getline(lines, line);)
    if (!line.starts_with('#')) names.insert(line.substr(0, line.find('=')));
  return names;
}

TEST(Fuzz, Networks) {
  std::set<std::string> known;
  for (const std::string& seed : networks) {
    auto network = parse_network(seed, "seed");
    ASSERT_TRUE(network) << network.error().message;
    known.merge(options_of(dnsmasq_files(*network, {"p", "l", "h", "a"}, "b").conf));
  }
  ASSERT_GT(known.size(), 10U) << "the seeds are taken";
  // Written by some settings only.
  known.merge(std::set<std::string>{"dhcp-range", "enable-ra", "port", "no-resolv", "dhcp-no-override",
                                    "ra-param", "dhcp-authoritative", "local", "bind-interfaces",
                                    "except-interface"});
  unsigned taken = 0;
  Mutator mutator(networks,
                  {"<ip", "<dhcp>", "</network>", "<network>", "/>", "mode='nat'", "address='", "prefix='64'",
                   "family='ipv6'", "<!--", "-->", "<![CDATA[", "<?xml version='1.0'?>", "<!DOCTYPE a>",
                   "&amp;", "&lt;", "xmlns:x='a'", "<x:y/>"});
  on_damaged(mutator, [&](const std::string& xml) {
    auto network = parse_network(xml, "fuzz.xml");
    if (!network) {
      EXPECT_FALSE(network.error().message.empty());
      return;
    }
    taken++;
    const std::string once = format_network(*network);
    auto again = parse_network(once, "written");
    ASSERT_TRUE(again) << again.error().message << "\n" << once;
    EXPECT_EQ(format_network(*again), once);
    const std::string conf = dnsmasq_files(*network, {"p", "l", "h", "a"}, "b").conf;
    // What a user writes as a dnsmasq option is one, whatever it says.
    if (xml.find("dnsmasq:option") != std::string::npos) return;
    for (const std::string& name : options_of(conf))
      EXPECT_TRUE(known.contains(name)) << name << "\n" << conf;
  });
  EXPECT_GT(taken, rounds() / 100) << "most of what is damaged is refused, but not all";
}

TEST(Fuzz, Updates) {
  std::vector<Network> bases;
  for (const auto& seed : networks) bases.push_back(*parse_network(seed, "seed"));
  Mutator mutator({"<host mac='00:16:3e:77:e2:01' name='x' ip='192.168.122.11'><lease expiry='5'/></host>",
                   "<range start='192.168.122.5' end='192.168.122.9'/>", "<interface dev='eth5'/>",
                   "<portgroup name='p'><vlan><tag id='7'/></vlan></portgroup>",
                   "<host ip='192.168.122.2'><hostname>gw</hostname></host>", "<txt name='a' value='b'/>",
                   "<srv service='ldap' protocol='tcp'/>", "<ip address='10.1.0.1' prefix='24'/>",
                   "<route address='10.2.0.0' prefix='16' gateway='192.168.122.2'/>",
                   "<address start='203.0.113.2' end='203.0.113.4'/>", "<port start='500' end='1000'/>",
                   "<vnet:portForward proto='tcp' port='8080' to='192.168.122.10' toPort='80'/>",
                   "<vnet:sessions max='65536'/>", "<vnet:xdp mode='off'/>"},
                  {"<host", "/>", "</element>", "vnet:", "xmlns:vnet='a'", "<?xml version='1.0'?>", "<!--"});
  auto sections = section_names();
  unsigned taken = 0, turn = 0;
  on_damaged(mutator, [&](const std::string& xml) {
    ++turn;
    const Network& base = bases[turn % 3 ? 0 : turn % bases.size()];
    for (const auto& section : sections) {
      auto changed = updated(base, {.command = static_cast<UpdateCommand>(turn / 4 % 4),
                                    .section = section,
                                    .xml = xml,
                                    .file_name = "fuzz",
                                    .parent_index = static_cast<int>(turn % 4) - 1});
      if (changed) {
        taken++;
        EXPECT_TRUE(parse_network(format_network(*changed), "written"));
      } else {
        EXPECT_FALSE(changed.error().message.empty());
      }
    }
  });
  EXPECT_GT(taken, rounds() / 1000);
}

TEST(Fuzz, Guests) {
  Mutator mutator(
      {R"(<domain type='kvm' id='3'><name>g1</name><devices><disk type='file'><target dev='vda'/></disk>
<interface type='bridge'><mac address='52:54:00:12:34:56'/><source bridge='virbr0'/><target dev='vnet0'/>
<bandwidth><inbound average='1' peak='2' burst='3'/><outbound average='100'/></bandwidth>
<vlan><tag id='42'/></vlan><model type='virtio'/><port isolated='yes'/><link state='down'/>
<filterref filter='clean-traffic'><parameter name='IP' value='192.168.122.7'/>
<parameter name='IPV6' value='fd00::7'/></filterref></interface>
<interface type='network'><source network='default'/></interface></devices></domain>)"},
      {"<interface type='bridge'>", "</interface>", "value='", "state='up'", "<parameter",
       "fe:54:00:00:00:01"});
  on_damaged(mutator, [](const std::string& xml) {
    auto cards = parse_domain_interfaces(xml, "fuzz");
    if (!cards) {
      EXPECT_FALSE(cards.error().message.empty());
    }
  });
}

TEST(Fuzz, Rulesets) {
  Mutator mutator(
      {R"({"nftables":[{"metainfo":{"version":"1.0.6"}},{"table":{"family":"ip","name":"t","handle":1}},
{"chain":{"family":"ip","table":"t","name":"f","handle":1,"type":"filter","hook":"forward","prio":0,"policy":"drop"}},
{"rule":{"family":"ip","table":"t","chain":"f","handle":2,"expr":[{"match":{"op":"==","left":{"meta":{"key":"iifname"}},
"right":"virbr0"}},{"match":{"op":"in","left":{"ct":{"key":"state"}},"right":["established","related"]}},
{"match":{"op":"!=","left":{"payload":{"protocol":"ip","field":"daddr"}},"right":{"prefix":{"addr":"10.0.0.0","len":8}}}},
{"counter":{"packets":0,"bytes":0}},{"jump":{"target":"g"}}]}},{"chain":{"family":"ip","table":"t","name":"g"}},
{"rule":{"family":"ip","table":"t","chain":"g","expr":[{"masquerade":{"port":{"range":[1024,65535]}}},{"accept":null}]}}]})"},
      {R"({"drop":null})", R"({"reject":{}})", R"({"jump":{"target":"f"}})", R"({"set":[)", R"({"range":[)",
       "null", "[", "{", "\"postrouting\"", "\"nat\"", "@set"});
  on_damaged(mutator, [](const std::string& json) {
    auto rules = Ruleset::parse(json);
    if (!rules) {
      EXPECT_FALSE(rules.error().message.empty());
    }
  });
}

TEST(Fuzz, Leases) {
  auto network = parse_network(networks[0], "seed");
  ASSERT_TRUE(network) << network.error().message;
  Mutator mutator(
      {"1700000000 52:54:00:00:00:01 192.168.122.50 web 01:52:54:00:00:00:01\n"
       "0 06-52:54:00:00:00:02 192.168.122.51 * *\nduid 00:01:00:01:2c:00:00:00:52:54:00:ff:ff:ff\n"
       "1700000100 1234567 2001:db8:ca2:2::50 six 00:03:00:01:52:54:00:00:00:03\n"},
      {"duid", "T99", "*", "\t"});
  on_damaged(mutator, [&](const std::string& text) {
    const auto lines = static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) + 1;
    EXPECT_LE(parse_leases(text, *network).size(), lines);
  });
}

TEST(Fuzz, CommandLines) {
  Mutator mutator(
      {"attach vnet0 vnet1 --network default --mac 52:54:00:12:34:56 --ip 192.168.122.7 --filter "
       "clean-traffic",
       "start default --dry-run --json", "flows --port vnet0 --proto tcp --sort bytes --limit 10",
       "explain --from vnet0 --src 192.168.122.7 --dst 198.51.100.1 --proto tcp --dport 443",
       "block add 203.0.113.0/24 2001:db8::/32 --file list", "set vnet0 --link down --allow tcp:22",
       "monitor --reason spoofed-mac --pcap out.pcapng", "run --interval 5"},
      {"--", "-", "--help", "--version", "--network", "--json", "tcp/22", "=", "--state-dir"});
  on_damaged(mutator, [](const std::string& line) {
    std::istringstream words(line);
    std::vector<std::string> arguments;
    for (std::string word; words >> word;) arguments.push_back(word);
    auto options = cli::parse_options(arguments);
    if (!options) {
      EXPECT_FALSE(options.error().message.empty());
    }
  });
  Mutator rules({"tcp:22", "udp:53,192.0.2.0/24", "icmp", "tcp:1000-2000"}, {"tcp", "udp", ":", "-", "/"});
  on_damaged(rules, [](const std::string& text) {
    auto rule = parse_allow_rule(text);
    if (!rule) {
      EXPECT_FALSE(rule.error().message.empty());
    }
  });
}

}  // namespace
}  // namespace vnet::test
