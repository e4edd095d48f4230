// SPDX-License-Identifier: GPL-2.0-or-later
// Every definition that is refused, with the words that tell the user why.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "loader/config/network_xml.h"

namespace vnet {
namespace {

struct Case {
  const char* title;
  std::string body;  // inside <network><name>n</name>
  const char* message;
};
void PrintTo(const Case& c, std::ostream* out) {
  *out << c.title;
}

const std::string ip = "<ip address='192.168.5.1' netmask='255.255.255.0'/>";
const std::string nat = "<forward mode='nat'/>" + ip;
const std::string bridge = "<forward mode='bridge'/><bridge name='br0'/>";
const std::string direct = "<forward mode='bridge'><interface dev='eth0'/></forward>";

std::string in_ip(const std::string& inner) {
  return "<ip address='192.168.5.1' prefix='24'>" + inner + "</ip>";
}
std::string in_ip6(const std::string& inner) {
  return "<ip family='ipv6' address='2001:db8::1' prefix='64'>" + inner + "</ip>";
}
std::string in_dhcp(const std::string& inner) {
  return in_ip("<dhcp>" + inner + "</dhcp>");
}
std::string in_dns(const std::string& inner) {
  return "<dns>" + inner + "</dns>" + ip;
}
std::string in_nat(const std::string& inner) {
  return "<forward mode='nat'>" + inner + "</forward>" + ip;
}

const std::vector<Case> forward_cases = {
    {"UnknownMode", "<forward mode='foo'/>",
     "<forward mode='foo'>: unknown mode; allowed: nat, route, open, bridge, private, vepa, passthrough, "
     "hostdev"},
    {"Hostdev", "<forward mode='hostdev'/>", "not supported"},
    {"OpenWithDev", "<forward mode='open' dev='eth0'/>", "<forward dev='eth0'>: not allowed"},
    {"OpenWithInterface", "<forward mode='open'><interface dev='eth0'/></forward>", "not allowed"},
    {"NatWithoutIp", "<forward/>", "needs an <ip>"},
    {"RouteWithoutIp", "<forward mode='route'/>", "needs an <ip>"},
    {"TwoUplinks", in_nat("<interface dev='a'/><interface dev='b'/>"), "only one interface"},
    {"InterfaceTwice", "<forward mode='passthrough'><interface dev='a'/><interface dev='a'/></forward>",
     "<interface dev='a'>: this interface is listed twice"},
    {"DevDiffers", "<forward mode='nat' dev='a'><interface dev='b'/></forward>" + ip, "differs"},
    {"DevWithAddress", "<forward mode='passthrough' dev='a'><address type='pci' slot='1'/></forward>",
     "<pf> or <address>"},
    {"DevWithPf", "<forward mode='passthrough' dev='a'><pf dev='b'/></forward>", "<pf> or <address>"},
    {"PciAddress", "<forward mode='passthrough'><address type='pci' slot='1'/></forward>", "PCI"},
    {"InterfaceAndPf", "<forward mode='passthrough'><interface dev='a'/><pf dev='b'/></forward>",
     "exclude each other"},
    {"TwoPf", "<forward mode='passthrough'><pf dev='a'/><pf dev='b'/></forward>", "only one <pf>"},
    {"PfInNat", in_nat("<pf dev='a'/>"), "<pf>: only allowed"},
    {"InterfaceWithoutDev", in_nat("<interface/>"), "<interface>: the attribute dev is missing"},
    {"NatInRoute", "<forward mode='route'><nat/></forward>" + ip, "<nat>: only allowed"},
    {"TwoNat", in_nat("<nat/><nat/>"), "only one <nat>"},
    {"NatIpv6", in_nat("<nat ipv6='maybe'/>"), "allowed: yes, no"},
    {"NatAddressNoEnd", in_nat("<nat><address start='1.2.3.4'/></nat>"), "attribute end is missing"},
    {"NatAddressV6", in_nat("<nat><address start='::1' end='::2'/></nat>"), "only IPv4"},
    {"NatAddressTwice",
     in_nat("<nat><address start='1.1.1.1' end='1.1.1.2'/><address start='1.1.1.1' "
            "end='1.1.1.2'/></nat>"),
     "only one <address>"},
    {"NatAddressReversed", in_nat("<nat><address start='1.1.1.9' end='1.1.1.2'/></nat>"),
     "start is after end"},
    {"NatPortsReversed", in_nat("<nat><port start='9' end='8'/></nat>"), "start is after end"},
    {"NatPortNoStart", in_nat("<nat><port end='8'/></nat>"), "attribute start is missing"},
    {"NatPortTooBig", in_nat("<nat><port start='1' end='65536'/></nat>"), "from 1 to 65535"},
    {"ForwardVirtualport", "<forward mode='bridge'/><bridge name='b'/><virtualport type='openvswitch'/>",
     "<virtualport>: virtual switch protocols"},
    {"PortgroupVirtualport", direct + "<portgroup name='a'><virtualport type='802.1Qbg'/></portgroup>",
     "not supported"},
};

const std::vector<Case> link_cases = {
    {"Uuid", "<uuid>123</uuid>", "<uuid>: not a UUID"},
    {"UuidLetters", "<uuid>81ff0d90-c91e-6742-64da-4a736edb9a9z</uuid>", "<uuid>: not a UUID"},
    {"TitleNewline", "<title>a\nb</title>", "<title>"},
    {"BridgeSlash", "<bridge name='a/b'/>", "<bridge name='a/b'>"},
    {"BridgeTemplate", "<bridge name='a%s'/>", "template"},
    {"BridgeTemplateTwice", "<bridge name='a%d%d'/>", "template"},
    {"BridgeNewline", "<bridge name='a&#10;b'/>", "<bridge name='a?b'>: no newline"},
    {"Stp", "<bridge stp='yes'/>", "unknown stp; allowed: on, off"},
    {"Delay", "<bridge delay='-1'/>", "<bridge delay='-1'>: must be a number"},
    {"MacTable", "<bridge macTableManager='me'/>", "allowed: kernel, libvirt"},
    {"Mtu", "<mtu size='abc'/>", "<mtu size='abc'>"},
    {"MtuMissing", "<mtu/>", "<mtu>: the attribute size is missing"},
    {"MacMulticast", "<mac address='01:00:5e:00:00:01'/>", "multicast"},
    {"MacBad", "<mac address='52:54'/>", "not a MAC address"},
    {"Register", "<domain name='a' register='yes'/>", "needs localOnly='yes'"},
    {"DomainInjection", "<domain name='a&#10;dhcp-script=/x'/>", "no newline"},
    {"DomainSlash", "<domain name='a/b'/>", "in a name"},
    {"BridgeNameInVepa", "<forward mode='vepa'/><bridge name='br0'/>", "<bridge name='br0'>: not allowed"},
    {"BridgeNameInPrivate", "<forward mode='private'/><bridge name='br0'/>", "not allowed"},
    {"BridgeAndInterface", "<forward mode='bridge'><interface dev='e'/></forward><bridge name='br0'/>",
     "exclude each other"},
    {"BridgeAndPf", "<forward mode='bridge'><pf dev='e'/></forward><bridge name='br0'/>",
     "exclude each other"},
    {"StpInBridge", "<forward mode='bridge'/><bridge name='br0' stp='on'/>",
     "<bridge stp='on'>: not allowed"},
    {"DelayInDirect", direct + "<bridge delay='0'/>", "<bridge delay='0'>: not allowed"},
    {"ZoneInBridge", "<forward mode='bridge'/><bridge name='br0' zone='z'/>", "zone"},
    {"MacTableInDirect", direct + "<bridge macTableManager='kernel'/>", "needs a bridge name"},
    {"MtuInBridge", bridge + "<mtu size='1500'/>", "<mtu>: not allowed"},
    {"MacInBridge", bridge + "<mac address='52:54:00:00:00:01'/>", "<mac>: not allowed"},
    {"MacInDirect", direct + "<mac address='52:54:00:00:00:01'/>", "<mac>: not allowed"},
    {"DomainInBridge", bridge + "<domain name='a'/>", "<domain>: not allowed"},
    {"IpInBridge", bridge + ip, "<ip>: not allowed"},
    {"IpInPassthrough", "<forward mode='passthrough'><pf dev='e'/></forward>" + ip,
     "<ip>: not allowed with <forward mode='passthrough'>"},
    {"DnsTxtInBridge", bridge + "<dns><txt name='a' value='b'/></dns>", "<txt>: not allowed"},
    {"DnsHostInDirect", direct + "<dns><host ip='1.1.1.1'><hostname>a</hostname></host></dns>",
     "<host>: not allowed"},
    {"DnsSrvInBridge", bridge + "<dns><srv service='a' protocol='tcp'/></dns>", "<srv>: not allowed"},
    {"BandwidthInDirect", direct + "<bandwidth><inbound average='1'/></bandwidth>",
     "<bandwidth>: not allowed"},
    {"BandwidthFloor", nat + "<bandwidth><inbound average='1' floor='1'/></bandwidth>", "floor"},
    {"BandwidthNoAverage", nat + "<bandwidth><inbound peak='1'/></bandwidth>", "average is missing"},
    {"BandwidthTwice", nat + "<bandwidth><inbound average='1'/><inbound average='1'/></bandwidth>",
     "only one"},
    {"VlanId", bridge + "<vlan><tag id='4096'/></vlan>", "from 0 to 4095"},
    {"VlanEmpty", bridge + "<vlan/>", "at least one <tag"},
    {"VlanNoTrunk", bridge + "<vlan trunk='no'><tag id='1'/><tag id='2'/></vlan>", "trunk='yes'"},
    {"VlanTwoNative",
     bridge + "<vlan><tag id='1' nativeMode='tagged'/><tag id='2' nativeMode='tagged'/></vlan>",
     "only one tag"},
    {"PortgroupTwice", nat + "<portgroup name='a'/><portgroup name='a'/>", "another portgroup has this name"},
    {"PortgroupTwoDefaults", nat + "<portgroup name='a' default='yes'/><portgroup name='b' default='yes'/>",
     "another portgroup is the default"},
    {"PortgroupNoName", nat + "<portgroup/>", "attribute name is missing"},
};

const std::vector<Case> ip_cases = {
    {"NoAddress", "<ip prefix='24'/>", "<ip>: the attribute address is missing"},
    {"BadAddress", "<ip address='1.2.3'/>", "<ip address='1.2.3'>: not an IPv4 or IPv6 address"},
    {"V6WithoutFamily", "<ip address='2001:db8::1'/>", "needs family='ipv6'"},
    {"V4WithFamily6", "<ip family='ipv6' address='1.2.3.4'/>", "needs an IPv6 address"},
    {"BadFamily", "<ip family='ipx' address='1.2.3.4'/>", "allowed: ipv4, ipv6"},
    {"NetmaskAndPrefix", "<ip address='1.2.3.4' netmask='255.0.0.0' prefix='8'/>", "exclude each other"},
    {"V6Netmask", "<ip family='ipv6' address='::1' netmask='ffff::'/>", "<ip netmask='ffff::'>"},
    {"NetmaskGaps", "<ip address='1.2.3.4' netmask='255.0.255.0'/>", "contiguous"},
    {"PrefixTooLong", "<ip address='1.2.3.4' prefix='33'/>", "from 0 to 32"},
    {"Prefix6TooLong", "<ip family='ipv6' address='::1' prefix='129'/>", "from 0 to 128"},
    {"Multicast", "<ip address='224.0.0.1' prefix='24'/>", "multicast"},
    {"NoClass", "<ip address='245.0.0.1'/>", "default prefix"},
    {"LocalPtrV4", "<ip address='10.0.0.1' prefix='20' localPtr='yes'/>", "multiple of 8"},
    {"LocalPtrV6", "<ip family='ipv6' address='2001:db8::1' prefix='63' localPtr='yes'/>", "multiple of 4"},
    {"TftpV6", in_ip6("<tftp root='/a'/>"), "<tftp>: only allowed in an IPv4"},
    {"DhcpTwice",
     in_dhcp("<range start='192.168.5.2' end='192.168.5.3'/>") +
         "<ip address='10.0.0.1'><dhcp><host name='a' ip='10.0.0.2'/></dhcp></ip>",
     "one IPv4 and one IPv6"},
    {"RangeNoEnd", in_dhcp("<range start='192.168.5.2'/>"), "attribute end is missing"},
    {"RangeOutside", in_dhcp("<range start='192.168.6.2' end='192.168.6.3'/>"),
     "outside the subnet 192.168.5.0/24"},
    {"RangeFamily", in_dhcp("<range start='::1' end='::2'/>"), "outside the subnet"},
    {"RangeReversed", in_dhcp("<range start='192.168.5.9' end='192.168.5.3'/>"), "start is after end"},
    {"RangeNetwork", in_dhcp("<range start='192.168.5.0' end='192.168.5.3'/>"), "network's own address"},
    {"RangeBroadcast", in_dhcp("<range start='192.168.5.2' end='192.168.5.255'/>"), "broadcast"},
    {"RangeTooLarge", "<ip address='10.0.0.1'><dhcp><range start='10.0.0.2' end='10.1.0.2'/></dhcp></ip>",
     "65536"},
    {"LeaseShort",
     in_dhcp("<range start='192.168.5.2' end='192.168.5.3'><lease expiry='119' unit='seconds'/></range>"),
     "2 minutes"},
    {"LeaseUnit",
     in_dhcp("<range start='192.168.5.2' end='192.168.5.3'><lease expiry='9' unit='days'/></range>"),
     "allowed: seconds, minutes, hours"},
    {"LeaseNoExpiry", in_dhcp("<range start='192.168.5.2' end='192.168.5.3'><lease/></range>"),
     "expiry is missing"},
    {"HostMacBad", in_dhcp("<host mac='x' ip='192.168.5.2'/>"), "not a MAC"},
    {"HostMacMulticast", in_dhcp("<host mac='33:33:00:00:00:01' ip='192.168.5.2'/>"), "multicast"},
    {"HostNothing", in_dhcp("<host ip='192.168.5.2'/>"), "needs mac or name"},
    {"HostNoIp", in_dhcp("<host name='a'/>"), "attribute ip is missing"},
    {"HostFamily", in_dhcp("<host name='a' ip='::1'/>"), "same family"},
    {"HostInjection", in_dhcp("<host name='a&#10;b' ip='192.168.5.2'/>"), "no newline"},
    {"HostComma", in_dhcp("<host name='a,set:x' ip='192.168.5.2'/>"), "comma"},
    {"HostFirst", in_dhcp("<host name='-a' ip='192.168.5.2'/>"), "begin with a letter or a digit"},
    {"HostLeaseTime", in_dhcp("<host name='2h' ip='192.168.5.2'/>"), "take it for"},
    {"HostSeconds", in_dhcp("<host name='120' ip='192.168.5.2'/>"), "take it for"},
    {"HostInfinite", in_dhcp("<host name='infinite' ip='192.168.5.2'/>"), "take it for"},
    {"HostIgnore", in_dhcp("<host name='ignore' ip='192.168.5.2'/>"), "take it for"},
    {"HostAddress", in_dhcp("<host name='192.168.5.9' ip='192.168.5.2'/>"), "take it for"},
    {"HostColon", in_dhcp("<host name='set:x' ip='192.168.5.2'/>"), "take it for"},
    {"Host6Mac", in_ip6("<dhcp><host mac='52:54:00:00:00:01' ip='2001:db8::2'/></dhcp>"), "use id or name"},
    {"Host6Nothing", in_ip6("<dhcp><host ip='2001:db8::2'/></dhcp>"), "needs id or name"},
    {"HostId", in_ip6("<dhcp><host id='0:zz' ip='2001:db8::2'/></dhcp>"), "hexadecimal"},
    {"BootpServer", in_dhcp("<bootp file='a' server='host'/>"), "<bootp server='host'>"},
    {"BootpComma", in_dhcp("<bootp file='a,b'/>"), "comma"},
    {"RouteNoGateway", ip + "<route address='10.0.0.0' prefix='8'/>", "attribute gateway is missing"},
    {"RouteNoAddress", ip + "<route prefix='8' gateway='192.168.5.2'/>", "attribute address is missing"},
    {"RouteElsewhere", ip + "<route address='10.0.0.0' prefix='8' gateway='192.168.6.2'/>", "in none of the"},
    {"RouteFamily", ip + "<route address='10.0.0.0' prefix='8' gateway='::1'/>", "same family"},
    {"RouteHostBits", ip + "<route address='10.0.0.1' prefix='8' gateway='192.168.5.2'/>",
     "not a network address"},
    {"RouteBoth", ip + "<route address='10.0.0.0' prefix='8' netmask='255.0.0.0' gateway='192.168.5.2'/>",
     "exclude each other"},
    {"RouteMetric", ip + "<route address='10.0.0.0' prefix='8' gateway='192.168.5.2' metric='0'/>", "from 1"},
};

const std::vector<Case> dns_cases = {
    {"DisabledWithTxt", "<dns enable='no'><txt name='a' value='b'/></dns>" + ip, "<dns enable='no'>"},
    {"DisabledWithForwarder", "<dns enable='no'><forwarder addr='1.1.1.1'/></dns>" + ip, "<dns enable='no'>"},
    {"Enable", "<dns enable='maybe'/>" + ip, "allowed: yes, no"},
    {"ForwarderEmpty", in_dns("<forwarder/>"), "<forwarder>: needs addr, domain or both"},
    {"ForwarderPort", in_dns("<forwarder addr='1.1.1.1' port='0'/>"), "port"},
    {"ForwarderPortAlone", in_dns("<forwarder domain='a' port='53'/>"), "port= needs addr="},
    {"ForwarderAddr", in_dns("<forwarder addr='dns.example'/>"), "not an IPv4"},
    {"HostNoIp", in_dns("<host><hostname>a</hostname></host>"), "attribute ip is missing"},
    {"HostNoName", in_dns("<host ip='1.1.1.1'/>"), "at least one <hostname>"},
    {"HostEmptyName", in_dns("<host ip='1.1.1.1'><hostname> </hostname></host>"), "<hostname>: is empty"},
    {"HostNewline", in_dns("<host ip='1.1.1.1'><hostname>a\n2.2.2.2 b</hostname></host>"), "in a name"},
    {"TxtNoName", in_dns("<txt value='b'/>"), "attribute name is missing"},
    {"TxtNoValue", in_dns("<txt name='b'/>"), "attribute value is missing"},
    {"TxtSpace", in_dns("<txt name='a b' value='c'/>"), "no space"},
    {"TxtInjection", in_dns("<txt name='a' value='c&#10;dhcp-script=/x'/>"), "no newline"},
    {"TxtCarriageReturn", in_dns("<txt name='a' value='c&#13;x'/>"), "no newline"},
    {"SrvNoService", in_dns("<srv protocol='tcp'/>"), "service is missing"},
    {"SrvNoProtocol", in_dns("<srv service='a'/>"), "protocol is missing"},
    {"SrvPort", in_dns("<srv service='a' protocol='tcp' target='b' port='0'/>"), "from 1 to 65535"},
    {"SrvPortNoTarget", in_dns("<srv service='a' protocol='tcp' port='1'/>"), "need a target"},
    {"SrvPriorityNoTarget", in_dns("<srv service='a' protocol='tcp' priority='1'/>"), "need a target"},
    {"SrvWeightNoTarget", in_dns("<srv service='a' protocol='tcp' weight='1'/>"), "need a target"},
    {"OptionEmpty",
     ip + "<d:options xmlns:d='http://libvirt.org/schemas/network/dnsmasq/1.0'><d:option/></d:options>",
     "attribute value is missing"},
    {"OptionNewline",
     ip + "<d:options xmlns:d='http://libvirt.org/schemas/network/dnsmasq/1.0'><d:option "
          "value='a&#10;b'/></d:options>",
     "no newline"},
};

class Rejected : public testing::TestWithParam<Case> {};

TEST_P(Rejected, WithAReason) {
  const auto& c = GetParam();
  const auto network = parse_network("<network>\n<name>n</name>\n" + c.body + "\n</network>", "net.xml");
  ASSERT_FALSE(network) << c.body;
  EXPECT_EQ(network.error().kind, ErrorKind::Invalid);
  EXPECT_THAT(network.error().message, testing::HasSubstr(c.message));
  EXPECT_EQ(network.error().message.find('\n'), std::string::npos);
  EXPECT_EQ(network.error().file, "net.xml");
  EXPECT_GE(network.error().line, 3);
}

const auto title = [](const testing::TestParamInfo<Case>& info) { return std::string(info.param.title); };
INSTANTIATE_TEST_SUITE_P(Forward, Rejected, testing::ValuesIn(forward_cases), title);
INSTANTIATE_TEST_SUITE_P(Link, Rejected, testing::ValuesIn(link_cases), title);
INSTANTIATE_TEST_SUITE_P(Ip, Rejected, testing::ValuesIn(ip_cases), title);
INSTANTIATE_TEST_SUITE_P(Dns, Rejected, testing::ValuesIn(dns_cases), title);

TEST(RejectedDocument, NameAndRoot) {
  const auto message = [](const std::string& xml) {
    const auto network = parse_network(xml, "f");
    return network ? "accepted" : network.error().message;
  };
  EXPECT_THAT(message("<domain/>"), testing::HasSubstr("must be <network>"));
  EXPECT_THAT(message("<network/>"), testing::HasSubstr("<name> is missing"));
  EXPECT_THAT(message("<network><name/></network>"), testing::HasSubstr("is empty"));
  EXPECT_THAT(message("<network><name>a/b</name></network>"), testing::HasSubstr("no slash"));
  EXPECT_THAT(message("<network><name>a\nb</name></network>"), testing::HasSubstr("no newline"));
  EXPECT_THAT(message("<network><name>..</name></network>"), testing::HasSubstr("'..'"));
  EXPECT_THAT(message("<network ipv6='1'><name>a</name></network>"),
              testing::HasSubstr("<network ipv6='1'>"));
}

}  // namespace
}  // namespace vnet
