// SPDX-License-Identifier: GPL-2.0-or-later
// What the host's rules do to a packet. The JSON is what `nft -j list ruleset` printed for the rules named.
#include "loader/doctor/ruleset.h"

#include <gtest/gtest.h>

namespace vnet {
namespace {

// Rules as nft prints them, in chains that are given as "family table name [type hook policy]".
class Rules {
 public:
  Rules& chain(const std::string& family, const std::string& table, const std::string& name,
               const std::string& hook = "", const std::string& policy = "accept",
               const std::string& type = "filter") {
    nlohmann::json chain{{"family", family}, {"table", table}, {"name", name}};
    if (!hook.empty()) chain.update({{"type", type}, {"hook", hook}, {"prio", 0}, {"policy", policy}});
    entries_.push_back({{"chain", chain}});
    where_ = {{"family", family}, {"table", table}, {"chain", name}};
    return *this;
  }
  Rules& rule(const std::string& expressions) {
    nlohmann::json rule = where_;
    rule["expr"] = nlohmann::json::parse("[" + expressions + "]");
    entries_.push_back({{"rule", rule}});
    return *this;
  }
  Ruleset parsed() const {
    auto result = Ruleset::parse(nlohmann::json{{"nftables", entries_}}.dump());
    if (!result) {
      ADD_FAILURE() << result.error().message;
      return {};
    }
    return *result;
  }

