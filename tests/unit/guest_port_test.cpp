// SPDX-License-Identifier: GPL-2.0-or-later
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "loader/config/guest_port_xml.h"
#include "loader/config/metadata_xml.h"
#include "loader/config/network_xml.h"

namespace vnet::test {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::Pair;

// As the QEMU driver sends it.
const char* const card_xml = R"(<networkport>
  <uuid>5d744f21-ba4a-4d6e-bdb2-30a35ff3207d</uuid>
  <owner><name>g1</name><uuid>df5b1ce2-9d1e-4c8f-a9ac-1e8c0a7c3f10</uuid></owner>
  <group>web</group>
  <mac address='52:54:00:00:00:01'/>
  <bandwidth><inbound average='1000' peak='2000' floor='10'/><outbound average='128' burst='256'/></bandwidth>
  <vlan><tag id='42'/></vlan>
  <port isolated='yes'/>
  <rxfilters trustGuest='yes'/>
  <younger one='1'/>
</networkport>)";

Network port_network(const char* more, const char* forward = "<forward mode='nat'/>") {
  auto parsed = parse_network(std::string("<network><name>n</name>") + forward + more + "</network>", "n");
  EXPECT_TRUE(parsed) << parsed.error().message;
  return parsed.value_or(Network{});
}
const char* const port_gateway = "<bridge name='virbr0'/><ip address='192.0.2.1' prefix='24'/>";

GuestPort port_of(const char* xml) {
  auto parsed = parse_guest_port(xml);
  EXPECT_TRUE(parsed) << parsed.error().message;
  return {.uuid = parsed->uuid, .network = "n", .xml = xml, .request = parsed->request};
}

TEST(GuestPortXml, IsReadAsTheDriverSendsIt) {
  auto port = parse_guest_port(card_xml);
  ASSERT_TRUE(port) << port.error().message;
  EXPECT_EQ(port->uuid, "5d744f21-ba4a-4d6e-bdb2-30a35ff3207d");
  EXPECT_FALSE(port->is_plugged);
  const PortRequest& request = port->request;
  EXPECT_EQ(request.guest, "g1");
  EXPECT_EQ(request.guest_uuid, "df5b1ce2-9d1e-4c8f-a9ac-1e8c0a7c3f10");
  EXPECT_EQ(request.portgroup, "web");
  EXPECT_EQ(request.mac->text(), "52:54:00:00:00:01");
  EXPECT_EQ((*request.bandwidth->inbound)->peak, 2000U);
  EXPECT_EQ((*request.vlan)->tags.front().id, 42U);
  EXPECT_EQ(request.isolated, true);
  EXPECT_EQ(request.any_mac, true);
}

TEST(GuestPortXml, TheAnswerLeavesOutWhatIsOursToDo) {
  auto answer = answer_guest_port(port_of(card_xml), port_network(port_gateway), "");
  ASSERT_TRUE(answer);
  EXPECT_THAT(*answer, AllOf(Not(HasSubstr("bandwidth")), Not(HasSubstr("vlan")), Not(HasSubstr("group")),
                             HasSubstr("<port isolated='yes'/>"), HasSubstr("<rxfilters trustGuest='yes'/>"),
                             HasSubstr("<plug type='network' bridge='virbr0'/>")));
  EXPECT_THAT(*answer, HasSubstr("<younger one=\"1\"/>")) << "of a younger libvirt: given back";
}

TEST(GuestPortXml, TheAnswerIsMergedWithTheNetwork) {
  const char* plain =
      "<networkport><uuid>5d744f21-ba4a-4d6e-bdb2-30a35ff3207d</uuid>"
      "<mac address='52:54:00:00:00:01'/></networkport>";
  auto isolated = answer_guest_port(
      port_of(plain),
      port_network("<bridge name='br0'/><port isolated='yes'/><portgroup name='p' default='yes' "
                   "trustGuestRxFilters='yes'/>",
                   "<forward mode='bridge'/>"),
      "");
  ASSERT_TRUE(isolated);
  EXPECT_THAT(*isolated,
              AllOf(HasSubstr("<port isolated='yes'/>"), HasSubstr("<group>p</group>"),
                    HasSubstr("trustGuest='yes'"), HasSubstr("<plug type='bridge' bridge='br0'/>")));
  auto direct = answer_guest_port(
      port_of(plain), port_network("", "<forward mode='vepa'><interface dev='eth1'/></forward>"), "eth1");
  ASSERT_TRUE(direct);
  EXPECT_THAT(*direct, HasSubstr("<plug type='direct' dev='eth1' mode='vepa'/>"));
}

