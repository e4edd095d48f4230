// SPDX-License-Identifier: GPL-2.0-or-later
// Guests on the outside's own link, behind a bridge of the host's or directly on its eth0: what is foretold
// of group frames, and of what the wire and the host send them, is compared with what happens.
#pragma once

#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <chrono>
#include <cstdint>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "loader/base/fd.h"
#include "loader/model/drop_reason.h"
#include "tests/e2e/explain_fixture.h"

namespace vnet::test {

inline constexpr std::uint16_t group_port = 4242;

// The host's listener, to know what reaches it of group frames.
class Listener {
 public:
  // In the namespace that the caller is in.
  explicit Listener(bool v6) : fd_(socket(v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0)) {
    auto eth0 = if_nametoindex("eth0");
    bool ready = false;
    if (v6) {
      int one = 1;
      sockaddr_in6 at{.sin6_family = AF_INET6, .sin6_port = htons(group_port)};
      ipv6_mreq join{.ipv6mr_interface = eth0};
      inet_pton(AF_INET6, "ff0e::1234", &join.ipv6mr_multiaddr);
      ready = !setsockopt(fd_.get(), IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)) &&
              !bind(fd_.get(), reinterpret_cast<sockaddr*>(&at), sizeof(at)) &&
              !setsockopt(fd_.get(), IPPROTO_IPV6, IPV6_JOIN_GROUP, &join, sizeof(join));
    } else {
      sockaddr_in at{.sin_family = AF_INET, .sin_port = htons(group_port)};
      ip_mreqn join{.imr_ifindex = static_cast<int>(eth0)};
      inet_pton(AF_INET, "239.1.2.3", &join.imr_multiaddr);
      ready = !bind(fd_.get(), reinterpret_cast<sockaddr*>(&at), sizeof(at)) &&
              !setsockopt(fd_.get(), IPPROTO_IP, IP_ADD_MEMBERSHIP, &join, sizeof(join));
    }
    if (!ready) throw std::runtime_error("no listener for group frames");
  }
  // What has come since the last call.
  std::vector<Bytes> heard() {
    std::vector<Bytes> all;
    for (Bytes got(2048);;) {
      auto length = recv(fd_.get(), got.data(), got.size(), 0);
      if (length < 0) return all;
      all.emplace_back(got.begin(), got.begin() + length);
    }
  }

 private:
  Fd fd_;
};

// Guests on the outside's own link: behind a bridge of the host's, or directly on its eth0.
class ExplainLink : public ExplainFixture {
 protected:
  static std::string address(bool v6, int number) {
    return fmt::format("{}{}", v6 ? "2001:db8:113::" : "203.0.113.", number);
  }
  void plug_guest(const std::string& name, int number, const std::string& bridge) {
    ground().add_guest(name);
    guest(name).must(fmt::format("ip addr add {}/24 dev eth0; ip addr add {}/64 dev eth0 nodad",
                                 address(false, number), address(true, number)));
    vnet({"attach", name, "--network", "lan", "--mac", mac(guest(name), "eth0"), "--ip",
          address(false, number), "--ip", address(true, number)});
    parties_.emplace(name, Party{bridge,
                                 {address(false, number), address(true, number)},
                                 mac(guest(name), "eth0"),
                                 RawPort(guest(name), "eth0")});
  }
  // host: the interface with the host's addresses.
  void know_everybody(const std::string& host_interface) {
    add_party("eth0", "", {});
    host().must("sysctl -qw net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0");
    for (bool v6 : {false, true}) {
      on_one_link_[address(v6, 1)] = mac(outside(), "eth0");
      on_one_link_[address(v6, 2)] = mac(host(), host_interface);
      for (auto [name, number] : {std::pair{"g1", 11}, {"g2", 12}})
        if (parties_.contains(name)) on_one_link_[address(v6, number)] = parties_.at(name).mac;
      // Whoever cannot be asked in this mode is known all the same.
      for (int number : {1, 11, 12})
        if (auto found = on_one_link_.find(address(v6, number)); found != on_one_link_.end())
          host().must(fmt::format("ip neigh replace {} lladdr {} dev {} nud permanent", found->first,
                                  found->second, host_interface));
    }
  }
  void compare_all(bool from_outside) {
    inside([&] {
      std::uint16_t port = 2000;
      for (bool v6 : {false, true})
        for (const char* protocol : {"tcp", "udp", "icmp"})
          for (int to : {1, 2, 11, 12}) {
            for (auto [name, number] : {std::pair{"g1", 11}, {"g2", 12}, {"eth0", 1}}) {
              if (to == number || (std::string(name) == "eth0" && !from_outside)) continue;
              ExplainCase about{name, address(v6, number), address(v6, to), protocol, ++port, 7};
              compare(about);
              compare(about);
            }
          }
    });
  }
};

