// SPDX-License-Identifier: GPL-2.0-or-later
// `explain` against reality: for each of some hundred packets, what it foretells is compared with what
// becomes of the very same packet, and the live state must not have moved by the asking.
#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>
#include <span>

#include "loader/host.h"
#include "loader/observe/monitor.h"
#include "tests/e2e/network_fixture.h"
#include "tests/support/inside.h"
#include "tests/support/raw_port.h"

namespace vnet::test {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

// One packet: who sends it, and what it is.
struct Case {
  std::string interface;  // as explain calls it: g1, eth0
  std::string from, to;
  std::string protocol;
  std::uint16_t from_port = 0, to_port = 0;

  std::string text() const {
    return fmt::format("{} at {}: {} port {} to {} port {}", protocol, interface, from, from_port, to,
                       to_port);
  }
};

// What became of it.
struct Seen {
  std::string fate = "nowhere", where;  // guest host outside dropped; where: interface or hook
  std::string reason, source, destination;
  std::uint16_t source_port = 0;
};

class ExplainTest : public NetworkTest {
 protected:
  void SetUp() override {
    NetworkTest::SetUp();
    if (IsSkipped()) return;
    start(dual_stack_xml("<nat ipv6='yes'/>",
                         "<metadata><vnet:network xmlns:vnet='urn:vnet-bpf:network:1'>"
                         "<vnet:portForward proto='tcp' port='8080' to='192.168.122.12' toPort='80'/>"
                         "</vnet:network></metadata>"));
    vnet({"up", file("other.xml",
                     "<network><name>other</name><forward mode='nat'/><bridge name='virbr1' stp='off'/>"
                     "<ip address='192.168.150.1' netmask='255.255.255.0'/>"
                     "<ip family='ipv6' address='fd00:150::1' prefix='64'/></network>")});
    plug_both();
    outside().must(
        "ip route add 192.168.122.0/24 via 203.0.113.2; ip -6 route add fd00:122::/64 via 2001:db8:113::2");
    host().must(
        "sysctl -qw net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0");  // each answer is looked for
    // Everybody who will be spoken to is known.
    for (const char* name : {"g1", "g2"})
      for (const char* to : {"192.168.122.1", "fd00:122::1", "203.0.113.1", "2001:db8:113::1"})
        ASSERT_TRUE(guest(name).pings(to)) << name << " " << to;
    for (const char* to : {"192.168.122.12", "fd00:122::12"}) ASSERT_TRUE(guest("g1").pings(to));
    for (const char* to : {"203.0.113.2", "2001:db8:113::2"}) ASSERT_TRUE(outside().pings(to));
    for (auto [name, in] : {std::pair{"g1", &guest("g1")}, {"g2", &guest("g2")}, {"eth0", &outside()}}) {
      wires_.emplace(name, RawPort(*in, "eth0"));
      macs_[name] = mac(*in, "eth0");
    }
    macs_["gateway"] = mac(host(), "virbr0");
    macs_["host"] = mac(host(), "eth0");
  }

  static std::string mac(Namespace& in, const std::string& interface) {
    return in.sh("ip -br link show " + interface + " | awk '{print $3}'").out.substr(0, 17);
  }

  // Runs within the host's namespace, with the library as the program uses it.
  void inside(const std::function<void()>& body) {
    run_inside(host(), [&] {
      auto opened = vnet::Host::open(ground().state_dir(), false);
      ASSERT_TRUE(opened) << opened.error().message;
      explainer_ = std::make_unique<vnet::Host>(std::move(*opened));
      auto maps = SharedMaps::open(ground().state_dir() / "bpf/vnet-bpf/maps");
      ASSERT_TRUE(maps && *maps);
      maps_ = std::make_unique<SharedMaps>(std::move(**maps));
      auto monitor = Monitor::start(*maps_, {.per_second = 1'000'000});
      ASSERT_TRUE(monitor) << monitor.error().message;
      monitor_.emplace(std::move(*monitor));
      body();
      monitor_.reset();
      maps_.reset();
      explainer_.reset();
    });
  }

  Explanation ask(const Case& about) {
    Question question{
        .interface = about.interface, .protocol = about.protocol, .to = *Address::parse(about.to)};
    question.from = Address::parse(about.from);
    question.from_port = about.from_port;
    if (about.protocol != "icmp") question.to_port = about.to_port;
    auto told = explainer_->explain(question);
    if (!told) throw std::runtime_error(about.text() + ": " + told.error().message);
    return *told;
  }

