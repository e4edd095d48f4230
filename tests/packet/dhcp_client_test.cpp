// SPDX-License-Identifier: GPL-2.0-or-later
// Nobody takes another's lease, and nobody all of them.
#include <cstring>

#include "tests/packet/dhcp_bytes.h"
#include "tests/packet/guard_fixture.h"

namespace vnet::test {
namespace {

enum Message { Discover = 1, Request = 3, Decline = 4, Release = 7 };

Bytes number(std::uint32_t value) {
  return {static_cast<std::uint8_t>(value >> 24), static_cast<std::uint8_t>(value >> 16),
          static_cast<std::uint8_t>(value >> 8), static_cast<std::uint8_t>(value)};
}

struct Asked {
  Message message = Request;
  std::string client_mac = mac::guest1;
  std::string requested, current;  // option 50, ciaddr
  Bytes client_id;
  Bytes more;  // options in front
};

Bytes dhcp(const Asked& asked) {
  Bytes out = {1, 1, 6, 0};
  out.resize(12);
  if (!asked.current.empty()) put(out, raw(asked.current));
  out.resize(28);
  put(out, mac_bytes_of(asked.client_mac));
  out.resize(236);
  put(out, {0x63, 0x82, 0x53, 0x63});
  put(out, asked.more);
  put(out, {53, 1, static_cast<std::uint8_t>(asked.message)});
  if (!asked.client_id.empty()) {
    put(out, {61, static_cast<std::uint8_t>(asked.client_id.size())});
    put(out, asked.client_id);
  }
  if (!asked.requested.empty()) put(out, {50, 4}), put(out, raw(asked.requested));
  put(out, {255});
  return out;
}

class DhcpClient : public GuardTest {
 protected:
  // g1's frame as its port hands it over.
  Packet frame(const Bytes& message, const std::string& source_mac = mac::guest1) {
    return Ethernet{.src = source_mac, .dst = "ff:ff:ff:ff:ff:ff"} / ip("0.0.0.0", "255.255.255.255") /
           Udp{.src_port = 68, .dst_port = 67} / Payload(message);
  }
  std::string at_gateway(const Packet& packet, int port = slot::g1) {
    Ran ran = run(Program::GatewayIngress, packet, {}, static_cast<std::uint16_t>(port));
    return ran.drops.empty() ? "" : ran.drops.begin()->first.second;
  }
  std::string asks(const Asked& asked, int port = slot::g1) { return at_gateway(frame(dhcp(asked)), port); }
  void lease(const std::string& ip, int port) { own(ip, port, {.source = VNET_ADDRESS_LEASED}); }

