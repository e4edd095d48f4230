// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/firewall/passes.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "loader/firewall/match.h"
#include "loader/netlink/nftables.h"

namespace vnet {
namespace {

using Json = nlohmann::json;

// Chains by which ufw spells out a policy: of what it does not log, and of policies that reject.
constexpr const char* policy_words[] = {"skip-to-policy-", "reject-"};

bool is_ufws_policy(const std::string& chain, const std::string& hook) {
  return std::ranges::any_of(policy_words, [&](const char* word) {
    return chain == std::string("ufw-") + word + hook || chain == std::string("ufw6-") + word + hook;
  });
}

Result<Json> listed(const std::string& command) {
  VNET_ASSIGN(auto text, run_nft(command, true));
  Json document = Json::parse(text, nullptr, false);
  return document.is_object() && document.contains("nftables") ? document["nftables"] : Json::array();
}

// One that has an owner takes no rules of others; a dormant one has no effect.
Result<std::set<std::pair<std::string, std::string>>> closed_tables() {
  std::set<std::pair<std::string, std::string>> closed;
  VNET_ASSIGN(auto tables, listed("list tables"));
  for (const Json& entry : tables)
    if (auto it = entry.find("table"); it != entry.end() && it->contains("flags"))
      closed.emplace(text_of(*it, "family"), text_of(*it, "name"));
  return closed;
}

const Json* expressions_of(const Json& entry) {
  auto rule = entry.find("rule");
  if (rule == entry.end() || !rule->contains("expr") || !(*rule)["expr"].is_array()) return nullptr;
  return &(*rule)["expr"];
}

bool drops(const Json& expressions) {
  return std::ranges::any_of(expressions, [](const Json& each) {
    auto xt = each.find("xt");
    return each.contains("drop") || each.contains("reject") ||
           (xt != each.end() && xt->is_object() && text_of(*xt, "name") == "REJECT");
  });
}

bool jumps_to(const Json& expressions, const std::string& chain) {
  return std::ranges::any_of(expressions, [&](const Json& each) {
    auto jump = each.find("jump");
    return jump != each.end() && text_of(*jump, "target") == chain;
  });
}

// A rule as pass_commands() writes it, and as iptables does when it restores it.
std::optional<PassRule> pass_rule(const Json& expressions) {
  PassRule rule;
  bool accepts = false;
  for (const Json& each : expressions) {
    if (each.contains("accept")) accepts = true;
    if (each.contains("accept") || each.contains("counter")) continue;
    auto match = each.find("match");
    if (match == each.end() || text_of(*match, "op") != "==" || !match->contains("left") ||
        !match->contains("right"))
      return std::nullopt;
    const Json &left = (*match)["left"], &right = (*match)["right"];
    if (auto meta = left.find("meta"); meta != left.end() && right.is_string()) {
      std::string key = text_of(*meta, "key");
      if (key == "l4proto")
        rule.protocol = right.get<std::string>();
      else if (key == "iifname" || key == "oifname")
        rule.interface = right.get<std::string>(), rule.leaves = key == "oifname";
      else
        return std::nullopt;
    } else if (auto payload = left.find("payload");
               payload != left.end() && text_of(*payload, "field") == "dport" && right.is_number_unsigned()) {
      rule.protocol = text_of(*payload, "protocol");
      rule.port = right.get<std::uint16_t>();
    } else {
      return std::nullopt;
    }
  }
  return accepts && !rule.interface.empty() ? std::optional(rule) : std::nullopt;
}

std::string nft_text(const PassRule& rule) {
  std::string text = fmt::format("{} \"{}\"", rule.leaves ? "oifname" : "iifname", rule.interface);
  if (!rule.protocol.empty()) text += " meta l4proto " + rule.protocol;
  if (rule.port) text += fmt::format(" {} dport {}", rule.protocol, rule.port);
  return text + " counter accept";
}

std::string place_of(const PassTable& table, const std::string& chain) {
  return fmt::format("{} {} {}", table.family, table.table, chain);
}

// A table's chains at one hook, before their rules are known.
struct Found {
  std::vector<std::string> base, ufws;
  std::set<std::string> dropping;  // of the base chains
  bool ours = false;
};

std::map<PassTable, Found> find_tables(const Json& chains,
                                       const std::set<std::pair<std::string, std::string>>& closed) {
  std::map<PassTable, Found> found;
  for (const Json& entry : chains) {
    auto chain = entry.find("chain");
    if (chain == entry.end()) continue;
    std::string family = text_of(*chain, "family"), table = text_of(*chain, "table"),
                name = text_of(*chain, "name");
    if ((family != "ip" && family != "ip6" && family != "inet") || table.starts_with("firewalld") ||
        (family == "inet" && table == "vnet_bpf") || closed.contains({family, table}))
      continue;
    for (const char* hook : {"input", "forward"}) {
      PassTable key{family, table, hook};
      if (text_of(*chain, "type") == "filter" && text_of(*chain, "hook") == hook) {
        found[key].base.push_back(name);
        if (text_of(*chain, "policy") == "drop") found[key].dropping.insert(name);
      }
      if (is_ufws_policy(name, hook)) found[key].ufws.push_back(name);
      if (name == pass_chain(key)) found[key].ours = true;
    }
  }
  return found;
}

struct Reading {
  PassState state;
  std::vector<std::string> jumps;  // "ip filter FORWARD handle 7"
};

// `rules` of the chain; what ours are among them, and whether they are where they belong.
void read_policy(const Json& rules, const PolicyChain& policy, bool drops, Reading& reading) {
  std::size_t own = 0, last = 0, count = 0;
  for (const Json& entry : rules) {
    const Json* expressions = expressions_of(entry);
    if (!expressions) continue;
    ++count;
    if (!jumps_to(*expressions, pass_chain(reading.state.table))) continue;
    ++own;
    last = count;
    unsigned handle = entry["rule"].value("handle", 0U);
    reading.jumps.push_back(fmt::format("{} handle {}", place_of(reading.state.table, policy.name), handle));
  }
  if (drops) reading.state.policies.push_back(policy);
  bool stands = drops ? own == 1 && last == (policy.first ? 1 : count) : !own;
  reading.state.in_place = reading.state.in_place && stands;
}

Result<Reading> read_table(const PassTable& table, const Found& found) {
  Reading reading{.state = {.table = table, .policies = {}, .rules = {}}, .jumps = {}};
  for (const auto& name : found.base) {
    VNET_ASSIGN(auto rules, listed("list chain " + place_of(table, name)));
    read_policy(rules, {name, false}, found.dropping.contains(name), reading);
  }
  for (const auto& name : found.ufws) {
    VNET_ASSIGN(auto rules, listed("list chain " + place_of(table, name)));
    bool dropping = std::ranges::any_of(rules, [](const Json& entry) {
      const Json* expressions = expressions_of(entry);
      return expressions && drops(*expressions);
    });
    read_policy(rules, {name, true}, dropping, reading);
  }
  if (!found.ours) {  // nothing is where it should not be
    reading.state.in_place = true;
    return reading;
  }
  VNET_ASSIGN(auto rules, listed("list chain " + place_of(table, pass_chain(table))));
  for (const Json& entry : rules)
    if (const Json* expressions = expressions_of(entry)) {
      auto rule = pass_rule(*expressions);
      reading.state.in_place = reading.state.in_place && rule;
      if (rule) reading.state.rules.push_back(*rule);
    }
  return reading;
}

Result<std::map<PassTable, Found>> found_tables() {
  VNET_ASSIGN(auto chains, listed("list chains"));
  if (chains.empty()) return std::map<PassTable, Found>{};
  VNET_ASSIGN(auto closed, closed_tables());
  return find_tables(chains, closed);
}

bool matters(const Found& found) {
  return found.ours || !found.dropping.empty() || !found.ufws.empty();
}

}  // namespace

Result<std::vector<PassState>> read_passes() {
  std::vector<PassState> all;
  VNET_ASSIGN(auto tables, found_tables());
  for (const auto& [table, found] : tables) {
    if (!matters(found)) continue;
    auto reading = read_table(table, found);
    // Whoever writes the rules may have taken a chain away meanwhile: that is another event.
    if (reading && (found.ours || !reading->state.policies.empty())) all.push_back(std::move(reading->state));
  }
  return all;
}

std::string pass_commands(const PassState& now, const std::vector<PassRule>& rules,
                          const std::vector<std::string>& jumps) {
  std::string ours = place_of(now.table, pass_chain(now.table));
  std::string text = fmt::format("add chain {0}\nflush chain {0}\n", ours);
  for (const auto& jump : jumps) text += "delete rule " + jump + "\n";
  if (rules.empty()) return text + "delete chain " + ours + "\n";
  for (const auto& rule : rules) text += fmt::format("add rule {} {}\n", ours, nft_text(rule));
  for (const auto& policy : now.policies)
    text += fmt::format("{} rule {} counter jump {}\n", policy.first ? "insert" : "add",
                        place_of(now.table, policy.name), pass_chain(now.table));
  return text;
}

Result<void> write_passes(const PassTable& table, const std::vector<PassRule>& rules) {
  VNET_ASSIGN(auto tables, found_tables());
  auto found = tables.find(table);
  if (found == tables.end() || !matters(found->second)) return {};
  VNET_ASSIGN(auto reading, read_table(table, found->second));
  if (rules.empty() && !found->second.ours) return {};
  auto done = run_nft(pass_commands(reading.state, rules, reading.jumps));
  if (!done)
    return std::unexpected(std::move(done).error().within(
        fmt::format("letting guests' packets past the policy of table {} {}", table.family, table.table)));
  return {};
}

}  // namespace vnet
