// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/firewall/ruleset.h"

#include <fmt/format.h>

#include <algorithm>

#include "loader/firewall/rule_text.h"
#include "loader/model/pass_rule.h"
#include "loader/netlink/nftables.h"

namespace vnet {
namespace {

using Json = nlohmann::json;

constexpr int max_depth = 16;  // the kernel's own limit of jumps

bool family_fits(const std::string& family, const ProbePacket& packet) {
  return family == "inet" || family == (packet.source.family == Family::V4 ? "ip" : "ip6");
}

// What iptables-nft keeps of the old extensions: {"xt": {"type": "target", "name": "MASQUERADE"}}.
std::string xt_name(const Json& statement, const char* type) {
  auto xt = statement.find("xt");
  return xt != statement.end() && xt->is_object() && text_of(*xt, "type") == type ? text_of(*xt, "name") : "";
}

bool marks(const Json& statement) {
  auto mangle = statement.find("mangle");
  return xt_name(statement, "target") == "MARK" || (mangle != statement.end() && mangle->contains("key") &&
                                                    (*mangle)["key"] == Json{{"meta", {{"key", "mark"}}}});
}

// Does the statement ask something, and does the packet answer it?
std::optional<bool> condition(const Json& statement, const ProbePacket& packet) {
  if (auto match = statement.find("match"); match != statement.end()) return holds(*match, packet);
  std::string xt = xt_name(statement, "match");
  if ((!xt.empty() && xt != "comment") || statement.contains("limit")) return std::nullopt;
  return true;
}

// {"addr": "192.0.2.1", "port": 80}
void read_target(const Json& words, Translation& to) {
  if (!words.is_object()) return;
  if (auto addr = words.find("addr"); addr != words.end()) {
    to.address = addr->is_string() ? Address::parse(addr->get<std::string>()) : std::nullopt;
    to.unknown = !to.address;
  }
  if (auto port = words.find("port"); port != words.end()) {
    if (port->is_number_unsigned() && port->get<unsigned>() <= 0xffff)
      to.port = port->get<std::uint16_t>();
    else
      to.unknown = true;
  }
}

constexpr const char* ways_to_translate[] = {"dnat", "redirect", "snat", "masquerade"};

Translation translation_of(const Json& statement, Ruling by) {
  Translation to{.by = std::move(by), .how = {}};
  for (const char* how : ways_to_translate)
    if (auto it = statement.find(how); it != statement.end()) {
      to.how = how;
      read_target(*it, to);
    }
  if (to.how.empty()) {  // an extension that nft could not spell out
    to.how = xt_name(statement, "target") == "MASQUERADE" ? "masquerade" : xt_name(statement, "target");
    to.unknown = to.how != "masquerade";
  }
  if ((to.how == "dnat" || to.how == "snat") && !to.address && !to.port) to.unknown = true;
  return to;
}

}  // namespace

std::string place(const Ruling& ruling) {
  return fmt::format("table {} {}, chain {}{}", ruling.family, ruling.table, ruling.chain,
                     ruling.by_policy ? ", policy drop" : "");
}

std::string place_of_rule(const Ruling& ruling) {
  if (ruling.by_policy) return place(ruling);
  return fmt::format("table {} {}, chain {}: {}", ruling.family, ruling.table, ruling.in_chain, ruling.rule);
}

Ruling Ruleset::Trace::at(const Chain& chain, const Rule& rule) const {
  return {.family = base->family,
          .table = base->table,
          .chain = base->name,
          .in_chain = chain.name,
          .rule = rule.text};
}

// Words that end a rule.
struct Ruleset::Verb {
  const char *word, *target;  // nft's, and that of iptables' extension
  Verdict verdict;
};
const Ruleset::Verb Ruleset::verbs[] = {
    {"accept", "", Verdict::Accept},
    {"drop", "", Verdict::Drop},
    {"reject", "REJECT", Verdict::Drop},
    {"return", "", Verdict::Return},
    {"masquerade", "MASQUERADE", Verdict::Translate},
    {"snat", "SNAT", Verdict::Translate},
    {"dnat", "DNAT", Verdict::Translate},
    {"redirect", "REDIRECT", Verdict::Translate},
};

// Continue: no verdict is in there.
Ruleset::Verdict Ruleset::decide(const Chain& chain, const Rule& rule, const Json& statement, Trace& trace,
                                 int depth) const {
  std::string target = xt_name(statement, "target");
  for (const Verb& verb : verbs) {
    if (!statement.contains(verb.word) && (target.empty() || target != verb.target)) continue;
    trace.decided = trace.at(chain, rule);
    trace.decided.tells = statement.contains("reject") || target == "REJECT";
    trace.statement = statement;
    return verb.verdict;
  }
  for (const char* how : {"jump", "goto"}) {
    if (!statement.contains(how)) continue;
    const Chain* next = find(chain.family, chain.table, text_of(statement[how], "target"));
    if (!next) return Verdict::Continue;
    Verdict verdict = walk(*next, trace, depth + 1);
    if (verdict != Verdict::Continue) return verdict;
    return std::string(how) == "goto" ? Verdict::Return : Verdict::Continue;
  }
  return Verdict::Continue;
}

namespace {

bool may_decide(const Json& statement) {
  constexpr const char* words[] = {"accept", "drop",     "reject", "return", "masquerade", "snat",
                                   "dnat",   "redirect", "jump",   "goto",   "vmap",       "queue"};
  return std::ranges::any_of(words, [&](const char* word) { return statement.contains(word); }) ||
         !xt_name(statement, "target").empty();
}

}  // namespace

Ruleset::Verdict Ruleset::apply(const Chain& chain, const Rule& rule, Trace& trace, int depth) const {
  bool sure = true;
  std::vector<Json> words;  // that are no conditions
  for (const Json& statement : rule.expressions) {
    if (!statement.is_object()) continue;
    auto is = condition(statement, *trace.packet);
    if (is == false) return Verdict::Continue;
    sure = sure && is;
    words.push_back(statement);
  }
  for (const Json& statement : words) {
    if (trace.doubts && marks(statement)) trace.doubts->marks.push_back(trace.at(chain, rule));
    Json meant = statement;
    if (auto vmap = statement.find("vmap"); vmap != statement.end()) {
      auto verdict = looked_up(*vmap, *trace.packet);
      sure = sure && verdict;
      if (verdict && !verdict->is_object()) continue;
      if (verdict) meant = *verdict;
    }
    if (!sure || meant.contains("queue")) {
      if (!may_decide(meant)) continue;
      if (trace.doubts) trace.doubts->unknown.push_back(trace.at(chain, rule));
      return Verdict::Continue;
    }
    Verdict verdict = decide(chain, rule, meant, trace, depth);
    if (verdict != Verdict::Continue) return verdict;
  }
  return Verdict::Continue;
}

// Continue: the end, without a verdict.
Ruleset::Verdict Ruleset::walk(const Chain& chain, Trace& trace, int depth) const {
  if (depth > max_depth) return Verdict::Continue;
  for (const Rule& rule : chain.rules) {
    Verdict verdict = apply(chain, rule, trace, depth);
    if (verdict == Verdict::Return) return Verdict::Continue;
    if (verdict != Verdict::Continue) return verdict;
  }
  return Verdict::Continue;
}

// Our own, which is told of apart (loader/bpf/fence.h).
bool Ruleset::is_fence(const Chain& chain) {
  return chain.family == "inet" && chain.table == "vnet_bpf";
}

const Ruleset::Chain* Ruleset::find(const std::string& family, const std::string& table,
                                    const std::string& name) const {
  auto it = std::ranges::find_if(chains_, [&](const Chain& chain) {
    return chain.family == family && chain.table == table && chain.name == name;
  });
  return it == chains_.end() ? nullptr : &*it;
}

std::vector<const Ruleset::Chain*> Ruleset::base_chains(const std::string& type, const std::string& hook,
                                                        const ProbePacket& packet) const {
  std::vector<const Chain*> all;
  for (const Chain& chain : chains_)
    if (chain.type == type && chain.hook == hook && family_fits(chain.family, packet) && !is_fence(chain))
      all.push_back(&chain);
  std::ranges::stable_sort(all, {}, &Chain::priority);
  return all;
}

std::optional<Ruling> Ruleset::dropped(const ProbePacket& packet, const std::string& hook,
                                       Doubts* doubts) const {
  for (const Chain* chain : base_chains("filter", hook, packet)) {
    Trace trace{.base = chain, .packet = &packet, .doubts = doubts};
    Verdict verdict = walk(*chain, trace, 0);
    if (verdict == Verdict::Drop) return trace.decided;
    if (doubts && verdict == Verdict::Accept &&
        trace.decided.in_chain == pass_chain({chain->family, chain->table, chain->hook}))
      doubts->passed.push_back({chain->family, chain->table, chain->name, true});
    if (verdict == Verdict::Continue && chain->drops)
      return Ruling{chain->family, chain->table, chain->name, true};
  }
  return std::nullopt;
}

std::optional<Translation> Ruleset::translation(const ProbePacket& packet, const std::string& hook,
                                                Doubts* doubts) const {
  for (const Chain* chain : base_chains("nat", hook, packet)) {
    Trace trace{.base = chain, .packet = &packet, .doubts = doubts};
    if (walk(*chain, trace, 0) == Verdict::Translate) return translation_of(trace.statement, trace.decided);
  }
  return std::nullopt;
}

std::vector<Ruling> Ruleset::translated(const ProbePacket& packet) const {
  std::vector<Ruling> all;
  for (const Chain* chain : base_chains("nat", "postrouting", packet)) {
    Trace trace{.base = chain, .packet = &packet, .doubts = nullptr};
    if (walk(*chain, trace, 0) == Verdict::Translate) all.push_back(trace.decided);
  }
  return all;
}

std::vector<Ruling> Ruleset::turning_to(const Prefix& subnet) const {
  std::vector<Ruling> all;
  for (const Chain& chain : chains_)
    for (const Rule& rule : chain.rules)
      for (const Json& statement : rule.expressions) {
        if (!statement.is_object() || !statement.contains("dnat")) continue;
        auto to = translation_of(statement, Trace{&chain, nullptr, nullptr}.at(chain, rule));
        if (to.address && subnet.contains(*to.address)) all.push_back(to.by);
      }
  return all;
}

bool Ruleset::has_table(const std::string& family, const std::string& name) const {
  return std::ranges::any_of(
      chains_, [&](const Chain& chain) { return chain.family == family && chain.table == name; });
}

bool Ruleset::has_chain(const std::string& family, const std::string& table, const std::string& chain) const {
  return find(family, table, chain);
}

Result<Ruleset> Ruleset::parse(const std::string& json, const std::string& listing) {
  Json document = Json::parse(json, nullptr, false);
  if (!document.is_object() || !document["nftables"].is_array())
    return failed("the ruleset is not what `nft -j list ruleset` prints");
  const RuleTexts texts = rule_texts(listing);
  Ruleset ruleset;
  for (const Json& entry : document["nftables"]) {
    if (auto it = entry.find("chain"); it != entry.end()) {
      Chain chain{.family = text_of(*it, "family"),
                  .table = text_of(*it, "table"),
                  .name = text_of(*it, "name"),
                  .type = text_of(*it, "type"),
                  .hook = text_of(*it, "hook"),
                  .drops = text_of(*it, "policy") == "drop",
                  .rules = {}};
      if (it->contains("prio") && (*it)["prio"].is_number_integer())
        chain.priority = (*it)["prio"].get<int>();
      ruleset.chains_.push_back(std::move(chain));
    }
  }
  for (const Json& entry : document["nftables"]) {
    auto it = entry.find("rule");
    if (it == entry.end() || !it->contains("expr") || !(*it)["expr"].is_array()) continue;
    unsigned handle = 0;
    if (it->contains("handle") && (*it)["handle"].is_number_unsigned()) handle = (*it)["handle"];
    auto found = texts.find({text_of(*it, "family"), text_of(*it, "table"), handle});
    std::string text = found == texts.end() ? "" : found->second;
    for (Chain& chain : ruleset.chains_)
      if (chain.family == text_of(*it, "family") && chain.table == text_of(*it, "table") &&
          chain.name == text_of(*it, "chain"))
        chain.rules.push_back({without_extensions((*it)["expr"], text),
                               text.empty() ? fmt::format("handle {}", handle) : text});
  }
  return ruleset;
}

Result<Ruleset> read_ruleset() {
  auto json = run_nft("list ruleset", true);
  if (!json) return std::unexpected(std::move(json).error().within("reading the firewall's rules"));
  if (json->empty()) return Ruleset{};
  VNET_ASSIGN(auto listing, run_nft("list ruleset"));
  return Ruleset::parse(*json, listing);
}

}  // namespace vnet
