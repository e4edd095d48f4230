// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/firewall/rule_text.h"

#include <charconv>
#include <optional>
#include <sstream>
#include <vector>

namespace vnet {
namespace {

using Json = nlohmann::json;

constexpr std::string_view handle_mark = " # handle ";

std::vector<std::string> words_of(const std::string& text, char separator) {
  std::vector<std::string> all;
  std::istringstream in(text);
  for (std::string word; std::getline(in, word, separator);) all.push_back(word);
  return all;
}

std::optional<unsigned> number_in(const std::string& text) {
  unsigned number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(number) : std::nullopt;
}

// "counter packets 7 bytes 420" says nothing of what the rule does.
std::string without_counter(const std::string& text) {
  std::string shown;
  auto words = words_of(text, ' ');
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i] == "counter" && i + 4 < words.size() && words[i + 1] == "packets") {
      i += 4;
      continue;
    }
    if (!words[i].empty()) shown += (shown.empty() ? "" : " ") + words[i];
  }
  return shown;
}

// The word behind these; "": they are not there.
std::string behind(const std::string& text, const std::string& words) {
  std::size_t at = (" " + text).find(" " + words + " ");
  if (at == std::string::npos) return "";
  at += words.size() + 1;
  return text.substr(at, text.find(' ', at) - at);
}

// 192.0.2.1, 192.0.2.1:80, [fd00::1]:80, :80
Json target_in(const std::string& text) {
  Json target = Json::object();
  std::size_t close = text.rfind(']'), colon = text.rfind(':');
  bool bare_v6 = close == std::string::npos && colon != text.find(':');
  if (bare_v6 || (close != std::string::npos && colon < close)) colon = std::string::npos;
  std::string address = text.substr(0, colon);
  if (address.starts_with('[')) address = address.substr(1, address.size() - 2);
  if (!address.empty()) target["addr"] = address;
  if (colon != std::string::npos) {
    std::string port = text.substr(colon + 1);
    auto number = number_in(port);
    target["port"] = number ? Json(*number) : Json(port);
  }
  return target;
}

Json match_of(const Json& left, const std::string& values) {
  return {{"match", {{"op", "in"}, {"left", left}, {"right", words_of(values, ',')}}}};
}

// What nft prints of an extension, as it would write it in JSON. null: nothing that is known.
struct Extension {
  const char *name, *words;
  Json (*meaning)(const std::string& value);
};
const Extension extensions[] = {
    {"addrtype", "fib daddr type",
     [](const std::string& value) {
       return match_of({{"fib", {{"result", "type"}, {"flags", "daddr"}}}}, value);
     }},
    {"conntrack", "ct state",
     [](const std::string& value) {
       return match_of({{"ct", {{"key", "state"}}}}, value);
     }},
    {"state", "ct state",
     [](const std::string& value) {
       return match_of({{"ct", {{"key", "state"}}}}, value);
     }},
    {"conntrack", "ct status",
     [](const std::string& value) -> Json {
       return {{"match", {{"op", "in"}, {"left", {{"ct", {{"key", "status"}}}}}, {"right", value}}}};
     }},
    {"DNAT", "dnat to",
     [](const std::string& value) -> Json {
       return {{"dnat", target_in(value)}};
     }},
    {"REDIRECT", "redirect to",
     [](const std::string& value) -> Json {
       return {{"redirect", target_in(value)}};
     }},
    {"SNAT", "snat to",
     [](const std::string& value) -> Json {
       return {{"snat", target_in(value)}};
     }},
};

Json spelled_out(const std::string& name, const std::string& text) {
  for (const Extension& each : extensions) {
    if (name != each.name) continue;
    std::string value = behind(text, each.words);
    if (!value.empty() && value != "!=") return each.meaning(value);
  }
  return {};
}

}  // namespace

RuleTexts rule_texts(const std::string& listing) {
  RuleTexts texts;
  std::string family, table;
  std::istringstream lines(listing);
  for (std::string line; std::getline(lines, line);) {
    std::size_t at = line.rfind(handle_mark);
    if (at == std::string::npos) continue;
    auto handle = number_in(line.substr(at + handle_mark.size()));
    std::size_t from = line.find_first_not_of('\t');
    std::string text = line.substr(from, at - from);
    if (from == 0) {  // table ip nat { # handle 1
      auto words = words_of(text, ' ');
      if (words.size() < 3) continue;
      family = words[1];
      table = words[2];
    } else if (handle && from == 2) {
      texts[{family, table, *handle}] = without_counter(text);
    }
  }
  return texts;
}

Json without_extensions(Json expressions, const std::string& text) {
  for (Json& each : expressions) {
    auto xt = each.is_object() ? each.find("xt") : each.end();
    if (!each.is_object() || xt == each.end() || !xt->is_object() || !xt->contains("name")) continue;
    if (Json meaning = spelled_out(xt->value("name", ""), text); !meaning.is_null())
      each = std::move(meaning);
  }
  return expressions;
}

}  // namespace vnet
