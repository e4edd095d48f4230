// SPDX-License-Identifier: GPL-2.0-or-later
// <bandwidth> with real traffic. Bytes are compared with the time that has really passed: never more than the
// burst and the rate allow, and not much less where the sender would send more. The port counts packets as
// they are in the host; of a GSO packet the headers of all segments but one, 4.4 % of TCP's bytes, are not
// in.
#include <chrono>
#include <thread>

#include "tests/e2e/direct_fixture.h"
#include "tests/e2e/port_fixture.h"

namespace vnet::test {
namespace {

using testing::HasSubstr;

constexpr int kilobytes = 1000, kibibytes_at_once = 400;
const std::string limit_words = fmt::format("{},0,{}", kilobytes, kibibytes_at_once);
const std::string limit_attributes = fmt::format("average='{}' burst='{}'", kilobytes, kibibytes_at_once);

// What a port has counted since it was made, and how long that is ago.
class Meter {
 public:
  Meter(Playground& ground, std::string port, const char* counter)
      : ground_(&ground), port_(std::move(port)), counter_(counter), before_(read()) {}

  std::uint64_t bytes() const { return read() - before_; }
  double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
  }
  void expect_rate(double rate, double least) const {
    double at_least = rate * 1000 * seconds() * least;
    auto seen = static_cast<double>(bytes());
    EXPECT_GE(seen, at_least);
    EXPECT_LE(seen, rate * 1000 * seconds() * 1.05 + kibibytes_at_once * 1024 + 65536);
  }

 private:
  std::uint64_t read() const {
    auto stats = ground_->vnet_json({"stats", "--port", port_});
    return stats["ports"].at(0)[counter_].get<std::uint64_t>();
  }
  Playground* ground_;
  std::string port_;
  const char* counter_;
  std::uint64_t before_;
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

// Somebody who sends all that he can.
Background sends_udp(Namespace& from, const std::string& to) {
  return from.background({"socat", "-u", "-b1400", "OPEN:/dev/zero", "UDP-SENDTO:" + to + ":9000"});
}
Background sends_tcp(Namespace& from, const std::string& to) {
  return from.background({"socat", "-u", "-b60000", "OPEN:/dev/zero", "TCP:" + to + ":9001"});
}
Background fetches_tcp(Namespace& at, const std::string& from) {
  return at.background({"socat", "-u", "TCP:" + from + ":9002", "OPEN:/dev/null"});
}

void pass(int seconds) {
  std::this_thread::sleep_for(std::chrono::seconds(seconds));
}

// Takes what is sent, and gives as much to those who ask.
class Server {
 public:
  explicit Server(Namespace& at)
      : takes_(
            at.background({"socat", "-u", "TCP6-LISTEN:9001,ipv6only=0,reuseaddr,fork", "OPEN:/dev/null"})),
        gives_(at.background(
            {"socat", "-u", "-b60000", "OPEN:/dev/zero", "TCP6-LISTEN:9002,ipv6only=0,reuseaddr"})) {
    for (const char* port : {"9001", "9002"})
      EXPECT_TRUE(wait_until([&] { return !at.sh(std::string("ss -Hltn sport = :") + port).out.empty(); }));
  }

