// SPDX-License-Identifier: GPL-2.0-or-later
// A host with a network of each mode and links besides its uplink, and an ear at the far end of each.
// Everything with tcx and clsact, and with the fence as a table of nft.
//
//   nat1 192.168.122.11 --- lab     [host] eth0 --- 203.0.113.1 [outside]
//   iso1  192.168.50.11 --- iso            lan0 --- 10.9.0.1    [lan], a LAN of the host
//   open1 192.168.60.11 --- open           late0 --- 10.9.1.1   [late], a link newer than the networks
#pragma once

#include <fmt/format.h>

#include <cstdlib>
#include <memory>
#include <set>
#include <string_view>

#include "tests/e2e/network_fixture.h"
#include "tests/support/raw_port.h"

namespace vnet::test::ways {

struct Net {
  const char* name;
  const char* forward;
  int number;  // 192.168.N.0/24, fd00:N::/64

  std::string ip(bool v6, int host = 11) const {
    return v6 ? fmt::format("fd00:{}::{}", number, host) : fmt::format("192.168.{}.{}", number, host);
  }
  std::string mac() const { return fmt::format("52:54:00:00:{:02x}:0b", number); }
  std::string gateway() const { return fmt::format("52:54:00:00:{:02x}:fe", number); }
  std::string guest() const { return std::string(name) + "1"; }
  std::string xml() const {
    return fmt::format(
        "<network><name>{0}</name>{1}<bridge name='br-{0}' stp='off'/><mac address='{2}'/>"
        "<ip address='{3}' prefix='24'/><ip family='ipv6' address='{4}' prefix='64'/></network>",
        name, forward, gateway(), ip(false, 1), ip(true, 1));
  }
};
inline constexpr Net nat_net{"nat", "<forward mode='nat'><nat ipv6='yes'/></forward>", 122},
    isolated{"iso", "", 50}, routed{"open", "<forward mode='route'/>", 60};

// The host's own address and the far end's on one of its links.
struct Link {
  const char* device;
  const char *v4, *v6;
  std::string ours(bool is_v6) const { return std::string(is_v6 ? v6 : v4) + "2"; }
  std::string theirs(bool is_v6) const { return std::string(is_v6 ? v6 : v4) + "1"; }
};
inline constexpr Link uplink0{"eth0", "203.0.113.", "2001:db8:113::"}, lan0{"lan0", "10.9.0.", "fd00:9::"},
    late0{"late0", "10.9.1.", "fd00:9:1::"}, reused{"reused0", "10.9.2.", "fd00:9:2::"};

inline Packet ip_header(const std::string& from, const std::string& to, int ttl = 64, int tos = 0) {
  auto hops = static_cast<std::uint8_t>(ttl), type = static_cast<std::uint8_t>(tos);
  if (to.contains(':')) return Ipv6{.src = from, .dst = to, .hop_limit = hops, .traffic_class = type};
  return Ipv4{.src = from, .dst = to, .ttl = hops, .tos = type};
}

// Tags in the bytes; the kernel has taken off the first one.
inline Bytes untagged(Bytes frame) {
  auto is_tag = [&] {
    return frame.size() > 18 &&
           ((frame[12] == 0x81 && frame[13] == 0x00) || (frame[12] == 0x88 && frame[13] == 0xa8));
  };
  while (is_tag()) frame.erase(frame.begin() + 12, frame.begin() + 16);
  return frame;
}

// All that arrives somewhere, to be asked for the words that were sent.
class Ear {
 public:
  Ear(const Namespace& where, std::string v4) : port_(where, "eth0"), v4_(std::move(v4)) {}

  // The source addresses that the word came with. Up to now: a last frame of the host is waited for, which
  // shows as well that this ear is not deaf.
  std::set<std::string> heard(const Namespace& host, const std::string& word) {
    std::string end = fmt::format("end-{};", ++ends_);
    host.must(fmt::format("printf '{}' | socat -u - UDP4-DATAGRAM:{}:9", end, v4_));
    do {
      auto frame = port_.receive(std::chrono::seconds(5));
      if (!frame) {
        ADD_FAILURE() << "nothing is heard at " << v4_;
        break;
      }
      frames_.push_back(untagged(frame->frame));
    } while (!contains(frames_.back(), end));
    std::set<std::string> sources;
    for (const auto& frame : frames_)
      if (contains(frame, word)) sources.insert(fields(frame).src);
    return sources;
  }

