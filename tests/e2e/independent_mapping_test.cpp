// SPDX-License-Identifier: GPL-2.0-or-later
// <vnet:nat mapping='endpoint-independent'> with real traffic: what STUN servers see of a guest's socket, who
// may send to it, two guests that punch holes, a live change; and session timeouts.
#include <memory>
#include <vector>

#include "tests/e2e/real_host_fixture.h"

namespace vnet::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr auto soon = std::chrono::milliseconds(700);

class IndependentMapping : public RealHost {
 protected:
  explicit IndependentMapping(std::string_view world = "tcx") : RealHost(world) {}

  static std::string settings(const std::string& inner) {
    return "<metadata><vnet:network xmlns:vnet='urn:vnet-bpf:network:1'>" + inner +
           "</vnet:network></metadata>";
  }
  static std::string mapped(const std::string& filtering = "", const std::string& more = "") {
    return settings("<vnet:nat mapping='endpoint-independent'" +
                    (filtering.empty() ? "" : " filtering='" + filtering + "'") + "/>" + more);
  }
  // As whom a STUN server sees the socket.
  Endpoint seen_as(const UdpSocket& socket, Echo& server, const Endpoint& at) {
    server.forget_peers();
    EXPECT_TRUE(socket.gets_answer(at)) << at << seen();
    auto peers = server.peers();
    return peers.empty() ? Endpoint{} : *peers.begin();
  }
  std::size_t count(const std::string& state) {
    return ground().vnet_json({"flows", "--state", state}).size();
  }
};

class IndependentMappingBy : public IndependentMapping, public testing::WithParamInterface<const char*> {
 protected:
  IndependentMappingBy() : IndependentMapping(GetParam()) {}
};

// Two guests use the same port, each towards two servers: two outside ports.
TEST_P(IndependentMappingBy, StunSeesOneMappingOfEachSocket) {
  up(nat, mapped());
  plug(nat), plug(nat, 12);
  both_families([&](bool v6) {
    const Endpoint near{eth0.theirs(v6), 3478}, far{far_away(v6), 3479};
    Echo first_server(outside(), Transport::Udp, near.port, near.ip),
        second_server(outside(), Transport::Udp, far.port, far.ip);
    for (std::uint16_t port : {5000, 36001, 41641}) {
      SCOPED_TRACE(port);
      UdpSocket first(guest(nat.guest()), port), second(guest(nat.guest(12)), port);
      Endpoint one = seen_as(first, first_server, near), other_one = seen_as(second, second_server, far);
      EXPECT_EQ(one, seen_as(first, second_server, far));
      EXPECT_EQ(other_one, seen_as(second, first_server, near));
      EXPECT_EQ(eth0.ours(v6), one.ip);
      EXPECT_NE(one.port, other_one.port);
      EXPECT_EQ(port % 2, one.port % 2);
      EXPECT_EQ(port % 2, other_one.port % 2);
      if (port == 5000) {
        EXPECT_EQ(5000, one.port) << "kept where it is free";
      }
      // The host's own sockets get their answers, whoever has been mapped meanwhile.
      UdpSocket hosts(host(), static_cast<std::uint16_t>(port + 10));
      EXPECT_TRUE(hosts.gets_answer(near)) << seen();
    }
  });
  EXPECT_EQ(12U, count("mapping")) << ground().vnet({"flows"}).out;
}

// A full cone, a restricted one, and answers only.
TEST_P(IndependentMappingBy, TheFilteringSaysWhoMaySend) {
  struct Case {
    const char* filtering;
    bool stranger, same_address;
  };
  up(nat, mapped());
  plug(nat);
  std::uint16_t port = 6000;
  for (const auto& one : {Case{"endpoint-independent", true, true},
                          {"address-dependent", false, true},
                          {"address-and-port-dependent", false, false}}) {
    SCOPED_TRACE(one.filtering);
    vnet({"apply", "nat", file("nat.xml", nat.xml(mapped(one.filtering)))});
    both_families([&](bool v6) {
      ++port;
      const Endpoint near{eth0.theirs(v6), 3478};
      Echo server(outside(), Transport::Udp, near.port, near.ip);
      UdpSocket socket(guest(nat.guest()), port);
      const Endpoint mapping = seen_as(socket, server, near);
      const auto gets = [&](const std::string& from, const std::string& text) {
        outside().must("ip addr show > /dev/null");
        std::string script = fmt::format(
            "import socket\ns = socket.socket(socket.{}, socket.SOCK_DGRAM)\ns.bind(('{}', 0))\n"
            "s.sendto(b'{}', ('{}', {}))\n",
            v6 ? "AF_INET6" : "AF_INET", from, text, mapping.ip, mapping.port);
        outside().exec({"python3", "-c", script});
        return socket.receive(soon) == text;
      };
      EXPECT_EQ(one.stranger, gets(far_away(v6), "from a stranger")) << seen();
      EXPECT_EQ(one.same_address, gets(near.ip, "from another port")) << seen();
      EXPECT_TRUE(socket.gets_answer(near)) << seen();
    });
  }
  EXPECT_GT(dropped("nat-filter"), 0U);
}

