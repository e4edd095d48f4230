// SPDX-License-Identifier: GPL-2.0-or-later
// Port forwards (<vnet:portForward>, `vnet-bpf forward`) with real traffic, from wherever it can come.
#include "tests/e2e/real_host_fixture.h"
#include "tests/support/raw_port.h"

namespace vnet::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class PortForwards : public RealHost {
 protected:
  explicit PortForwards(std::string_view world = "tcx") : RealHost(world) {}

  static std::string settings(const std::string& inner) {
    return "<metadata><v:network xmlns:v='urn:vnet-bpf:network:1'>" + inner + "</v:network></metadata>";
  }
  // Both families, TCP and UDP: the attributes besides proto and to.
  static std::string forwards(const RealNetwork& net, const std::string& attributes, int number = 11) {
    std::string all;
    for (bool v6 : {false, true})
      for (const char* proto : {"tcp", "udp"})
        all += fmt::format("<v:portForward proto='{}' to='{}' {}/>", proto, net.ip(v6, number), attributes);
    return all;
  }
  std::string refusal(const Argv& arguments) {
    Output output = ground().vnet(arguments);
    EXPECT_EQ(1, output.status) << output.out;
    return output.err;
  }
  // A service at the guest's ports of both transports.
  struct Service {
    Echo tcp, udp;
    Service(const Namespace& where, std::uint16_t port)
        : tcp(where, Transport::Tcp, port), udp(where, Transport::Udp, port) {}
    std::set<std::string> seen() const {
      auto all = tcp.peer_addresses();
      all.merge(udp.peer_addresses());
      return all;
    }
    void forget() { tcp.forget_peers(), udp.forget_peers(); }
  };
  void expect_reaches(const Namespace& from, const std::string& host, std::uint16_t port, Service& service,
                      const std::string& seen_as) {
    SCOPED_TRACE(host);
    service.forget();
    expect_carries(from, {host, port}, 1);
    UdpSocket client(from, fresh_port());
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(client.gets_answer({host, port})) << seen();
    EXPECT_THAT(service.seen(), ElementsAre(seen_as));
  }
  std::size_t sessions() { return ground().vnet_json({"flows"}).size(); }
};

class PortForwardFrom : public PortForwards, public testing::WithParamInterface<const char*> {
 protected:
  PortForwardFrom() : PortForwards(GetParam()) {}
};

TEST_P(PortForwardFrom, EverywhereReachesTheGuest) {
  up(nat, settings(forwards(nat, "port='8080' toPort='80'")));
  up(other);
  plug(nat), plug(nat, 12), plug(other);
  Service service(guest(nat.guest()), 80);
  both_families([&](bool v6) {
    expect_reaches(outside(), eth0.ours(v6), 8080, service, eth0.theirs(v6));
    // The host's sockets go by the gateway, whose address they get.
    for (const auto& own : {std::string(v6 ? "::1" : "127.0.0.1"), eth0.ours(v6), nat.gateway(v6)})
      expect_reaches(host(), own, 8080, service, nat.gateway(v6));
    for (const auto& own : {eth0.ours(v6), other.gateway(v6)})
      expect_reaches(guest(other.guest()), own, 8080, service, other.ip(v6));
    // A hairpin: of the same network, and the very guest.
    for (const auto& own : {eth0.ours(v6), nat.gateway(v6)}) {
      expect_reaches(guest(nat.guest(12)), own, 8080, service, nat.gateway(v6));
      expect_reaches(guest(nat.guest()), own, 8080, service, nat.gateway(v6));
    }
  });
  // A second run changes nothing.
  EXPECT_THAT(vnet({"up", file("nat.xml", nat.xml(settings(forwards(nat, "port='8080' toPort='80'"))))}).out,
              HasSubstr("already up"));
  expect_reaches(host(), "127.0.0.1", 8080, service, nat.gateway(false));
}

