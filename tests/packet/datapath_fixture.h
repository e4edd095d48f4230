// SPDX-License-Identifier: GPL-2.0-or-later
// The real programs on real maps, run packet by packet inside a namespace that looks like a host:
//
//   guest .10 --- g1 \                                     next hop
//                     virbr0 192.168.122.1/24   eth0 --- 203.0.113.1
//   guest .11 --- g2 / fd00:122::1/64        203.0.113.2/24 2001:db8:113::1
//                                        2001:db8:113::2/64
//   virbr1 192.168.123.1/24, fd00:123::1/64: another network's gateway
//   other0: neither uplink nor gateway; 10.99.0.0/16 and fd00:99::/64 are routed there
//   198.51.100.0/24 and 2001:db8:51::/48: remote, reached by routes with a locked MTU of 1400 (bpf_fib_lookup
// reports no other)
//
// Everybody's neighbour entries are permanent, but .12 (fd00:122::12) has none.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "loader/bpf/datapath.h"
#include "tests/support/describe.h"
#include "tests/support/oracle.h"
#include "tests/support/packet.h"
#include "tests/support/prog_run.h"

namespace vnet::test {

enum class Program {
  PortIngress,
  PortEgress,
  GatewayIngress,
  GatewayEgress,
  UplinkIngress,
  UplinkEgress,
  MemberIngress,
  MemberEgress,
  // Direct attachment, on eth0.
  DirectIngress,
  ParentIngress,
  ParentEgress,
  // XDP: filtering, forwarding, forwarding what adds up only. XDP_PASS, XDP_DROP and XDP_REDIRECT come as the
  // verdicts below.
  UplinkXdp,
  UplinkForward,
  UplinkForwardDistrusting,
};
inline bool is_xdp(Program program) {
  return program >= Program::UplinkXdp;
}
inline constexpr Program all_programs[] = {
    Program::PortIngress,   Program::PortEgress,    Program::GatewayIngress,
    Program::GatewayEgress, Program::UplinkIngress, Program::UplinkEgress,
    Program::UplinkXdp,     Program::UplinkForward, Program::UplinkForwardDistrusting};

enum Verdict { Ok = -1, Shot = 2, Redirect = 7 };  // Ok: TC_ACT_UNSPEC, "next"

// What is counted under which slot.
namespace slot {
inline constexpr std::uint16_t network = 1, other = 2, uplink = 3, g1 = 4, g2 = 5, parent = 6;
}

// What the loader writes for each mode (loader/plan/network_plan.cpp).
namespace flag {
inline constexpr std::uint32_t nat = VNET_NETWORK_F_MASQUERADE4 | VNET_NETWORK_F_MASQUERADE6,
                               nat_v4_only = VNET_NETWORK_F_MASQUERADE4, route = VNET_NETWORK_F_VISIBLE,
                               open = VNET_NETWORK_F_VISIBLE | VNET_NETWORK_F_OPEN,
                               isolated = VNET_NETWORK_F_ISOLATED,
                               bridged = VNET_NETWORK_F_BRIDGED | VNET_NETWORK_F_SHORTCUT;
}

namespace mac {
inline const std::string gateway = "52:54:00:00:01:fe", other_gateway = "52:54:00:00:02:fe";
inline const std::string guest1 = "52:54:00:00:01:0a", guest2 = "52:54:00:00:01:0b";
inline const std::string uplink = "52:54:00:00:03:02", next_hop = "52:54:00:00:03:01";
inline const std::string stranger = "52:54:00:00:09:09";
}  // namespace mac

// The names of the two families' ends, so that a test is written once.
struct Ends {
  int family;
  std::string guest1, guest2, unresolved, gateway, host, next_hop, remote, remote2, other_guest, nowhere,
      multicast;
};
const Ends& ends(int family);

enum class L4 { Udp, Tcp, Echo };

Packet ip(const std::string& source, const std::string& destination, int ttl = 64);
// A datagram, a SYN or an echo request (whose id is the source port). `flags` matters to TCP only.
Packet l4(L4 kind, int family, std::uint16_t sport, std::uint16_t dport, const std::string& flags = "S");
Packet l4_answer(L4 kind, int family, std::uint16_t dport, std::uint16_t sport,
                 const std::string& flags = "SA");
int protocol(L4 kind, int family);
enum class Problem { Unreachable, TooBig, TimeExceeded };
// The ICMP or ICMPv6 error (port unreachable, MTU 1300, time exceeded) that quotes `about`.
Packet icmp_error(Problem problem, int family, const Packet& about, std::size_t limit = 548);
vnet_addr address(const std::string& text);
vnet_flow flow(const std::string& source, const std::string& destination, int protocol, std::uint16_t sport,
               std::uint16_t dport);

using Drops = std::map<std::pair<int, std::string>, std::uint64_t>;  // {slot, reason's word}

struct Ran {
  int verdict = 0;
  Bytes packet;
  Drops drops;  // of this run alone
};

class DatapathTest : public testing::Test {
 protected:
  void SetUp() override;

