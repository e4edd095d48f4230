// SPDX-License-Identifier: GPL-2.0-or-later
// The host's own NAT touches a guest's flow: what Docker publishes, a broad masquerade, an address for one
// guest, port forwards by hand and by a hook. What the administrator's rules turn arrives, both ways; what
// nobody has turned stays refused.
#include "tests/e2e/real_host_fixture.h"
#include "tests/support/raw_port.h"

namespace vnet::test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class HostNat : public RealHostTest {
 protected:
  // The wiki's port forward: DNAT, and an accept in FORWARD.
  void turn(const Endpoint& from, const Endpoint& to, const std::string& condition = "") {
    bool v6 = to.ip.contains(':');
    std::string ip = v6 ? "ip6" : "ip", target = v6 ? "[" + to.ip + "]" : to.ip;
    for (const char* proto : {"tcp", "udp"}) {
      for (const char* chain : {"prerouting", "output"})
        rule(chain, fmt::format("{} {} daddr {} {} dport {} dnat {} to {}:{}", condition, ip, from.ip, proto,
                                from.port, ip, target, to.port));
      rule("admin", fmt::format("{} daddr {} {} dport {} accept", ip, to.ip, proto, to.port));
    }
    rule("admin", fmt::format("{} saddr {} ct state established accept", ip, to.ip));
  }
  void expect_turned(const Namespace& from, const Endpoint& to) {
    expect_carries(from, to);
    EXPECT_TRUE(HasFailure() || UdpSocket(from).gets_answer(to)) << to << seen();
  }
};

class DockersPort : public HostNat {
 protected:
  void expect_reached();
};

void DockersPort::expect_reached() {
  Namespace container;
  host().must(
      "ip link add docker0 type bridge; ip link set docker0 up; ip addr add 172.17.0.1/16 dev docker0; "
      "ip addr add fd00:d0c::1/64 dev docker0 nodad; "
      "ip link add veth1 master docker0 type veth peer name eth0 netns " +
      container.name() + "; ip link set veth1 up");
  container.must(
      "ip link set eth0 up; ip addr add 172.17.0.2/16 dev eth0; ip addr add fd00:d0c::2/64 dev eth0 nodad; "
      "ip route add default via 172.17.0.1; ip route add default via fd00:d0c::1");
  for (const char* ip : {"ip", "ip6"}) {
    bool v6 = ip == std::string_view("ip6");
    rules(fmt::format(
        "table {0} nat {{\n"
        "chain PREROUTING {{ type nat hook prerouting priority dstnat; fib daddr type local jump DOCKER; }}\n"
        "chain OUTPUT {{ type nat hook output priority -100;\n"
        " {0} daddr != {1} fib daddr type local jump DOCKER; }}\n"
        "chain POSTROUTING {{ type nat hook postrouting priority srcnat;\n"
        " {0} saddr {2} oifname != docker0 masquerade; }}\n"
        "chain DOCKER {{ iifname docker0 return;\n"
        " iifname != docker0 tcp dport 8080 dnat to {3}:80; iifname != docker0 udp dport 8080 dnat to "
        "{3}:80; }}\n}}",
        ip, v6 ? "::1" : "127.0.0.0/8", v6 ? "fd00:d0c::/64" : "172.17.0.0/16",
        v6 ? "[fd00:d0c::2]" : "172.17.0.2"));
  }
  up(nat);
  Namespace& guest = plug(nat);
  Echo web(container, Transport::Tcp, 80), dns(container, Transport::Udp, 80);
  both_families([&](bool v6) {
    for (const std::string& to : {nat.gateway(v6), eth0.ours(v6)}) {
      web.forget_peers();
      expect_turned(guest, {to, 8080});
      EXPECT_THAT(web.peer_addresses(), ElementsAre(v6 ? "fd00:d0c::1" : "172.17.0.1"));
    }
    web.forget_peers();
    expect_turned(outside(), {eth0.ours(v6), 8080});
    EXPECT_THAT(web.peer_addresses(), ElementsAre(eth0.theirs(v6)));
  });
}

