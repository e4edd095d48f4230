// SPDX-License-Identifier: GPL-2.0-or-later
// Who is where. Every address is fixed, so that a frame is a function of the seed and its number alone.
//
//   network N: 10.88.N.0/24, fd00:88:N::/64   .1 gateway, .11 honest neighbour, .12 hostile on a veth,
//                                             .13 hostile on a tap
//   outside:   203.0.113.0/24, 2001:db8:113::/64   .2 the host, .1 the router; the default route
//   lan:       198.18.5.0/24, 2001:db8:5::/64      .2 the host, .1 a machine; no default route
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "tests/hostile/address.h"

namespace vnet::hostile {

enum class Mode { nat, route, open, isolated };

struct Network {
  const char* name;
  Mode mode;
  const char* forward;  // XML
  int number;
  bool masquerades6;  // and IPv4 in any NAT network

  bool hidden() const { return mode == Mode::nat || mode == Mode::isolated; }
  bool masquerades(bool v6) const { return mode == Mode::nat && (!v6 || masquerades6); }
  Address host(int number_in_it, bool v6) const;
  bool has(const Address& address) const;
};

inline constexpr std::array<Network, 5> networks{{
    {"nat", Mode::nat, "<forward mode='nat'><nat ipv6='yes'/></forward>", 1, true},
    {"nat4", Mode::nat, "<forward mode='nat'/>", 2, false},
    {"route", Mode::route, "<forward mode='route'/>", 3, false},
    {"isolated", Mode::isolated, "", 4, false},
    {"open", Mode::open, "<forward mode='open'/>", 5, false},
}};

inline constexpr int gateway = 1, neighbour = 11, hostile_veth = 12, hostile_tap = 13;

// Any network's subnet, the one left out excepted.
bool in_a_network(const Address& address, const Network* left_out = nullptr);

struct Guest {
  const Network* network;
  bool tap;

  int number() const { return tap ? hostile_tap : hostile_veth; }
  Mac mac() const;
};

inline constexpr std::size_t guest_count = networks.size() * 2;
Guest guest(std::size_t index);

// Where a sniffer is: outside, lan, then each network's neighbour.
struct Place {
  std::string name;
  const Network* network;  // nullptr: outside or lan
  Mac host_mac, machine_mac;
  std::array<Address, 2> host, machine;  // IPv4, IPv6
};

inline constexpr std::size_t place_count = networks.size() + 2;
const Place& place(std::size_t index);

// An address by which the host itself speaks, anywhere.
bool is_hosts(const Address& address);

// The responder's port and groups.
inline constexpr std::uint16_t echo_port = 7777;
inline constexpr const char* echo_group4 = "239.1.2.3";
inline constexpr const char* echo_group6 = "ff05::4242";

}  // namespace vnet::hostile
