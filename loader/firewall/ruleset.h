// SPDX-License-Identifier: GPL-2.0-or-later
// The host's nftables rules (those of iptables-nft, ufw, firewalld and Docker are such) and what they do to a
// packet, as far as that can be told from the packet alone: a rule with a condition that we do not know (a
// set, a mark, a limit) counts as not matching, and is told.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "loader/base/error.h"
#include "loader/firewall/match.h"
#include "loader/model/address.h"

namespace vnet {

// The place in the rules that drops or translates the packet.
struct Ruling {
  std::string family, table, chain;      // the base chain
  bool by_policy = false;                // no rule, but the chain's policy
  bool tells = false;                    // rejects: the sender is told
  std::string in_chain = {}, rule = {};  // the rule's own chain, and its text
  auto operator<=>(const Ruling&) const = default;
};
// table ip filter, chain FORWARD, policy drop
std::string place(const Ruling& ruling);
// table ip nat, chain DOCKER: tcp dport 8080 dnat to 172.17.0.2:80
std::string place_of_rule(const Ruling& ruling);

// What the host's NAT makes of the packet's destination or source.
struct Translation {
  Ruling by;
  std::string how;                         // dnat, redirect, snat, masquerade
  std::optional<Address> address = {};     // nullopt: the interface's own, unless it is `unknown`
  std::optional<std::uint16_t> port = {};  // nullopt: as it was
  bool unknown = false;                    // a map, a range: where to is not to be told
};

// What came before the decision, and what could not be judged.
struct Doubts {
  std::vector<Ruling> unknown;  // rules that may have decided otherwise
  std::vector<Ruling> marks;    // rules that mark it: routing may go by that
  std::vector<Ruling> passed;   // policies that a rule of ours has let it past (loader/model/pass_rule.h)
};

class Ruleset {
 public:
  Ruleset() = default;
  // As `nft -j list ruleset` prints it; listing: as `nft -a list ruleset` does.
  static Result<Ruleset> parse(const std::string& json, const std::string& listing = "");

  // hook: "input", "forward". nullopt: nothing drops it.
  std::optional<Ruling> dropped(const ProbePacket& packet, const std::string& hook,
                                Doubts* doubts = nullptr) const;
  // hook: "prerouting", "output", "postrouting". The first chain that translates it is the one that counts.
  std::optional<Translation> translation(const ProbePacket& packet, const std::string& hook,
                                         Doubts* doubts = nullptr) const;
  // Every chain that would masquerade it or change its source.
  std::vector<Ruling> translated(const ProbePacket& packet) const;
  // Every rule that turns something to an address in there.
  std::vector<Ruling> turning_to(const Prefix& subnet) const;

  bool has_table(const std::string& family, const std::string& name) const;
  bool has_chain(const std::string& family, const std::string& table, const std::string& chain) const;

 private:
  enum class Verdict { Continue, Return, Accept, Drop, Translate };
  struct Verb;
  static const Verb verbs[];
  struct Rule {
    nlohmann::json expressions;
    std::string text;
  };
  struct Chain {
    std::string family, table, name, type, hook;
    int priority = 0;
    bool drops = false;  // its policy
    std::vector<Rule> rules;
  };
  // A walk through one base chain.
  struct Trace {
    const Chain* base;
    const ProbePacket* packet;
    Doubts* doubts;
    Ruling decided = {};            // the rule that has the verdict
    nlohmann::json statement = {};  // its last words
    Ruling at(const Chain& chain, const Rule& rule) const;
  };
  static bool is_fence(const Chain& chain);
  Verdict walk(const Chain& chain, Trace& trace, int depth) const;
  Verdict apply(const Chain& chain, const Rule& rule, Trace& trace, int depth) const;
  Verdict decide(const Chain& chain, const Rule& rule, const nlohmann::json& statement, Trace& trace,
                 int depth) const;
  const Chain* find(const std::string& family, const std::string& table, const std::string& name) const;
  std::vector<const Chain*> base_chains(const std::string& type, const std::string& hook,
                                        const ProbePacket& packet) const;

  std::vector<Chain> chains_;
};

// The ruleset of this network namespace. An empty one where the kernel has no nftables.
Result<Ruleset> read_ruleset();

}  // namespace vnet
