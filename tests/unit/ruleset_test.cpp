// SPDX-License-Identifier: GPL-2.0-or-later
// What the host's rules do to a packet. The JSON is what `nft -j list ruleset` printed for the rules named.
#include "loader/firewall/ruleset.h"

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

// What dockerd has nft write down for `-p 8080:80`.
const char* const to_local =
    R"({"match":{"op":"==","left":{"fib":{"result":"type","flags":"daddr"}},"right":"local"}})";
const char* const port_8080 =
    R"({"match":{"op":"==","left":{"payload":{"protocol":"tcp","field":"dport"}},"right":8080}})";

ProbePacket to_port(const char* destination, unsigned port, const char* type = "local") {
  ProbePacket packet = out();
  packet.out.clear();
  packet.protocol = "tcp";
  packet.port = port;
  packet.destination = *Address::parse(destination);
  packet.destination_type = type;
  return packet;
}

TEST(Ruleset, DockersPort) {
  auto rules =
      Rules()
          .chain("ip", "nat", "DOCKER")
          .rule(
              R"({"match":{"op":"==","left":{"meta":{"key":"iifname"}},"right":"docker0"}},{"return":null})")
          .rule(all({R"({"match":{"op":"!=","left":{"meta":{"key":"iifname"}},"right":"docker0"}})",
                     port_8080, counter, R"({"dnat":{"addr":"172.17.0.2","port":80}})"}))
          .chain("ip", "nat", "PREROUTING", "prerouting", "accept", "nat")
          .rule(all({to_local, counter, R"({"jump":{"target":"DOCKER"}})"}))
          .parsed();
  Doubts doubts;
  auto to = rules.translation(to_port("192.168.122.1", 8080), "prerouting", &doubts);
  ASSERT_TRUE(to);
  EXPECT_EQ("dnat", to->how);
  EXPECT_EQ("172.17.0.2", to->address->text());
  EXPECT_EQ(80, to->port);
  EXPECT_FALSE(to->unknown);
  EXPECT_EQ("table ip nat, chain DOCKER: handle 0", place_of_rule(to->by));
  EXPECT_EQ("PREROUTING", to->by.chain);
  EXPECT_FALSE(rules.translation(to_port("192.168.122.1", 8081), "prerouting", &doubts));
  EXPECT_FALSE(rules.translation(to_port("203.0.113.1", 8080, "unicast"), "prerouting", &doubts));
  ProbePacket own = to_port("172.17.0.1", 8080);
  own.in = "docker0";
  EXPECT_FALSE(rules.translation(own, "prerouting", &doubts));
  EXPECT_TRUE(doubts.unknown.empty());
  // Whether it is the host's own address is not known: said, and taken for no match.
  EXPECT_FALSE(rules.translation(to_port("192.168.122.1", 8080, ""), "prerouting", &doubts));
  ASSERT_EQ(1U, doubts.unknown.size());
  EXPECT_EQ("PREROUTING", doubts.unknown[0].in_chain);
}

// iptables-nft: the JSON has the names of the extensions alone, the listing what they say.
TEST(Ruleset, ExtensionsOfIptables) {
  const std::string json = R"({"nftables":[
    {"chain":{"family":"ip","table":"nat","name":"DOCKER"}},
    {"chain":{"family":"ip","table":"nat","name":"PREROUTING","type":"nat","hook":"prerouting","prio":-100}},
    {"rule":{"family":"ip","table":"nat","chain":"DOCKER","handle":5,"expr":[)" +
                           std::string(port_8080) +
                           R"(,{"counter":{}},{"xt":{"type":"target","name":"DNAT"}}]}},
    {"rule":{"family":"ip","table":"nat","chain":"PREROUTING","handle":3,"expr":[
      {"xt":{"type":"match","name":"addrtype"}},{"counter":{}},{"jump":{"target":"DOCKER"}}]}}]})";
  const std::string listing =
      "table ip nat { # handle 1\n"
      "\tchain DOCKER { # handle 1\n"
      "\t\ttcp dport 8080 counter packets 0 bytes 0 dnat to 172.17.0.2:80 # handle 5\n"
      "\t}\n\n"
      "\tchain PREROUTING { # handle 2\n"
      "\t\ttype nat hook prerouting priority dstnat; policy accept;\n"
      "\t\tfib daddr type local counter packets 7 bytes 420 jump DOCKER # handle 3\n"
      "\t}\n}\n";
  auto packet = to_port("203.0.113.2", 8080);
  auto rules = Ruleset::parse(json, listing);
  ASSERT_TRUE(rules);
  Doubts doubts;
  auto to = rules->translation(packet, "prerouting", &doubts);
  ASSERT_TRUE(to);
  EXPECT_EQ("172.17.0.2", to->address->text());
  EXPECT_EQ(80, to->port);
  EXPECT_EQ("table ip nat, chain DOCKER: tcp dport 8080 dnat to 172.17.0.2:80", place_of_rule(to->by));
  // Without the words nobody knows.
  rules = Ruleset::parse(json);
  EXPECT_FALSE(rules->translation(packet, "prerouting", &doubts));
  EXPECT_EQ(1U, doubts.unknown.size());
}