TEST_P(IndependentMappingBy, TwoGuestsPunchHoles) {
  up(nat, mapped());
  plug(nat), plug(nat, 12);
  both_families([&](bool v6) {
    const Endpoint near{eth0.theirs(v6), 3478};
    Echo server(outside(), Transport::Udp, near.port, near.ip);
    UdpSocket first(guest(nat.guest()), 7000), second(guest(nat.guest(12)), 7000);
    const Endpoint one = seen_as(first, server, near), other_one = seen_as(second, server, near);
    first.send("first", other_one);
    EXPECT_FALSE(second.receive(soon)) << "nothing has been sent the other way";
    second.send("second", one);
    EXPECT_EQ("second", first.receive(patience)) << seen();
    first.send("third", other_one);
    EXPECT_EQ("third", second.receive(patience)) << seen();
  });
}

// A peer behind another NAT: it sends to what the STUN server has told it, and the guest to the peer.
TEST_P(IndependentMappingBy, AHoleIsPunchedToTheOutside) {
  up(nat, mapped());
  plug(nat);
  both_families([&](bool v6) {
    const Endpoint near{eth0.theirs(v6), 3478};
    Echo server(outside(), Transport::Udp, near.port, near.ip);
    UdpSocket socket(guest(nat.guest()), 45000);
    const Endpoint mapping = seen_as(socket, server, near);
    UdpSocket peer(outside(), 41641);
    peer.send("too early", mapping);
    socket.send("punch", {near.ip, 41641});
    EXPECT_EQ("punch", peer.receive(patience)) << seen();
    peer.send("through", mapping);
    for (auto got = socket.receive(patience); got != "through"; got = socket.receive(patience))
      ASSERT_TRUE(got == "too early") << seen();  // the address was its server's, which may send
  });
}

INSTANTIATE_TEST_SUITE_P(All, IndependentMappingBy, testing::Values("tcx", "clsact"), way_of);

// hostFirewall='honor': a new connection from outside passes the host's FORWARD rules; the guest's own do,
// too.
TEST_F(IndependentMapping, TheHostsFirewallJudgesWhatComesIn) {
  up(nat, mapped("endpoint-independent"));
  plug(nat);
  rule("admin", "iifname br-nat accept");
  rule("admin", "oifname br-nat ct state new drop");
  both_families([&](bool v6) {
    const Endpoint near{eth0.theirs(v6), 3478};
    Echo server(outside(), Transport::Udp, near.port, near.ip);
    UdpSocket socket(guest(nat.guest()), 8000);
    const Endpoint mapping = seen_as(socket, server, near);
    UdpSocket peer(outside(), 41641);
    peer.send("unasked", mapping);
    EXPECT_FALSE(socket.receive(soon)) << seen();
    EXPECT_TRUE(socket.gets_answer(near));
    vnet({"apply", "nat",
          file("nat.xml", nat.xml(mapped("endpoint-independent", "<vnet:hostFirewall mode='bypass'/>")))});
    UdpSocket(outside(), 41642).send("unasked", mapping);
    EXPECT_EQ("unasked", socket.receive(patience)) << seen();
    vnet({"apply", "nat", file("nat.xml", nat.xml(mapped("endpoint-independent")))});
  });
}