TEST_P(DockersPort, IsReached) {
  set_br_netfilter(false);
  expect_reached();
}

TEST_P(DockersPort, IsReachedWithBrNetfilter) {
  set_br_netfilter(true);
  expect_reached();
}

TEST_P(HostNat, MasqueradesAllThatLeaves) {
  rule("postrouting", "oifname eth0 masquerade");
  up(nat);
  Namespace& guest = plug(nat);
  Echo web(outside(), Transport::Tcp, 9000), dns(outside(), Transport::Udp, 9000);
  both_families([&](bool v6) {
    web.forget_peers();
    expect_turned(guest, {eth0.theirs(v6), 9000});
    EXPECT_THAT(web.peer_addresses(), ElementsAre(eth0.ours(v6)));
    EXPECT_TRUE(guest.pings(eth0.theirs(v6)));
  });
}

TEST_P(HostNat, GivesOneGuestAnotherAddress) {
  auto his = [](bool v6) { return v6 ? "2001:db8:113::7" : "203.0.113.7"; };
  host().must(
      "ip addr add 203.0.113.7/24 dev eth0; ip addr add 2001:db8:113::7/64 dev eth0 nodad preferred_lft 0");
  both_families([&](bool v6) {
    const char* ip = v6 ? "ip6" : "ip";
    rule("postrouting", fmt::format("oifname eth0 {0} saddr {1} snat {0} to {2}", ip, nat.ip(v6), his(v6)));
  });
  up(nat);
  Namespace &first = plug(nat), &second = plug(nat, 12);
  Echo web(outside(), Transport::Tcp, 9000), dns(outside(), Transport::Udp, 9000);
  both_families([&](bool v6) {
    for (auto [from, address] : {std::pair{&first, std::string(his(v6))}, {&second, eth0.ours(v6)}}) {
      web.forget_peers();
      dns.forget_peers();
      expect_turned(*from, {eth0.theirs(v6), 9000});
      EXPECT_THAT(web.peer_addresses(), ElementsAre(address));
      EXPECT_THAT(dns.peer_addresses(), ElementsAre(address));
    }
  });
}

TEST_P(HostNat, TurnsAPortToAGuest) {
  up(nat);
  up(other);
  Namespace &server = plug(nat), &neighbour = plug(nat, 12), &foreigner = plug(other);
  Echo web(server, Transport::Tcp, 80), dns(server, Transport::Udp, 80);
  both_families([&](bool v6) {
    web.forget_peers();
    turn({eth0.ours(v6), 8080}, {nat.ip(v6), 80});
    // libvirt-hook-qemu: so that the network's own guests get their answers from where they asked.
    std::string ip = v6 ? "ip6" : "ip";
    rule("postrouting",
         fmt::format("{0} saddr {1} {0} daddr {2} masquerade", ip, nat.subnet(v6), nat.ip(v6)));
    // From outside the guest sees who it is.
    expect_turned(outside(), {eth0.ours(v6), 8080});
    EXPECT_THAT(web.peer_addresses(), ElementsAre(eth0.theirs(v6)));
    expect_turned(host(), {eth0.ours(v6), 8080});
    web.forget_peers();
    for (Namespace* from : {&neighbour, &server}) expect_turned(*from, {eth0.ours(v6), 8080});
    EXPECT_THAT(web.peer_addresses(), ElementsAre(nat.gateway(v6)));
    expect_turned(foreigner, {eth0.ours(v6), 8080});
    // The first packet may have to wait at the host until the guest's MAC is known.
    for (Namespace* from : {&outside(), &foreigner}) {
      host().must("ip neigh flush dev " + nat.bridge());
      EXPECT_TRUE(UdpSocket(*from).is_answered({eth0.ours(v6), 8080})) << seen();
    }
    // Nobody has turned these; a bridge's rules know no difference.
    if (is_bridge()) return;
    outside().must(fmt::format("ip route replace {} via {}", nat.subnet(v6), eth0.ours(v6)));
    expect_refused({{&foreigner, {nat.ip(v6), 80}}, {&outside(), {nat.ip(v6), 80}}});
    outside().must(fmt::format("ip route del {}", nat.subnet(v6)));
  });
}

