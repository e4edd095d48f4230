// SPDX-License-Identifier: GPL-2.0-or-later
// The live screens, in a pseudo-terminal, and what they are without one.
#include <signal.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <sstream>

#include "tests/e2e/network_fixture.h"
#include "tests/support/pseudo_terminal.h"

namespace vnet::test {
namespace {

using testing::HasSubstr;
using testing::Not;

const std::string up = "\x1bOA", down = "\x1bOB", end = "\x1bOF", escape = "\x1b";

class WatchTest : public NetworkTest {
 protected:
  Argv command(const Argv& arguments, const std::string& more = "LC_ALL=C.UTF-8") {
    Argv words{"ip",          "netns", "exec",
               host().name(), "env",   "VNET_BPF_STATE_DIR=" + ground().state_dir().string(),
               "TERM=xterm",  more,    VNET_PROGRAM};
    words.insert(words.end(), arguments.begin(), arguments.end());
    return words;
  }

  // Drops with a reason: frames of a MAC that is not the guest's.
  void spoof(const std::string& name) {
    guest(name).must(
        "ip link set eth0 address 02:00:00:00:00:99; ip link set eth0 up; "
        "ip route replace default via 192.168.122.1");
    guest(name).pings("203.0.113.1", 1);
  }

  // Port records without interfaces: `stats` reads records and maps, and there may be a thousand.
  void add_records(int count) {
    std::ifstream file(ground().state_dir() / "run/ports/g1.json");
    auto record = nlohmann::json::parse(file);
    for (int i = 0; i < count; ++i) {
      std::string name = "many" + std::to_string(i);
      record["interface"] = name;
      record["slot"] = 1000 + i;
      std::ofstream(ground().state_dir() / "run/ports" / (name + ".json")) << record.dump();
    }
  }
};

TEST_F(WatchTest, Keys) {
  start();
  plug_both();
  spoof("g2");
  PseudoTerminal terminal(command({"stats", "--watch", "0.2"}), {24, 80});
  ASSERT_TRUE(terminal.shows("NETWORK          ports, sessions")) << terminal.text();
  for (const char* part : {"total  rx", "UPLINK", "eth0 ", "PORT", "g1 ", "g2 ", "DROPPED BECAUSE",
                           "spoofed-mac", "peak", "▁", "q quit"})
    EXPECT_TRUE(terminal.shows(part)) << part << "\n" << terminal.text();
  EXPECT_EQ(0U, terminal.lines().back().find("q quit"));  // the last of 24 rows

  terminal.type("sss");
  EXPECT_TRUE(terminal.shows("sort: drops"));
  terminal.type("/g2");
  EXPECT_TRUE(terminal.shows("filter: g2_"));
  EXPECT_TRUE(terminal.hides("\ng1 ")) << terminal.text();
  terminal.type("\n" + down);
  EXPECT_TRUE(wait_until([&] { return terminal.reversed("g2 "); })) << terminal.text();
  terminal.type("\n");
  EXPECT_TRUE(terminal.shows("PORT g2 of network lab")) << terminal.text();
  EXPECT_TRUE(terminal.shows("the source MAC is not the guest's")) << terminal.text();
  terminal.type(escape);
  EXPECT_TRUE(terminal.shows("UPLINK") || terminal.shows("PORT  ")) << terminal.text();
  terminal.type(escape);
  EXPECT_TRUE(terminal.shows("\ng1 ")) << terminal.text();
  terminal.type("p");
  EXPECT_TRUE(terminal.shows("PAUSED"));
  terminal.type("q");
  EXPECT_EQ(0, terminal.ended());
}

TEST_F(WatchTest, RatesMove) {
  start();
  plug("g1", 11);
  PseudoTerminal terminal(command({"stats", "--watch", "0.5"}), {24, 80});
  ASSERT_TRUE(terminal.shows("g1 ")) << terminal.text();
  Background traffic = guest("g1").background({"ping", "-q", "-i", "0.01", "203.0.113.1"});
  EXPECT_TRUE(wait_until([&] {
    for (const auto& line : terminal.lines()) {
      std::istringstream words(line);
      std::string name, network;
      double rx = 0;
      if (words >> name >> network >> rx && name == "g1" && rx > 20) return true;
    }
    return false;
  })) << terminal.text();
  EXPECT_TRUE(terminal.shows("1, 1/262k")) << terminal.text();  // its session, of the limit
  terminal.type("p");
  ASSERT_TRUE(terminal.shows("PAUSED"));
  std::string frozen = terminal.text();
  EXPECT_FALSE(wait_until([&] { return terminal.text() != frozen; }, std::chrono::milliseconds(1500)))
      << terminal.text();
  terminal.type("p");
  EXPECT_TRUE(terminal.hides("PAUSED"));
}

TEST_F(WatchTest, Resize) {
  start();
  plug("g1", 11);
  add_records(40);
  PseudoTerminal terminal(command({"stats", "--watch", "0.2"}), {24, 80});
  ASSERT_TRUE(terminal.shows("many0 "));
  EXPECT_THAT(terminal.text(), Not(HasSubstr("last minute")));
  for (PseudoTerminal::Size size : {PseudoTerminal::Size{50, 140}, {10, 40}, {3, 15}, {24, 80}}) {
    terminal.resize(size);
    EXPECT_TRUE(wait_until([&] {
      auto lines = terminal.lines();
      return lines.back().starts_with("q quit") && lines.front().starts_with("vnet-bpf") &&
             std::ranges::count_if(lines, [](const auto& line) { return line.starts_with("q quit"); }) == 1;
    })) << size.rows
        << "x" << size.columns << "\n"
        << terminal.text();
    EXPECT_EQ(size.columns >= 100,
              terminal.shows("last minute", std::chrono::milliseconds(size.columns >= 100 ? 3000 : 1)));
  }
  terminal.type(end);
  EXPECT_TRUE(terminal.shows("many9 ")) << terminal.text();  // the last by name
  EXPECT_TRUE(terminal.hides("NETWORK"));
  terminal.type("q");
  EXPECT_EQ(0, terminal.ended());
}

TEST_F(WatchTest, SurvivesStopAndStart) {
  start();
  plug("g1", 11);
  PseudoTerminal terminal(command({"stats", "--watch", "0.2"}), {24, 80});
  ASSERT_TRUE(terminal.shows("g1 "));
  vnet({"stop", "lab"});
  EXPECT_TRUE(terminal.shows("No network is active.")) << terminal.text();
  vnet({"start", "lab"});
  EXPECT_TRUE(terminal.shows("\nlab ")) << terminal.text();
  EXPECT_EQ(0, kill(terminal.pid(), SIGTERM));
  EXPECT_EQ(0, terminal.ended());
}

TEST_F(WatchTest, WithoutUnicodeItIsAscii) {
  start();
  PseudoTerminal terminal(command({"stats", "--watch", "0.2"}, "LC_ALL=C"), {24, 80});
  ASSERT_TRUE(terminal.shows("rx "));
  ASSERT_TRUE(terminal.shows("_")) << terminal.text();
  for (char c : terminal.text()) EXPECT_GE(c, 0);
}

TEST_F(WatchTest, WithoutATerminalItIsLines) {
  start();
  plug("g1", 11);
  Output ran = host().exec({"bash", "-c",
                            "VNET_BPF_STATE_DIR=" + ground().state_dir().string() + " " + VNET_PROGRAM +
                                " stats --watch 0.1 | head -4"});
  EXPECT_TRUE(ran.ok()) << ran.err;  // and it has ended with its reader
  EXPECT_THAT(ran.out, HasSubstr(" network lab  rx "));
  EXPECT_THAT(ran.out, HasSubstr(" port g1 (lab)  rx "));
  EXPECT_THAT(ran.out, Not(HasSubstr("\x1b")));
  // A terminal that nobody knows how to drive is none.
  PseudoTerminal terminal(command({"stats", "--watch", "0.1"}, "TERM=no-such-terminal"), {24, 80});
  EXPECT_TRUE(terminal.shows("network lab  rx")) << terminal.text();
}

// Nanoseconds that it has run so far.
double cpu_seconds(pid_t pid) {
  double nanoseconds = 0;
  std::ifstream("/proc/" + std::to_string(pid) + "/schedstat") >> nanoseconds;
  return nanoseconds / 1e9;
}

TEST_F(WatchTest, AThousandPortsCostUnderAHundredthOfACpu) {
  start();
  plug("g1", 11);
  add_records(1000);
  PseudoTerminal terminal(command({"stats", "--watch"}), {50, 140});
  ASSERT_TRUE(terminal.shows("1001, "));
  // The first readings are the records' own; after two seconds they are known.
  auto second = [&] { return terminal.lines().front(); };
  auto pass = [&](int count) {
    for (int i = 0; i < count; ++i) {
      std::string before = second();
      ASSERT_TRUE(wait_until([&] { return second() != before; }));
    }
  };
  pass(4);
  double begin = cpu_seconds(terminal.pid());
  pass(8);
  double cost = (cpu_seconds(terminal.pid()) - begin) / 8;
  std::printf("%.2f%% of a CPU\n", cost * 100);
  RecordProperty("percent", std::to_string(cost * 100));
  EXPECT_LT(cost, 0.01);
  EXPECT_GT(cost, 0);
}

class FlowsTest : public WatchTest {
 protected:
  void some_flows() {
    start();
    plug_both();
    for (const char* name : {"g1", "g2"}) ASSERT_TRUE(guest(name).pings("203.0.113.1"));
    guest("g1").must(
        "echo x | socat -T0 -u - UDP:203.0.113.1:5001; echo x | socat -T0 -u - UDP:203.0.113.1:5002");
    guest("g2").must("echo x | socat -T0 -u - UDP:198.51.100.1:5001");
  }
  std::size_t count(Argv filter) {
    filter.insert(filter.begin(), "flows");
    return ground().vnet_json(filter).size();
  }
};

TEST_F(FlowsTest, Filters) {
  some_flows();
  EXPECT_EQ(5U, count({})) << ground().vnet({"flows"}).out;
  EXPECT_EQ(3U, count({"--port", "g1"}));
  EXPECT_EQ(2U, count({"--port", "5001"}));
  EXPECT_EQ(3U, count({"--proto", "udp"}));
  EXPECT_EQ(1U, count({"--proto", "udp", "--address", "198.51.100.0/24"}));
  EXPECT_EQ(2U, count({"--address", "192.168.122.12"}));
  EXPECT_EQ(2U, count({"--state", "established"}));  // the pings
  EXPECT_EQ(3U, count({"--state", "new"}));
  EXPECT_EQ(0U, count({"--proto", "tcp"}));
  auto flows = ground().vnet_json({"flows"});
  for (std::size_t i = 1; i < flows.size(); ++i)
    EXPECT_GE(flows[i - 1]["bits_per_second"], flows[i]["bits_per_second"]);
}

TEST_F(FlowsTest, Usage) {
  some_flows();
  auto usage = ground().vnet_json({"flows", "--usage"});
  EXPECT_EQ(5, usage["networks"][0]["sessions"]);
  ASSERT_EQ(2U, usage["ports"].size());
  EXPECT_EQ(3, usage["ports"][0]["sessions"]);
  EXPECT_EQ(65536, usage["ports"][0]["max_sessions"]);
  bool udp = false;
  for (const auto& pool : usage["pools"]) {
    if (pool["protocol"] != "udp") continue;
    udp = true;
    EXPECT_EQ("203.0.113.2", pool["address"]);
    EXPECT_EQ(3, pool["sessions"]);
    EXPECT_EQ(1024 * 31 + 4536, pool["ports"]);  // 1024 to 32767 and 61000 to 65535
  }
  EXPECT_TRUE(udp) << usage;
  EXPECT_EQ(5, usage["allocations"]["bindings"]);
  EXPECT_THAT(vnet({"flows", "--usage"}).out, HasSubstr("Ports chosen so far: 5, of which "));
}

TEST_F(FlowsTest, Watch) {
  some_flows();
  PseudoTerminal terminal(command({"flows", "--watch", "0.3"}), {12, 120});
  ASSERT_TRUE(terminal.shows("5 sessions, the fastest first")) << terminal.text();
  // The one that flows now comes to the top.
  Background traffic = guest("g2").background({"ping", "-q", "-i", "0.01", "-s", "1000", "198.51.100.1"});
  EXPECT_TRUE(wait_until([&] {
    auto lines = terminal.lines();
    return lines.size() > 4 && lines[4].find("198.51.100.1") != std::string::npos &&
           lines[4].find("icmp") != std::string::npos;
  })) << terminal.text();
  terminal.resize({6, 40});
  EXPECT_TRUE(wait_until([&] { return terminal.lines().back().starts_with("q quit"); })) << terminal.text();
  terminal.type("q");
  EXPECT_EQ(0, terminal.ended());
  Output ran = host().exec({"bash", "-c",
                            "VNET_BPF_STATE_DIR=" + ground().state_dir().string() + " " + VNET_PROGRAM +
                                " flows --proto icmp --watch 0.1 | head -3"});
  EXPECT_THAT(ran.out, HasSubstr("sessions, the fastest first\n Proto "));
}

}  // namespace
}  // namespace vnet::test