TEST_F(IndependentMapping, ThePortsInboundPolicyHolds) {
  up(nat, mapped("endpoint-independent"));
  plug(nat);
  vnet({"set", nat.guest(), "--inbound", "established"});
  const Endpoint near{eth0.theirs(false), 3478};
  Echo server(outside(), Transport::Udp, near.port, near.ip);
  UdpSocket socket(guest(nat.guest()), 8000);
  const Endpoint mapping = seen_as(socket, server, near);
  UdpSocket(outside(), 41641).send("unasked", mapping);
  EXPECT_FALSE(socket.receive(soon));
  EXPECT_TRUE(wait_until([&] { return dropped("inbound") > 0; })) << seen();
}

TEST_F(IndependentMapping, ChangesWhileTheNetworkRuns) {
  up(nat);
  plug(nat);
  const Endpoint near{eth0.theirs(false), 3478};
  Echo server(outside(), Transport::Udp, near.port, near.ip);
  UdpSocket socket(guest(nat.guest()), 8000);
  EXPECT_TRUE(socket.gets_answer(near));
  EXPECT_EQ(0U, count("mapping"));
  vnet({"update", "nat", "add", "vnet:nat",
        "<vnet:nat xmlns:vnet='urn:vnet-bpf:network:1' mapping='endpoint-independent'/>", "--live"});
  EXPECT_THAT(vnet({"show", "nat"}).out, HasSubstr("endpoint-independent, filtering address-dependent"));
  EXPECT_TRUE(socket.gets_answer(near)) << "what exists goes on";
  UdpSocket fresh(guest(nat.guest()), 8001);
  EXPECT_TRUE(fresh.gets_answer(near));
  EXPECT_EQ(1U, count("mapping"));
  EXPECT_EQ(1U, count("peer"));
  auto flows = ground().vnet_json({"flows", "--state", "mapping"});
  EXPECT_EQ(300, flows[0]["timeout"]) << flows;
  vnet({"update", "nat", "delete", "vnet:nat", "<vnet:nat xmlns:vnet='urn:vnet-bpf:network:1'/>", "--live"});
  EXPECT_EQ(0U, count("mapping"));
  EXPECT_EQ(0U, count("peer"));
  EXPECT_TRUE(fresh.gets_answer(near));
}

TEST_F(IndependentMapping, ExplainNamesTheReasonAndTheSetting) {
  up(nat, mapped());
  plug(nat);
  const Endpoint near{eth0.theirs(false), 3478};
  Echo server(outside(), Transport::Udp, near.port, near.ip);
  UdpSocket socket(guest(nat.guest()), 8000);
  const Endpoint mapping = seen_as(socket, server, near);
  auto told = ground().vnet_json({"explain", "--port", "eth0", "--from", far_away(false) + ":99", "--to",
                                  fmt::format("{}:{}", mapping.ip, mapping.port), "--proto", "udp"});
  EXPECT_EQ("nat-filter", told["reason"]) << told;
  EXPECT_THAT(told["cause"].get<std::string>(), HasSubstr("<vnet:nat mapping="));
}

TEST_F(IndependentMapping, TimeoutsAreTheNetworks) {
  up(nat, settings("<vnet:timeouts udp='10' icmp='5'/>"));
  plug(nat);
  const Endpoint near{eth0.theirs(false), 3478};
  Echo server(outside(), Transport::Udp, near.port, near.ip);
  EXPECT_TRUE(UdpSocket(guest(nat.guest()), 8000).gets_answer(near));
  auto flows = ground().vnet_json({"flows", "--proto", "udp"});
  ASSERT_EQ(1U, flows.size()) << flows;
  EXPECT_EQ(10, flows[0]["timeout"]);
  EXPECT_THAT(vnet({"show", "nat"}).out, HasSubstr("udp 10 s, icmp 5 s"));
  EXPECT_EQ(10, ground().vnet_json({"show", "nat"})["timeouts"]["udp"]);
  EXPECT_TRUE(wait_until([&] { return ground().vnet_json({"flows"}).empty(); }, std::chrono::seconds(30)))
      << seen();
  // A new one has what it says then.
  vnet({"apply", "nat", file("nat.xml", nat.xml(settings("<vnet:timeouts udp='60'/>")))});
  EXPECT_TRUE(UdpSocket(guest(nat.guest()), 8000).gets_answer(near));
  EXPECT_EQ(60, ground().vnet_json({"flows", "--proto", "udp"})[0]["timeout"]);
}

}  // namespace
}  // namespace vnet::test
