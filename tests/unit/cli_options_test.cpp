// SPDX-License-Identifier: GPL-2.0-or-later
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/options.h"

namespace vnet::cli {
namespace {

using testing::HasSubstr;

Options parse(const std::vector<std::string>& arguments) {
  auto result = parse_options(arguments);
  if (!result) {
    ADD_FAILURE() << result.error().message;
    return {};
  }
  return std::get<Options>(*result);
}

std::string refused(const std::vector<std::string>& arguments) {
  auto result = parse_options(arguments);
  if (result) return "(accepted)";
  EXPECT_EQ(ErrorKind::Invalid, result.error().kind);
  EXPECT_EQ(std::string::npos, result.error().message.find('\n'));
  return result.error().message;
}

TEST(CliOptions, GlobalOptionsStandBeforeOrBehindTheVerb) {
  EXPECT_TRUE(parse({"--dry-run", "up"}).dry_run);
  EXPECT_TRUE(parse({"up", "--dry-run"}).dry_run);
  EXPECT_TRUE(parse({"list", "--json", "--all"}).json);
  EXPECT_EQ("/x", parse({"--state-dir", "/x", "list"}).state_dir);
}

TEST(CliOptions, DestroyIsStop) {
  EXPECT_EQ("stop", parse({"destroy", "lab"}).verb);
  EXPECT_EQ("lab", parse({"destroy", "lab"}).network);
}

TEST(CliOptions, EverythingThatAttachTakes) {
  auto port = parse({"attach",     "vnet0",
                     "--network",  "lab",
                     "--mac",      "52:54:00:00:00:01",
                     "--ip",       "192.0.2.1",
                     "--ip",       "2001:db8::1",
                     "--filter",   "clean-traffic",
                     "--inbound",  "established",
                     "--allow",    "tcp/22@192.0.2.0/24",
                     "--allow",    "udp/53",
                     "--isolated", "--model",
                     "virtio",     "--portgroup",
                     "p"})
                  .ports.at(0);
  EXPECT_EQ("vnet0", port.interface);
  EXPECT_EQ("lab", port.network);
  EXPECT_EQ("52:54:00:00:00:01", port.mac->text());
  ASSERT_EQ(2U, port.ips->size());
  EXPECT_EQ("2001:db8::1", port.ips->back().text());
  EXPECT_EQ(Inbound::Established, port.inbound);
  EXPECT_THAT(*port.allow, testing::ElementsAre("tcp/22@192.0.2.0/24", "udp/53"));
  EXPECT_TRUE(*port.isolated);
  EXPECT_FALSE(port.ip_only);
  EXPECT_EQ("virtio", port.model);
  EXPECT_FALSE(port.link_up);
}

TEST(CliOptions, IpOnly) {
  EXPECT_EQ(true, parse({"set", "vnet0", "--ip-only"}).ports.at(0).ip_only);
  EXPECT_EQ(false, parse({"set", "vnet0", "--no-ip-only"}).ports.at(0).ip_only);
  EXPECT_FALSE(parse_options({"set", "vnet0", "--ip-only", "--no-ip-only"}));
}

TEST(CliOptions, WhatIsNotAskedStaysUnset) {
  auto port = parse({"set", "vnet0", "--link", "down"}).ports.at(0);
  EXPECT_EQ(false, port.link_up);
  EXPECT_FALSE(port.mac || port.ips || port.filters || port.inbound || port.allow || port.isolated ||
               port.model);
}

TEST(CliOptions, AnyMacInsteadOfOne) {
  auto any = parse({"set", "vnet0", "--mac", "any"}).ports.at(0);
  EXPECT_EQ(true, any.any_mac);
  EXPECT_FALSE(any.mac);
  auto one = parse({"set", "vnet0", "--mac", "52:54:00:00:00:01"}).ports.at(0);
  EXPECT_EQ(false, one.any_mac);
  EXPECT_TRUE(one.mac);
  EXPECT_FALSE(parse({"set", "vnet0", "--link", "down"}).ports.at(0).any_mac);
  auto several = parse({"attach", "a", "b", "--network", "lab", "--mac", "any"}).ports;
  EXPECT_EQ(true, several.at(1).any_mac);
}

TEST(CliOptions, RepeatedOptionsDoNotSwallowThePositional) {
  auto port = parse({"attach", "--ip", "192.0.2.1", "vnet0", "--network", "lab"}).ports.at(0);
  EXPECT_EQ("vnet0", port.interface);
  EXPECT_EQ(1U, port.ips->size());
}

TEST(CliOptions, SeveralInterfacesAreAttachedAlike) {
  auto ports = parse({"attach", "a", "b", "a", "--network", "lab", "--inbound", "drop"}).ports;
  ASSERT_EQ(2U, ports.size()) << "each once";
  EXPECT_EQ("a", ports[0].interface);
  EXPECT_EQ("b", ports[1].interface);
  EXPECT_EQ("lab", ports[1].network);
  EXPECT_EQ(Inbound::Drop, ports[1].inbound);
  auto all = parse({"attach", "--all-members", "lab", "--isolated"});
  EXPECT_TRUE(all.all_members);
  EXPECT_EQ("lab", all.ports.at(0).network);
  EXPECT_TRUE(*all.ports.at(0).isolated);
}

TEST(CliOptions, BadValuesAreNamed) {
  auto set = [](std::vector<std::string> more) {
    more.insert(more.begin(), {"set", "vnet0"});
    return refused(more);
  };
  EXPECT_THAT(set({"--mac", "nonsense"}), HasSubstr("--mac: 'nonsense'"));
  EXPECT_THAT(set({"--mac", "01:00:5e:00:00:01"}), HasSubstr("multicast"));
  EXPECT_THAT(set({"--ip", "1.2.3"}), HasSubstr("--ip: '1.2.3'"));
  EXPECT_THAT(set({"--filter", "x"}), HasSubstr("clean-traffic"));
  EXPECT_THAT(set({"--inbound", "reject"}), HasSubstr("accept, established, drop"));
  EXPECT_THAT(set({"--link", "sideways"}), HasSubstr("up, down"));
  for (const char* allow : {"tcp", "tcp/0", "tcp/65536", "icmp/1", "tcp/22x", "tcp/22@", "tcp/22@x", "/22"})
    EXPECT_THAT(set({"--allow", allow}), HasSubstr("PROTO/PORT[@CIDR]")) << allow;
  EXPECT_THAT(refused({"attach", "much-too-long-a-name", "--network", "lab"}), HasSubstr("interface"));
}

TEST(CliOptions, UsageErrors) {
  EXPECT_THAT(refused({}), HasSubstr("define"));
  EXPECT_THAT(refused({"frobnicate"}), HasSubstr("'frobnicate' is no verb; verbs: define"));
  EXPECT_THAT(refused({"run", "--json"}), HasSubstr("prints no facts"));
  EXPECT_THAT(refused({"attach"}), HasSubstr("attach: IFACE is required"));
  EXPECT_THAT(refused({"attach", "a"}), HasSubstr("--network is required"));
  EXPECT_THAT(refused({"attach", "a", "--all-members", "lab"}), HasSubstr("--all-members"));
  EXPECT_THAT(refused({"attach", "a", "b", "--network", "lab", "--ip", "192.0.2.1"}),
              HasSubstr("--mac and --ip are one guest's"));
  EXPECT_THAT(refused({"attach", "--all-members", "lab", "--mac", "52:54:00:00:00:01"}),
              HasSubstr("--mac and --ip are one guest's"));
  EXPECT_THAT(refused({"set", "a", "b"}), HasSubstr("one interface"));
  EXPECT_THAT(refused({"list", "--frob"}), HasSubstr("--frob"));
  EXPECT_THAT(refused({"up", "--json"}), HasSubstr("--json"));
  EXPECT_THAT(refused({"list", "--dry-run"}), HasSubstr("--dry-run"));
}

TEST(CliOptions, Watch) {
  EXPECT_FALSE(parse({"stats"}).watch_seconds);
  EXPECT_EQ(1.0, parse({"stats", "--watch"}).watch_seconds);
  EXPECT_EQ(2.5, parse({"stats", "--watch", "2.5"}).watch_seconds);
  EXPECT_EQ("lab", parse({"stats", "--watch", "--network", "lab"}).only_network);
  for (const char* bad : {"0", "-1", "x", "nan", "1e9"})
    EXPECT_NE("(accepted)", refused({"stats", std::string("--watch=") + bad})) << bad;
  EXPECT_THAT(refused({"stats", "--watch", "--json"}), HasSubstr("--json"));
}

TEST(CliOptions, Flows) {
  auto options = parse({"flows", "--port", "vnet0", "--address", "192.0.2.0/24", "--proto", "tcp", "--state",
                        "established", "--watch"});
  EXPECT_EQ("vnet0", options.flow_filter.interface);
  EXPECT_EQ("192.0.2.0/24", options.flow_filter.address->text());
  EXPECT_EQ("tcp", options.flow_filter.protocol);
  EXPECT_EQ("established", options.flow_filter.state);
  EXPECT_EQ(1.0, options.watch_seconds);
  options = parse({"flows", "--port", "443"});
  EXPECT_EQ(443, options.flow_filter.port);
  EXPECT_FALSE(options.flow_filter.interface);
  EXPECT_TRUE(parse({"flows", "--usage", "--network", "lab"}).usage);
  EXPECT_THAT(refused({"flows", "--port", "70000"}), HasSubstr("1 to 65535"));
  EXPECT_THAT(refused({"flows", "--address", "192.0.2"}), HasSubstr("'192.0.2'"));
  EXPECT_THAT(refused({"flows", "--state", "open"}), HasSubstr("established"));
  for (const char* protocol : {"ipx", "256", "-1"})
    EXPECT_THAT(refused({"flows", std::string("--proto=") + protocol}), HasSubstr("neither tcp, udp"));
  EXPECT_EQ("47", parse({"flows", "--proto", "47"}).flow_filter.protocol);
  EXPECT_THAT(refused({"flows", "--usage", "--proto", "tcp"}), HasSubstr("--usage"));
  EXPECT_THAT(refused({"flows", "--usage", "--watch"}), HasSubstr("exclude"));
  EXPECT_THAT(refused({"flows", "--watch", "--json"}), HasSubstr("--json"));
}

TEST(CliOptions, Export) {
  EXPECT_EQ("127.0.0.1:9437", parse({"export", "--listen", "127.0.0.1:9437"}).listen);
  EXPECT_EQ("/x/y.prom", parse({"export", "--textfile", "/x/y.prom"}).textfile);
  EXPECT_THAT(refused({"export", "--textfile", "/x/y"}), HasSubstr(".prom"));
  EXPECT_THAT(refused({"export", "--listen", "::1", "--textfile", "x.prom"}), HasSubstr("exclude"));
  EXPECT_THAT(refused({"export", "--json"}), HasSubstr("stats --json"));
}

TEST(CliOptions, Monitor) {
  auto options = parse({"monitor", "--network", "lab", "--reason", "spoofed-mac", "--reason", "bpdu",
                        "--pcap", "f", "--rate", "5", "--count", "7", "--json"});
  EXPECT_EQ("lab", options.drops.network);
  EXPECT_EQ(std::nullopt, options.drops.port);
  EXPECT_THAT(options.drops.reasons, testing::ElementsAre("spoofed-mac", "bpdu"));
  EXPECT_EQ(5U, options.drops.per_second);
  EXPECT_EQ(7U, options.count);
  EXPECT_EQ("f", options.pcap);
  EXPECT_EQ(1000U, parse({"monitor"}).drops.per_second);
  EXPECT_EQ(std::nullopt, parse({"monitor"}).count);
  EXPECT_THAT(refused({"monitor", "--rate", "0"}), HasSubstr("--rate"));
  EXPECT_THAT(refused({"monitor", "--count", "-1"}), HasSubstr("--count"));
}

TEST(CliOptions, Explain) {
  auto ask = [](std::vector<std::string> more) {
    more.insert(more.begin(), {"explain", "--port", "vnet0", "--to"});
    return parse(more).question;
  };
  Question question = ask({"192.0.2.1:80", "--from", "192.0.2.9:4711"});
  EXPECT_EQ("vnet0", question.interface);
  EXPECT_EQ("192.0.2.1", question.to.text());
  EXPECT_EQ(80, question.to_port);
  EXPECT_EQ("192.0.2.9", question.from->text());
  EXPECT_EQ(4711, question.from_port);
  EXPECT_EQ(std::nullopt, ask({"192.0.2.1"}).to_port);
  EXPECT_EQ("2001:db8::1", ask({"2001:db8::1"}).to.text());
  EXPECT_EQ(443, ask({"[2001:db8::1]:443"}).to_port);
  EXPECT_EQ(std::nullopt, ask({"[2001:db8::1]"}).to_port);
  auto wrong = [](std::vector<std::string> more) {
    more.insert(more.begin(), {"explain", "--port", "vnet0", "--to"});
    return refused(more);
  };
  for (const char* bad : {"x", "192.0.2.1:", "192.0.2.1:65536", "192.0.2.1:8x", "[2001:db8::1",
                          "[2001:db8::1]80", "[2001:db8::1]:", ""})
    EXPECT_THAT(wrong({bad}), HasSubstr("ADDR[:PORT]")) << bad;
  EXPECT_THAT(wrong({"192.0.2.1", "--proto", "sctp"}), HasSubstr("tcp, udp, icmp"));
  EXPECT_THAT(wrong({"192.0.2.1", "--proto", "udp"}), HasSubstr("needs a port"));
  EXPECT_THAT(wrong({"192.0.2.1:7", "--proto", "icmp"}), HasSubstr("no ports"));
  EXPECT_THAT(wrong({"192.0.2.1", "--from", "2001:db8::1"}), HasSubstr("family"));
  EXPECT_THAT(refused({"explain", "--to", "192.0.2.1"}), HasSubstr("--port"));
}

TEST(CliOptions, BlockTakesPrefixes) {
  auto options = parse({"block", "add", "203.0.113.1", "2001:db8::/32"});
  EXPECT_EQ("add", options.action);
  ASSERT_EQ(2U, options.prefixes.size());
  EXPECT_EQ("203.0.113.1/32", options.prefixes[0].text());
  EXPECT_EQ("drop.txt", parse({"block", "remove", "--file", "drop.txt"}).file);
  EXPECT_TRUE(parse({"block", "list", "--json"}).json);
  EXPECT_TRUE(parse({"--dry-run", "block", "add", "192.0.2.1"}).dry_run);
  EXPECT_THAT(refused({"block", "forget"}), HasSubstr("add, remove, list"));
  EXPECT_THAT(refused({"block", "add"}), HasSubstr("name a CIDR"));
  EXPECT_THAT(refused({"block", "add", "nobody"}), HasSubstr("'nobody' is neither ADDR nor ADDR/LENGTH"));
  EXPECT_THAT(refused({"block", "add", "192.0.2.0/33"}), HasSubstr("192.0.2.0/33"));
  EXPECT_THAT(refused({"block", "list", "192.0.2.1"}), HasSubstr("takes no CIDR"));
  EXPECT_THAT(refused({"block", "list", "--dry-run"}), HasSubstr("changes nothing"));
  EXPECT_THAT(refused({"block", "add", "192.0.2.1", "--json"}), HasSubstr("prints no facts"));
}

TEST(CliOptions, EveryVerbHelpsWithAnExample) {
  for (const auto& verb : describe_verbs()) {
    auto help = parse_options({verb.name, "--help"});
    ASSERT_TRUE(help && std::holds_alternative<Notice>(*help)) << verb.name;
    EXPECT_THAT(std::get<Notice>(*help).text, HasSubstr("Example:\n  ")) << verb.name;
  }
  EXPECT_EQ(21U, describe_verbs().size());
}

}  // namespace
}  // namespace vnet::cli