// libvirt-hook-qemu: iptables -t nat -A DNAT-web -d 203.0.113.2 -p tcp --dport 8080 -j DNAT, and in FORWARD
// -o virbr0 -m state --state NEW,ESTABLISHED -j ACCEPT.
TEST(Ruleset, LibvirtHookQemu) {
  auto rules =
      Rules()
          .chain("ip", "nat", "DNAT-web")
          .rule(all(
              {R"({"match":{"op":"==","left":{"payload":{"protocol":"ip","field":"daddr"}},"right":"203.0.113.2"}})",
               port_8080, R"({"dnat":{"addr":"192.168.122.11","port":80}})"}))
          .chain("ip", "nat", "PREROUTING", "prerouting", "accept", "nat")
          .rule(R"({"jump":{"target":"DNAT-web"}})")
          .chain("ip", "nat", "POSTROUTING", "postrouting", "accept", "nat")
          .rule(
              R"({"match":{"op":"==","left":{"payload":{"protocol":"ip","field":"saddr"}},"right":"192.168.122.11"}},)"
              R"({"match":{"op":"==","left":{"payload":{"protocol":"ip","field":"daddr"}},"right":"192.168.122.11"}},)"
              R"({"masquerade":null})")
          .parsed();
  ProbePacket packet = to_port("203.0.113.2", 8080);
  packet.in = "eth0";
  packet.source = *Address::parse("203.0.113.1");
  auto to = rules.translation(packet, "prerouting");
  ASSERT_TRUE(to);
  EXPECT_EQ("192.168.122.11", to->address->text());
  packet.destination = to->address;
  EXPECT_FALSE(rules.translation(packet, "postrouting"));
  packet.source = *to->address;
  auto back = rules.translation(packet, "postrouting");
  ASSERT_TRUE(back);
  EXPECT_EQ("masquerade", back->how);
  EXPECT_FALSE(back->address);
  EXPECT_FALSE(back->unknown);
  EXPECT_EQ(1U, rules.turning_to(*Prefix::parse("192.168.122.0/24")).size());
  EXPECT_TRUE(rules.turning_to(*Prefix::parse("192.168.123.0/24")).empty());
}

// firewalld's zones: a goto for each, a verdict map of states, `ct status dnat` in FORWARD.
TEST(Ruleset, FirewalldsZones) {
  auto rules =
      Rules()
          .chain("inet", "firewalld", "nat_PRE_public_allow")
          .rule(all({port_8080, R"({"redirect":{"port":3128}})"}))
          .chain("inet", "firewalld", "nat_PREROUTING", "prerouting", "accept", "nat")
          .rule(
              R"({"match":{"op":"==","left":{"meta":{"key":"iifname"}},"right":"eth0"}},{"goto":{"target":"nat_PRE_public_allow"}})")
          .rule(R"({"goto":{"target":"nat_PRE_public_allow"}})")
          .chain("inet", "firewalld", "filter_FORWARD", "forward")
          .rule(
              R"({"vmap":{"key":{"ct":{"key":"state"}},"data":{"set":[["established",{"accept":null}],["invalid",{"drop":null}]]}}})")
          .rule(R"({"match":{"op":"in","left":{"ct":{"key":"status"}},"right":"dnat"}},{"accept":null})")
          .rule(R"({"reject":{"type":"icmpx","expr":"admin-prohibited"}})")
          .parsed();
  auto to = rules.translation(to_port("203.0.113.2", 8080), "prerouting");
  ASSERT_TRUE(to);
  EXPECT_EQ("redirect", to->how);
  EXPECT_FALSE(to->address);
  EXPECT_EQ(3128, to->port);
  EXPECT_FALSE(to->unknown);
  ProbePacket packet = out();
  auto ruling = rules.dropped(packet, "forward");
  ASSERT_TRUE(ruling);
  EXPECT_TRUE(ruling->tells);
  packet.turned = true;
  EXPECT_FALSE(rules.dropped(packet, "forward"));
  packet.turned = false;
  packet.state = "established";
  EXPECT_FALSE(rules.dropped(packet, "forward"));
  packet.state = "invalid";
  EXPECT_FALSE(rules.dropped(packet, "forward")->tells);
}