  // On the program's usual interface (g1, virbr0, eth0) unless the context says another. Checks what holds
  // for every packet: the verdict is one of three, and a dropped packet is counted exactly once.
  Ran run(Program program, const Bytes& frame, RunContext context = {}, std::uint16_t tc_index = 0);

  // Runs, and expects the frame that comes out; the oracle looks at it, too.
  void expect(Program program, const Bytes& frame, int verdict, const Bytes& out, RunContext context = {});
  void expect_same(Program program, const Bytes& frame, int verdict, RunContext context = {}) {
    expect(program, frame, verdict, frame, context);
  }
  void expect_drop(Program program, const Bytes& frame, int at_slot, const std::string& reason,
                   RunContext context = {});

  // The kernel's own measurement over so many runs.
  double nanoseconds_a_run(Program program, const Bytes& frame, unsigned runs);

  SharedMaps& maps();
  std::uint32_t ifindex(const std::string& interface);
  Drops drops();
  vnet_traffic traffic(int at_slot);
  std::uint64_t probes(unsigned tries);
  std::size_t session_count() { return maps().sessions.keys().size(); }
  std::optional<vnet_session> session(const vnet_flow& key) { return maps().sessions.get(key); }
  std::uint32_t usage(int at_slot) {
    return maps().quota_usage.get(static_cast<__u32>(at_slot)).value().sessions;
  }
  std::uint32_t inbound(int at_slot) {
    return maps().quota_usage.get(static_cast<__u32>(at_slot)).value().inbound;
  }

  void set_network(const std::function<void(vnet_network&)>& change);
  void set_port(const std::string& interface, const std::function<void(vnet_port&)>& change);
  // The network (its programs and its entry) as it is with these VNET_NETWORK_F_*; the other network's entry.
  void set_flags(std::uint32_t flags);
  void set_other_flags(std::uint32_t flags);
  // The packet that a hook has given to the host's stack last, which comes to the next as it was, or
  // translated.
  void set_handed_up(const vnet_flow& flow);

  std::array<std::uint32_t, 5> mark_before(Program program);  // of a packet without a cb of its own

 private:
  std::uint32_t flags_ = flag::nat;
  Drops counted_;  // up to and with the last run(); reading them is most of what a run costs
};

// Runs once for IPv4, once for IPv6: `at` has the names.
class BothFamilies : public DatapathTest, public testing::WithParamInterface<int> {
 protected:
  int family() const { return GetParam(); }
  const Ends& at = ends(GetParam());

  // The packet of a guest as it stands before the uplink's egress hook, and the session that it makes.
  Packet outgoing(L4 kind, const std::string& guest, std::uint16_t sport, const std::string& flags = "S") {
    return out_of_host / ip(guest, at.remote, 63) / l4(kind, family(), sport, 443, flags);
  }
  Packet outgoing_translated(L4 kind, std::uint16_t sport, const std::string& flags = "S") {
    return out_of_host / ip(at.host, at.remote, 63) / l4(kind, family(), sport, 443, flags);
  }
  Packet answer(L4 kind, const std::string& to, std::uint16_t port, const std::string& flags = "SA",
                int ttl = 60) {
    return into_host / ip(at.remote, to, ttl) / l4_answer(kind, family(), port, 443, flags);
  }
  vnet_flow key(L4 kind, const std::string& guest, std::uint16_t sport) {
    return flow(guest, at.remote, protocol(kind, family()), sport, kind == L4::Echo ? 0 : 443);
  }
  vnet_flow reverse_key(L4 kind, std::uint16_t port) {
    return flow(at.remote, at.host, protocol(kind, family()), kind == L4::Echo ? 0 : 443, port);
  }
  // Makes a session at the uplink; the outside's port of it.
  std::uint16_t open(L4 kind, const std::string& guest, std::uint16_t sport, std::uint16_t tc_index = 0);

  const Ethernet out_of_host{.src = mac::uplink, .dst = mac::next_hop};
  const Ethernet into_host{.src = mac::next_hop, .dst = mac::uplink};
  const Ethernet to_guest1{.src = mac::gateway, .dst = mac::guest1};
  const Ethernet to_guest2{.src = mac::gateway, .dst = mac::guest2};
  const Ethernet from_guest1{.src = mac::guest1, .dst = mac::gateway};
  const Ethernet from_guest2{.src = mac::guest2, .dst = mac::gateway};
};

}  // namespace vnet::test

#define VNET_BOTH_FAMILIES(suite)                                                 \
  INSTANTIATE_TEST_SUITE_P(Ip, suite, testing::Values(4, 6), [](const auto& of) { \
    return of.param == 4 ? std::string("v4") : std::string("v6");                 \
  })
