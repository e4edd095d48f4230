// SPDX-License-Identifier: GPL-2.0-or-later
// hostFirewall='auto': rules of ours in the host's own chains, behind all that its administrator has written.
// They decide what else the chain's policy would.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace vnet {

// "accept" for what it names.
struct PassRule {
  std::string interface;  // a gateway
  bool leaves = false;    // by the gateway; else it comes in by it
  std::string protocol = {};
  std::uint16_t port = 0;
  auto operator<=>(const PassRule&) const = default;
};

// Where the rules are: a chain of ours in each table with a policy at that hook.
struct PassTable {
  std::string family, table;  // family: ip, ip6 or inet
  std::string hook;           // input, forward
  auto operator<=>(const PassTable&) const = default;
};
// VNET_BPF_FORWARD, VNET_BPF_INPUT: as iptables writes names.
std::string pass_chain(const PassTable& table);

// A chain that decides what no rule has decided. Ours is jumped to there.
struct PolicyChain {
  std::string name;
  bool first = false;  // it is a policy as a whole, and ours comes first; else last
  auto operator<=>(const PolicyChain&) const = default;
};

// May nft be told of it? Its strings know no escapes, and an asterisk at the end means all that begin so.
bool is_nameable(const std::string& interface);

// As found.
struct PassState {
  PassTable table;
  std::vector<PolicyChain> policies;  // those that drop
  std::vector<PassRule> rules;        // of our chain
  bool in_place = true;               // our chain is jumped to from each of `policies`, and from nowhere else
};

}  // namespace vnet
