// SPDX-License-Identifier: GPL-2.0-or-later
// Asks `explain` about a packet, sends the very same packet, and compares.
#pragma once

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "loader/engine/host.h"
#include "loader/model/drop_reason.h"
#include "loader/observe/monitor.h"
#include "tests/e2e/network_fixture.h"
#include "tests/support/inside.h"
#include "tests/support/raw_port.h"

namespace vnet::test {

// The first question at a hook loads its program, which takes a slow machine seconds.
inline constexpr std::chrono::seconds explain_patience{40};

// One packet: who sends it, and what it is.
struct ExplainCase {
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

class ExplainFixture : public NetworkTest {
 protected:
  // A guest that is plugged in, or the outside.
  struct Party {
    std::string bridge;  // its network's; "": outside
    std::vector<std::string> addresses;
    std::string mac;
    RawPort wire;
  };

  void add_party(const std::string& name, const std::string& bridge,
                 const std::vector<std::string>& addresses) {
    Namespace& in = bridge.empty() ? outside() : guest(name);
    parties_.emplace(name, Party{bridge, addresses, mac(in, "eth0"), RawPort(in, "eth0")});
    if (!bridge.empty()) gateways_[bridge] = mac(host(), bridge);
  }
  // Those who will be spoken to must be known, and every answer is looked for.
  void get_acquainted() {
    host().must("sysctl -qw net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0");
    for (const auto& [name, party] : parties_)
      for (const std::string& address : party.addresses)
        ASSERT_TRUE(host().pings(address)) << name << " " << address;
    add_party("eth0", "", {});
    host_mac_ = mac(host(), "eth0");
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

  Explanation ask(const ExplainCase& about) {
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
  Bytes frame(const ExplainCase& about) {
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
    return Ethernet{.src = source_mac(about), .dst = destination_mac(about)} / network / carried;
  }

  // On one link somebody's frame may come back by the wire.
  std::string source_mac(const ExplainCase& about) {
    auto found = on_one_link_.find(about.from);
    return found != on_one_link_.end() ? found->second : parties_.at(about.interface).mac;
  }
  RawPort& wire_of(const ExplainCase& about) {
    return host_wire_ && about.from == host_address(about) ? *host_wire_ : parties_.at(about.interface).wire;
  }
  static std::string host_address(const ExplainCase& about) {
    return about.from.find(':') == std::string::npos ? "203.0.113.2" : "2001:db8:113::2";
  }

  std::string destination_mac(const ExplainCase& about) {
    const Party& sender = parties_.at(about.interface);
    auto found = on_one_link_.find(about.to);
    if (found != on_one_link_.end() && !gateways_.contains(sender.bridge)) return found->second;
    if (sender.bridge.empty()) return host_mac_;
    for (const auto& [name, party] : parties_)
      if (party.bridge == sender.bridge && std::ranges::count(party.addresses, about.to)) return party.mac;
    if (about.to == "239.1.2.3") return "01:00:5e:01:02:03";
    if (about.to == "ff0e::1234") return "33:33:00:00:12:34";
    return gateways_[sender.bridge];
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

  Seen send(const ExplainCase& about) {
    mark_ += 16;  // an answer to TCP carries one more
    Bytes packet = frame(about);
    wire_of(about).send(VirtioFrame{.header = {}, .frame = packet});
    Seen seen;
    wait_until([&] { return look(about, seen); }, std::chrono::milliseconds(400));
    return seen;
  }

  bool look(const ExplainCase& about, Seen& seen) {
    (void)monitor_->poll(std::chrono::milliseconds(0), [&](const vnet_event& event, const vnet_cause*) {
      if (!holds({event.bytes, event.head.captured}, mark_)) return;
      Bytes bytes(event.bytes, event.bytes + event.head.captured);
      if (about.from != about.to && address_at(bytes, 12, 8) == about.to) return;  // an answer to it
      seen.fate = "dropped", seen.where = hook_word(event.head.hook),
      seen.reason = reason_word(event.head.reason);
    });
    if (seen.fate == "dropped") return true;
    look_at_wires(about, seen);
    // An answer comes after what it answers, which may have come to a wire that was looked at before.
    if (seen.fate == "host") look_at_wires(about, seen);
    return seen.fate != "nowhere";
  }

  void look_at_wires(const ExplainCase& about, Seen& seen) {
    for (auto& [name, party] : parties_) {
      while (auto got = party.wire.receive(std::chrono::milliseconds(0))) {
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
        seen.fate = name == "eth0" ? "outside" : "guest";
        seen.where = name;
        seen.source = source;
        seen.destination = destination;
        std::size_t at = got->frame[12] == 0x86 ? 54 : 34;
        if (about.protocol == "icmp") at += 4;
        seen.source_port = static_cast<std::uint16_t>(got->frame[at] << 8 | got->frame[at + 1]);
      }
    }
  }
  static bool is_udp(const Bytes& frame) { return frame[frame[12] == 0x86 ? 20 : 23] == 17; }
  static bool is_reply(const Bytes& frame) { return frame[12] == 0x86 ? frame[54] == 129 : frame[34] == 0; }

  // Everything that asking might have moved.
  std::string live_state() {
    std::uint64_t drops = 0, probes = 0, packets = 0;
    for (const auto& key : maps_->drops.keys())
      for (auto count : maps_->drops.get(key)) drops += count;
    for (__u32 i = 0; i <= VNET_PROBE_MAX; ++i)
      for (auto count : maps_->port_alloc_tries.get(i)) probes += count;
    for (__u32 i = 0; i < 16; ++i)
      for (auto& cpu : maps_->traffic.get(i)) packets += cpu.rx_packets + cpu.tx_packets;
    return fmt::format("{} sessions, {} drops, {} probes, {} packets, {} fragments",
                       maps_->sessions.keys().size(), drops, probes, packets,
                       maps_->frag_track.keys().size());
  }

  // Others have traffic, too, and sessions end: that nothing moves at least once is enough.
  Explanation ask_and_touch_nothing(const ExplainCase& about) {
    Explanation told;
    EXPECT_TRUE(wait_until(
        [&] {
          std::string before = live_state();
          told = ask(about);
          return before == live_state();
        },
        explain_patience));
    return told;
  }

  void compare(const ExplainCase& about) {
    SCOPED_TRACE(about.text());
    Explanation told = ask_and_touch_nothing(about);
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
    // The other guest gets it, and the host does not.
    if (told.fate == Fate::Flooded && seen.where == "gateway-ingress") {
      EXPECT_THAT(all, testing::HasSubstr("gateway-ingress")) << seen.reason;
      EXPECT_THAT(all, testing::HasSubstr(seen.reason));
      return;
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
  std::map<std::string, Party> parties_;
  std::map<std::string, std::string> gateways_;  // MACs
  std::string host_mac_;
  std::map<std::string, std::string> on_one_link_;  // MACs by address, where everybody asks for everybody
  std::optional<RawPort> host_wire_;                // where the host itself sends
  std::unique_ptr<vnet::Host> explainer_;
  std::unique_ptr<SharedMaps> maps_;
  std::optional<Monitor> monitor_;
};

}  // namespace vnet::test
