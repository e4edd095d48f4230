// SPDX-License-Identifier: GPL-2.0-or-later
// No input crashes a reader; a refusal gives a reason; what is taken means the same when it is written and
// read again.
#include "tests/fuzz/readers.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <sstream>

#include "cli/options.h"
#include "loader/base/files.h"
#include "loader/config/domain_xml.h"
#include "loader/config/network_xml.h"
#include "loader/config/update.h"
#include "loader/firewall/ruleset.h"
#include "loader/model/port_rules.h"
#include "loader/services/dnsmasq_config.h"
#include "loader/services/leases.h"
#include "loader/state/port_file.h"
#include "loader/state/records.h"
#include "tests/support/temporary_folder.h"

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

template <typename Value>
Read taken_or_refused(const Result<Value>& value) {
  return value ? Read{.taken = true} : Read::refused(value.error().message);
}

// Options that a definition can put into dnsmasq's configuration, and no other.
std::set<std::string> options_of(const std::string& conf) {
  std::set<std::string> names;
  std::istringstream lines(conf);
  for (std::string line; std::getline(lines, line);)
    if (!line.starts_with('#')) names.insert(line.substr(0, line.find('=')));
  return names;
}

std::string dnsmasq_conf(const Network& network) {
  return dnsmasq_files(network, {"p", "l", "h", "a"}, "b").conf;
}

std::set<std::string> known_options() {
  // Those written by some settings only, and those of the seeds.
  std::set<std::string> known{
      "dhcp-range", "enable-ra",          "port",  "no-resolv",       "dhcp-no-override",
      "ra-param",   "dhcp-authoritative", "local", "bind-interfaces", "except-interface"};
  for (const std::string& seed : networks)
    known.merge(options_of(dnsmasq_conf(*parse_network(seed, "seed"))));
  return known;
}

Read read_network(const std::string& xml) {
  static const std::set<std::string> known = known_options();
  auto network = parse_network(xml, "fuzz.xml");
  if (!network) return Read::refused(network.error().message);
  const std::string once = format_network(*network);
  auto again = parse_network(once, "written");
  if (!again) return {.taken = true, .broken = again.error().message + "\n" + once};
  if (format_network(*again) != once) return {.taken = true, .broken = "written otherwise again:\n" + once};
  // What a user writes as a dnsmasq option is one, whatever it says.
  if (xml.contains("dnsmasq:option")) return {.taken = true};
  const std::string conf = dnsmasq_conf(*network);
  for (const std::string& name : options_of(conf))
    if (!known.contains(name)) return {.taken = true, .broken = fmt::format("option {}:\n{}", name, conf)};
  return {.taken = true};
}

// Every section of every network, by every command.
Read read_update(const std::string& xml) {
  static const std::vector<Network> bases = [] {
    std::vector<Network> all;
    for (const auto& seed : networks) all.push_back(*parse_network(seed, "seed"));
    return all;
  }();
  static const auto sections = section_names();
  static unsigned turn = 0;
  ++turn;
  const Network& base = bases[turn % 3 ? 0 : turn % bases.size()];
  Read all;
  for (const auto& section : sections) {
    auto changed = updated(base, {.command = static_cast<UpdateCommand>(turn / 4 % 4),
                                  .section = section,
                                  .xml = xml,
                                  .file_name = "fuzz",
                                  .parent_index = static_cast<int>(turn % 4) - 1});
    if (!changed) {
      if (changed.error().message.empty()) all.broken = "refused without a reason";
      continue;
    }
    all.taken = true;
    if (auto again = parse_network(format_network(*changed), "written"); !again)
      all.broken = again.error().message;
  }
  return all;
}

Read read_guest(const std::string& xml) {
  return taken_or_refused(parse_domain_interfaces(xml, "fuzz"));
}

Read read_ruleset(const std::string& json) {
  return taken_or_refused(Ruleset::parse(json));
}

Read read_leases(const std::string& text) {
  static const Network network = *parse_network(networks[0], "seed");
  const auto lines = std::ranges::count(text, '\n') + 1;
  const auto leases = parse_leases(text, network).size();
  if (std::cmp_greater(leases, lines)) return {.broken = fmt::format("{} leases in {} lines", leases, lines)};
  return {.taken = leases > 0};
}

Read read_port_file(const std::string& text) {
  return taken_or_refused(parse_port_state(text, "fuzz"));
}

Read read_command_line(const std::string& line) {
  std::istringstream words(line);
  std::vector<std::string> arguments;
  for (std::string word; words >> word;) arguments.push_back(word);
  return taken_or_refused(cli::parse_options(arguments));
}