INSTANTIATE_TEST_SUITE_P(All, PortForwardFrom, testing::Values("tcx", "clsact"), way_of);

TEST_F(PortForwards, TheHostsSocketsBelieveToTalkToTheHost) {
  up(nat, settings(forwards(nat, "port='8080' toPort='80'")));
  plug(nat);
  Service service(guest(nat.guest()), 80);
  // Sockets of IPv4 proper, connected and not; the answer's sender is whom they have asked.
  const char* script =
      "import socket\n"
      "def peer(kind, family, to):\n"
      "    s = socket.socket(family, kind); s.settimeout(5); s.connect(to); s.send(b'x'); s.recv(9)\n"
      "    return s.getpeername()[:2]\n"
      "def sender(family, to):\n"
      "    s = socket.socket(family, socket.SOCK_DGRAM); s.settimeout(5); s.sendto(b'x', to)\n"
      "    return s.recvfrom(9)[1][:2]\n"
      "for family, to in (socket.AF_INET, '127.0.0.1'), (socket.AF_INET6, '::1'), (socket.AF_INET, "
      "'0.0.0.0'):\n"
      "    print(peer(socket.SOCK_STREAM, family, (to, 8080)), peer(socket.SOCK_DGRAM, family, (to, 8080)), "
      "sender(family, (to, 8080)))\n";
  EXPECT_EQ(
      "('127.0.0.1', 8080) ('127.0.0.1', 8080) ('127.0.0.1', 8080)\n"
      "('::1', 8080) ('::1', 8080) ('::1', 8080)\n"
      "('0.0.0.0', 8080) ('0.0.0.0', 8080) ('0.0.0.0', 8080)\n",
      host().exec({"python3", "-c", script}).out);
  // Nobody else's: another namespace of this machine with a service of its own there.
  Echo theirs(outside(), Transport::Tcp, 8080);
  EXPECT_EQ(1000U, exchange(outside(), {"127.0.0.1", 8080}, 1000));
  EXPECT_THAT(theirs.peer_addresses(), ElementsAre("127.0.0.1"));
  vnet({"stop", "nat"});
  EXPECT_FALSE(TcpConnection(host(), {"127.0.0.1", 8080}).is_open());
}

TEST_F(PortForwards, RangesAndAddressesAndSenders) {
  host().must("ip addr add 203.0.113.7/24 dev eth0; ip addr add 2001:db8:113::7/64 dev eth0 nodad");
  outside().must(
      "ip addr add 203.0.113.9/24 dev eth0; ip addr add 2001:db8:113::9/64 dev eth0 nodad preferred_lft 0");
  std::string inner;
  both_families([&](bool v6) {
    inner += fmt::format(
        "<v:portForward proto='tcp' port='8000-8010' to='{0}' toPort='90'/>"
        "<v:portForward proto='tcp' port='81' to='{0}' listen='{1}'/>"
        "<v:portForward proto='tcp' port='82' to='{0}' from='{2}'/>",
        nat.ip(v6), v6 ? "2001:db8:113::7" : "203.0.113.7",
        v6 ? "2001:db8:51::/48, 2001:db8:113::1" : "198.51.100.0/24, 203.0.113.1");
  });
  up(nat, settings(inner));
  plug(nat);
  Namespace& in = guest(nat.guest());
  Echo last(in, Transport::Tcp, 100), at(in, Transport::Tcp, 81), from(in, Transport::Tcp, 82);
  both_families([&](bool v6) {
    EXPECT_EQ(1000U, exchange(outside(), {eth0.ours(v6), 8010}, 1000)) << seen();
    EXPECT_FALSE(TcpConnection(outside(), {eth0.ours(v6), 8011}).is_open());
    EXPECT_FALSE(TcpConnection(outside(), {eth0.ours(v6), 81}).is_open());
    EXPECT_EQ(1000U, exchange(outside(), {v6 ? "2001:db8:113::7" : "203.0.113.7", 81}, 1000));
    EXPECT_EQ(1000U, exchange(host(), {v6 ? "2001:db8:113::7" : "203.0.113.7", 81}, 1000));
    EXPECT_FALSE(TcpConnection(host(), {v6 ? "::1" : "127.0.0.1", 81}).is_open());
    EXPECT_EQ(1000U, exchange(outside(), {eth0.ours(v6), 82}, 1000));
    // Another of the outside's addresses: nothing is made, and nothing told.
    auto before = sessions();
    auto socket =
        fmt::format("TCP{}:{}:82,bind={},connect-timeout=1", v6 ? 6 : 4,
                    v6 ? "[" + eth0.ours(v6) + "]" : eth0.ours(v6), v6 ? "[2001:db8:113::9]" : "203.0.113.9");
    EXPECT_NE(0, outside().exec({"socat", "-", socket}).status);
    EXPECT_EQ(before, sessions());
  });
  EXPECT_GE(dropped("forward-from"), 2U);
}

