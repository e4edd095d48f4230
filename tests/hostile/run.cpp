// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/hostile/run.h"

#include <fmt/format.h>

#include <cstdio>
#include <thread>

#include "tests/hostile/judge.h"

namespace vnet::hostile {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint32_t honest_numbers = 0xffff0000;  // from there on
constexpr std::uint32_t batch = 128;  // sent before the sniffers are asked: few enough for their buffers

std::uint32_t honest_number(std::size_t guest, std::size_t place, bool v6) {
  return honest_numbers + static_cast<std::uint32_t>((guest * place_count + place) * 2 + v6);
}

// docs/modes.md, from the other side than the judge.
bool reaches(const Network& from, const Place& to) {
  if (to.network == &from) return true;
  return from.mode != Mode::isolated && !(to.network && to.network->hidden());
}

// A host that refuses NAT networks the way to its other networks shuts them off, but its sniffers are not
// blind.
bool is_proof(const Network& from, const Place& to) {
  return reaches(from, to) && !(from.mode == Mode::nat && to.name == "lan");
}

std::string hex(std::span<const std::uint8_t> bytes) {
  constexpr std::size_t most = 160;  // the rest is the token over and over
  std::string result;
  for (std::uint8_t byte : bytes.first(std::min(most, bytes.size()))) result += fmt::format("{:02x}", byte);
  return result + (bytes.size() > most ? fmt::format("... {} bytes", bytes.size()) : "");
}

std::string way(const View& view) {
  return view.ip ? text(view.src) + " > " + text(view.dst) : std::string("not IP");
}

}  // namespace

Run::Run(const Options& options) : options_(options), responder_(ground_.host()) {}

void Run::listen() {
  for (std::size_t i = 0; i < place_count; ++i)
    ground_.sniffer(i).drain([&](std::span<const std::uint8_t> frame) { hear(i, frame); });
}

void Run::hear(std::size_t at, std::span<const std::uint8_t> frame) {
  std::optional<Token> token = find_token(frame);
  if (!token || token->guest >= guest_count) return;
  heard_[token->guest][at]++;
  Guest from = guest(token->guest);
  Bytes sent;
  if (token->number >= honest_numbers) {
    std::size_t rest = token->number - honest_numbers, v6 = rest % 2, to = rest / 2 % place_count;
    if (to == at) honest_seen_.insert(token->number);
    const Place& home = place(2 + token->guest / 2);
    sent = honest(token->guest, token->number, home.host_mac, place(to).machine[v6]).frame;
  } else {
    sent = shot(options_.seed, token->number).frames.at(0).frame;
  }
  View sent_view = view(sent), seen_view = view(frame);
  auto wrong = complaint(from, sent_view, place(at), seen_view);
  if (!wrong) return;
  std::string key = fmt::format("{}: {}: {} guest, seen at {}, {}", wrong->kind, wrong->reason,
                                from.network->name, place(at).name,
                                !seen_view.ip      ? "no IP"
                                : seen_view.src.v6 ? "IPv6"
                                                   : "IPv4");
  Finding& finding = findings_[key];
  if (finding.count++ > 0) return;
  finding.example = fmt::format("  --seed {} --only {}, on the {}\n  sent {}\n    {}\n  seen {}\n    {}\n",
                                options_.seed, token->number, from.tap ? "tap" : "veth", way(sent_view),
                                hex(sent), way(seen_view), hex(frame));
}