  // Marked by a number of its own, which TCP carries as its sequence number, the others as data.
  Bytes frame(const Case& about) {
    bool v6 = about.from.find(':') != std::string::npos;
    Bytes payload = {static_cast<std::uint8_t>(mark_ >> 24), static_cast<std::uint8_t>(mark_ >> 16),
                     static_cast<std::uint8_t>(mark_ >> 8), static_cast<std::uint8_t>(mark_)};
    Packet carried;
    if (about.protocol == "tcp")
      carried = Tcp{.src_port = about.from_port, .dst_port = about.to_port, .seq = mark_};
    else if (about.protocol == "udp")
      carried = Udp{.src_port = about.from_port, .dst_port = about.to_port} / Payload(payload);
    else if (v6)
      carried = Icmpv6{.id = about.from_port, .seq = 1} / Payload(payload);
    else
      carried = Icmp{.id = about.from_port, .seq = 1} / Payload(payload);
    Packet network = Ipv4{.src = about.from, .dst = about.to, .dont_fragment = true};
    if (v6) network = Ipv6{.src = about.from, .dst = about.to};
    return Ethernet{.src = macs_[about.interface], .dst = destination_mac(about)} / network / carried;
  }

  std::string destination_mac(const Case& about) {
    if (about.interface == "eth0") return macs_["host"];
    if (about.to == "192.168.122.11" || about.to == "fd00:122::11") return macs_["g1"];
    if (about.to == "192.168.122.12" || about.to == "fd00:122::12") return macs_["g2"];
    if (about.to == "239.1.2.3") return "01:00:5e:01:02:03";
    if (about.to == "ff0e::1234") return "33:33:00:00:12:34";
    return macs_["gateway"];
  }

  static bool holds(std::span<const std::uint8_t> bytes, std::uint32_t number) {
    std::uint32_t wanted = htonl(number);
    auto* raw = reinterpret_cast<const std::uint8_t*>(&wanted);
    return !std::ranges::search(bytes, std::span(raw, 4)).empty();
  }

  static std::string address_at(const Bytes& frame, std::size_t v4, std::size_t v6) {
    bool six = frame[12] == 0x86;
    char text[INET6_ADDRSTRLEN] = "";
    inet_ntop(six ? AF_INET6 : AF_INET, frame.data() + 14 + (six ? v6 : v4), text, sizeof(text));
    return text;
  }

  Seen send(const Case& about) {
    mark_ += 16;  // an answer to TCP carries one more
    Bytes packet = frame(about);
    wires_.at(about.interface).send(VirtioFrame{.header = {}, .frame = packet});
    Seen seen;
    wait_until([&] { return look(about, seen); }, 400ms);
    return seen;
  }

  bool look(const Case& about, Seen& seen) {
    (void)monitor_->poll(0ms, [&](const vnet_event& event) {
      if (!holds({event.bytes, event.head.captured}, mark_)) return;
      Bytes bytes(event.bytes, event.bytes + event.head.captured);
      if (about.from != about.to && address_at(bytes, 12, 8) == about.to) return;  // an answer to it
      seen.fate = "dropped", seen.where = hook_word(event.head.hook),
      seen.reason = reason_word(event.head.reason);
    });
    if (seen.fate == "dropped") return true;
    // An answer of the host's comes after what it answers, which is looked for everywhere first.
    for (const char* name : {"eth0", "g1", "g2"}) {
      while (auto got = wires_.at(name).receive(0ms)) {
        bool forward = holds(got->frame, mark_), answer = holds(got->frame, mark_ + 1);
        if ((!forward && !answer) || seen.fate == "outside" || seen.fate == "guest") continue;
        bool icmp_error = got->frame.size() > 70 && about.protocol == "udp" && !is_udp(got->frame);
        std::string source = address_at(got->frame, 12, 8), destination = address_at(got->frame, 16, 24);
        // The host's own answer: a reset, an echo reply, an unreachable. Its INPUT is what was reached.
        if (answer || icmp_error ||
            (source == about.to && about.protocol == "icmp" && is_reply(got->frame))) {
          seen.fate = "host";
          continue;
        }
        seen.fate = std::string(name) == "eth0" ? "outside" : "guest";
        seen.where = name;
        seen.source = source;
        seen.destination = destination;
        std::size_t at = got->frame[12] == 0x86 ? 54 : 34;
        if (about.protocol == "icmp") at += 4;
        seen.source_port = static_cast<std::uint16_t>(got->frame[at] << 8 | got->frame[at + 1]);
      }
    }
    return seen.fate != "nowhere";
  }
  static bool is_udp(const Bytes& frame) { return frame[frame[12] == 0x86 ? 20 : 23] == 17; }
  static bool is_reply(const Bytes& frame) { return frame[12] == 0x86 ? frame[54] == 129 : frame[34] == 0; }