Read read_allow_rule(const std::string& text) {
  return taken_or_refused(parse_allow_rule(text));
}

// A record is read from its file, and what is taken is the same when it is saved.
template <typename Record>
Read read_record(const std::string& text, const char* folder, const char* name, std::string Record::*identity,
                 Result<std::optional<Record>> (Records::*load)(const std::string&) const) {
  static const TemporaryFolder state("/dev/shm");  // records are synced: on a disk, each for milliseconds
  static const StateDir dirs(state.path());
  static const Records records(dirs);
  const auto file = dirs.runtime() / folder / (std::string(name) + ".json");
  if (auto made = make_folder(file.parent_path()); !made) return {.broken = made.error().message};
  if (auto written = write_file(file, text, 0600); !written) return {.broken = written.error().message};
  auto record = (records.*load)(name);
  if (!record) return Read::refused(record.error().message);
  if (!*record) return {.broken = "the record is not there"};
  if ((**record).*identity != name) return {.taken = true};
  if (auto saved = records.save(**record); !saved) return {.broken = saved.error().message};
  const auto once = read_file(file);
  auto again = (records.*load)(name);
  if (!again || !*again || !records.save(**again) || !once || read_file(file).value() != *once)
    return {.taken = true, .broken = "not the same when it is read again"};
  return {.taken = true};
}

Read read_port_record(const std::string& text) {
  return read_record(text, "ports", "vnet0", &PortRecord::interface, &Records::port);
}

Read read_network_record(const std::string& text) {
  return read_record(text, "networks", "n", &NetworkRecord::name, &Records::network);
}

}  // namespace

