// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/bpf/fence_table.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

namespace vnet {
namespace {

using Json = nlohmann::json;
using IndexOf = std::function<int(const std::string&)>;

constexpr int priority = 10;  // behind the administrator's chains at `filter`

// One nft rule: what it drops of that gateway's.
struct Line {
  // A packet from a gateway in a VRF comes in by the VRF; the gateway is `sdif` then, and 0 otherwise.
  std::string in;
  int gateway = 0;
  // NotTo: what leaves neither by the gateway itself nor by `out`. ToNumber: the names are empty.
  enum What { NotTo, To, ToNumber, Encapsulated } what = NotTo;
  std::set<FenceInterface> out;
  bool operator==(const Line&) const = default;
};

// nft's strings know no escapes, and an asterisk at the end means any that begin so. Its JSON is UTF-8.
bool is_nameable(const FenceInterface& interface) {
  const std::string& name = interface.name;
  return !name.empty() && name.find_first_of("\"\\") == std::string::npos && !name.ends_with('*') &&
         Json::accept('"' + name + '"');
}

std::vector<Line> lines_of(const std::vector<FenceRule>& rules) {
  std::vector<Line> all;
  for (const FenceRule& rule : rules)
    for (const char* in : {"iif", "sdif"}) {
      std::set<FenceInterface> out, nameless;
      for (const FenceInterface& interface : rule.out) {
        if (interface.index == rule.gateway) continue;
        if (is_nameable(interface))
          out.insert(interface);
        else
          nameless.insert({interface.index, ""});
      }
      if (!rule.all_but || !out.empty())
        all.push_back({in, rule.gateway, rule.all_but ? Line::To : Line::NotTo, out});
      if (rule.all_but && !nameless.empty()) all.push_back({in, rule.gateway, Line::ToNumber, nameless});
      if (rule.translated) all.push_back({in, rule.gateway, Line::Encapsulated, {}});
    }
  return all;
}

std::string conditions_of(const Line& line) {
  if (line.what == Line::Encapsulated) return "rt ipsec exists";
  std::vector<std::string> out;
  for (const auto& [index, name] : line.out)
    out.push_back(line.what == Line::ToNumber ? fmt::to_string(index)
                                              : fmt::format("{} . \"{}\"", index, name));
  std::string set = fmt::format("{{ {} }}", fmt::join(out, ", "));
  if (line.what == Line::ToNumber) return "oif " + set;
  if (line.what == Line::To) return "oif . oifname " + set;
  return fmt::format("oif != {}", line.gateway) + (out.empty() ? "" : " oif . oifname != " + set);
}

std::string text_of(const Line& line) {
  return fmt::format("meta {} {} {} counter drop", line.in, line.gateway, conditions_of(line));
}

// nft names an interface where it can.
int interface_of(const Json& value, const IndexOf& index_of) {
  if (value.is_number_integer()) return value.get<int>();
  if (!value.is_string()) return 0;
  const auto& text = value.get_ref<const std::string&>();
  if (int index = index_of(text)) return index;
  int index = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), index);
  return error == std::errc() && end == text.data() + text.size() ? index : 0;
}

// A number alone, or a concatenation of number and name. {}: neither.
FenceInterface element_of(const Json& value, const IndexOf& index_of) {
  if (!value.is_object()) return {interface_of(value, index_of), ""};
  auto parts = value.find("concat");
  if (parts == value.end() || !parts->is_array() || parts->size() != 2 || !(*parts)[1].is_string()) return {};
  return {interface_of((*parts)[0], index_of), (*parts)[1].get<std::string>()};
}

// nft prints a set of one as a value, unless it is a concatenation.
std::set<FenceInterface> interfaces_of(const Json& right, const IndexOf& index_of) {
  std::set<FenceInterface> all;
  const Json* set = right.is_object() && right.contains("set") ? &right["set"] : nullptr;
  if (!set || !set->is_array()) return {element_of(right, index_of)};
  for (const Json& one : *set) all.insert(element_of(one, index_of));
  return all;
}

struct Condition {
  std::string of;  // "oif.oifname": the concatenation; "ipsec"; or the key of the packet's metadata
  bool equal = false;
  std::set<FenceInterface> interfaces;
};

