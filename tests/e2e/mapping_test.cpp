// SPDX-License-Identifier: GPL-2.0-or-later
// What the outside sees of one UDP socket of a guest's that turns to several servers (STUN, WebRTC, games):
// its own port wherever that is free, also in the host's ephemeral range; the same other one for all where it
// is not; and no datagram of the host's own sockets is lost to a guest.
#include <memory>
#include <vector>

#include "tests/e2e/real_host_fixture.h"

namespace vnet::test {
namespace {

using testing::ElementsAre;

class Mapping : public RealHostTest {
 protected:
  void SetUp() override {
    RealHostTest::SetUp();
    if (IsSkipped()) return;
    up(nat);
    plug(nat);
    plug(nat, 12);
    both_families([&](bool v6) {
      for (const Endpoint& server : servers(v6))
        echoes_.push_back(std::make_unique<Echo>(outside(), Transport::Udp, server.port, server.ip));
    });
  }
  static std::vector<Endpoint> servers(bool v6) {
    return {{eth0.theirs(v6), 3478}, {far_away(v6), 3478}, {eth0.theirs(v6), 3479}};
  }
  // As whom the servers have seen the socket, one after the other.
  std::vector<Endpoint> mappings(const UdpSocket& socket, bool v6) {
    std::vector<Endpoint> all;
    for (std::size_t i = 0; i < servers(v6).size(); ++i) all.push_back(mapping(socket, v6, i));
    return all;
  }
  Endpoint mapping(const UdpSocket& socket, bool v6, std::size_t server) {
    Echo& echo = *echoes_.at((v6 ? servers(v6).size() : 0) + server);
    echo.forget_peers();
    EXPECT_TRUE(socket.gets_answer(servers(v6)[server])) << servers(v6)[server] << seen();
    auto peers = echo.peers();
    EXPECT_EQ(1U, peers.size());
    return peers.empty() ? Endpoint{} : *peers.begin();
  }

 private:
  std::vector<std::unique_ptr<Echo>> echoes_;
};

// 36000 and 40000 are in the host's ephemeral range, which a Linux guest has, too.
constexpr std::uint16_t ports[] = {5000, 36000, 40000};

TEST_P(Mapping, IsTheGuestsPortForEveryServer) {
  for (std::uint16_t port : ports) {
    UdpSocket socket(guest(nat.guest()), port);
    both_families([&](bool v6) {
      Endpoint same{eth0.ours(v6), port};
      EXPECT_THAT(mappings(socket, v6), ElementsAre(same, same, same));
    });
  }
}

TEST_P(Mapping, IsAnotherForASecondGuestAndTheSameForAllServers) {
  for (std::uint16_t port : ports) {
    SCOPED_TRACE(port);
    UdpSocket first(guest(nat.guest()), port), second(guest(nat.guest(12)), port);
    both_families([&](bool v6) {
      Endpoint own{eth0.ours(v6), port};
      EXPECT_EQ(own, mapping(first, v6, 0));
      Endpoint given = mapping(second, v6, 0);
      EXPECT_EQ(own.ip, given.ip);
      EXPECT_NE(own, given);
      // Linux keeps the port where the second guest turns to somebody else: it varies by destination.
      if (!is_bridge()) {
        EXPECT_THAT(mappings(second, v6), ElementsAre(given, given, given));
      }
      EXPECT_THAT(mappings(first, v6), ElementsAre(own, own, own));
    });
  }
}

TEST_P(Mapping, TakesNoPortThatASocketOfTheHostHas) {
  for (std::uint16_t port : ports) {
    SCOPED_TRACE(port);
    UdpSocket hosts(host(), port), socket(guest(nat.guest()), port);
    both_families([&](bool v6) {
      // It only listens, which Linux's NAT does not look at.
      if (!is_bridge()) {
        auto given = mappings(socket, v6);
        EXPECT_NE(port, given[0].port);
        EXPECT_THAT(given, ElementsAre(given[0], given[0], given[0]));
      }
      for (const Endpoint& server : servers(v6)) EXPECT_TRUE(hosts.gets_answer(server)) << server << seen();
      Endpoint client{eth0.ours(v6), port};
      UdpSocket(outside()).send("for the host", client);
      EXPECT_EQ("for the host", hosts.receive(patience)) << seen();
      EXPECT_EQ(eth0.ours(v6), mapping(socket, v6, 1).ip);
    });
  }
}

TEST_P(Mapping, YieldsToASocketOfTheHostThatComesLater) {
  for (std::uint16_t port : ports) {
    SCOPED_TRACE(port);
    UdpSocket socket(guest(nat.guest()), port);
    both_families([&](bool v6) { EXPECT_EQ(port, mapping(socket, v6, 0).port); });
    UdpSocket hosts(host(), port);
    for (int round = 0; round < 3; ++round)
      both_families([&](bool v6) {
        EXPECT_TRUE(hosts.is_answered(servers(v6)[0])) << "the host, round " << round << seen();
        EXPECT_TRUE(socket.is_answered(servers(v6)[0])) << "the guest, round " << round << seen();
      });
  }
}

INSTANTIATE_TEST_SUITE_P(All, Mapping, testing::Values("tcx", "bridge"), way_of);

}  // namespace
}  // namespace vnet::test