class ExplainDirect : public ExplainLink {
 protected:
  using Names = std::set<std::string>;

  void start_direct(const std::string& mode, const std::vector<std::pair<std::string, int>>& guests) {
    vnet({"up",
          file("lan.xml", fmt::format("<network><name>lan</name><forward mode='{}'><interface dev='eth0'/>"
                                      "</forward></network>",
                                      mode))});
    for (const auto& [name, number] : guests) plug_guest(name, number, "eth0");
    know_everybody("eth0");
    host_wire_.emplace(host(), "eth0");
    for (const char* group : {"203.0.113.255", "255.255.255.255"}) on_one_link_[group] = "ff:ff:ff:ff:ff:ff";
    on_one_link_["239.1.2.3"] = "01:00:5e:01:02:03";
    on_one_link_["ff0e::1234"] = "33:33:00:00:12:34";
  }

  // Who gets a group frame: everybody is listened to, a moment longer than it takes.
  void compare_group(const ExplainCase& about) {
    SCOPED_TRACE(about.text());
    Explanation told = ask_and_touch_nothing(about);
    Names expected(told.reaches.begin(), told.reaches.end());
    if (told.fate == Fate::Outside || told.fate == Fate::Guest) expected = {told.interface};
    if (told.fate == Fate::Host) expected = {"host"};
    std::string all;
    for (const auto& step : told.steps) {
      all += fmt::format("\n  {} {} {}", step.where, step.interface, step.verdict);
      for (const auto& detail : step.details) all += "\n    " + detail;
    }
    bool v6 = about.from.find(':') != std::string::npos;
    Listener listener(v6);
    mark_ += 16;
    Bytes packet = frame(about);
    wire_of(about).send(VirtioFrame{.header = {}, .frame = packet});
    Names reached, reasons;
    auto listen = [&] {
      for (auto& [name, party] : parties_)
        while (auto got = party.wire.receive(std::chrono::milliseconds(0)))
          if (holds(got->frame, mark_)) reached.insert(name);
      for (const Bytes& got : listener.heard())
        if (holds(got, mark_)) reached.insert("host");
      (void)monitor_->poll(std::chrono::milliseconds(0), [&](const vnet_event& event, const vnet_cause*) {
        if (holds({event.bytes, event.head.captured}, mark_)) reasons.insert(reason_word(event.head.reason));
      });
    };
    wait_until([&] { return listen(), reached == expected; }, std::chrono::milliseconds(400));
    wait_until([&] { return listen(), false; }, std::chrono::milliseconds(30));
    ++compared_;
    ++fates_["group to " + fmt::format("{}", fmt::join(reached, " "))];
    EXPECT_EQ(expected, reached) << fate_word(told.fate) << all;
    for (const std::string& reason : reasons)
      EXPECT_TRUE(told.reason == reason || all.find(reason + ":") != std::string::npos) << reason << all;
    if (!told.reason.empty()) {
      EXPECT_TRUE(reasons.contains(told.reason)) << told.reason << all;
    }
  }

  // senders: explain's word for where it comes in, and the address of who sends.
  void compare_groups(const std::vector<std::pair<std::string, int>>& senders) {
    inside([&] {
      std::uint16_t port = 5000;
      for (const auto& [interface, number] : senders)
        for (const char* group : {"203.0.113.255", "255.255.255.255", "239.1.2.3", "ff0e::1234"})
          compare_group({interface, address(std::string(group) == "ff0e::1234", number), group, "udp", ++port,
                         group_port});
    });
  }
  // What comes back from the switch, and what the host sends.
  void compare_unicast(const std::vector<std::pair<std::string, int>>& senders) {
    inside([&] {
      std::uint16_t port = 6000;
      for (bool v6 : {false, true})
        for (const char* protocol : {"tcp", "udp", "icmp"})
          for (const auto& [interface, number] : senders)
            for (int to : {1, 2, 11, 12})
              if (to != number && on_one_link_.contains(address(v6, to)))
                compare({interface, address(v6, number), address(v6, to), protocol, ++port, 7});
    });
  }
};

}  // namespace vnet::test