TEST_P(HostNat, TurnsNothingToOrFromTheIsolated) {
  up(nat);
  up(isolated);
  Namespace &shut = plug(isolated), &free = plug(nat);
  Echo inside(shut, Transport::Tcp, 80), inside_udp(shut, Transport::Udp, 80);
  Echo web(outside(), Transport::Tcp, 9000), dns(outside(), Transport::Udp, 9000);
  Echo of_guest(free, Transport::Tcp, 9000), of_guest_udp(free, Transport::Udp, 9000);
  both_families([&](bool v6) {
    std::string ip = v6 ? "ip6" : "ip";
    auto dnat = [&](int port, const std::string& to, int to_port) {
      rule("prerouting", fmt::format("meta l4proto {{ tcp, udp }} th dport {} dnat {} to {}:{}", port, ip,
                                     v6 ? "[" + to + "]" : to, to_port));
    };
    dnat(v6 ? 8086 : 8084, isolated.ip(v6), 80);
    dnat(v6 ? 7006 : 7004, eth0.theirs(v6), 9000);
    dnat(v6 ? 7106 : 7104, nat.ip(v6), 9000);
    std::uint16_t into = v6 ? 8086 : 8084;
    std::vector<Question> questions{{&outside(), {eth0.ours(v6), into}}, {&free, {eth0.ours(v6), into}}};
    for (std::uint16_t out : {v6 ? 7006 : 7004, v6 ? 7106 : 7104})
      for (const std::string& to : {isolated.gateway(v6), eth0.ours(v6), eth0.theirs(v6)})
        questions.push_back({&shut, {to, out}});
    expect_refused(questions);
  });
  for (const Echo* echo : {&inside, &inside_udp, &web, &dns, &of_guest, &of_guest_udp})
    EXPECT_THAT(echo->peers(), IsEmpty());
}

TEST_P(HostNat, OfARoutedNetwork) {
  up(routed);
  Namespace& server = plug(routed);
  Echo web(server, Transport::Tcp, 80), dns(server, Transport::Udp, 80);
  Echo far_web(outside(), Transport::Tcp, 9000), far_dns(outside(), Transport::Udp, 9000);
  both_families([&](bool v6) {
    outside().must(fmt::format("ip route add {} via {}", routed.subnet(v6), eth0.ours(v6)));
    turn({eth0.ours(v6), 8080}, {routed.ip(v6), 80});
    expect_turned(outside(), {eth0.ours(v6), 8080});
    expect_turned(outside(), {routed.ip(v6), 80});
    EXPECT_THAT(web.peer_addresses(), ElementsAre(eth0.theirs(v6)));
    web.forget_peers();
    far_web.forget_peers();
    expect_turned(server, {eth0.theirs(v6), 9000});
    EXPECT_THAT(far_web.peer_addresses(), ElementsAre(routed.ip(v6)));
  });
  rule("postrouting", "oifname eth0 masquerade");
  far_web.forget_peers();
  both_families([&](bool v6) {
    far_web.forget_peers();
    expect_turned(server, {eth0.theirs(v6), 9000});
    EXPECT_THAT(far_web.peer_addresses(), ElementsAre(eth0.ours(v6)));
    expect_turned(outside(), {eth0.ours(v6), 8080});
  });
}