  // Everything that asking might have moved.
  std::string live_state() {
    std::uint64_t drops = 0, probes = 0, packets = 0;
    for (const auto& key : maps_->drops.keys())
      for (auto count : maps_->drops.get(key)) drops += count;
    for (__u32 i = 0; i <= VNET_PROBE_MAX; ++i)
      for (auto count : maps_->probes.get(i)) probes += count;
    for (__u32 i = 0; i < 16; ++i)
      for (auto& cpu : maps_->traffic.get(i)) packets += cpu.rx_packets + cpu.tx_packets;
    return fmt::format("{} sessions, {} drops, {} probes, {} packets, {} fragments",
                       maps_->sessions.keys().size(), drops, probes, packets, maps_->fragments.keys().size());
  }

  void compare(const Case& about) {
    SCOPED_TRACE(about.text());
    Explanation told;
    // Others have traffic, too, and sessions end: that nothing moves at least once is enough.
    EXPECT_TRUE(wait_until([&] {
      std::string before = live_state();
      told = ask(about);
      return before == live_state();
    }));
    Seen seen = send(about);
    ++compared_;
    ++fates_[seen.fate + (seen.reason.empty() ? "" : " " + seen.reason)];
    // Whether a refusal is answered depends on how many were a moment ago.
    std::string fate = told.fate == Fate::Refused ? "dropped" : fate_word(told.fate);
    // Flooded: to every port, so to the other guest, too.
    if (fate == "flooded") fate = "guest";
    std::string all;
    for (const auto& step : told.steps) {
      all += fmt::format("\n  {} {} {}", step.where, step.interface, step.verdict);
      for (const auto& detail : step.details) all += "\n    " + detail;
    }
    EXPECT_EQ(fate, seen.fate) << seen.where << " " << seen.reason << all;
    if (fate != seen.fate) return;
    EXPECT_EQ(told.reason, seen.reason) << all;
    if (fate == "dropped") {
      EXPECT_EQ(told.steps.back().where, seen.where) << all;
    }
    if (fate != "outside" && fate != "guest") return;
    if (told.fate != Fate::Flooded) {
      EXPECT_EQ(told.interface, seen.where) << all;
    }
    EXPECT_EQ(told.arrives.source->address.text(), seen.source) << all;
    EXPECT_EQ(told.arrives.destination->address.text(), seen.destination) << all;
    std::uint16_t port = told.arrives.echo_id ? *told.arrives.echo_id : told.arrives.source->port;
    bool chosen = port != about.from_port;  // by chance, unless the session is there already
    bool is_made = std::ranges::any_of(told.steps, [](const ExplainStep& step) {
      return std::ranges::any_of(
          step.details, [](const std::string& text) { return text.starts_with("a session is made"); });
    });
    if (!chosen || !is_made) {
      EXPECT_EQ(port, seen.source_port) << all;
    } else {
      EXPECT_NE(about.from_port, seen.source_port) << all;
    }
  }