const std::vector<Reader>& readers() {
  static const std::vector<Reader> all{
      {.name = "networks",
       .seeds = networks,
       .words = {"<ip", "<dhcp>", "</network>", "<network>", "/>", "mode='nat'", "address='", "prefix='64'",
                 "family='ipv6'", "<!--", "-->", "<![CDATA[", "<?xml version='1.0'?>", "<!DOCTYPE a>",
                 "&amp;", "&lt;", "xmlns:x='a'", "<x:y/>"},
       .read = read_network,
       .per_thousand_taken = 10},
      {.name = "updates",
       .seeds = {"<host mac='00:16:3e:77:e2:01' name='x' ip='192.168.122.11'><lease expiry='5'/></host>",
                 "<range start='192.168.122.5' end='192.168.122.9'/>", "<interface dev='eth5'/>",
                 "<portgroup name='p'><vlan><tag id='7'/></vlan></portgroup>",
                 "<host ip='192.168.122.2'><hostname>gw</hostname></host>", "<txt name='a' value='b'/>",
                 "<srv service='ldap' protocol='tcp'/>", "<ip address='10.1.0.1' prefix='24'/>",
                 "<route address='10.2.0.0' prefix='16' gateway='192.168.122.2'/>",
                 "<address start='203.0.113.2' end='203.0.113.4'/>", "<port start='500' end='1000'/>",
                 "<vnet:portForward proto='tcp' port='8080' to='192.168.122.10' toPort='80'/>",
                 "<vnet:sessions max='65536'/>", "<vnet:xdp mode='off'/>"},
       .words = {"<host", "/>", "</element>", "vnet:", "xmlns:vnet='a'", "<?xml version='1.0'?>", "<!--"},
       .read = read_update,
       .per_thousand_taken = 1},
      {.name = "guests",
       .seeds =
           {R"(<domain type='kvm' id='3'><name>g1</name><devices><disk type='file'><target dev='vda'/></disk>
<interface type='bridge'><mac address='52:54:00:12:34:56'/><source bridge='virbr0'/><target dev='vnet0'/>
<bandwidth><inbound average='1' peak='2' burst='3'/><outbound average='100'/></bandwidth>
<vlan><tag id='42'/></vlan><model type='virtio'/><port isolated='yes'/><link state='down'/>
<filterref filter='clean-traffic'><parameter name='IP' value='192.168.122.7'/>
<parameter name='IPV6' value='fd00::7'/></filterref></interface>
<interface type='network'><source network='default'/></interface></devices></domain>)"},
       .words = {"<interface type='bridge'>", "</interface>", "value='", "state='up'", "<parameter",
                 "fe:54:00:00:00:01"},
       .read = read_guest,
       .per_thousand_taken = 10},
      {.name = "rulesets",
       .seeds =
           {R"({"nftables":[{"metainfo":{"version":"1.0.6"}},{"table":{"family":"ip","name":"t","handle":1}},
{"chain":{"family":"ip","table":"t","name":"f","handle":1,"type":"filter","hook":"forward","prio":0,"policy":"drop"}},
{"rule":{"family":"ip","table":"t","chain":"f","handle":2,"expr":[{"match":{"op":"==","left":{"meta":{"key":"iifname"}},
"right":"virbr0"}},{"match":{"op":"in","left":{"ct":{"key":"state"}},"right":["established","related"]}},
{"match":{"op":"!=","left":{"payload":{"protocol":"ip","field":"daddr"}},"right":{"prefix":{"addr":"10.0.0.0","len":8}}}},
{"counter":{"packets":0,"bytes":0}},{"jump":{"target":"g"}}]}},{"chain":{"family":"ip","table":"t","name":"g"}},
{"rule":{"family":"ip","table":"t","chain":"g","expr":[{"masquerade":{"port":{"range":[1024,65535]}}},{"accept":null}]}}]})"},
       .words = {R"({"drop":null})", R"({"reject":{}})", R"({"jump":{"target":"f"}})", R"({"set":[)",
                 R"({"range":[)", "null", "[", "{", "\"postrouting\"", "\"nat\"", "@set"},
       .read = read_ruleset,
       .per_thousand_taken = 10},
      {.name = "leases",
       .seeds = {"1700000000 52:54:00:00:00:01 192.168.122.50 web 01:52:54:00:00:00:01\n"
                 "0 06-52:54:00:00:00:02 192.168.122.51 * *\nduid 00:01:00:01:2c:00:00:00:52:54:00:ff:ff:ff\n"
                 "1700000100 1234567 2001:db8:ca2:2::50 six 00:03:00:01:52:54:00:00:00:03\n"},
       .words = {"duid", "T99", "*", "\t"},
       .read = read_leases,
       .per_thousand_taken = 10},
      {.name = "command-lines",
       .seeds = {"attach vnet0 vnet1 --network default --mac 52:54:00:12:34:56 --ip 192.168.122.7 --filter "
                 "clean-traffic",
                 "start default --dry-run --json", "flows --port vnet0 --proto tcp --sort bytes --limit 10",
                 "explain --from vnet0 --src 192.168.122.7 --dst 198.51.100.1 --proto tcp --dport 443",
                 "block add 203.0.113.0/24 2001:db8::/32 --file list", "set vnet0 --link down --allow tcp:22",
                 "monitor --reason spoofed-mac --pcap out.pcapng", "run --interval 5"},
       .words = {"--", "-", "--help", "--version", "--network", "--json", "tcp/22", "=", "--state-dir"},
       .read = read_command_line,
       .per_thousand_taken = 1},
      {.name = "allow-rules",
       .seeds = {"tcp/22", "udp/53@192.0.2.0/24", "icmp", "tcp/1000-2000"},
       .words = {"tcp", "udp", "@", "-", "/"},
       .read = read_allow_rule,
       .per_thousand_taken = 10},
      {.name = "port-records",
       .seeds =
           {R"({"interface":"vnet0","network":"n","ifindex":7,"slot":3,"enslaved":true,"settled":true,"leaving":false,
"parent":"","mac":"52:54:00:12:34:56","any_mac":false,"ips":["192.168.122.7","fd00::7"],"inbound":"drop","isolated":true,
"bandwidth":{"inbound":[1,2,3]},"vlan":{"trunk":true,"tags":[[42,true,false]]},"model":"virtio"})"},
       .words = {"null", "true", "[]", "{}", "\"slot\":", "\\u0000", "[["},
       .read = read_port_record,
       .per_thousand_taken = 10},
      {.name = "port-files",
       .seeds =
           {R"({"version":1,"interface":"vnet0","network":"n","mac":"52:54:00:12:34:56","ips":["192.168.122.7"],
"addresses":[{"address":"fd00::7","source":"claimed","seconds":0}],"filters":["clean-traffic"],"allow":["tcp/22"],
"counters":{"rx_packets":1,"rx_bytes":2,"tx_packets":3,"tx_bytes":4,"drops":{"spoofed-mac":5}},"plugged":true})"},
       .words = {"null", "true", "[]", "{}", "\"seconds\":", "-1", "\\u0000"},
       .read = read_port_file,
       .per_thousand_taken = 10},
      {.name = "network-records",
       .seeds =
           {R"({"name":"n","slot":2,"complete":true,"xml":"<network/>","added":[],"before":["<network/>"]})"},
       .words = {"null", "true", "[]", "{}", "\"slot\":", "\\u0000", "[["},
       .read = read_network_record,
       .per_thousand_taken = 10}};
  return all;
}

}  // namespace vnet::test
