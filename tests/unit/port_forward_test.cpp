// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/model/port_forward.h"

#include <gtest/gtest.h>

namespace vnet {
namespace {

PortForward forward(const std::string& ports, const std::string& listen = "",
                    const std::string& proto = "tcp") {
  PortForward one{.proto = proto, .ports = *parse_port_range(ports), .listen = {}, .to = {}, .from = {}};
  one.to = *Address::parse("192.168.122.10");
  one.to_port = 80;
  if (!listen.empty()) one.listen = Address::parse(listen);
  return one;
}

HostSocket socket(const std::string& address, std::uint16_t port, const std::string& protocol = "tcp") {
  HostSocket one;
  one.protocol = protocol;
  one.address = *Address::parse(address);
  one.port = port;
  return one;
}

TEST(PortForward, ReadsRanges) {
  EXPECT_EQ((PortRange{80, 80}), parse_port_range("80"));
  EXPECT_EQ((PortRange{1, 65535}), parse_port_range("1-65535"));
  for (const char* bad : {"", "-", "0", "65536", "2-1", "1-", "-1", "1-2-3", "http", "1 "})
    EXPECT_FALSE(parse_port_range(bad)) << bad;
}

TEST(PortForward, SaysWhatItIs) {
  EXPECT_EQ("tcp/8080 to 192.168.122.10:80", forward_line(forward("8080")));
  EXPECT_EQ("udp/8000-8001 at 203.0.113.2 to 192.168.122.10:80-81",
            forward_line(forward("8000-8001", "203.0.113.2", "udp")));
}

TEST(PortForward, Overlaps) {
  EXPECT_TRUE(do_overlap(forward("1-5"), forward("5-9")));
  EXPECT_FALSE(do_overlap(forward("1-5"), forward("6")));
  EXPECT_FALSE(do_overlap(forward("1"), forward("1", "", "udp")));
  EXPECT_TRUE(do_overlap(forward("1"), forward("1", "203.0.113.2")));
  EXPECT_FALSE(do_overlap(forward("1", "203.0.113.2"), forward("1", "203.0.113.3")));
  auto other = forward("1");
  other.to = *Address::parse("fd00::2");
  EXPECT_FALSE(do_overlap(forward("1"), other));
}

TEST(PortForward, SocketsInTheWay) {
  const auto any = forward("8000-8010"), one = forward("8000-8010", "203.0.113.2");
  for (const char* address : {"0.0.0.0", "::", "203.0.113.2"}) {
    EXPECT_TRUE(is_in_the_way(socket(address, 8010), any)) << address;
    EXPECT_TRUE(is_in_the_way(socket(address, 8010), one)) << address;
  }
  EXPECT_TRUE(is_in_the_way(socket("127.0.0.1", 8000), any));
  EXPECT_FALSE(is_in_the_way(socket("127.0.0.53", 8000), any)) << "only 127.0.0.1 is led away";
  EXPECT_FALSE(is_in_the_way(socket("127.0.0.1", 8000), one));
  EXPECT_FALSE(is_in_the_way(socket("203.0.113.2", 8011), any));
  EXPECT_FALSE(is_in_the_way(socket("203.0.113.2", 8000, "udp"), any));
  auto only6 = socket("::", 8000);
  only6.ipv6_only = true;
  EXPECT_FALSE(is_in_the_way(only6, any));
  // The network's own DNS goes on at its gateway.
  auto dns = socket("192.168.122.1", 53);
  dns.process = "dnsmasq";
  EXPECT_FALSE(is_in_the_way(dns, forward("53")));
  EXPECT_TRUE(is_in_the_way(dns, forward("53", "192.168.122.1")));
}

TEST(PortForward, IsFoundByWhatIsSentToTheHost) {
  const std::vector<PortForward> all{forward("1-5", "203.0.113.2"), forward("7")};
  EXPECT_EQ(&all[0], forward_for(all, "tcp", *Address::parse("203.0.113.2"), 5));
  EXPECT_EQ(&all[1], forward_for(all, "tcp", *Address::parse("203.0.113.3"), 7));
  EXPECT_EQ(nullptr, forward_for(all, "tcp", *Address::parse("203.0.113.3"), 5));
  EXPECT_EQ(nullptr, forward_for(all, "udp", *Address::parse("203.0.113.2"), 5));
}

}  // namespace
}  // namespace vnet