TEST_F(PortForwards, APortInUseIsRefused) {
  Background web = host().background({"socat", "TCP4-LISTEN:8005,fork", "EXEC:cat"});
  ASSERT_TRUE(wait_until([&] { return !host().sh("ss -Hltn sport = 8005").out.empty(); }));
  const auto xml = file("nat.xml", nat.xml(settings(forwards(nat, "port='8000-8010'"))));
  EXPECT_THAT(refusal({"up", xml}),
              HasSubstr("port forward tcp/8000-8010: tcp port 8005 is in use by socat (pid "));
  vnet({"define", xml});
  EXPECT_THAT(refusal({"start", "nat"}), HasSubstr("in use by socat (pid "));
  EXPECT_THAT(ground().vnet({"doctor"}).out, HasSubstr("waits on tcp port 8005, which network nat forwards"));
  vnet({"up", file("nat.xml", nat.xml(settings(forwards(nat, "port='8000-8004'"))))});
}

TEST_F(PortForwards, ASocketThatComesLaterIsToldByDoctor) {
  up(nat, settings(forwards(nat, "port='8080'")));
  Background web = host().background({"socat", "TCP4-LISTEN:8080,fork", "EXEC:cat"});
  EXPECT_TRUE(wait_until([&] {
    return ground().vnet({"doctor"}).out.find("waits on tcp port 8080, which network nat forwards") !=
           std::string::npos;
  })) << ground().vnet({"doctor"}).out;
}

