// SPDX-License-Identifier: GPL-2.0-or-later
// The live screens with real guests on them. With $VNET_SCREENS=FOLDER what they showed is kept there, which
// is where docs/screens.md has it from.
#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "tests/guest/guest_fixture.h"
#include "tests/support/pseudo_terminal.h"

namespace vnet::test {
namespace {

void keep(const std::string& name, const std::string& text) {
  const char* folder = std::getenv("VNET_SCREENS");
  if (!folder) return;
  std::filesystem::create_directories(folder);
  std::ofstream(std::filesystem::path(folder) / (name + ".txt")) << text;
}

TEST_F(GuestTest, TheLiveScreensShowThem) {
  auto command = [](const Argv& arguments) {
    Argv words{"ip",         "netns",
               "exec",       host().name(),
               "env",        "VNET_BPF_STATE_DIR=" + ground().state_dir().string(),
               "TERM=xterm", "LC_ALL=C.UTF-8",
               VNET_PROGRAM};
    words.insert(words.end(), arguments.begin(), arguments.end());
    return words;
  };
  std::string peer = address(g2(), "192.168.122.1");
  ASSERT_FALSE(address(g1(), "192.168.122.1").empty() || peer.empty());
  // One downloads again and again, one asks for names and pings.
  g1().sh("(while :; do socat -u TCP4:" + server4() +
          ":8080 - ; done) >/dev/null 2>&1 & echo $! > /tmp/busy");
  g2().sh("(while :; do nslookup g1.lab.test 192.168.122.1; ping -c 3 " + server4() +
          "; done) >/dev/null 2>&1 & echo $! > /tmp/busy");
  if (mode().outside == GuestMode::Outside::masqueraded)  // somebody who may not come in
    ground().outside().sh("ip route add 192.168.122.0/24 via 203.0.113.2; ping -c 3 -i 0.2 -W 1 " + peer +
                          "; ip route del 192.168.122.0/24 via 203.0.113.2");
  {
    PseudoTerminal stats(command({"stats", "--watch", "1"}), {24, 110});
    EXPECT_TRUE(stats.shows("\ng1 ", std::chrono::seconds(20))) << stats.text();
    EXPECT_TRUE(stats.shows("\ng2 ")) << stats.text();
    EXPECT_TRUE(stats.shows("peak")) << stats.text();
    if (std::getenv("VNET_SCREENS")) stats.shows("never drawn", std::chrono::seconds(20));
    keep("stats-watch", stats.text());
    stats.type("q");
    EXPECT_EQ(0, stats.ended());
  }
  keep("ports", vnet({"ports"}).out);
  if (leads_outside()) {
    keep("leases", vnet({"leases", "lab"}).out);
    keep("flows", vnet({"flows"}).out);
    PseudoTerminal flows(command({"flows", "--watch", "1"}), {20, 130});
    EXPECT_TRUE(flows.shows(":8080", std::chrono::seconds(20))) << flows.text();
    keep("flows-watch", flows.text());
    flows.type("q");
    EXPECT_EQ(0, flows.ended());
  }
  for (VirtualMachine* guest : {&g1(), &g2()}) guest->sh("kill $(cat /tmp/busy)");
}

}  // namespace
}  // namespace vnet::test
