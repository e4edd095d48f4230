// SPDX-License-Identifier: GPL-2.0-or-later
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>

#include "cli/options.h"
#include "cli/verbs/block.h"
#include "cli/verbs/explain.h"
#include "cli/verbs/export.h"
#include "cli/verbs/flows.h"
#include "cli/verbs/hook.h"
#include "cli/verbs/monitor.h"
#include "cli/verbs/networks.h"
#include "cli/verbs/ports.h"
#include "cli/verbs/stats.h"

namespace vnet::cli {
namespace {

using namespace verbs;
using testing::HasSubstr;

Invocation invoked(const std::vector<std::string>& arguments) {
  auto result = parse_options(arguments);
  if (!result) {
    ADD_FAILURE() << result.error().message;
    return {};
  }
  return std::get<Invocation>(*result);
}

Common common(const std::vector<std::string>& arguments) {
  return invoked(arguments).common;
}

template <typename Options>
Options parse(const std::vector<std::string>& arguments) {
  auto call = invoked(arguments).call;
  auto* values = std::any_cast<std::shared_ptr<Options>>(&call.values);
  if (!values) {
    ADD_FAILURE() << "another verb's options";
    return {};
  }
  return **values;
}

std::string refused(const std::vector<std::string>& arguments) {
  auto result = parse_options(arguments);
  if (result) return "(accepted)";
  EXPECT_EQ(ErrorKind::Invalid, result.error().kind);
  EXPECT_EQ(std::string::npos, result.error().message.find('\n'));
  return result.error().message;
}

TEST(CliOptions, GlobalOptionsStandBeforeOrBehindTheVerb) {
  EXPECT_TRUE(common({"--dry-run", "up"}).dry_run);
  EXPECT_TRUE(common({"up", "--dry-run"}).dry_run);
  EXPECT_TRUE(common({"list", "--json", "--all"}).json);
  EXPECT_EQ("/x", common({"--state-dir", "/x", "list"}).state_dir);
}

TEST(CliOptions, DestroyIsStop) {
  EXPECT_EQ("stop", common({"destroy", "lab"}).verb);
  EXPECT_EQ("lab", parse<NetworkOptions>({"destroy", "lab"}).network);
}

TEST(CliOptions, EverythingThatAttachTakes) {
  auto options = parse<AttachOptions>({"attach",     "vnet0",
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
                                       "p"});
  const PortRequest& port = options.port;
  EXPECT_THAT(options.interfaces, testing::ElementsAre("vnet0"));
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
  EXPECT_EQ(true, parse<SetOptions>({"set", "vnet0", "--ip-only"}).port.ip_only);
  EXPECT_EQ(false, parse<SetOptions>({"set", "vnet0", "--no-ip-only"}).port.ip_only);
  EXPECT_FALSE(parse_options({"set", "vnet0", "--ip-only", "--no-ip-only"}));
}

TEST(CliOptions, BandwidthIsAverageAndPeakAndBurst) {
  auto port =
      parse<SetOptions>({"set", "vnet0", "--bandwidth-in", "100,200,64", "--bandwidth-out", "none"}).port;
  EXPECT_EQ((Bandwidth{.average = 100, .peak = 200, .burst = 64}), *port.bandwidth->inbound);
  ASSERT_TRUE(port.bandwidth->outbound);
  EXPECT_FALSE(*port.bandwidth->outbound);
  port = parse<SetOptions>({"set", "vnet0", "--bandwidth-out", "100,0,64"}).port;
  EXPECT_EQ((Bandwidth{.average = 100, .peak = 0, .burst = 64}), *port.bandwidth->outbound);
  EXPECT_FALSE(port.bandwidth->inbound);
  for (const char* wrong : {"0", "x", "1,", "1,2,3,4", "-1", "100,50", "100000001", "1k"})
    EXPECT_FALSE(parse_options({"set", "vnet0", "--bandwidth-in", wrong})) << wrong;
}

TEST(CliOptions, VlansAreATagOrATrunk) {
  using Words = std::vector<std::string>;
  auto vlan = [](const Words& options) {
    Words words{"set", "vnet0"};
    words.insert(words.end(), options.begin(), options.end());
    return *parse<SetOptions>(words).port.vlan;
  };
  EXPECT_EQ((Vlan{.trunk = false, .tags = {{.id = 7}}}), *vlan({"--vlan", "7"}));
  EXPECT_FALSE(vlan({"--vlan", "none"}));
  Vlan trunk{.trunk = true, .tags = {{.id = 10}, {.id = 20}}};
  EXPECT_EQ(trunk, *vlan({"--vlan-trunk", "10,20"}));
  trunk.tags.push_back({.id = 30, .native = true});
  EXPECT_EQ(trunk, *vlan({"--vlan-trunk", "10,20", "--vlan-native", "30"}));
  EXPECT_EQ(2U, vlan({"--vlan-native", "10", "--vlan-trunk", "10,20"})->tags.size());
  for (const Words& wrong :
       {Words{"--vlan", "0"}, Words{"--vlan", "4095"}, Words{"--vlan", "x"}, Words{"--vlan-trunk", "1,"},
        Words{"--vlan", "1", "--vlan-trunk", "2"}, Words{"--vlan-native", "1,2"}}) {
    Words words{"set", "vnet0"};
    words.insert(words.end(), wrong.begin(), wrong.end());
    EXPECT_FALSE(parse_options(words)) << testing::PrintToString(wrong);
  }
}

TEST(CliOptions, WhatIsNotAskedStaysUnset) {
  auto port = parse<SetOptions>({"set", "vnet0", "--link", "down"}).port;
  EXPECT_EQ(false, port.link_up);
  EXPECT_FALSE(port.mac || port.ips || port.filters || port.inbound || port.allow || port.isolated ||
               port.model);
}

TEST(CliOptions, AnyMacInsteadOfOne) {
  auto any = parse<SetOptions>({"set", "vnet0", "--mac", "any"}).port;
  EXPECT_EQ(true, any.any_mac);
  EXPECT_FALSE(any.mac);
  auto one = parse<SetOptions>({"set", "vnet0", "--mac", "52:54:00:00:00:01"}).port;
  EXPECT_EQ(false, one.any_mac);
  EXPECT_TRUE(one.mac);
  EXPECT_FALSE(parse<SetOptions>({"set", "vnet0", "--link", "down"}).port.any_mac);
  auto several = parse<AttachOptions>({"attach", "a", "b", "--network", "lab", "--mac", "any"}).requests();
  EXPECT_EQ(true, several.at(1).any_mac);
}

TEST(CliOptions, RepeatedOptionsDoNotSwallowThePositional) {
  auto options = parse<AttachOptions>({"attach", "--ip", "192.0.2.1", "vnet0", "--network", "lab"});
  EXPECT_THAT(options.interfaces, testing::ElementsAre("vnet0"));
  EXPECT_EQ(1U, options.port.ips->size());
}

TEST(CliOptions, SeveralInterfacesAreAttachedAlike) {
  auto ports =
      parse<AttachOptions>({"attach", "a", "b", "a", "--network", "lab", "--inbound", "drop"}).requests();
  ASSERT_EQ(2U, ports.size()) << "each once";
  EXPECT_EQ("a", ports[0].interface);
  EXPECT_EQ("b", ports[1].interface);
  EXPECT_EQ("lab", ports[1].network);
  EXPECT_EQ(Inbound::Drop, ports[1].inbound);
  auto all = parse<AttachOptions>({"attach", "--all-members", "lab", "--isolated"});
  EXPECT_EQ("lab", all.all_members);
  EXPECT_TRUE(*all.port.isolated);
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
  EXPECT_FALSE(parse<StatsOptions>({"stats"}).watch_seconds);
  EXPECT_EQ(1.0, parse<StatsOptions>({"stats", "--watch"}).watch_seconds);
  EXPECT_EQ(2.5, parse<StatsOptions>({"stats", "--watch", "2.5"}).watch_seconds);
  EXPECT_EQ("lab", parse<StatsOptions>({"stats", "--watch", "--network", "lab"}).network);
  for (const char* bad : {"0", "-1", "x", "nan", "1e9"})
    EXPECT_NE("(accepted)", refused({"stats", std::string("--watch=") + bad})) << bad;
  EXPECT_THAT(refused({"stats", "--watch", "--json"}), HasSubstr("--json"));
}

TEST(CliOptions, Flows) {
  auto options = parse<FlowsOptions>({"flows", "--port", "vnet0", "--address", "192.0.2.0/24", "--proto",
                                      "tcp", "--state", "established", "--watch"});
  EXPECT_EQ("vnet0", options.filter.interface);
  EXPECT_EQ("192.0.2.0/24", options.filter.address->text());
  EXPECT_EQ("tcp", options.filter.protocol);
  EXPECT_EQ("established", options.filter.state);
  EXPECT_EQ(1.0, options.watch_seconds);
  options = parse<FlowsOptions>({"flows", "--port", "443"});
  EXPECT_EQ(443, options.filter.port);
  EXPECT_FALSE(options.filter.interface);
  EXPECT_TRUE(parse<FlowsOptions>({"flows", "--usage", "--network", "lab"}).usage);
  EXPECT_THAT(refused({"flows", "--port", "70000"}), HasSubstr("1 to 65535"));
  EXPECT_THAT(refused({"flows", "--address", "192.0.2"}), HasSubstr("'192.0.2'"));
  EXPECT_THAT(refused({"flows", "--state", "open"}), HasSubstr("established"));
  for (const char* protocol : {"ipx", "256", "-1"})
    EXPECT_THAT(refused({"flows", std::string("--proto=") + protocol}), HasSubstr("neither tcp, udp"));
  EXPECT_EQ("47", parse<FlowsOptions>({"flows", "--proto", "47"}).filter.protocol);
  EXPECT_THAT(refused({"flows", "--usage", "--proto", "tcp"}), HasSubstr("--usage"));
  EXPECT_THAT(refused({"flows", "--usage", "--watch"}), HasSubstr("exclude"));
  EXPECT_THAT(refused({"flows", "--watch", "--json"}), HasSubstr("--json"));
}

TEST(CliOptions, Export) {
  EXPECT_EQ("127.0.0.1:9437", parse<ExportOptions>({"export", "--listen", "127.0.0.1:9437"}).listen);
  EXPECT_EQ("/x/y.prom", parse<ExportOptions>({"export", "--textfile", "/x/y.prom"}).textfile);
  EXPECT_THAT(refused({"export", "--textfile", "/x/y"}), HasSubstr(".prom"));
  EXPECT_THAT(refused({"export", "--listen", "::1", "--textfile", "x.prom"}), HasSubstr("exclude"));
  EXPECT_THAT(refused({"export", "--json"}), HasSubstr("stats --json"));
}

TEST(CliOptions, Monitor) {
  auto options = parse<MonitorOptions>({"monitor", "--network", "lab", "--reason", "spoofed-mac", "--reason",
                                        "bpdu", "--pcap", "f", "--rate", "5", "--count", "7", "--json"});
  EXPECT_EQ("lab", options.filter.network);
  EXPECT_EQ(std::nullopt, options.filter.port);
  EXPECT_THAT(options.filter.reasons, testing::ElementsAre("spoofed-mac", "bpdu"));
  EXPECT_EQ(5U, options.rate);
  EXPECT_EQ(7U, options.count);
  EXPECT_EQ("f", options.pcap);
  EXPECT_EQ(1000U, parse<MonitorOptions>({"monitor"}).rate);
  EXPECT_EQ(0U, parse<MonitorOptions>({"monitor"}).count);
  EXPECT_THAT(refused({"monitor", "--rate", "0"}), HasSubstr("--rate"));
  EXPECT_THAT(refused({"monitor", "--count", "-1"}), HasSubstr("--count"));
}

TEST(CliOptions, Explain) {
  auto ask = [](std::vector<std::string> more) {
    more.insert(more.begin(), {"explain", "--port", "vnet0", "--to"});
    return parse<ExplainOptions>(more).question;
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
  auto options = parse<BlockOptions>({"block", "add", "203.0.113.1", "2001:db8::/32"});
  EXPECT_EQ("add", options.action);
  ASSERT_EQ(2U, options.prefixes.size());
  EXPECT_EQ("203.0.113.1/32", options.prefixes[0].text());
  EXPECT_EQ("drop.txt", parse<BlockOptions>({"block", "remove", "--file", "drop.txt"}).file);
  EXPECT_TRUE(common({"block", "list", "--json"}).json);
  EXPECT_TRUE(common({"--dry-run", "block", "add", "192.0.2.1"}).dry_run);
  EXPECT_THAT(refused({"block", "forget"}), HasSubstr("add, remove, list"));
  EXPECT_THAT(refused({"block", "add"}), HasSubstr("name a CIDR"));
  EXPECT_THAT(refused({"block", "add", "nobody"}), HasSubstr("'nobody' is neither ADDR nor ADDR/LENGTH"));
  EXPECT_THAT(refused({"block", "add", "192.0.2.0/33"}), HasSubstr("192.0.2.0/33"));
  EXPECT_THAT(refused({"block", "list", "192.0.2.1"}), HasSubstr("takes no CIDR"));
  EXPECT_THAT(refused({"block", "list", "--dry-run"}), HasSubstr("changes nothing"));
  EXPECT_THAT(refused({"block", "add", "192.0.2.1", "--json"}), HasSubstr("prints no facts"));
}

TEST(CliOptions, HookNeedsAGuestAndAnOperation) {
  EXPECT_THAT(refused({"hook", "qemu", "g", "start"}), HasSubstr("'qemu' is not one of libvirt"));
  EXPECT_THAT(refused({"hook", "libvirt", "g"}), HasSubstr("NAME OPERATION"));
  std::vector<std::string> words{"libvirt", "g", "start", "begin", "-"};
  EXPECT_EQ(words, parse<HookOptions>({"hook", "libvirt", "g", "start", "begin", "-"}).words);
  // As packaging/libvirt/hooks/qemu says it.
  EXPECT_EQ(words, parse<HookOptions>({"hook", "libvirt", "--", "g", "start", "begin", "-"}).words);
}

TEST(CliOptions, EveryVerbHelpsWithAnExample) {
  for (const auto& command : commands()) {
    auto help = parse_options({command.name, "--help"});
    ASSERT_TRUE(help && std::holds_alternative<Notice>(*help)) << command.name;
    EXPECT_THAT(std::get<Notice>(*help).text, HasSubstr("Example:\n  ")) << command.name;
  }
  EXPECT_EQ(29, std::ranges::count(commands(), Shown::Yes, &Command::shown));
}

}  // namespace
}  // namespace vnet::cli