 private:
  static bool contains(const Bytes& frame, const std::string& word) {
    return std::string_view(reinterpret_cast<const char*>(frame.data()), frame.size()).contains(word);
  }
  RawPort port_;
  std::string v4_;
  std::vector<Bytes> frames_;
  int ends_ = 0;
};

class Ways : public NetworkTest, public testing::WithParamInterface<const char*> {
 protected:
  void SetUp() override {
    if (GetParam() == std::string_view("clsact")) ::setenv("VNET_BPF_ATTACH", "clsact", 1);
    if (GetParam() == std::string_view("table")) ::setenv("VNET_BPF_FENCE", "nft", 1);
    NetworkTest::SetUp();
    if (IsSkipped()) return;
    // The host is careless: it checks no sources, and answers everything.
    host().must(
        "for c in all default eth0; do sysctl -qw net.ipv4.conf.$c.rp_filter=0; done; "
        "sysctl -qw net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0");
    link(lan0, lan_);
    for (const Net* net : {&nat_net, &isolated, &routed}) {
      vnet({"up", file(std::string(net->name) + ".xml", net->xml())});
      plug(*net);
    }
    outside().must("ip route add 192.168.0.0/16 via 203.0.113.2; ip route add fd00::/16 via 2001:db8:113::2");
    outside_ = std::make_unique<Ear>(outside(), "203.0.113.1");
    in_lan_ = std::make_unique<Ear>(lan_, lan0.theirs(false));
    in_open_ = std::make_unique<Ear>(guest(routed.guest()), routed.ip(false));
  }
  void TearDown() override {
    ::unsetenv("VNET_BPF_ATTACH");
    ::unsetenv("VNET_BPF_FENCE");
  }

  // A link of the host whose far end knows its neighbour, and answers whom it does not know through it.
  void link(const Link& link, Namespace& far, const std::string& number = "") {
    host().must(fmt::format(
        "ip link add {0} {4} type veth peer name eth0 netns {1}; ip link set {0} up; "
        "ip addr add {2}/24 dev {0}; ip addr add {3}/64 dev {0} nodad",
        link.device, far.name(), link.ours(false), link.ours(true), number.empty() ? "" : "index " + number));
    far.must(
        fmt::format("ip link set eth0 up; ip addr add {0}/24 dev eth0; ip addr add {1}/64 dev eth0 "
                    "nodad; ip route add default via {2}; ip route add default via {3}",
                    link.theirs(false), link.theirs(true), link.ours(false), link.ours(true)));
    for (bool v6 : {false, true}) EXPECT_TRUE(host().pings(link.theirs(v6)));
  }
  void plug(const Net& net) {
    std::string name = net.guest();
    ground().add_guest(name);
    guest(name).must(
        fmt::format("ip link set eth0 down; ip link set eth0 address {0}; ip link set eth0 up; ip "
                    "addr add {1}/24 dev "
                    "eth0; ip addr add {2}/64 dev eth0 nodad; ip route add default via {3}; ip route add "
                    "default via {4}",
                    net.mac(), net.ip(false), net.ip(true), net.ip(false, 1), net.ip(true, 1)));
    vnet({"attach", name, "--network", net.name, "--mac", net.mac()});
    wait_until_forwarding(name);
    for (bool v6 : {false, true}) EXPECT_TRUE(host().pings(net.ip(v6)));
  }

  // A datagram of the network's guest to its gateway, or to another MAC, with a word of its own, which is
  // returned.
  std::string say(const Net& from, const Packet& ip, const Packet& tags = {}, std::uint16_t to_port = 9000,
                  std::string mac = "") {
    if (mac.empty()) mac = from.gateway();
    return say(guest(from.guest()), Ethernet{.src = from.mac(), .dst = mac} / tags / ip, to_port);
  }
  std::string say(const Namespace& from, const Packet& headers, std::uint16_t to_port = 9000, int size = 0) {
    std::string word = fmt::format("word-{};", ++words_);
    RawPort(from, "eth0")
        .send(headers / Udp{.src_port = static_cast<std::uint16_t>(20000 + words_), .dst_port = to_port} /
              Payload(word + std::string(static_cast<std::size_t>(size), '.')));
    return word;
  }
  std::string mac_at(const std::string& device) {
    return host().sh("cat /sys/class/net/" + device + "/address").out.substr(0, 17);
  }
  std::set<std::string> outside(const std::string& word) { return outside_->heard(host(), word); }
  std::set<std::string> in_lan(const std::string& word) { return in_lan_->heard(host(), word); }
  std::set<std::string> in_open(const std::string& word) { return in_open_->heard(host(), word); }
  using NetworkTest::outside;
  static bool has_counting_fence() { return GetParam() != std::string_view("table"); }

  void both_families(const std::function<void(bool)>& test) {
    for (bool v6 : {false, true}) {
      SCOPED_TRACE(v6 ? "IPv6" : "IPv4");
      test(v6);
    }
  }

  Namespace lan_;

 private:
  std::unique_ptr<Ear> outside_, in_lan_, in_open_;
  int words_ = 0;
};

inline constexpr const char* way_kinds[] = {"tcx", "clsact", "table"};
inline constexpr auto way_name = [](const auto& kind) { return std::string(kind.param); };

}  // namespace vnet::test::ways