// The source route is the sender's word, not the administrator's.
TEST_P(HostNat, AHiddenGuestIsReachedByNoSourceRoute) {
  host().must(
      "for c in all default eth0; do echo 1 > /proc/sys/net/ipv4/conf/$c/accept_source_route; "
      "echo 1 > /proc/sys/net/ipv6/conf/$c/seg6_enabled; "
      "echo 1 > /proc/sys/net/ipv6/conf/$c/accept_source_route; done");
  up(nat);
  up(routed);
  plug(nat);
  plug(routed);
  // FORWARD still sees the target that the sender has written first.
  rule("admin", "oifname " + routed.bridge() + " accept");
  RawPort wire(outside(), "eth0"), hidden(guest(nat.guest()), "eth0"), visible(guest(routed.guest()), "eth0");
  auto mac = [](Namespace& of) { return of.sh("cat /sys/class/net/eth0/address").out.substr(0, 17); };
  Ethernet to_host{.src = mac(outside()), .dst = mac(host())};
  // As it is on the wire: where a header of its family has its target.
  auto address = [](const std::string& ip) {
    bool v6 = ip.contains(':');
    Bytes frame = v6 ? (Ethernet{} / Ipv6{.dst = ip}).bytes() : (Ethernet{} / Ipv4{.dst = ip}).bytes();
    return v6 ? Bytes(frame.begin() + 38, frame.begin() + 54) : Bytes(frame.begin() + 30, frame.begin() + 34);
  };
  auto append = [](Bytes& to, const Bytes& more) { to.insert(to.end(), more.begin(), more.end()); };
  // Loose source routing, and segment routing (RFC 8754), as far as the host follows them.
  auto send = [&](const RealNetwork& net, bool v6, std::uint16_t port) {
    Udp udp{.src_port = port, .dst_port = 9000};
    if (!v6) {
      Bytes route{131, 7, 4};
      append(route, address(net.ip(false)));
      wire.send(to_host / Ipv4{.src = eth0.theirs(false), .dst = eth0.ours(false), .options = route} / udp /
                Payload("routed"));
      return;
    }
    Bytes header{17, 4, 4, 1, 1, 0, 0, 0};  // UDP, 40 bytes, SRH, the second segment is next
    for (const std::string& segment : {net.ip(true), eth0.ours(true)}) append(header, address(segment));
    Bytes inner =
        (Ethernet{} / Ipv6{.src = eth0.theirs(true), .dst = net.ip(true)} / udp / Payload("routed")).bytes();
    header.insert(header.end(), inner.begin() + 54, inner.end());
    wire.send(to_host / Ipv6{.src = eth0.theirs(true), .dst = eth0.ours(true), .next_header = 43} /
              Payload(header));
  };
  auto of_port = [](std::uint16_t port) {
    return [port](const VirtioFrame& f) {
      auto text = std::string(f.frame.begin(), f.frame.end());
      return text.contains(std::string{static_cast<char>(port >> 8), static_cast<char>(port)}) &&
             text.contains("routed");
    };
  };
  both_families([&](bool v6) {
    std::uint16_t number = v6 ? 0x7f06 : 0x7f04;
    send(nat, v6, number);
    // The host does follow such routes.
    EXPECT_TRUE(wait_until([&] {
      send(routed, v6, number);
      auto frame = visible.receive(std::chrono::milliseconds(200));
      return frame && of_port(number)(*frame);
    }));
    hidden.expect_no_frame(of_port(number), std::chrono::milliseconds(100));
    outside().must(fmt::format("ip route add {} via {}", nat.subnet(v6), eth0.ours(v6)));
    expect_refused({{&outside(), {nat.ip(v6), 80}}});
  });
  if (!is_bridge()) {
    EXPECT_GE(dropped("not-visible"), 4U);
  }
}

INSTANTIATE_TEST_SUITE_P(All, DockersPort, testing::Values("tcx", "clsact", "bridge"), way_of);
INSTANTIATE_TEST_SUITE_P(All, HostNat, testing::Values("tcx", "clsact", "bridge"), way_of);

}  // namespace
}  // namespace vnet::test
