// SPDX-License-Identifier: GPL-2.0-or-later
// The host's nftables rules (those of iptables-nft, ufw, firewalld and Docker are such) and what they do to a
// packet, as far as that can be told from the packet alone: a rule with a condition that we do not know (a
// set, a mark, a limit) counts as not matching.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "loader/error.h"
#include "loader/model/address.h"

namespace vnet {

// The first packet of a connection.
struct ProbePacket {
  std::string in, out;  // interfaces; out "" on the input hook
  Address source;
  std::string protocol;  // "udp", "tcp", "": any
  unsigned port = 0;     // destination
};

// The place in the rules that drops or translates the packet.
struct Ruling {
  std::string family, table, chain;  // the base chain
  bool by_policy = false;            // no rule, but the chain's policy
  auto operator<=>(const Ruling&) const = default;
};

class Ruleset {
 public:
  Ruleset() = default;
  static Result<Ruleset> parse(const std::string& json);  // as `nft -j list ruleset` prints it

  // hook: "input", "forward". nullopt: nothing drops it.
  std::optional<Ruling> dropped(const ProbePacket& packet, const std::string& hook) const;
  // Every chain that would masquerade it or change its source.
  std::vector<Ruling> translated(const ProbePacket& packet) const;

  bool has_table(const std::string& family, const std::string& name) const;
  bool has_chain(const std::string& family, const std::string& table, const std::string& chain) const;

 private:
  enum class Verdict { Continue, Return, Accept, Drop, Translate };
  struct Chain {
    std::string family, table, name, type, hook;
    int priority = 0;
    bool drops = false;  // its policy
    std::vector<nlohmann::json> rules;
  };
  Verdict walk(const Chain& chain, const ProbePacket& packet, int depth) const;
  Verdict apply(const Chain& chain, const nlohmann::json& rule, const ProbePacket& packet, int depth) const;
  const Chain* find(const std::string& family, const std::string& table, const std::string& name) const;
  std::vector<const Chain*> base_chains(const std::string& type, const std::string& hook,
                                        const ProbePacket& packet) const;

  std::vector<Chain> chains_;
};

// The ruleset of this network namespace. An empty one where the kernel has no nftables.
Result<Ruleset> read_ruleset();

}  // namespace vnet