  Packet frame6(std::uint8_t type, std::uint32_t duid, const std::vector<std::uint32_t>& associations,
                const std::string& named = "") {
    Bytes out = {type, 1, 2, 3, 0, 1, 0, 8, 0, 2, 0, 0};
    put(out, number(duid));
    for (auto each : associations) {
      put(out, {0, 3, 0, static_cast<std::uint8_t>(named.empty() ? 12 : 40)});
      put(out, number(each)), put(out, number(0)), put(out, number(0));
      if (named.empty()) continue;
      put(out, {0, 5, 0, 24}), put(out, raw(named)), put(out, number(9)), put(out, number(9));
    }
    return Ethernet{.src = mac::guest1, .dst = "33:33:00:01:00:02"} /
           ip("fe80::5054:ff:fe00:10a", "ff02::1:2", 1) / Udp{.src_port = 546, .dst_port = 547} /
           Payload(out);
  }
};
INSTANTIATE_TEST_SUITE_P(Ip, DhcpClient, testing::Values(4), [](const auto&) { return std::string("v4"); });

TEST_P(DhcpClient, AsksForWhatIsFreeOrItsOwn) {
  EXPECT_EQ("", asks({.message = Discover}));
  EXPECT_EQ("", asks({.requested = at.guest1}));
  lease(at.guest1, slot::g1);
  EXPECT_EQ("", asks({.requested = at.guest1}));
  EXPECT_EQ("", asks({.current = at.guest1}));
}

TEST_P(DhcpClient, AsksForNoOthersAddress) {
  lease(at.guest2, slot::g2);
  for (const Bytes& id : {Bytes{}, Bytes{0, 1, 2, 3}}) {
    EXPECT_EQ("dhcp-client", asks({.requested = at.guest2, .client_id = id}));
    EXPECT_EQ("dhcp-client", asks({.current = at.guest2, .client_id = id}));
  }
  EXPECT_TRUE(owned(at.guest2, slot::g2));
}

TEST_P(DhcpClient, GivesNoOthersAddressBack) {
  lease(at.guest2, slot::g2);
  lease(at.guest1, slot::g1);
  EXPECT_EQ("dhcp-client", asks({.message = Release, .current = at.guest2}));
  EXPECT_EQ("dhcp-client", asks({.message = Release, .requested = at.guest1, .current = at.guest2}));
  EXPECT_EQ("dhcp-client", asks({.message = Decline, .requested = at.guest2}));
  EXPECT_EQ("dhcp-client", asks({.message = Release, .current = "192.168.122.99"}));
  EXPECT_TRUE(owned(at.guest2, slot::g2));
  EXPECT_EQ("", asks({.message = Release, .current = at.guest1}));
  EXPECT_FALSE(owned(at.guest1, slot::g1));
  EXPECT_FALSE(owned(at.guest1, slot::network));
}

// Once it is given back, others may have it.
TEST_P(DhcpClient, AReleasedAddressIsFree) {
  lease(at.guest1, slot::g1);
  EXPECT_EQ("dhcp-client", asks({.client_mac = mac::guest2, .requested = at.guest1}, slot::g2));
  EXPECT_EQ("", asks({.message = Release, .current = at.guest1}));
  EXPECT_EQ("", asks({.client_mac = mac::guest2, .requested = at.guest1}, slot::g2));
}

TEST_P(DhcpClient, SpeaksForNobodyAtAnotherPort) {
  EXPECT_EQ("dhcp-client", asks({.message = Discover, .client_mac = mac::guest2}));
  EXPECT_EQ("", asks({.message = Discover, .client_mac = mac::stranger}));  // something that it runs
}

TEST_P(DhcpClient, AGuardedOneSpeaksForItselfAlone) {
  guard("g1", clean_traffic);
  passes(frame(dhcp({.message = Discover})));
  for (const std::string& other : {mac::guest2, mac::stranger})
    drops(frame(dhcp({.message = Discover, .client_mac = other})), "dhcp-client");
  lease(at.guest2, slot::g2);
  drops(frame(dhcp({.requested = at.guest2})), "dhcp-client");
}

TEST_P(DhcpClient, APortHasSoManyClients) {
  int served = 0, refused = 0;
  for (unsigned i = 0; i < 300; ++i) {
    char other[18];
    std::snprintf(other, sizeof(other), "52:54:77:00:%02x:%02x", i >> 8, i & 0xff);
    (asks({.message = Discover, .client_mac = other}).empty() ? served : refused)++;
    Bytes id(12, 7);
    id.push_back(static_cast<std::uint8_t>(i));
    id.push_back(static_cast<std::uint8_t>(i >> 8));
    (asks({.message = Discover, .client_id = id}).empty() ? served : refused)++;
  }
  EXPECT_EQ(VNET_DHCP_CLIENTS_MAX, served);
  EXPECT_EQ("", asks({.message = Request, .client_mac = "52:54:77:00:00:00"}));     // one of those
  EXPECT_EQ("", asks({.message = Discover, .client_mac = mac::guest2}, slot::g2));  // a neighbour
}

// The server reads on where we would not.
TEST_P(DhcpClient, HidesNothing) {
  lease(at.guest2, slot::g2);
  EXPECT_EQ("dhcp-client", asks({.requested = at.guest2, .more = Bytes(200, 0)}));  // pads
  EXPECT_EQ("dhcp-client", asks({.message = Discover, .more = {52, 1, 1}}));        // overload
  Packet first = Ethernet{.src = mac::guest1, .dst = "ff:ff:ff:ff:ff:ff"} /
                 Ipv4{.src = "0.0.0.0", .dst = "255.255.255.255", .more_fragments = true} /
                 Udp{.src_port = 68, .dst_port = 67} / Payload(dhcp({.message = Discover}));
  EXPECT_EQ("dhcp-client", at_gateway(first));
}

TEST_P(DhcpClient, TheSameOfIpv6) {
  const std::string theirs = ends(6).guest2, own_one = ends(6).guest1;
  own(theirs, slot::g2, {.source = VNET_ADDRESS_LEASED});
  own(own_one, slot::g1, {.source = VNET_ADDRESS_LEASED});
  EXPECT_EQ("", at_gateway(frame6(1, 5, {1})));
  for (std::uint8_t type : {3, 5, 6, 8, 9}) {
    EXPECT_EQ("dhcp-client", at_gateway(frame6(type, 5, {1}, theirs))) << int{type};
    if (type >= 8) continue;
    EXPECT_EQ("", at_gateway(frame6(type, 5, {1}, own_one))) << int{type};
  }
  EXPECT_EQ("dhcp-client", at_gateway(frame6(12, 5, {1})));
  EXPECT_EQ("", at_gateway(frame6(8, 5, {1}, own_one)));
  EXPECT_FALSE(owned(own_one, slot::g1));
  int served = 0;
  for (unsigned i = 0; i < 300; ++i) served += at_gateway(frame6(1, 1000 + i, {1, 2})).empty();
  EXPECT_LE(served, VNET_DHCP_CLIENTS_MAX / 2);
  EXPECT_GE(served, VNET_DHCP_CLIENTS_MAX / 2 - 1);
}

}  // namespace
}  // namespace vnet::test
