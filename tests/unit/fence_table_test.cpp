// SPDX-License-Identifier: GPL-2.0-or-later
// The fence's nft table: its text, and whether a listing is that table. The JSON is what `nft -j list table`
// printed, handles and all.
#include "loader/bpf/fence_table.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace vnet {
namespace {

int index_of(const std::string& name) {
  return name == "virbr0" ? 4 : name == "eth0" ? 2 : 0;
}

TEST(FenceTable, NoRulesAreNoTable) {
  EXPECT_EQ("table inet vnet_bpf\ndelete table inet vnet_bpf\n", fence_table({}));
  // An open network that shares the host with none that is hidden.
  EXPECT_EQ(fence_table({}), fence_table({{.gateway = 4, .out = {}, .all_but = true}}));
}

TEST(FenceTable, ARuleForEachGateway) {
  EXPECT_EQ(
      "table inet vnet_bpf\n"
      "delete table inet vnet_bpf\n"
      "table inet vnet_bpf {\n"
      "  chain forward {\n"
      "    type filter hook forward priority 10; policy accept;\n"
      "    meta iif 4 oif != 4 oif . oifname != { 2 . \"eth0\", 7 . \"eth0.5@x{$y\" } counter drop\n"
      "    meta iif 4 rt ipsec exists counter drop\n"
      "    meta sdif 4 oif != 4 oif . oifname != { 2 . \"eth0\", 7 . \"eth0.5@x{$y\" } counter drop\n"
      "    meta sdif 4 rt ipsec exists counter drop\n"
      "    meta iif 5 oif != 5 counter drop\n"
      "    meta sdif 5 oif != 5 counter drop\n"
      "    meta iif 6 oif . oifname { 4 . \"virbr0\", 5 . \"virbr1\" } counter drop\n"
      "    meta sdif 6 oif . oifname { 4 . \"virbr0\", 5 . \"virbr1\" } counter drop\n"
      "  }\n"
      "}\n",
      fence_table({{.gateway = 4,
                    .out = {{4, "virbr0"}, {7, "eth0.5@x{$y"}, {2, "eth0"}, {2, "eth0"}},
                    .translated = true},
                   {.gateway = 5},
                   {.gateway = 6, .out = {{5, "virbr1"}, {4, "virbr0"}, {6, "virbr2"}}, .all_but = true}}));
}

// It stays shut, whichever way the list is read.
TEST(FenceTable, ANameThatNftCannotSayIsNeverAllowed) {
  for (const char* name : {"", "up\"0", "up\\0", "up*", "up\xff", "up\x01"}) {
    EXPECT_EQ(fence_table({{.gateway = 4, .out = {{2, "eth0"}}}}),
              fence_table({{.gateway = 4, .out = {{3, name}, {2, "eth0"}}}}))
        << name;
    EXPECT_EQ(fence_table({{.gateway = 4}}), fence_table({{.gateway = 4, .out = {{3, name}}}})) << name;
    EXPECT_EQ(
        "table inet vnet_bpf\n"
        "delete table inet vnet_bpf\n"
        "table inet vnet_bpf {\n"
        "  chain forward {\n"
        "    type filter hook forward priority 10; policy accept;\n"
        "    meta iif 6 oif . oifname { 4 . \"virbr0\" } counter drop\n"
        "    meta iif 6 oif { 3, 9 } counter drop\n"
        "    meta sdif 6 oif . oifname { 4 . \"virbr0\" } counter drop\n"
        "    meta sdif 6 oif { 3, 9 } counter drop\n"
        "  }\n"
        "}\n",
        fence_table({{.gateway = 6, .out = {{9, name}, {4, "virbr0"}, {3, name}}, .all_but = true}}))
        << name;
  }
}

const char* const table = R"({"table": {"family": "inet", "name": "vnet_bpf", "handle": 2}})";
const char* const chain =
    R"({"chain": {"family": "inet", "table": "vnet_bpf", "name": "forward", "handle": 1, "type": "filter",
        "hook": "forward", "prio": 10, "policy": "accept"}})";

