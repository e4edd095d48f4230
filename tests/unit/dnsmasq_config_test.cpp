// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/services/dnsmasq_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "loader/config/network_xml.h"

namespace vnet {
namespace {

using testing::HasSubstr;
using testing::Not;

const DnsmasqPaths paths = {"/run/n.pid", "/run/n.leases", "/run/n.hostsfile", "/run/n.addnhosts"};

DnsmasqFiles files_of(const std::string& body, const DnsmasqPaths& where = paths) {
  const auto network = parse_network("<network><name>n</name>" + body + "</network>", "f");
  EXPECT_TRUE(network) << network.error().message;
  return network ? dnsmasq_files(*network, where, "virbr7") : DnsmasqFiles{};
}

TEST(DnsmasqConfig, EverythingInOrder) {
  const auto files = files_of(R"(
    <mtu size='9000'/><domain name='lab' localOnly='yes'/>
    <dns forwardPlainNames='no'>
      <forwarder addr='1.1.1.1'/><forwarder domain='a.b' addr='::1' port='5353'/><forwarder domain='c'/>
      <txt name='t' value='v w'/><srv service='s' protocol='udp' target='.' weight='3'/>
      <host ip='10.0.0.9'><hostname>x</hostname><hostname>y</hostname></host>
    </dns>
    <ip address='10.0.0.1' prefix='24' localPtr='yes'>
      <tftp root='/srv/a b'/>
      <dhcp>
        <range start='10.0.0.2' end='10.0.0.11'><lease expiry='5'/></range>
        <range start='10.0.0.20' end='10.0.0.20'/>
        <host name='h' ip='10.0.0.30'><lease expiry='3' unit='hours'/></host>
        <bootp file='f' server='10.0.0.3'/>
      </dhcp>
    </ip>
    <ip family='ipv6' address='2001:db8::1' prefix='60'>
      <dhcp><host id='0:1' name='h6' ip='2001:db8::5'><lease expiry='0'/></host></dhcp>
    </ip>)");
  EXPECT_THAT(files.conf, testing::EndsWith(R"(strict-order
server=1.1.1.1
server=/a.b/::1#5353
server=/c/#
no-resolv
local=/lab/
domain=lab
expand-hosts
local=/0.0.10.in-addr.arpa/
domain-needed
local=//
pid-file=/run/n.pid
dhcp-leasefile=/run/n.leases
except-interface=lo
bind-dynamic
interface=virbr7
dhcp-option=3
no-resolv
ra-param=*,0,0
txt-record=t,v w
srv-host=_s._udp,,1,0,3
enable-tftp
tftp-root="/srv/a b"
dhcp-range=10.0.0.2,10.0.0.11,255.255.255.0,5m
dhcp-range=10.0.0.20,10.0.0.20,255.255.255.0
dhcp-no-override
dhcp-authoritative
dhcp-boot=f,,10.0.0.3
dhcp-range=2001:db8::1,static,60
dhcp-lease-max=11
dhcp-hostsfile=/run/n.hostsfile
addn-hosts=/run/n.addnhosts
dhcp-option=option:mtu,9000
enable-ra
)"));
  EXPECT_EQ(files.hostsfile, "h,10.0.0.30,3h\nid:0:1,h6,[2001:db8::5],infinite\n");
  EXPECT_EQ(files.addnhosts, "10.0.0.9 x y\n");
  EXPECT_TRUE(files.needed);
}

TEST(DnsmasqConfig, IsNeededOrNot) {
  EXPECT_FALSE(files_of("").needed);
  EXPECT_TRUE(files_of("<ip address='10.0.0.1'/>").needed);
  const std::string off = "<dns enable='no'/>";
  EXPECT_FALSE(files_of(off + "<ip address='10.0.0.1'/>").needed);
  EXPECT_TRUE(files_of(off + "<ip address='10.0.0.1'><tftp root='/a'/></ip>").needed);
  EXPECT_TRUE(
      files_of(off + "<ip address='10.0.0.1'><dhcp><host name='a' ip='10.0.0.2'/></dhcp></ip>").needed);
  const auto conf = files_of(off + "<ip address='10.0.0.1'/>").conf;
  EXPECT_THAT(conf, HasSubstr("port=0\n"));
  EXPECT_THAT(conf, Not(HasSubstr("addn-hosts")));
}

TEST(DnsmasqConfig, TftpIsEnabledOnce) {
  const auto conf = files_of(
                        "<ip address='10.0.0.1'><tftp root='/a'/></ip>"
                        "<ip address='11.0.0.1'><tftp root='/b'/></ip>")
                        .conf;
  EXPECT_THAT(conf, HasSubstr("enable-tftp\ntftp-root=/a\ntftp-root=/b\n"));
}

TEST(DnsmasqConfig, PathsAreQuoted) {
  const DnsmasqPaths odd = {"", "", "/x/a\"b\\c #d", "/x/plain"};
  const auto conf =
      files_of("<ip address='10.0.0.1'><dhcp><host name='a' ip='10.0.0.2'/></dhcp></ip>", odd).conf;
  EXPECT_THAT(conf, HasSubstr("dhcp-hostsfile=\"/x/a\\\"b\\\\c #d\"\n"));
  EXPECT_THAT(conf, Not(HasSubstr("pid-file")));
}

}  // namespace
}  // namespace vnet