 private:
  nlohmann::json entries_ = nlohmann::json::array();
  nlohmann::json where_;
};

ProbePacket out(const char* source = "192.168.122.2") {
  return {"virbr0", "eth0", *Address::parse(source), "", 0};
}

const char* const in_virbr0 = R"({"match":{"op":"==","left":{"meta":{"key":"iifname"}},"right":"virbr0"}})";
const char* const accept = R"({"accept":null})";
const char* const drop = R"({"drop":null})";
const char* const counter = R"({"counter":{"packets":0,"bytes":0}})";

std::string all(std::initializer_list<const char*> parts) {
  std::string text;
  for (const char* part : parts) text += (text.empty() ? "" : ",") + std::string(part);
  return text;
}

TEST(Ruleset, NoRulesDropNothing) {
  EXPECT_FALSE(Ruleset().dropped(out(), "forward"));
  EXPECT_TRUE(Ruleset().translated(out()).empty());
}

TEST(Ruleset, ThePolicyDecidesWhereNoRuleDoes) {
  auto rules = Rules().chain("ip", "filter", "FORWARD", "forward", "drop").parsed();
  auto ruling = rules.dropped(out(), "forward");
  ASSERT_TRUE(ruling);
  EXPECT_TRUE(ruling->by_policy);
  EXPECT_EQ("FORWARD", ruling->chain);
  EXPECT_FALSE(rules.dropped(out("fd00::2"), "forward"));  // of the other family
  EXPECT_FALSE(rules.dropped(out(), "input"));
}

TEST(Ruleset, AnAcceptingRuleComesFirst) {
  auto rules = [](const std::string& rule) {
    return Rules().chain("inet", "t", "f", "forward", "drop").rule(rule).parsed();
  };
  EXPECT_FALSE(rules(all({in_virbr0, counter, accept})).dropped(out(), "forward"));
  EXPECT_TRUE(
      rules(R"({"match":{"op":"==","left":{"meta":{"key":"iifname"}},"right":"docker0"}},{"accept":null})")
          .dropped(out(), "forward"));
  EXPECT_FALSE(
      rules(R"({"match":{"op":"==","left":{"meta":{"key":"iifname"}},"right":"vir*"}},{"accept":null})")
          .dropped(out(), "forward"));
  EXPECT_FALSE(
      rules(
          R"({"match":{"op":"!=","left":{"meta":{"key":"oifname"}},"right":{"set":["eth1","eth2"]}}},{"accept":null})")
          .dropped(out(), "forward"));
}

TEST(Ruleset, AddressesPortsAndStates) {
  auto dropped = [](const std::string& match, const ProbePacket& packet) {
    return Rules()
        .chain("inet", "t", "f", "forward", "drop")
        .rule(R"({"match":)" + match + R"(},{"accept":null})")
        .parsed()
        .dropped(packet, "forward")
        .has_value();
  };
  const std::string saddr = R"({"op":"==","left":{"payload":{"protocol":"ip","field":"saddr"}},"right":)";
  EXPECT_FALSE(dropped(saddr + R"({"prefix":{"addr":"192.168.122.0","len":24}}})", out()));
  EXPECT_TRUE(dropped(saddr + R"({"prefix":{"addr":"172.17.0.0","len":16}}})", out()));
  EXPECT_FALSE(dropped(saddr + R"({"range":["192.168.122.1","192.168.122.9"]}})", out()));
  EXPECT_FALSE(dropped(saddr + R"({"set":["10.0.0.1","192.168.122.2"]}})", out()));
  EXPECT_TRUE(dropped(saddr + R"("@allowed"})", out()));  // not to be told
  const std::string state = R"({"op":"in","left":{"ct":{"key":"state"}},"right":)";
  EXPECT_TRUE(dropped(state + R"(["established","related"]})", out()));
  EXPECT_FALSE(dropped(state + R"(["established","new"]})", out()));
  const std::string dport = R"({"op":"==","left":{"payload":{"protocol":"udp","field":"dport"}},"right":)";
  ProbePacket dhcp{"virbr0", "", *Address::parse("192.168.122.2"), "udp", 67};
  EXPECT_FALSE(dropped(dport + "67}", dhcp));
  EXPECT_FALSE(dropped(dport + R"({"set":[53,{"range":[60,70]}]}})", dhcp));
  EXPECT_TRUE(dropped(dport + "68}", dhcp));
  dhcp.protocol = "tcp";
  EXPECT_TRUE(dropped(dport + "67}", dhcp));
}

TEST(Ruleset, JumpsComeBackAndGotosDoNot) {
  auto rules = [](const char* how, const std::string& inner) {
    return Rules()
        .chain("ip", "filter", "DOCKER-USER")
        .rule(inner)
        .chain("ip", "filter", "FORWARD", "forward", "drop")
        .rule(std::string("{\"") + how + R"(":{"target":"DOCKER-USER"}})")
        .rule(all({in_virbr0, accept}))
        .parsed();
  };
  EXPECT_FALSE(rules("jump", R"({"return":null})").dropped(out(), "forward"));
  EXPECT_TRUE(rules("goto", R"({"return":null})").dropped(out(), "forward"));
  EXPECT_TRUE(rules("jump", drop).dropped(out(), "forward"));
  EXPECT_FALSE(rules("goto", accept).dropped(out(), "forward"));
  auto endless = Rules().chain("ip", "t", "f", "forward").rule(R"({"jump":{"target":"f"}})").parsed();
  EXPECT_FALSE(endless.dropped(out(), "forward"));
}

// One chain's accept does not undo another's drop.
TEST(Ruleset, EveryBaseChainMustLetItThrough) {
  auto rules = Rules()
                   .chain("inet", "mine", "f", "forward")
                   .rule(accept)
                   .chain("ip", "filter", "FORWARD", "forward")
                   .rule(R"({"reject":{"type":"icmpx","expr":"admin-prohibited"}})")
                   .parsed();
  auto ruling = rules.dropped(out(), "forward");
  ASSERT_TRUE(ruling);
  EXPECT_EQ("filter", ruling->table);
  EXPECT_FALSE(ruling->by_policy);
}

// What it cannot judge does not match: a limit, an old extension. A comment is no condition.
TEST(Ruleset, UnknownConditionsDoNotMatch) {
  auto rules = [](const std::string& rule) {
    return Rules().chain("ip", "t", "f", "forward").rule(rule).parsed().dropped(out(), "forward").has_value();
  };
  EXPECT_FALSE(rules(R"({"limit":{"rate":1,"per":"second"}},{"drop":null})"));
  EXPECT_FALSE(rules(R"({"xt":{"type":"match","name":"conntrack"}},{"drop":null})"));
  EXPECT_TRUE(rules(R"({"xt":{"type":"match","name":"comment"}},{"drop":null})"));
  EXPECT_FALSE(rules(R"({"match":{"op":"==","left":{"meta":{"key":"mark"}},"right":1}},{"drop":null})"));
}

TEST(Ruleset, Masquerading) {
  auto rules = [](const std::string& rule) {
    return Rules().chain("ip", "nat", "POSTROUTING", "postrouting", "accept", "nat").rule(rule).parsed();
  };
  // iptables -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE: Docker's own, and none of our business.
  EXPECT_TRUE(
      rules(
          R"({"match":{"op":"!=","left":{"meta":{"key":"oifname"}},"right":"docker0"}},{"match":{"op":"==","left":{"payload":{"protocol":"ip","field":"saddr"}},"right":{"prefix":{"addr":"172.17.0.0","len":16}}}},{"xt":{"type":"target","name":"MASQUERADE"}})")
          .translated(out())
          .empty());
  EXPECT_EQ(1U, rules(R"({"xt":{"type":"target","name":"MASQUERADE"}})").translated(out()).size());
  EXPECT_EQ(1U, rules(R"({"masquerade":null})").translated(out()).size());
  EXPECT_EQ(1U, rules(R"({"snat":{"addr":"192.0.2.1"}})").translated(out()).size());
  EXPECT_TRUE(rules(R"({"snat":{"addr":"192.0.2.1"}})").translated(out("fd00::2")).empty());
}

TEST(Ruleset, RefusesWhatIsNoRuleset) {
  EXPECT_FALSE(Ruleset::parse("nonsense"));
  EXPECT_FALSE(Ruleset::parse("{}"));
  EXPECT_TRUE(Ruleset::parse(R"({"nftables":[{"metainfo":{}},{"rule":{"family":"ip"}},{"chain":{}}]})"));
}

}  // namespace
}  // namespace vnet
