// SPDX-License-Identifier: GPL-2.0-or-later
// A network with an uplink, and what shows that every guard of it stands: with tcx, and with clsact.
#pragma once

#include <fmt/format.h>

#include <cstdlib>
#include <stdexcept>
#include <string_view>
#include <system_error>

#include "tests/e2e/port_fixture.h"
#include "tests/support/service_manager.h"

namespace vnet::test::shut {

using std::chrono::seconds;
using testing::HasSubstr;
using testing::Not;

// Loading programs takes seconds in a machine without KVM.
inline Packet datagram(const std::string& from, const std::string& to, const std::string& word,
                       std::uint16_t from_port = 40000) {
  bool v6 = to.find(':') != std::string::npos;
  Packet ip = v6 ? Packet(Ipv6{.src = from, .dst = to}) : Packet(Ipv4{.src = from, .dst = to});
  return ip / Udp{.src_port = from_port, .dst_port = 9000} / Payload(word);
}

inline FrameTest carries(const std::string& word) {
  return [word](const VirtioFrame& f) {
    return std::string_view(reinterpret_cast<const char*>(f.frame.data()), f.frame.size()).contains(word);
  };
}

// A port whose other end is down takes nothing.
inline bool sent(const RawPort& port, const Packet& packet) {
  try {
    port.send(packet);
    return true;
  } catch (const std::system_error&) {
    return false;
  }
}

struct Guard {
  const char* interface;
  const char* hook;  // as bpftool and tc have it
  const char* word;  // as we call it
};
inline constexpr Guard guards[] = {
    {"eth0", "egress", "uplink-egress"},
    {"virbr0", "ingress", "gateway-ingress"},
    {"g1", "ingress", "port-ingress"},
    {"g1", "egress", "port-egress"},
};

class Shut : public PortTest, public testing::WithParamInterface<const char*> {
 protected:
  void SetUp() override {
    if (GetParam() == std::string_view("clsact")) ::setenv("VNET_BPF_ATTACH", "clsact", 1);
    PortTest::SetUp();
    if (IsSkipped()) return;
    start_lab();
    if (const char* other = ::getenv("VNET_BPF_PROGRAM")) program_ = other;
  }
  void TearDown() override { ::unsetenv("VNET_BPF_ATTACH"); }

  static bool is_clsact() { return GetParam() == std::string_view("clsact"); }
  void up_again() { vnet({"up", (ground().state_dir() / "lab.xml").string()}); }

  void run() {
    manager_.emplace(ground().state_dir() / "notify");
    run_.emplace(host().background(
        {"sh", "-c",
         fmt::format("export VNET_BPF_STATE_DIR={0} NOTIFY_SOCKET={1}; exec {2} run >> {0}/run.log 2>&1",
                     ground().state_dir().string(), manager_->path().string(), program_)}));
    EXPECT_TRUE(manager_->expect("READY=1")) << log();
  }
  std::string log() { return sh("cat " + (ground().state_dir() / "run.log").string()).out; }