bool Run::honest_are_seen() {
  std::set<std::uint32_t> missing;
  auto complete = [&] {
    missing.clear();
    for (std::size_t from = 0; from < guest_count; ++from) {
      const Place& home = place(2 + from / 2);
      std::vector<test::VirtioFrame> frames;
      for (std::size_t to = 0; to < place_count; ++to)
        for (bool v6 : {false, true}) {
          std::uint32_t number = honest_number(from, to, v6);
          if (is_proof(*home.network, place(to)) && !honest_seen_.contains(number)) missing.insert(number);
          // Those that must not arrive are sent, too.
          const Mac& hop = place(to).network == home.network ? home.machine_mac : home.host_mac;
          frames.push_back(honest(from, number, hop, place(to).machine[v6]));
        }
      frames.push_back(honest(from, honest_number(from, 0, false), home.host_mac, home.host[0]));
      ground_.send(from, frames);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    listen();
    bool host_hears = true;
    for (std::size_t from = 0; from < guest_count; ++from)
      host_hears = host_hears && responder_.heard_of(from);
    return missing.empty() && host_hears;
  };
  if (test::wait_until(complete, std::chrono::seconds(5))) {
    expect_masquerade_to_lan();
    return true;
  }
  for (std::uint32_t number : missing) {
    std::size_t rest = number - honest_numbers, to = rest / 2 % place_count, from = rest / 2 / place_count;
    fmt::print("honest IPv{} from the {} guest on a {} is not seen at {}\n", rest % 2 ? 6 : 4,
               guest(from).network->name, guest(from).tap ? "tap" : "veth", place(to).name);
  }
  for (std::size_t from = 0; from < guest_count; ++from)
    if (!responder_.heard_of(from))
      fmt::print("the host hears nothing of the {} guest\n", guest(from).network->name);
  return false;
}

void Run::expect_masquerade_to_lan() {
  for (std::size_t from = 0; from < guest_count; ++from)
    for (bool v6 : {false, true}) {
      if (!guest(from).network->masquerades(v6) || honest_seen_.contains(honest_number(from, 1, v6)))
        continue;
      findings_[fmt::format("honest: IPv{} of the {} guest does not get to lan", v6 ? 6 : 4,
                            guest(from).network->name)]
          .count++;
    }
}

void Run::shoot() {
  auto begin = Clock::now();
  std::uint32_t number = options_.from;
  while (sent_ < options_.frames) {
    std::array<std::vector<test::VirtioFrame>, guest_count> frames;
    for (std::uint32_t i = 0; i < batch && sent_ < options_.frames; ++i) {
      Shot next = shot(options_.seed, number++);
      sent_ += next.frames.size();
      for (auto& frame : next.frames) frames[next.guest].push_back(std::move(frame));
    }
    for (std::size_t from = 0; from < guest_count; ++from)
      if (!frames[from].empty()) refused_ += ground_.send(from, frames[from]);
    listen();
    if (options_.limit.count() > 0 && Clock::now() - begin > options_.limit) break;
  }
  took_ = Clock::now() - begin;
  std::this_thread::sleep_for(std::chrono::milliseconds(300));  // for what the host takes its time with
  listen();
}

bool Run::report() {
  for (const auto& [key, finding] : findings_)
    fmt::print("{} times {}\n{}", finding.count, key, finding.example);
  std::map<std::string, std::uint64_t> kinds;
  for (const auto& [key, finding] : findings_) kinds[key.substr(0, key.find(':'))] += finding.count;
  for (const auto& [kind, count] : kinds) fmt::print("{:>9} {}\n", count, kind);
  fmt::print("seen     ");
  for (std::size_t at = 0; at < place_count; ++at) fmt::print("{:>9}", place(at).name);
  for (std::size_t from = 0; from < guest_count; ++from) {
    fmt::print("\n{:<9}", std::string(guest(from).network->name) + (guest(from).tap ? "-t" : "-v"));
    for (std::uint64_t count : heard_[from]) fmt::print("{:>9}", count);
  }
  std::uint64_t lost = 0, violations = 0;
  for (std::size_t at = 0; at < place_count; ++at) lost += ground_.sniffer(at).lost();
  for (const auto& [key, finding] : findings_) violations += finding.count;
  fmt::print("\n{} frames, {} of them refused by the sender's kernel, in {:.1f} s: {:.0f} a second\n", sent_,
             refused_, took_.count(), static_cast<double>(sent_) / took_.count());
  fmt::print(
      "{} frames seen where they must not be, or not where they must, in {} ways; {} not seen for want of "
      "room\n",
      violations, findings_.size(), lost);
  return findings_.empty() && lost == 0;
}

}  // namespace vnet::hostile