std::optional<Condition> condition_in(const Json& part, const IndexOf& index_of) {
  if (!part.contains("match") || !part["match"].contains("right")) return std::nullopt;
  const Json& match = part["match"];
  auto at = [&](const char* path) {
    Json::json_pointer pointer(path);
    return match.contains(pointer) && match[pointer].is_string() ? match[pointer].get<std::string>() : "";
  };
  Condition condition{.of = at("/left/meta/key"), .equal = at("/op") == "==", .interfaces = {}};
  if (!condition.equal && at("/op") != "!=") return std::nullopt;
  if (at("/left/rt/key") == "ipsec" && match["right"] == true) {
    condition.of = "ipsec";
    return condition;
  }
  const Json both = {{{"meta", {{"key", "oif"}}}}, {{"meta", {{"key", "oifname"}}}}};
  if (Json::json_pointer concat("/left/concat"); match.contains(concat) && match[concat] == both)
    condition.of = "oif.oifname";
  condition.interfaces = interfaces_of(match["right"], index_of);
  return condition;
}

// nullopt: it is none of ours.
std::optional<Line> line_in(const Json& rule, const IndexOf& index_of) {
  const Json none;
  const Json& parts = rule.contains("expr") ? rule["expr"] : none;
  // Two conditions or three, the counter, the verdict.
  if (!parts.is_array() || parts.size() < 4 || parts.size() > 5) return std::nullopt;
  const std::size_t count = parts.size() - 2;
  if (!parts[count].contains("counter") || !parts[count + 1].contains("drop")) return std::nullopt;
  std::vector<Condition> conditions;
  for (std::size_t i = 0; i < count; ++i) {
    auto condition = condition_in(parts[i], index_of);
    if (!condition) return std::nullopt;
    conditions.push_back(std::move(*condition));
  }
  const Condition &in = conditions[0], &first = conditions[1], &last = conditions.back();
  if (!in.equal || (in.of != "iif" && in.of != "sdif") || in.interfaces.size() != 1) return std::nullopt;
  Line line{.in = in.of, .gateway = in.interfaces.begin()->index, .out = {}};
  if (first.of == "oif" && !first.equal) {
    if (first.interfaces != std::set<FenceInterface>{{line.gateway, ""}}) return std::nullopt;
    if (count == 2) return line;
    if (last.of != "oif.oifname" || last.equal) return std::nullopt;
    line.out = last.interfaces;
    return line;
  }
  if (count != 2 || !first.equal) return std::nullopt;
  if (first.of == "ipsec")
    line.what = Line::Encapsulated;
  else if (first.of == "oif.oifname")
    line.what = Line::To;
  else if (first.of == "oif")
    line.what = Line::ToNumber;
  else
    return std::nullopt;
  line.out = first.interfaces;
  return line;
}

bool is_our_chain(const Json& chain) {
  const Json wanted = {{"name", "forward"}, {"hook", "forward"}, {"type", "filter"}, {"prio", priority}};
  return std::ranges::all_of(wanted.items(), [&](const auto& one) {
    auto it = chain.find(one.key());
    return it != chain.end() && *it == one.value();
  });
}

}  // namespace

std::string fence_table(const std::vector<FenceRule>& rules) {
  // Deleting what is not there would be an error: it is made first.
  std::string text = "table inet vnet_bpf\ndelete table inet vnet_bpf\n";
  auto lines = lines_of(rules);
  if (lines.empty()) return text;
  text += "table inet vnet_bpf {\n  chain forward {\n";
  text += fmt::format("    type filter hook forward priority {}; policy accept;\n", priority);
  for (const Line& line : lines) text += "    " + text_of(line) + "\n";
  return text + "  }\n}\n";
}

bool lets_pass(const std::vector<FenceRule>& rules, int in, int out) {
  auto rule = std::ranges::find(rules, in, &FenceRule::gateway);
  if (rule == rules.end() || out == in) return true;
  return rule->all_but != (std::ranges::find(rule->out, out, &FenceInterface::index) != rule->out.end());
}

bool is_fence_table(const std::string& json, const std::vector<FenceRule>& rules, const IndexOf& index_of) {
  Json document = Json::parse(json, nullptr, false);
  if (!document.is_object() || !document["nftables"].is_array()) return false;
  std::vector<Line> found;
  int chains = 0;
  bool ours = true;
  for (const Json& entry : document["nftables"]) {
    // A dormant table has no hooks.
    if (auto it = entry.find("table"); it != entry.end()) ours = ours && !it->contains("flags");
    if (auto it = entry.find("chain"); it != entry.end()) {
      ++chains;
      ours = ours && is_our_chain(*it);
    }
    if (auto it = entry.find("rule"); it != entry.end()) {
      auto line = line_in(*it, index_of);
      if (!line) return false;
      found.push_back(std::move(*line));
    }
  }
  return ours && chains == 1 && found == lines_of(rules);
}

}  // namespace vnet