TEST(GuestPortXml, ItsLimitsAreReadAndChanged) {
  auto values = bandwidth_values(card_xml);
  ASSERT_TRUE(values);
  EXPECT_THAT(*values, ElementsAre(Pair("inbound.average", 1000), Pair("inbound.floor", 10),
                                   Pair("inbound.peak", 2000), Pair("outbound.average", 128),
                                   Pair("outbound.burst", 256)));
  auto changed = with_bandwidth(card_xml, {{"inbound.average", 5}, {"outbound.average", 0}});
  ASSERT_TRUE(changed);
  values = bandwidth_values(*changed);
  ASSERT_TRUE(values);
  EXPECT_THAT(*values, ElementsAre(Pair("inbound.average", 5)));
  EXPECT_THAT(*changed, HasSubstr("<younger"));
}

TEST(GuestPortXml, RefusesWhatIsNone) {
  EXPECT_FALSE(parse_guest_port("<network/>"));
  EXPECT_FALSE(parse_guest_port("<networkport/>")) << "no MAC";
  EXPECT_FALSE(parse_guest_port("<networkport><mac address='01:00:00:00:00:01'/></networkport>"));
}

TEST(GuestPort, IsFoundByTheTapsMac) {
  std::vector<GuestPort> ports{port_of(card_xml), port_of(card_xml)};
  ports[0].number = 1;
  ports[1].number = 2;
  LinkInfo tap{.name = "vnet0", .kind = "tun", .mac = *Mac::parse("fe:54:00:00:00:01")};
  EXPECT_EQ(announced_port(ports, "n", tap), &ports[1]) << "the later of two of one card";
  EXPECT_EQ(announced_port(ports, "other", tap), nullptr);
  tap.mac = *Mac::parse("52:54:00:00:00:01");
  EXPECT_EQ(announced_port(ports, "n", tap), nullptr) << "no hypervisor's";
  tap.mac = *Mac::parse("fe:54:00:00:00:02");
  EXPECT_EQ(announced_port(ports, "n", tap), nullptr);
}

TEST(NetworkMetadata, IsSetReadAndTakenAway) {
  auto set = with_metadata(port_network(port_gateway), MetadataKind::Element, "<mark a='1'><in/></mark>", "m",
                           "urn:m");
  ASSERT_TRUE(set) << set.error().message;
  auto two = with_metadata(*set, MetadataKind::Element, "<other/>", "o", "urn:o");
  ASSERT_TRUE(two);
  auto found = metadata_of(*two, MetadataKind::Element, "urn:m");
  ASSERT_TRUE(found && *found);
  EXPECT_EQ(**found, "<mark a=\"1\"><in/></mark>");
  EXPECT_THAT(two->metadata_xml, HasSubstr("<m:mark xmlns:m=\"urn:m\" a=\"1\"><m:in/></m:mark>"));
  auto without = with_metadata(*two, MetadataKind::Element, std::nullopt, "", "urn:m");
  ASSERT_TRUE(without);
  found = metadata_of(*without, MetadataKind::Element, "urn:m");
  ASSERT_TRUE(found);
  EXPECT_FALSE(*found);
  EXPECT_THAT(without->metadata_xml, HasSubstr("urn:o"));
}

TEST(NetworkMetadata, TitleAndDescription) {
  auto set = with_metadata(port_network(port_gateway), MetadataKind::Title, "A title", "", "");
  ASSERT_TRUE(set);
  EXPECT_EQ(set->title, "A title");
  EXPECT_FALSE(with_metadata(*set, MetadataKind::Title, "two\nlines", "", ""));
  EXPECT_FALSE(*metadata_of(*set, MetadataKind::Description, ""));
}

TEST(NetworkMetadata, OurOwnSettingsHaveToBeRight) {
  const char* wrong = "<network><sessions max='none'/></network>";
  EXPECT_FALSE(with_metadata(port_network(port_gateway), MetadataKind::Element, wrong, "vnet",
                             "urn:vnet-bpf:network:1"));
}

}  // namespace
}  // namespace vnet::test
