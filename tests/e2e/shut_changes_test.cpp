// SPDX-License-Identifier: GPL-2.0-or-later
// Shut by default: while uplinks change, nothing leaves as a guest has sent it.
#include <atomic>
#include <memory>
#include <thread>

#include "tests/e2e/shut_fixture.h"

namespace vnet::test::shut {
namespace {

struct Target {
  const char *v4, *v6;
};
constexpr Target behind_default{"198.51.100.1", "2001:db8:51::1"};
constexpr Target behind_wan1{"198.51.101.1", "2001:db8:52::1"};

// About 2,000 new flows a second, of both families in turns.
class NewFlows {
 public:
  NewFlows(const Namespace& guest, const Target& target) : port_(guest, "eth0"), target_(target) {
    sender_ = std::jthread([this](const std::stop_token& stop) {
      while (!stop.stop_requested()) {
        send_next();
        std::this_thread::sleep_for(std::chrono::microseconds(500));
      }
    });
  }
  bool go_on(int frames) {
    int until = sent_ + frames;
    return soon([&] { return sent_ >= until; });
  }

 private:
  void send_next() {
    int n = sent_;
    auto from_port = static_cast<std::uint16_t>(1024 + n / 2 % 60000);
    port_.send(Ethernet{.src = mac_of(11), .dst = gateway_mac} /
               (n % 2 ? datagram(ip6(11), target_.v6, "flow", from_port)
                      : datagram(ip4(11), target_.v4, "flow", from_port)));
    ++sent_;
  }

  RawPort port_;
  Target target_;
  std::atomic<int> sent_ = 0;
  std::jthread sender_;  // the last member: it uses the others
};

struct Change {
  const char* what;
  const char* script;  // of the host
  bool is_away;        // the second uplink is the way then
};
// With the link its IPv6 addresses and all routes are lost.
constexpr Change changes[] = {
    {"the default route moves",
     "ip route replace default via 203.0.114.1; ip -6 route replace default via 2001:db8:114::1", true},
    {"and comes back",
     "ip route replace default via 203.0.113.1; ip -6 route replace default via 2001:db8:113::1", false},
    {"the uplink is renamed", "ip link set eth0 down; ip link set eth0 name up0; again up0", false},
    {"and gets its name back", "ip link set up0 down; ip link set up0 name eth0; again eth0", false},
    {"down and up", "ip link set eth0 down; again eth0", false},
};
constexpr const char* again =
    "again() { ip link set $1 up; ip -6 addr replace 2001:db8:113::2/64 dev $1 nodad; "
    "ip route replace default via 203.0.113.1; ip -6 route replace default via 2001:db8:113::1; }\n";

class Changes : public Shut {
 protected:
  void SetUp() override {
    Shut::SetUp();
    if (IsSkipped()) return;
    wan_ = std::make_unique<Namespace>();
    host().must("ip link add wan1 type veth peer name eth0 netns " + wan_->name() +
                "; ip link set wan1 up; ip addr add 203.0.114.2/24 dev wan1; "
                "ip addr add 2001:db8:114::2/64 dev wan1 nodad");
    wan_->must(
        "ip link set eth0 up; ip addr add 203.0.114.1/24 dev eth0; ip addr add 2001:db8:114::1/64 dev eth0 "
        "nodad");
    add("g1", 11);
    attach("g1", 11);
    run();
  }
  struct Seen {
    int translated = 0, untranslated = 0;
  };
  static Seen look(const RawPort& at) {
    Seen seen;
    while (auto frame = at.receive(std::chrono::milliseconds(50))) {
      auto source = fields(frame->frame).src;
      bool is_guests = source.starts_with("192.168.") || source.starts_with("fd00:");
      if (is_guests)
        ++seen.untranslated;
      else if (carries("flow")(*frame))
        ++seen.translated;
    }
    return seen;
  }
  // While a guest begins new flows, before, during and after.
  void expect_translated_while(const std::string& what, bool away, const std::function<void()>& change,
                               const Target& target = behind_default) {
    SCOPED_TRACE(what);
    RawPort first(outside(), "eth0"), second(*wan_, "eth0");
    {
      NewFlows flows(guest("g1"), target);
      ASSERT_TRUE(flows.go_on(300));
      change();
      ASSERT_TRUE(flows.go_on(1500));
    }
    Seen here = look(first), there = look(second);
    EXPECT_EQ(0, here.untranslated) << log();
    EXPECT_EQ(0, there.untranslated) << log();
    EXPECT_GT((away ? there : here).translated, 100);
  }
  std::unique_ptr<Namespace> wan_;
};

TEST_P(Changes, NothingLeavesUntranslatedWhileUplinksChange) {
  for (const Change& change : changes)
    expect_translated_while(change.what, change.is_away,
                            [&] { host().must(std::string(again) + change.script); });
}

TEST_P(Changes, NothingLeavesUntranslatedWhileANetworkWithAnotherUplinkStarts) {
  host().must(fmt::format("ip route add {} via 203.0.114.1; ip route add {} via 2001:db8:114::1",
                          behind_wan1.v4, behind_wan1.v6));
  auto xml = file("two.xml",
                  "<network><name>two</name><forward mode='nat' dev='wan1'><nat ipv6='yes'/></forward>"
                  "<bridge name='virbr2'/><ip address='192.168.99.1' prefix='24'/>"
                  "<ip family='ipv6' address='fd00:99::1' prefix='64'/></network>");
  expect_translated_while(
      "start", true,
      [&] {
        vnet({"up", xml});
      },
      behind_wan1);
  expect_translated_while(
      "stop", true,
      [&] {
        vnet({"stop", "two"});
      },
      behind_wan1);
}

INSTANTIATE_TEST_SUITE_P(Attach, Changes, testing::ValuesIn(kinds), name_of);

}  // namespace
}  // namespace vnet::test::shut