 private:
  Background takes_, gives_;
};

class BandwidthTest : public PortTest {
 protected:
  Meter meter(const std::string& port, const char* counter) { return {ground(), port, counter}; }
  Meter sent(const std::string& port) { return meter(port, "tx_bytes"); }
  Meter received(const std::string& port) { return meter(port, "rx_bytes"); }
};

TEST_F(BandwidthTest, WhatAGuestSends) {
  start_lab();
  add("g1", 11);
  attach("g1", 11, {"--bandwidth-out", limit_words});
  EXPECT_THAT(vnet({"ports"}).out, HasSubstr("out 1000 kB/s"));
  Server server(outside());
  for (const char* to : {"203.0.113.1", "[2001:db8:113::1]"}) {
    SCOPED_TRACE(to);
    {
      Background udp = sends_udp(guest("g1"), to);
      Meter meter = sent("g1");
      pass(3);
      meter.expect_rate(kilobytes, 0.93);
    }
    Background tcp = sends_tcp(guest("g1"), to);
    Meter meter = sent("g1");
    pass(5);
    meter.expect_rate(kilobytes, 0.8);
  }
  EXPECT_GT(drops_at("g1", "bandwidth"), 0U);
  EXPECT_THAT(vnet({"explain", "--port", "g1", "--to", "203.0.113.1:9000"}).out,
              HasSubstr("what g1 sends above 1000 kB/s is dropped (bandwidth)"));
  // Live, and no more.
  Background udp = sends_udp(guest("g1"), "203.0.113.1");
  set("g1", {"--bandwidth-out", fmt::format("3000,0,{}", kibibytes_at_once)});
  Meter faster = sent("g1");
  pass(3);
  faster.expect_rate(3000, 0.9);
  set("g1", {"--bandwidth-out", "none"});
  Meter free = sent("g1");
  pass(2);
  EXPECT_GT(static_cast<double>(free.bytes()), 6'000'000 * free.seconds() / 2);
  EXPECT_TRUE(ground().vnet_json({"ports"}).at(0)["bandwidth"].is_null());
}

TEST_F(BandwidthTest, WhatAGuestReceives) {
  start_lab();
  add("g1", 11), add("g2", 12);
  attach("g1", 11, {"--bandwidth-in", limit_words});
  attach("g2", 12);
  Server server(outside());
  {
    Background tcp = fetches_tcp(guest("g1"), "203.0.113.1");
    Meter meter = received("g1");
    pass(5);
    meter.expect_rate(kilobytes, 0.8);
  }
  for (Namespace* from : {&guest("g2"), &host()}) {
    Background udp = sends_udp(*from, "[" + ip6(11) + "]");
    Meter meter = received("g1");
    pass(3);
    meter.expect_rate(kilobytes, 0.93);
  }
  EXPECT_GT(drops_at("g1", "bandwidth"), 0U);
  EXPECT_EQ(0U, drops_at("g2", "bandwidth")) << "the receiver's limit";
  EXPECT_THAT(vnet({"explain", "--port", "g2", "--from", ip4(12), "--to", ip4(11) + ":9000"}).out,
              HasSubstr("what g1 receives above 1000 kB/s is dropped"));
}

TEST_F(BandwidthTest, GuestsShareTheirNetworks) {
  start_lab("<bandwidth><outbound " + limit_attributes + "/></bandwidth>");
  add("g1", 11), add("g2", 12);
  attach("g1", 11), attach("g2", 12);
  Server server(outside());
  Background greedy = sends_udp(guest("g1"), "203.0.113.1");
  pass(1);
  // One who never slows down, and one who does; then two of the same kind.
  for (auto start : {sends_tcp, sends_udp}) {
    Background other = start(guest("g2"), "[2001:db8:113::1]");
    pass(3);  // until the new one's part of the burst is used up
    Meter meter1 = sent("g1"), meter2 = sent("g2");
    pass(5);
    auto both = static_cast<double>(meter1.bytes() + meter2.bytes());
    double allowed = kilobytes * 1000 * meter1.seconds();
    EXPECT_GE(both, allowed * 0.85);
    EXPECT_LE(both, allowed * 1.05 + 2 * kibibytes_at_once * 1024);
    EXPECT_GE(static_cast<double>(meter2.bytes()), allowed * (start == sends_tcp ? 0.33 : 0.42));
    EXPECT_GE(static_cast<double>(meter1.bytes()), allowed * 0.42);
  }
  EXPECT_GT(drops_at("g1", "bandwidth"), 0U);
  EXPECT_THAT(vnet({"explain", "--port", "g1", "--to", "203.0.113.1:9000"}).out,
              HasSubstr("the guests of network lab send out together above 1000 kB/s"));
  // Alone the one has all of it; among themselves they are free; another limit holds at once.
  pass(3);
  Meter alone = sent("g1");
  pass(3);
  alone.expect_rate(kilobytes, 0.9);
  vnet({"apply", "lab",
        file("lab.xml",
             dual_stack_xml("<nat ipv6='yes'/>",
                            "<mac address='" + gateway_mac +
                                "'/><bandwidth><outbound average='3000' burst='400'/></bandwidth>"))});
  Meter faster = sent("g1");
  pass(3);
  faster.expect_rate(3000, 0.9);
  Background inside = sends_udp(guest("g2"), ip4(11));
  Meter free = sent("g2");
  pass(2);
  EXPECT_GT(static_cast<double>(free.bytes()), 8'000'000 * free.seconds() / 2);
}

TEST_F(BandwidthTest, APortgroupsLimitFollowsIt) {
  start_lab("<portgroup name='slow' default='yes'><bandwidth><outbound " + limit_attributes +
            "/></bandwidth></portgroup>");
  add("g1", 11);
  attach("g1", 11);
  Background udp = sends_udp(guest("g1"), "203.0.113.1");
  Meter meter = sent("g1");
  pass(3);
  meter.expect_rate(kilobytes, 0.93);
  vnet({"update", "lab", "modify", "portgroup",
        "<portgroup name='slow' default='yes'><bandwidth><outbound average='3000' burst='400'/></bandwidth>"
        "</portgroup>",
        "--live"});
  Meter faster = sent("g1");
  pass(3);
  faster.expect_rate(3000, 0.9);
}

class DirectBandwidthTest : public DirectTest {};

TEST_F(DirectBandwidthTest, APortsLimitsHold) {
  start_lan("bridge");
  plug_direct("g1", 11, {"--bandwidth-out", limit_words, "--bandwidth-in", limit_words});
  plug_direct("g2", 12);
  {
    Background udp = sends_udp(guest("g1"), v4(1));
    Meter meter(ground(), "g1", "tx_bytes");
    pass(3);
    meter.expect_rate(kilobytes, 0.93);
  }
  for (Namespace* from : {&outside(), &guest("g2"), &host()}) {
    Background udp = sends_udp(*from, "[" + v6(11) + "]");
    Meter meter(ground(), "g1", "rx_bytes");
    pass(3);
    meter.expect_rate(kilobytes, 0.93);
  }
}

}  // namespace
}  // namespace vnet::test
