// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/model/address.h"

#include <gtest/gtest.h>

#include "loader/model/network.h"

namespace vnet {
namespace {

Address addr(const char* text) {
  const auto address = Address::parse(text);
  EXPECT_TRUE(address) << text;
  return address.value_or(Address{});
}
Prefix prefix(const char* text) {
  const auto parsed = Prefix::parse(text);
  EXPECT_TRUE(parsed) << text;
  return parsed.value_or(Prefix{});
}

TEST(Address, ReadsAndWritesBothFamilies) {
  for (const char* text : {"0.0.0.0", "192.0.2.1", "255.255.255.255", "::", "2001:db8::1", "fe80::ff:fe00:1"})
    EXPECT_EQ(addr(text).text(), text);
  EXPECT_EQ(addr("2001:DB8:0:0::1").text(), "2001:db8::1");
  EXPECT_EQ(addr("192.0.2.1").family, Family::V4);
  EXPECT_EQ(addr("::1").bits(), 128U);
}

TEST(Address, RefusesWhatIsNotOne) {
  for (const char* text :
       {"", " ", "1.2.3", "1.2.3.256", "1.2.3.4 ", "1.2.3.4/24", "fe80::1%eth0", "g::", "host",
        "1:2:3:4:5:6:7:8:9", "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb"})
    EXPECT_FALSE(Address::parse(text)) << text;
  EXPECT_FALSE(Address::parse(std::string_view("1.2.3.4\0x", 9)));
}

TEST(Address, KnowsItsKind) {
  EXPECT_TRUE(addr("224.0.0.1").is_multicast());
  EXPECT_TRUE(addr("239.255.255.255").is_multicast());
  EXPECT_FALSE(addr("240.0.0.1").is_multicast());
  EXPECT_TRUE(addr("ff02::1").is_multicast());
  EXPECT_TRUE(addr("169.254.1.1").is_link_local());
  EXPECT_TRUE(addr("febf::1").is_link_local());
  EXPECT_FALSE(addr("fec0::1").is_link_local());
}

TEST(Address, SortsAsNumbers) {
  EXPECT_LT(addr("10.0.0.9"), addr("10.0.0.10"));
  EXPECT_LT(addr("127.255.255.255"), addr("128.0.0.0"));
  EXPECT_LT(addr("::ff"), addr("::100"));
}

TEST(Prefix, ReadsLengths) {
  EXPECT_EQ(prefix("192.0.2.1/24").text(), "192.0.2.1/24");
  EXPECT_EQ(prefix("192.0.2.1").length, 32U);
  EXPECT_EQ(prefix("::1").length, 128U);
  for (const char* text :
       {"1.2.3.4/", "1.2.3.4/33", "::/129", "1.2.3.4/-1", "1.2.3.4/8x", "/8", "1.2.3.4/8/8"})
    EXPECT_FALSE(Prefix::parse(text)) << text;
}

TEST(Prefix, Arithmetic) {
  struct Case {
    const char *prefix, *network, *netmask, *broadcast;
  };
  for (const auto& c : {Case{"192.168.122.77/24", "192.168.122.0/24", "255.255.255.0", "192.168.122.255"},
                        Case{"10.1.2.3/9", "10.0.0.0/9", "255.128.0.0", "10.127.255.255"},
                        Case{"10.1.2.3/0", "0.0.0.0/0", "0.0.0.0", "255.255.255.255"},
                        Case{"10.1.2.3/32", "10.1.2.3/32", "255.255.255.255", "10.1.2.3"},
                        Case{"10.1.2.3/31", "10.1.2.2/31", "255.255.255.254", "10.1.2.3"},
                        Case{"2001:db8::1/61", "2001:db8::/61",
                             "ffff:ffff:ffff:fff8::", "2001:db8:0:7:ffff:ffff:ffff:ffff"}}) {
    const auto p = prefix(c.prefix);
    EXPECT_EQ(p.network().text(), c.network);
    EXPECT_EQ(p.netmask().text(), c.netmask);
    EXPECT_EQ(p.broadcast().text(), c.broadcast);
  }
}

TEST(Prefix, ContainsAndOverlaps) {
  const auto net = prefix("192.168.122.1/24");
  EXPECT_TRUE(net.contains(addr("192.168.122.255")));
  EXPECT_FALSE(net.contains(addr("192.168.123.0")));
  EXPECT_FALSE(net.contains(addr("::")));
  EXPECT_TRUE(prefix("0.0.0.0/0").contains(addr("203.0.113.9")));
  EXPECT_FALSE(prefix("0.0.0.0/0").contains(addr("::1")));
  EXPECT_TRUE(net.overlaps(prefix("192.168.0.0/16")));
  EXPECT_TRUE(prefix("192.168.0.0/16").overlaps(net));
  EXPECT_FALSE(net.overlaps(prefix("192.168.123.0/24")));
  EXPECT_FALSE(prefix("::/0").overlaps(net));
}

TEST(Prefix, LengthOfNetmask) {
  EXPECT_EQ(Prefix::length_of(addr("255.255.255.0")), 24U);
  EXPECT_EQ(Prefix::length_of(addr("0.0.0.0")), 0U);
  EXPECT_FALSE(Prefix::length_of(addr("255.0.255.0")));
}

TEST(Mac, ReadsAndWrites) {
  EXPECT_EQ(Mac::parse("52:54:00:AB:cd:0f")->text(), "52:54:00:ab:cd:0f");
  EXPECT_EQ(Mac::parse("0:1:2:3:4:5")->text(), "00:01:02:03:04:05");
  for (const char* text : {"", "52:54:00:ab:cd", "52:54:00:ab:cd:0f:11", "52-54-00-ab-cd-0f", "525400abcd0f",
                           "52:54:00:ab:cd:", "52:54:00:ab:cd:g0", "52:54:00:ab:cd:0f ", "-1:0:0:0:0:0"})
    EXPECT_FALSE(Mac::parse(text)) << text;
  EXPECT_TRUE(Mac::parse("01:00:5e:00:00:01")->is_multicast());
}

TEST(Mac, RandomIsUnicastAndDiffers) {
  const auto a = Mac::random(), b = Mac::random();
  EXPECT_TRUE(a.text().starts_with("52:54:00:"));
  EXPECT_FALSE(a.is_multicast());
  EXPECT_NE(a, b);
}

TEST(ModelNetwork, Default) {
  const auto network = default_network();
  EXPECT_EQ(network.name, "default");
  EXPECT_STREQ(mode_name(network.mode), "nat");
  EXPECT_EQ(network.ips.at(0).gateway.text(), "192.168.122.1/24");
  EXPECT_TRUE(network.has(Family::V4));
  EXPECT_FALSE(network.has(Family::V6));
}

}  // namespace
}  // namespace vnet