// What is refused makes no session, and costs the others nothing.
TEST_F(PortForwards, AFloodAtWhatIsRefusedMakesNoSession) {
  up(nat, settings("<v:sessions max='500'/>" + forwards(nat, "port='8080' toPort='80'")));
  plug(nat);
  vnet({"set", nat.guest(), "--inbound", "drop", "--allow", "tcp/80@198.51.100.0/24"});
  RawPort wire(outside(), "eth0");
  auto mac = [](Namespace& of) { return of.sh("cat /sys/class/net/eth0/address").out.substr(0, 17); };
  const Ethernet to_host{.src = mac(outside()), .dst = mac(host())};
  auto flood = [&] {
    for (int i = 0; i < 2600; ++i) {
      const std::string source = fmt::format("198.19.{}.{}", i / 250, i % 250 + 1);
      wire.send(to_host / Ipv4{.src = source, .dst = eth0.ours(false)} /
                Tcp{.src_port = static_cast<std::uint16_t>(1024 + i), .dst_port = 8080});
      if (i % 100 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  };
  auto before = sessions();
  flood();
  EXPECT_TRUE(wait_until([&] { return dropped("inbound") >= 2600; })) << seen();
  EXPECT_EQ(before, sessions());
  vnet({"set", nat.guest(), "--link", "down"});
  flood();
  EXPECT_TRUE(wait_until([&] { return dropped("link-down") + dropped("no-guest") >= 2500; })) << seen();
  EXPECT_EQ(before, sessions());
  vnet({"detach", nat.guest()});
  flood();
  EXPECT_EQ(before, sessions()) << seen();
}

// Live and stored, and the sessions end with it.
TEST_F(PortForwards, AreAddedAndRemovedWhileGuestsTalk) {
  up(nat), plug(nat);
  Service service(guest(nat.guest()), 80), second(guest(nat.guest()), 81);
  auto command = [&](const char* action, bool v6, const std::string& port, Argv more = {}) {
    Argv all{"forward", action, "nat", "--proto", "tcp", "--port", port};
    if (std::string(action) == "add")
      all.insert(all.end(), {"--to", v6 ? "[" + nat.ip(v6) + "]:80" : nat.ip(v6) + ":80"});
    all.insert(all.end(), more.begin(), more.end());
    return all;
  };
  EXPECT_THAT(
      vnet(command("add", false, "8080-8081", {"--live", "--config"})).out,
      HasSubstr("Network nat forwards tcp/8080-8081 to 192.168.122.11:80-81 (persistent config and live"));
  vnet(command("add", true, "8080-8081", {"--live", "--config"}));
  both_families([&](bool v6) {
    TcpConnection outer(outside(), {eth0.ours(v6), 8080}), inner(guest(nat.guest()), {eth0.ours(v6), 8081});
    EXPECT_EQ(1000U, outer.exchange(1000));
    EXPECT_EQ(1000U, inner.exchange(1000));
    EXPECT_EQ(1000U, exchange(host(), {v6 ? "::1" : "127.0.0.1", 8080}, 1000));
  });
  auto list = ground().vnet_json({"forward", "list", "nat"});
  ASSERT_EQ(2U, list.size());
  EXPECT_EQ("8080-8081", list[0]["port"]);
  EXPECT_EQ("80-81", list[0]["to_port"]);
  EXPECT_GE(list[0]["sessions"], 2);
  EXPECT_THAT(refusal(command("add", false, "8081")), HasSubstr("8080-8081 to 192.168.122.11:80-81 already"));
  Background web = host().background({"socat", "TCP4-LISTEN:9000,fork", "EXEC:cat"});
  ASSERT_TRUE(wait_until([&] { return !host().sh("ss -Hltn sport = 9000").out.empty(); }));
  EXPECT_THAT(refusal(command("add", false, "9000")), HasSubstr("tcp port 9000 is in use by socat (pid "));
  EXPECT_THAT(vnet({"--dry-run", "forward", "remove", "nat", "--proto", "tcp", "--port", "8080-8081"}).out,
              HasSubstr("no longer forward tcp/8080-8081 to 192.168.122.11:80-81"));

  TcpConnection outer(outside(), {eth0.ours(false), 8080});
  ASSERT_EQ(1000U, outer.exchange(1000));
  EXPECT_THAT(vnet(command("remove", false, "8080-8081", {"--live"})).out, HasSubstr("no longer forwards"));
  EXPECT_EQ(0U, outer.exchange(1000, std::chrono::seconds(1)));
  EXPECT_THAT(ground().vnet_json({"flows"}), IsEmpty()) << seen();
  both_families([&](bool v6) {
    EXPECT_FALSE(
        TcpConnection(outside(), {eth0.ours(v6), 8080}, {.limit = std::chrono::seconds(1)}).is_open());
    EXPECT_FALSE(TcpConnection(host(), {v6 ? "::1" : "127.0.0.1", 8080}).is_open());
  });
  EXPECT_EQ(3, ground().vnet(command("remove", false, "8080-8081", {"--live"})).status);
  // The definition still has them.
  vnet({"stop", "nat"});
  EXPECT_EQ(2U, ground().vnet_json({"forward", "list"}).size());
  EXPECT_EQ(false, ground().vnet_json({"forward", "list"})[0]["active"]);
  EXPECT_EQ(2, ground().vnet({"forward", "add", "nat"}).status);
}

}  // namespace
}  // namespace vnet::test