  std::uint32_t mark_ = 0xc0de0100;
  int compared_ = 0;
  std::map<std::string, int> fates_;
  std::map<std::string, RawPort> wires_;
  std::map<std::string, std::string> macs_;
  std::unique_ptr<vnet::Host> explainer_;
  std::unique_ptr<SharedMaps> maps_;
  std::optional<Monitor> monitor_;
};

struct Names {
  const char *guest1, *guest2, *stranger, *gateway, *host, *outside, *remote, *other_guest, *other_gateway,
      *group;
};
constexpr Names v4{"192.168.122.11", "192.168.122.12", "10.1.2.3",      "192.168.122.1", "203.0.113.2",
                   "203.0.113.1",    "198.51.100.1",   "192.168.150.9", "192.168.150.1", "239.1.2.3"};
constexpr Names v6{"fd00:122::11",    "fd00:122::12",   "fd00:77::3",  "fd00:122::1", "2001:db8:113::2",
                   "2001:db8:113::1", "2001:db8:51::1", "fd00:150::9", "fd00:150::1", "ff0e::1234"};

TEST_F(ExplainTest, AgreesWithWhatBecomesOfGuestsPackets) {
  inside([&] {
    std::uint16_t port = 0;
    for (const Names& at : {v4, v6})
      for (const char* protocol : {"tcp", "udp", "icmp"})
        for (const char* from : {at.guest1, at.guest2, at.stranger})
          for (const char* to : {at.guest2, at.gateway, at.host, at.outside, at.remote, at.other_guest,
                                 at.other_gateway, at.group})
            // A source port that can be kept, and one that cannot; each flow twice: past the stack, then by
            // its session.
            for (std::uint16_t base : {2000, 40000}) {
              ++port;
              Case about{"g1", from, to, protocol, static_cast<std::uint16_t>(base + port), 7};
              compare(about);
              compare(about);
            }
  });
  EXPECT_GE(compared_, 500);
  // The cases are not all alike.
  for (const char* fate : {"outside", "guest", "host", "dropped other-network", "dropped spoofed-source"})
    EXPECT_GE(fates_[fate], 10) << fate << testing::PrintToString(fates_);
}

TEST_F(ExplainTest, AgreesWithWhatBecomesOfPacketsFromOutside) {
  inside([&] {
    std::uint16_t port = 3000;
    for (const Names& at : {v4, v6}) {
      for (const char* protocol : {"tcp", "udp", "icmp"}) {
        for (const char* from : {at.outside, at.remote, at.guest2})
          for (const char* to : {at.guest1, at.guest2, at.host, at.gateway, at.other_guest}) {
            compare({"eth0", from, to, protocol, ++port, 7});
            compare({"eth0", from, to, protocol, port, 8080});
          }
        if (std::string(protocol) == "icmp") continue;
        // Into a session that a guest has opened.
        for (std::uint16_t base : {2000, 40000}) {
          Case opening{
              "g1", at.guest1, at.outside, protocol, static_cast<std::uint16_t>(base + ++port % 1000), 9};
          Seen seen = send(opening);
          ASSERT_EQ("outside", seen.fate) << opening.text();
          Case answer{"eth0", at.outside, at.host, protocol, 9, seen.source_port};
          compare(answer);
          compare(answer);
          EXPECT_EQ("guest", std::string(fate_word(ask(answer).fate)));
        }
      }
    }
  });
  EXPECT_GE(compared_, 150);
  for (const char* fate : {"guest", "host", "dropped not-visible", "dropped spoofed-source"})
    EXPECT_GE(fates_[fate], 3) << fate << testing::PrintToString(fates_);
}

TEST_F(ExplainTest, AgreesWithAnUnpluggedPort) {
  vnet({"set", "g2", "--link", "down"});
  inside([&] {
    for (const Names& at : {v4, v6})
      for (const char* protocol : {"tcp", "udp", "icmp"}) {
        compare({"g1", at.guest1, at.guest2, protocol, 2000, 7});
        compare({"g2", at.guest2, at.outside, protocol, 2000, 7});
        compare({"g1", at.guest1, at.outside, protocol, 2000, 7});
      }
  });
  EXPECT_EQ(12, fates_["dropped link-down"]);
  EXPECT_EQ(6, fates_["outside"]);
}

TEST_F(ExplainTest, TheVerbTellsReasonAndCause) {
  auto told = ground().vnet_json({"explain", "--port", "g1", "--to", "203.0.113.1:80"});
  EXPECT_EQ("outside", told["fate"]);
  EXPECT_EQ("eth0", told["interface"]);
  EXPECT_EQ("203.0.113.2", told["arrives"]["source"]["address"]);
  std::vector<std::string> places;
  for (const auto& step : told["steps"]) places.push_back(step["where"]);
  EXPECT_THAT(places,
              testing::ElementsAre("port-ingress", "bridge", "gateway-ingress", "host", "uplink-egress"));

  Output text =
      ground().vnet({"explain", "--port", "eth0", "--from", "203.0.113.1", "--to", "192.168.122.11:22"});
  EXPECT_TRUE(text.ok()) << text.err;
  EXPECT_THAT(text.out, HasSubstr("It is dropped at eth0: not-visible"));
  EXPECT_THAT(text.out, HasSubstr("Because of: network lab: <forward mode='nat'"));

  vnet({"set", "g2", "--link", "down"});
  told = ground().vnet_json({"explain", "--port", "g1", "--to", "192.168.122.12"});
  EXPECT_EQ("link-down", told["reason"]);
  told = ground().vnet_json({"explain", "--port", "g2", "--to", "192.168.122.1"});
  EXPECT_EQ("vnet-bpf set g2 --link down", told["cause"]);

  told = ground().vnet_json({"explain", "--port", "g1", "--to", "192.168.150.9"});
  EXPECT_EQ("refused", told["fate"]);
  EXPECT_EQ("other-network", told["reason"]);

  told = ground().vnet_json({"explain", "--port", "g1", "--to", "192.168.122.99:22"});
  EXPECT_EQ("nowhere", told["fate"]);
  told = ground().vnet_json({"explain", "--port", "virbr0", "--to", "192.168.122.11"});
  EXPECT_EQ("guest", told["fate"]);
  EXPECT_EQ("g1", told["interface"]);

  EXPECT_EQ(3, ground().vnet({"explain", "--port", "nonesuch", "--to", "192.0.2.1"}).status);
  EXPECT_EQ(2, ground().vnet({"explain", "--port", "eth0", "--to", "192.168.122.11"}).status);
}

}  // namespace
}  // namespace vnet::test
