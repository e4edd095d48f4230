// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/config/domain_xml.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace vnet {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const std::string domain = R"(<domain type='kvm' id='3'>
  <name>g1</name><uuid>1b4e28ba-2fa1-11d2-883f-0016d3cca427</uuid>
  <devices>
    <disk type='file'><target dev='vda' bus='virtio'/></disk>
    <interface type='bridge' trustGuestRxFilters='yes'>
      <mac address='52:54:00:12:34:56'/><source bridge='virbr0' portgroup='lb'/><target dev='vnet0'/>
      <bandwidth><inbound floor='50'/><outbound average='100' burst='30'/></bandwidth><vlan><tag id='42'/></vlan>
      <model type='virtio'/><port isolated='yes'/><link state='down'/>
      <filterref filter='clean-traffic'>
        <parameter name='IP' value='192.168.122.7'/><parameter name='IP' value='192.168.122.8'/>
        <parameter name='IPV6' value='fd00::7'/><parameter name='DHCPSERVER' value='192.168.122.1'/>
      </filterref>
    </interface>
    <interface type='network'><source network='default'/></interface>
  </devices>
</domain>)";

TEST(DomainXml, WhatAPortIsToKnow) {
  auto cards = parse_domain_interfaces(domain, "g1");
  ASSERT_TRUE(cards) << cards.error().message;
  ASSERT_EQ(2U, cards->size());
  const GuestInterface& first = cards->front();
  EXPECT_EQ("vnet0", first.target);
  EXPECT_EQ("g1", first.guest);
  EXPECT_EQ("1b4e28ba-2fa1-11d2-883f-0016d3cca427", first.guest_uuid);
  EXPECT_EQ("virtio", first.model);
  EXPECT_EQ("lb", first.portgroup);
  EXPECT_EQ(true, first.trust_guest_rx_filters);
  EXPECT_EQ(Mac::parse("52:54:00:12:34:56"), first.mac);
  EXPECT_EQ(false, first.link_up);
  EXPECT_EQ(true, first.isolated);
  EXPECT_EQ("clean-traffic", first.filter);
  EXPECT_THAT(first.ips, ElementsAre(*Address::parse("192.168.122.7"), *Address::parse("192.168.122.8"),
                                     *Address::parse("fd00::7")));
  ASSERT_TRUE(first.bandwidth && first.vlan);
  EXPECT_EQ((BandwidthPair{.inbound = {}, .outbound = Bandwidth{.average = 100, .peak = 0, .burst = 30}}),
            *first.bandwidth);
  EXPECT_EQ((Vlan{.trunk = false, .tags = {{.id = 42}}}), *first.vlan);
}

TEST(DomainXml, WhatIsNotSaidIsLeftOpen) {
  auto cards = parse_domain_interfaces(domain, "g1");
  ASSERT_TRUE(cards);
  const GuestInterface& second = cards->back();
  EXPECT_EQ("", second.target + second.model + second.filter + second.portgroup);
  EXPECT_FALSE(second.trust_guest_rx_filters);
  EXPECT_FALSE(second.mac || second.link_up || second.isolated || second.bandwidth || second.vlan);
  EXPECT_THAT(second.ips, IsEmpty());
  EXPECT_THAT(*parse_domain_interfaces("<domain/>", "g1"), IsEmpty());
}

TEST(DomainXml, WhatIsNoDomainIsRefused) {
  EXPECT_THAT(parse_domain_interfaces("<network/>", "guest g1").error().message, HasSubstr("<domain>"));
  for (std::size_t length = 0; length < domain.size(); ++length)
    EXPECT_FALSE(parse_domain_interfaces(domain.substr(0, length), "g1"));
}

TEST(DomainXml, FiltersByLibvirtsNames) {
  EXPECT_THAT(*filters_like("clean-traffic"), ElementsAre("clean-traffic"));
  EXPECT_THAT(*filters_like("no-arp-mac-spoofing"), ElementsAre("no-arp-spoofing"));
  EXPECT_THAT(*filters_like("allow-dhcp-server"), IsEmpty());  // theirs does not make the guest one
  EXPECT_FALSE(filters_like("house-rule"));
}

}  // namespace
}  // namespace vnet