  void take_away(const Guard& guard) {
    if (is_clsact()) return host().must(fmt::format("tc filter del dev {} {}", guard.interface, guard.hook));
    auto pin = fmt::format("{}/bpf/vnet-bpf/links/{}-{}", ground().state_dir().string(), guard.interface,
                           guard.hook);
    Output detached = sh("bpftool link detach pinned " + pin);
    if (!detached.ok()) throw std::runtime_error(pin + ": " + detached.err);
  }
  std::string unguarded() {
    std::string all;
    for (const auto& network : ground().vnet_json({"list"}))
      for (const auto& what : network.value("unguarded", nlohmann::json::array()))
        all += what.get<std::string>() + "\n";
    return all;
  }
  nlohmann::json port(const std::string& name) {
    for (auto& entry : ground().vnet_json({"ports"}))
      if (entry["interface"] == name) return entry;
    return nlohmann::json::object();
  }
  // What doctor says of one check; it exits with 1 when it has found something.
  std::string doctor(const std::string& check) {
    auto json = nlohmann::json::parse(ground().vnet({"doctor", "--json"}).out);
    std::string all;
    for (const auto& finding : json["findings"])
      if (finding["check"] == check) all += finding["what"].get<std::string>() + "\n";
    return all;
  }
  void expect_missing(const Guard& guard) {
    std::string both = fmt::format("{} {}", guard.interface, guard.word);
    EXPECT_THAT(unguarded(), HasSubstr(both));
    EXPECT_THAT(ground().vnet({"list"}).out, HasSubstr("active, unguarded"));
    EXPECT_THAT(doctor("guards"), HasSubstr(both));
    if (guard.interface != std::string_view("g1")) return;
    EXPECT_THAT(port("g1").value("unguarded", nlohmann::json::array()).dump(), HasSubstr(guard.word));
    EXPECT_THAT(ground().vnet({"ports"}).out, HasSubstr("unguarded"));
  }
  // Each guard does again what it is there for.
  void expect_guarded() {
    RawPort one(guest("g1"), "eth0"), two(guest("g2"), "eth0"), far(outside(), "eth0");
    const Ethernet own{.src = mac_of(11), .dst = mac_of(12)}, stolen{.src = mac_of(13), .dst = mac_of(12)};
    for (bool v6 : {false, true}) {
      SCOPED_TRACE(v6 ? "IPv6" : "IPv4");
      auto from = v6 ? ip6(11) : ip4(11), to = v6 ? ip6(12) : ip4(12);
      auto uplink = v6 ? "2001:db8:113::2" : "203.0.113.2", far_end = v6 ? "2001:db8:113::1" : "203.0.113.1";
      auto port_number = static_cast<std::uint16_t>(++flows_ + 20000);
      one.send(stolen / datagram(from, to, "stolen"));
      one.send(own / datagram(from, to, "honest"));
      EXPECT_TRUE(two.expect_frame(carries("honest")));
      two.expect_no_frame(carries("stolen"), std::chrono::milliseconds(50));
      one.send(Ethernet{.src = mac_of(11), .dst = gateway_mac} /
               datagram(from, far_end, "leaving", port_number));
      auto left = far.expect_frame(carries("leaving"));
      EXPECT_EQ(uplink, left ? fields(left->frame).src : "none");
    }
    // What g1 is not to get is dropped at its own egress: neighbours' frames, to an inbound policy.
    set("g1", {"--inbound", "drop"});
    for (bool v6 : {false, true})
      two.send(Ethernet{.src = mac_of(12), .dst = mac_of(11)} /
               datagram(v6 ? ip6(12) : ip4(12), v6 ? ip6(11) : ip4(11), "unasked"));
    one.expect_no_frame(carries("unasked"), std::chrono::milliseconds(100));
    set("g1", {"--inbound", "accept"});
  }

  // Frames to the host's own end of the guest's cable, as to a router that it has found there.
  void send_past_the_bridge(const RawPort& from, const std::string& word) {
    std::string mac = host().sh("cat /sys/class/net/g1/address").out.substr(0, 17);
    for (const char* to :
         {"203.0.113.1", "203.0.113.2", "192.168.122.1", "2001:db8:113::1", "2001:db8:113::2", "fd00:122::1"})
      sent(from, Ethernet{.src = mac_of(11), .dst = mac} /
                     datagram(std::string(to).contains(':') ? ip6(11) : ip4(11), to, word));
  }
  // What anybody says to port 9000 of the host.
  void listen() {
    listener_.emplace(
        host().background({"socat", "-u", "UDP6-RECV:9000,ipv6only=0", "CREATE:" + heard_at()}));
    ASSERT_TRUE(soon([&] { return !host().sh("ss -Huln sport = :9000").out.empty(); }));
  }
  std::string heard_at() { return (ground().state_dir() / "heard").string(); }
  std::string heard() { return sh("cat " + heard_at()).out; }

  void expect_no_bridge_no_way(const RawPort& far, const std::string& why) {
    SCOPED_TRACE(why);
    RawPort raw(guest("g1"), "eth0");
    std::uint64_t before = drops_at("g1", "no-bridge");
    EXPECT_THAT(host().sh("ip -o link show g1").out, HasSubstr(",UP"));
    send_past_the_bridge(raw, why);
    EXPECT_TRUE(wait_until([&] { return drops_at("g1", "no-bridge") >= before + 6; }, seconds(5)))
        << all_drops("g1");
    far.expect_no_frame(carries(why));
    EXPECT_THAT(heard(), Not(HasSubstr(why)));
  }
  void expect_works(const std::string& name) {
    for (const char* to : {"192.168.122.1", "203.0.113.1", "fd00:122::1", "2001:db8:113::1"})
      EXPECT_TRUE(guest(name).pings(to, 10)) << to << " " << all_drops(name);
  }

  std::string program_ = VNET_PROGRAM;
  int flows_ = 0;

 private:
  std::optional<ServiceManager> manager_;
  std::optional<Background> run_, listener_;
};

inline constexpr const char* kinds[] = {"tcx", "clsact"};
inline constexpr auto name_of = [](const auto& kind) { return std::string(kind.param); };

}  // namespace vnet::test::shut
