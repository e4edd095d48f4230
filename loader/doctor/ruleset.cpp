// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/doctor/ruleset.h"

#include <nftables/libnftables.h>

#include <algorithm>
#include <memory>

namespace vnet {
namespace {

using Json = nlohmann::json;

constexpr int max_depth = 16;  // the kernel's own limit of jumps

std::string text_of(const Json& object, const char* key) {
  auto it = object.find(key);
  return it != object.end() && it->is_string() ? it->get<std::string>() : "";
}

bool family_fits(const std::string& family, const ProbePacket& packet) {
  return family == "inet" || family == (packet.source.family == Family::V4 ? "ip" : "ip6");
}

// A value of the packet against one of a rule. nullopt: not to be told.
std::optional<bool> name_is(const std::string& name, const Json& wanted) {
  if (!wanted.is_string()) return std::nullopt;
  std::string pattern = wanted.get<std::string>();
  if (pattern.starts_with("@")) return std::nullopt;
  if (pattern.ends_with("*")) return name.starts_with(pattern.substr(0, pattern.size() - 1));
  return name == pattern;
}

std::optional<bool> address_is(const Address& address, const Json& wanted) {
  auto within = [&](const std::string& text, std::optional<unsigned> length) -> std::optional<bool> {
    auto parsed = Address::parse(text);
    if (!parsed) return std::nullopt;
    if (parsed->family != address.family) return false;
    return Prefix{*parsed, length.value_or(parsed->bits())}.contains(address);
  };
  if (wanted.is_string()) return within(wanted.get<std::string>(), std::nullopt);
  if (!wanted.is_object()) return std::nullopt;
  if (auto prefix = wanted.find("prefix"); prefix != wanted.end() && prefix->is_object())
    return within(text_of(*prefix, "addr"), prefix->value("len", 0U));
  if (auto range = wanted.find("range"); range != wanted.end() && range->is_array() && range->size() == 2 &&
                                         (*range)[0].is_string() && (*range)[1].is_string()) {
    auto first = Address::parse((*range)[0].get<std::string>());
    auto last = Address::parse((*range)[1].get<std::string>());
    if (first && last) return *first <= address && address <= *last;
  }
  return std::nullopt;
}

std::optional<bool> number_is(unsigned number, const Json& wanted) {
  if (wanted.is_number_unsigned()) return number == wanted.get<unsigned>();
  if (!wanted.is_object()) return std::nullopt;
  auto range = wanted.find("range");
  if (range == wanted.end() || !range->is_array() || range->size() != 2 ||
      !std::ranges::all_of(*range, [](const Json& end) { return end.is_number_unsigned(); }))
    return std::nullopt;
  return (*range)[0].get<unsigned>() <= number && number <= (*range)[1].get<unsigned>();
}

// One value, or any of a list (how nft writes an anonymous set).
template <typename Is>
std::optional<bool> any_of(const Json& right, Is is) {
  const Json* list = &right;
  if (right.is_object())
    if (auto set = right.find("set"); set != right.end()) list = &*set;
  if (!list->is_array()) return is(*list);
  std::optional<bool> result = false;
  for (const auto& value : *list) {
    auto one = is(value);
    if (one == true) return true;
    if (!one) result = std::nullopt;
  }
  return result;
}

std::optional<bool> left_is(const Json& left, const Json& right, const ProbePacket& packet) {
  if (auto meta = left.find("meta"); meta != left.end()) {
    std::string key = text_of(*meta, "key");
    if (key == "iifname" || key == "iif")
      return any_of(right, [&](const Json& one) { return name_is(packet.in, one); });
    if ((key == "oifname" || key == "oif") && !packet.out.empty())
      return any_of(right, [&](const Json& one) { return name_is(packet.out, one); });
    if (key == "nfproto")
      return any_of(right, [&](const Json& one) {
        return name_is(packet.source.family == Family::V4 ? "ipv4" : "ipv6", one);
      });
    if (key == "l4proto" && !packet.protocol.empty())
      return any_of(right, [&](const Json& one) { return name_is(packet.protocol, one); });
    return std::nullopt;
  }
  if (auto payload = left.find("payload"); payload != left.end()) {
    std::string protocol = text_of(*payload, "protocol"), field = text_of(*payload, "field");
    if ((protocol == "ip" || protocol == "ip6") && field == "saddr")
      return any_of(right, [&](const Json& one) { return address_is(packet.source, one); });
    if (field == "dport" && !packet.protocol.empty()) {
      if (protocol != packet.protocol && protocol != "th") return false;
      return any_of(right, [&](const Json& one) { return number_is(packet.port, one); });
    }
    return std::nullopt;
  }
  if (auto ct = left.find("ct"); ct != left.end() && text_of(*ct, "key") == "state")
    return any_of(right, [&](const Json& one) { return name_is("new", one); });
  return std::nullopt;
}

bool matches(const Json& match, const ProbePacket& packet) {
  std::string op = text_of(match, "op");
  if (!match.contains("left") || !match.contains("right")) return false;
  auto is = left_is(match["left"], match["right"], packet);
  if (!is) return false;
  if (op == "==" || op == "in") return *is;
  if (op == "!=") return !*is;
  return false;
}

// What iptables-nft keeps of the old extensions: {"xt": {"type": "target", "name": "MASQUERADE"}}.
std::string xt_name(const Json& statement, const char* type) {
  auto xt = statement.find("xt");
  return xt != statement.end() && xt->is_object() && text_of(*xt, "type") == type ? text_of(*xt, "name") : "";
}

}  // namespace

Ruleset::Verdict Ruleset::apply(const Chain& chain, const Json& rule, const ProbePacket& packet,
                                int depth) const {
  for (const Json& statement : rule) {
    if (auto match = statement.find("match"); match != statement.end()) {
      if (!matches(*match, packet)) return Verdict::Continue;
      continue;
    }
    if (auto xt = xt_name(statement, "match"); !xt.empty() && xt != "comment") return Verdict::Continue;
    std::string target = xt_name(statement, "target");
    if (statement.contains("limit") || statement.contains("vmap")) return Verdict::Continue;
    if (statement.contains("accept")) return Verdict::Accept;
    if (statement.contains("drop") || statement.contains("reject") || target == "REJECT")
      return Verdict::Drop;
    if (statement.contains("masquerade") || statement.contains("snat") || target == "MASQUERADE" ||
        target == "SNAT")
      return Verdict::Translate;
    if (statement.contains("return")) return Verdict::Return;
    for (const char* how : {"jump", "goto"}) {
      if (!statement.contains(how)) continue;
      const Chain* next = find(chain.family, chain.table, text_of(statement[how], "target"));
      if (!next) return Verdict::Continue;
      Verdict verdict = walk(*next, packet, depth + 1);
      if (verdict != Verdict::Continue) return verdict;
      return std::string(how) == "goto" ? Verdict::Return : Verdict::Continue;
    }
  }
  return Verdict::Continue;
}

// Continue: the end, without a verdict.
Ruleset::Verdict Ruleset::walk(const Chain& chain, const ProbePacket& packet, int depth) const {
  if (depth > max_depth) return Verdict::Continue;
  for (const Json& rule : chain.rules) {
    Verdict verdict = apply(chain, rule, packet, depth);
    if (verdict == Verdict::Return) return Verdict::Continue;
    if (verdict != Verdict::Continue) return verdict;
  }
  return Verdict::Continue;
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
    if (chain.type == type && chain.hook == hook && family_fits(chain.family, packet)) all.push_back(&chain);
  std::ranges::stable_sort(all, {}, &Chain::priority);
  return all;
}

std::optional<Ruling> Ruleset::dropped(const ProbePacket& packet, const std::string& hook) const {
  for (const Chain* chain : base_chains("filter", hook, packet)) {
    Verdict verdict = walk(*chain, packet, 0);
    bool by_policy = verdict == Verdict::Continue && chain->drops;
    if (verdict == Verdict::Drop || by_policy)
      return Ruling{chain->family, chain->table, chain->name, by_policy};
  }
  return std::nullopt;
}

std::vector<Ruling> Ruleset::translated(const ProbePacket& packet) const {
  std::vector<Ruling> all;
  for (const Chain* chain : base_chains("nat", "postrouting", packet))
    if (walk(*chain, packet, 0) == Verdict::Translate)
      all.push_back({chain->family, chain->table, chain->name});
  return all;
}

bool Ruleset::has_table(const std::string& family, const std::string& name) const {
  return std::ranges::any_of(
      chains_, [&](const Chain& chain) { return chain.family == family && chain.table == name; });
}

bool Ruleset::has_chain(const std::string& family, const std::string& table, const std::string& chain) const {
  return find(family, table, chain);
}

Result<Ruleset> Ruleset::parse(const std::string& json) {
  Json document = Json::parse(json, nullptr, false);
  if (!document.is_object() || !document["nftables"].is_array())
    return failed("the ruleset is not what `nft -j list ruleset` prints");
  Ruleset ruleset;
  for (const Json& entry : document["nftables"]) {
    if (auto it = entry.find("chain"); it != entry.end()) {
      Chain chain{.family = text_of(*it, "family"),
                  .table = text_of(*it, "table"),
                  .name = text_of(*it, "name"),
                  .type = text_of(*it, "type"),
                  .hook = text_of(*it, "hook"),
                  .drops = text_of(*it, "policy") == "drop"};
      if (it->contains("prio") && (*it)["prio"].is_number_integer())
        chain.priority = (*it)["prio"].get<int>();
      ruleset.chains_.push_back(std::move(chain));
    }
  }
  for (const Json& entry : document["nftables"]) {
    auto it = entry.find("rule");
    if (it == entry.end() || !it->contains("expr")) continue;
    for (Chain& chain : ruleset.chains_)
      if (chain.family == text_of(*it, "family") && chain.table == text_of(*it, "table") &&
          chain.name == text_of(*it, "chain"))
        chain.rules.push_back((*it)["expr"]);
  }
  return ruleset;
}

Result<Ruleset> read_ruleset() {
  std::unique_ptr<nft_ctx, decltype(&nft_ctx_free)> nft(nft_ctx_new(NFT_CTX_DEFAULT), nft_ctx_free);
  if (!nft) return failed("reading the firewall's rules: out of memory");
  nft_ctx_output_set_flags(nft.get(), NFT_CTX_OUTPUT_JSON);
  nft_ctx_buffer_output(nft.get());
  nft_ctx_buffer_error(nft.get());
  if (nft_run_cmd_from_buffer(nft.get(), "list ruleset")) {
    std::string why = nft_ctx_get_error_buffer(nft.get());
    why = why.substr(0, why.find('\n'));
    return failed("reading the firewall's rules: " + (why.empty() ? "nftables refuses" : why));
  }
  std::string json = nft_ctx_get_output_buffer(nft.get());
  return json.empty() ? Ruleset{} : Ruleset::parse(json);
}

}  // namespace vnet