TEST(Ruleset, WhereToMayNotBeTold) {
  auto target = [](const std::string& statement) {
    return Rules()
        .chain("ip", "nat", "PREROUTING", "prerouting", "accept", "nat")
        .rule(statement)
        .parsed()
        .translation(to_port("203.0.113.2", 8080), "prerouting");
  };
  EXPECT_TRUE(target(R"({"dnat":{"addr":{"map":{"key":1,"data":"@m"}}}})")->unknown);
  EXPECT_TRUE(target(R"({"dnat":{"addr":{"range":["10.0.0.1","10.0.0.9"]}}})")->unknown);
  EXPECT_TRUE(target(R"({"dnat":{"addr":"10.0.0.1","port":{"range":[80,90]}}})")->unknown);
  EXPECT_TRUE(target(R"({"xt":{"type":"target","name":"DNAT"}})")->unknown);
  EXPECT_FALSE(target(R"({"dnat":{"addr":"10.0.0.1"}})")->unknown);
  EXPECT_FALSE(target(R"({"redirect":null})")->unknown);
}

TEST(Ruleset, DoubtsAreTheRulesThatMayDecide) {
  auto rules =
      Rules()
          .chain("ip", "filter", "FORWARD", "forward")
          .rule(R"({"limit":{"rate":1,"per":"second"}},{"log":null})")
          .rule(R"({"limit":{"rate":1,"per":"second"}},{"accept":null})")
          .rule(R"({"match":{"op":"==","left":{"payload":{"protocol":"ip","field":"saddr"}},"right":"@s"}},)"
                R"({"match":{"op":"==","left":{"meta":{"key":"iifname"}},"right":"eth7"}},{"drop":null})")
          .rule(R"({"mangle":{"key":{"meta":{"key":"mark"}},"value":5}})")
          .rule(drop)
          .rule(R"({"limit":{"rate":1,"per":"second"}},{"accept":null})")
          .parsed();
  Doubts doubts;
  EXPECT_TRUE(rules.dropped(out(), "forward", &doubts));
  EXPECT_EQ(1U, doubts.unknown.size());  // neither what decides nothing, nor what surely does not match
  EXPECT_EQ(1U, doubts.marks.size());
}

// A header that the packet has not is no match, whatever is asked of it.
TEST(Ruleset, ConditionsOfOtherProtocols) {
  auto dropped = [](const std::string& match) {
    return Rules()
        .chain("inet", "t", "f", "forward")
        .rule(R"({"match":)" + match + R"(},{"drop":null})")
        .parsed()
        .dropped(to_port("203.0.113.2", 8080), "forward")
        .has_value();
  };
  EXPECT_FALSE(
      dropped(R"({"op":"!=","left":{"payload":{"protocol":"ip6","field":"daddr"}},"right":"fd00::1"})"));
  EXPECT_FALSE(dropped(R"({"op":"!=","left":{"payload":{"protocol":"udp","field":"dport"}},"right":53})"));
  EXPECT_TRUE(dropped(R"({"op":"!=","left":{"payload":{"protocol":"tcp","field":"dport"}},"right":53})"));
  EXPECT_TRUE(dropped(R"({"op":"==","left":{"payload":{"protocol":"th","field":"dport"}},"right":8080})"));
}

TEST(Ruleset, RefusesWhatIsNoRuleset) {
  EXPECT_FALSE(Ruleset::parse("nonsense"));
  EXPECT_FALSE(Ruleset::parse("{}"));
  EXPECT_TRUE(Ruleset::parse(R"({"nftables":[{"metainfo":{}},{"rule":{"family":"ip"}},{"chain":{}}]})"));
}

}  // namespace
}  // namespace vnet
