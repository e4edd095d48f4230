// SPDX-License-Identifier: GPL-2.0-or-later
// `monitor` beside real traffic, as an administrator runs it.
#include <signal.h>
#include <sys/wait.h>

#include <algorithm>

#include "tests/e2e/monitor_fixture.h"
#include "tests/support/raw_port.h"

namespace vnet::test {
namespace {

using testing::HasSubstr;

class MonitorVerb : public MonitorFixture {
 protected:
  void SetUp() override {
    MonitorFixture::SetUp();
    if (!IsSkipped()) start_all();
  }
};

TEST_F(MonitorVerb, TellsWhoWhatWhereAndWhy) {
  Background running = monitor("--json");
  send_from_outside(53);
  RawPort raw(guest("g1"), "eth0");
  raw.send(Ethernet{.src = "02:00:00:00:00:99", .dst = "52:54:00:00:00:01"} / Ipv4{.src = "192.168.122.11"} /
           Udp{.src_port = 9, .dst_port = 10});
  ASSERT_TRUE(wait_until([&] { return seen("not-visible") && seen("spoofed-mac"); })) << text(out_path());
  int checked = 0;
  for (const Json& event : events()) {
    EXPECT_NEAR(static_cast<double>(time(nullptr)), event["time"].get<double>(), 60);
    if (event["reason"] == "not-visible") {
      EXPECT_EQ("uplink-ingress", event["hook"]);
      EXPECT_EQ("eth0", event["interface"]);
      EXPECT_EQ("lab", event["network"]);
      EXPECT_EQ("udp", event["protocol"]);
      EXPECT_EQ(Json({{"address", "203.0.113.1"}, {"port", 4711}}), event["source"]);
      EXPECT_EQ(Json({{"address", "192.168.122.11"}, {"port", 53}}), event["destination"]);
      EXPECT_EQ(14 + 20 + 8 + 2, event["length"]);
      ++checked;
    } else if (event["reason"] == "spoofed-mac") {
      EXPECT_EQ("port-ingress", event["hook"]);
      EXPECT_EQ("g1", event["interface"]);
      EXPECT_EQ("g1", event["port"]);
      EXPECT_EQ("02:00:00:00:00:99", event["source_mac"]);
      ++checked;
    }
  }
  EXPECT_EQ(2, checked);
}

TEST_F(MonitorVerb, FiltersAndCountAndText) {
  Background running = monitor("--reason not-visible --network lab --count 2");
  RawPort raw(guest("g1"), "eth0");
  raw.send(Ethernet{.src = "02:00:00:00:00:99"} / Ipv4{.src = "192.168.122.11"} / Udp{});
  send_from_outside(53);
  send_from_outside(54, "192.168.122.12");
  ASSERT_TRUE(wait_until([&] { return !text(err_path()).empty(); })) << text(out_path());
  EXPECT_EQ("2 shown, 0 not shown\n", text(err_path()));
  std::string out = text(out_path());
  EXPECT_EQ(2, std::ranges::count(out, '\n')) << out;
  EXPECT_THAT(out, HasSubstr("not-visible"));
  EXPECT_THAT(out, HasSubstr("udp 203.0.113.1:4711 > 192.168.122.11:53, 44 bytes"));
  EXPECT_EQ(std::string::npos, out.find("spoofed-mac"));
  EXPECT_TRUE(wait_until([&] { return !active(); }));
}

TEST_F(MonitorVerb, AFloodIsLimitedAndWhatWasLeftOutIsSaid) {
  Background running = monitor("--json --rate 20");
  outside().exec({"bash", "-c", "for i in $(seq 400); do printf x > /dev/udp/192.168.122.11/53; done"});
  auto total = [&] {
    std::uint64_t shown = 0, lost = 0;
    for (const Json& event : events())
      if (event.contains("not_shown"))
        lost += event["not_shown"].get<std::uint64_t>();
      else if (event["reason"] == "not-visible")
        ++shown;
    return std::pair(shown, lost);
  };
  EXPECT_TRUE(wait_until([&] { return total().first + total().second >= 400; })) << text(out_path());
  EXPECT_GT(total().first, 0U);
  EXPECT_LT(total().first, 200U);
  EXPECT_GE(dropped("not-visible"), 400U);  // the counters tell them all
}

TEST_F(MonitorVerb, SignalsEndItCleanlyAndDeathSwitchesItOff) {
  for (int signal : {SIGINT, SIGTERM}) {
    Background running = monitor("");
    kill(running.pid(), signal);
    int status = -1;
    EXPECT_TRUE(wait_until([&] { return waitpid(running.pid(), &status, WNOHANG) == running.pid(); }));
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
    EXPECT_FALSE(active());
  }
  {
    Background running = monitor("");
    kill(running.pid(), SIGKILL);
  }
  EXPECT_TRUE(wait_until(
      [&] {
        send_from_outside(53);
        return !active();
      },
      std::chrono::seconds(8)));
}

TEST_F(MonitorVerb, ACaptureIsReadByTshark) {
  if (!sh("command -v tshark").ok()) GTEST_SKIP() << "tshark is not installed";
  std::string file = (ground().state_dir() / "drops.pcapng").string();
  Background running = monitor("--pcap " + file + " --count 3");
  RawPort raw(guest("g1"), "eth0");
  raw.send(Ethernet{.src = "02:00:00:00:00:99"} / Vlan{.id = 7} /
           Ipv4{.src = "192.168.122.11", .dst = "192.0.2.9"} / Udp{.src_port = 9, .dst_port = 10} /
           Payload(600));
  send_from_outside(53);
  send_from_outside(54, "[fd00:122::12]");
  ASSERT_TRUE(wait_until([&] { return !text(err_path()).empty(); })) << text(out_path());
  Output read = execute({"tshark",
                         "-r",
                         file,
                         "-T",
                         "fields",
                         "-E",
                         "separator=|",
                         "-e",
                         "frame.interface_name",
                         "-e",
                         "frame.comment",
                         "-e",
                         "frame.len",
                         "-e",
                         "ip.dst",
                         "-e",
                         "ipv6.dst",
                         "-e",
                         "udp.dstport",
                         "-e",
                         "vlan.id"});
  ASSERT_TRUE(read.ok()) << read.err;
  EXPECT_THAT(read.out,
              HasSubstr("g1|spoofed-mac: the source MAC is not the guest's (at port-ingress, network lab, "
                        "port g1)|646|192.0.2.9||10|7\n"));
  EXPECT_THAT(read.out,
              HasSubstr("eth0|not-visible: a new connection from outside to a network that is not visible "
                        "(at uplink-ingress, network lab)|44|192.168.122.11||53|\n"));
  EXPECT_THAT(read.out, HasSubstr("network lab)|64||fd00:122::12|54|\n"));
}

TEST_F(MonitorVerb, WhatCannotBeWatchedIsNamed) {
  EXPECT_EQ(3, ground().vnet({"monitor", "--network", "nonesuch"}).status);
  EXPECT_EQ(3, ground().vnet({"monitor", "--port", "nonesuch"}).status);
  Output reason = ground().vnet({"monitor", "--reason", "bad-luck"});
  EXPECT_EQ(2, reason.status);
  EXPECT_THAT(reason.err, HasSubstr("'bad-luck' is not one of unattached, link-down"));
  Output pcap = ground().vnet({"monitor", "--pcap", "/nonesuch/file"});
  EXPECT_EQ(1, pcap.status);
  EXPECT_FALSE(active());
  Background running = monitor("");
  vnet({"stop", "lab"});
  EXPECT_TRUE(
      wait_until([&] { return text(err_path()).find("nothing is left to watch") != std::string::npos; }));
}

}  // namespace
}  // namespace vnet::test