nlohmann::json rule(const std::string& conditions) {
  return {
      {"rule",
       {{"family", "inet"},
        {"table", "vnet_bpf"},
        {"chain", "forward"},
        {"handle", 3},
        {"expr", nlohmann::json::parse("[" + conditions +
                                       R"(, {"counter": {"packets": 7, "bytes": 9}}, {"drop": null}])")}}}};
}
std::string in(const char* key) {
  return std::string(R"({"match": {"op": "==", "left": {"meta": {"key": ")") + key +
         R"("}}, "right": "virbr0"}})";
}
std::string out(const char* op, const char* right) {
  return std::string(R"(, {"match": {"op": ")") + op + R"(", "left": {"meta": {"key": "oif"}}, "right": )" +
         right + "}}";
}
std::string named(const char* op, const std::string& elements) {
  return std::string(R"(, {"match": {"op": ")") + op +
         R"(", "left": {"concat": [{"meta": {"key": "oif"}}, {"meta": {"key": "oifname"}}]}, "right":
            {"set": [)" +
         elements + "]}}}";
}
const char* const ipsec = R"(, {"match": {"op": "==", "left": {"rt": {"key": "ipsec"}}, "right": true}})";

std::string listing(std::vector<nlohmann::json> rules, const std::string& chain_text = chain,
                    const std::string& table_text = table) {
  nlohmann::json entries = {nlohmann::json::parse(table_text), nlohmann::json::parse(chain_text)};
  for (auto& one : rules) entries.push_back(std::move(one));
  return nlohmann::json{{"nftables", entries}}.dump();
}

const std::string not_itself = out("!=", R"("virbr0")");

TEST(FenceTable, IsFoundInAListing) {
  // In any order; one that has gone has no name but the one that it was written with.
  const std::string to =
      not_itself + named("!=", R"({"concat": ["77", "gone0"]}, {"concat": ["eth0", "eth0"]})");
  auto nat = listing(
      {rule(in("iif") + to), rule(in("iif") + ipsec), rule(in("sdif") + to), rule(in("sdif") + ipsec)});
  const std::vector<FenceInterface> both = {{2, "eth0"}, {77, "gone0"}};
  EXPECT_TRUE(is_fence_table(nat, {{.gateway = 4, .out = both, .translated = true}}, index_of));
  EXPECT_FALSE(is_fence_table(nat, {{.gateway = 4, .out = both}}, index_of));
  EXPECT_FALSE(is_fence_table(nat, {{.gateway = 4, .out = {both[0]}, .translated = true}}, index_of));
  EXPECT_FALSE(
      is_fence_table(nat, {{.gateway = 4, .out = {both[0], {77, "up0"}}, .translated = true}}, index_of));
  EXPECT_FALSE(
      is_fence_table(nat, {{.gateway = 4, .out = {both[0], {78, "gone0"}}, .translated = true}}, index_of));
  EXPECT_FALSE(is_fence_table(nat, {}, index_of));
  auto isolated = listing({rule(in("iif") + not_itself), rule(in("sdif") + not_itself)});
  EXPECT_TRUE(is_fence_table(isolated, {{.gateway = 4}}, index_of));
  EXPECT_FALSE(is_fence_table(isolated, {{.gateway = 4, .out = both}}, index_of));
}

TEST(FenceTable, WhatIsForbiddenIsFoundInAListing) {
  const std::string to = named("==", R"({"concat": ["eth0", "up0"]})");  // it was renamed since
  auto but = listing({rule(in("iif") + to), rule(in("sdif") + to)});
  EXPECT_TRUE(is_fence_table(but, {{.gateway = 4, .out = {{2, "up0"}}, .all_but = true}}, index_of));
  EXPECT_FALSE(is_fence_table(but, {{.gateway = 4, .out = {{2, "eth0"}}, .all_but = true}}, index_of));
  EXPECT_FALSE(is_fence_table(but, {{.gateway = 4, .out = {{2, "up0"}}}}, index_of));
  // One number alone is no set.
  auto nameless = listing({rule(in("iif") + out("==", R"("77")")), rule(in("sdif") + out("==", "77"))});
  EXPECT_TRUE(is_fence_table(nameless, {{.gateway = 4, .out = {{77, "*"}}, .all_but = true}}, index_of));
  EXPECT_FALSE(is_fence_table(nameless, {{.gateway = 4, .out = {{77, "a"}}, .all_but = true}}, index_of));
  EXPECT_FALSE(is_fence_table(nameless, {{.gateway = 4, .out = {{77, "*"}}}}, index_of));
}

TEST(FenceTable, WhatSomebodyChangedIsNotIt) {
  std::vector<nlohmann::json> rules = {rule(in("iif") + not_itself), rule(in("sdif") + not_itself)};
  const std::vector<FenceRule> wanted = {{.gateway = 4}};
  ASSERT_TRUE(is_fence_table(listing(rules), wanted, index_of));
  std::vector<nlohmann::json> before = rules;
  before.insert(before.begin(), nlohmann::json::parse(R"({"rule": {"expr": [{"accept": null}]}})"));
  EXPECT_FALSE(is_fence_table(listing(before), wanted, index_of));
  EXPECT_FALSE(is_fence_table(listing({rules[0]}), wanted, index_of));
  EXPECT_FALSE(is_fence_table(
      listing(rules, chain, R"({"table": {"family": "inet", "name": "vnet_bpf", "flags": ["dormant"]}})"),
      wanted, index_of));
  for (const std::string& conditions :
       {in("iif"), in("iif") + out("!=", R"("eth0")"),
        in("iif") + out("!=", R"({"set": ["virbr0", "eth0"]})"),
        in("iif") + named("!=", R"({"concat": ["virbr0", "virbr0"]})"),
        in("iif") + not_itself + named("==", R"({"concat": ["eth0", "eth0"]})"),
        in("iif") + not_itself + named("!=", R"({"concat": []})"), in("iif") + not_itself + ipsec,
        in("iif") + ipsec + not_itself})
    EXPECT_FALSE(is_fence_table(listing({rule(conditions), rules[1]}), wanted, index_of)) << conditions;
  auto other = nlohmann::json::parse(chain);
  other["chain"]["prio"] = 300;
  EXPECT_FALSE(is_fence_table(listing(rules, other.dump()), wanted, index_of));
  for (const char* text : {"", "nonsense", "{}", R"({"nftables": [{"rule": {}}, {"chain": []}, 5]})"})
    EXPECT_FALSE(is_fence_table(text, wanted, index_of)) << text;
}

}  // namespace
}  // namespace vnet
