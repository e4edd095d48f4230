// SPDX-License-Identifier: GPL-2.0-or-later
// Two hosts with FRR, and the router that both have as their neighbor. It is the outside, too:
//
//   guests --- [a] eth0 203.0.113.2 --- eth0 203.0.113.1 [router] lo 198.51.100.1, 2001:db8:51::1
//   guests --- [b] up0  203.0.114.2 --- ethb 203.0.114.1
//
// Nobody has a static route to a guest.
#pragma once

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <memory>
#include <optional>
#include <string>

#include "tests/support/frr.h"
#include "tests/support/playground.h"
#include "tests/support/service_manager.h"

namespace vnet::test {

// One host: a playground of its own, whose outside only `a` uses.
struct AnnouncingHost {
  Playground ground;
  std::optional<Frr> frr;
  std::optional<ServiceManager> manager;
  std::optional<Background> running;

  Namespace& ns() { return ground.host(); }
  Namespace& guest(const std::string& name) { return ground.guest(name); }

  Output vnet(const Argv& arguments) {
    Output output = ground.vnet(arguments);
    EXPECT_TRUE(output.ok()) << testing::PrintToString(arguments) << " exit " << output.status << "\n"
                             << output.out << output.err;
    return output;
  }
  std::string file(const std::string& name, const std::string& text) {
    auto path = ground.state_dir() / name;
    std::ofstream(path) << text;
    return path.string();
  }
  void up(const std::string& xml) { vnet({"up", file("network.xml", xml)}); }

  // With the addresses 10.N.0.LAST and fd00:N::LAST; `mac` moves with it from host to host.
  void plug(const std::string& name, int net, int last, const std::string& mac = "") {
    ground.add_guest(name);
    Namespace& in = guest(name);
    if (!mac.empty()) in.must("ip link set eth0 address " + mac);
    in.must(
        fmt::format("ip addr add 10.{0}.0.{1}/24 dev eth0; ip addr add fd00:{0}::{1}/64 dev eth0 nodad; "
                    "ip link set eth0 up; ip route replace default via 10.{0}.0.1; "
                    "ip -6 route replace default via fd00:{0}::1",
                    net, last));
    const std::string own = in.sh("ip -br link show eth0 | awk '{print $3}'").out.substr(0, 17);
    vnet({"attach", name, "--network", "lab", "--mac", own, "--ip", fmt::format("10.{}.0.{}", net, last),
          "--ip", fmt::format("fd00:{}::{}", net, last)});
  }

  // `vnet-bpf run`, until it has looked for the first time.
  void run() {
    manager.emplace(ground.state_dir() / "notify");
    running.emplace(ns().background(
        {"sh", "-c",
         fmt::format("export VNET_BPF_STATE_DIR={0} NOTIFY_SOCKET={1}; exec {2} run >> {0}/run.log 2>&1",
                     ground.state_dir().string(), manager->path().string(), Playground::program())}));
    EXPECT_TRUE(manager->expect("READY=1"));
  }

  // The state of each prefix, "stale" for those that are.
  std::map<std::string, std::string> announced() {
    std::map<std::string, std::string> all;
    auto json = ground.vnet_json({"announce"});
    for (const auto& one : json["announcements"]) all[one["prefix"]] = one["state"];
    for (const auto& prefix : json["stale"]) all[prefix] = "stale";
    return all;
  }
  nlohmann::json findings(const std::string& check) {
    nlohmann::json all = nlohmann::json::array();
    auto json = nlohmann::json::parse(ground.vnet({"doctor", "--json"}).out);
    for (auto& finding : json["findings"])
      if (finding["check"] == check) all.push_back(finding);
    return all;
  }
};

inline std::string announced_xml(int net, const std::string& announce = "<vnet:announce/>",
                                 const std::string& name = "lab", const std::string& mode = "route") {
  return fmt::format(
      "<network><name>{3}</name><metadata><vnet:network "
      "xmlns:vnet='urn:vnet-bpf:network:1'>{1}</vnet:network>"
      "</metadata><forward mode='{2}'/><bridge name='virbr{0}' stp='off'/>"
      "<ip address='10.{0}.0.1' prefix='24'/><ip family='ipv6' address='fd00:{0}::1' prefix='64'/></network>",
      net, announce, mode, name);
}

class AnnounceTest : public testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root";
    if (!Frr::is_installed()) GTEST_SKIP() << "needs FRR: apt install frr";
    a_ = std::make_unique<AnnouncingHost>();
    b_ = std::make_unique<AnnouncingHost>();
    router().must("echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding");
    b().ns().must("ip link del eth0");
    b().ns().must(
        fmt::format("ip link add up0 type veth peer name ethb netns {}; ip link set up0 up;"
                    "ip addr add 203.0.114.2/24 dev up0; ip addr add 2001:db8:114::2/64 dev up0 nodad",
                    router().name()));
    router().must(
        "ip link set ethb up; ip addr add 203.0.114.1/24 dev ethb; "
        "ip addr add 2001:db8:114::1/64 dev ethb nodad");
    b().ns().must("ip route add default via 203.0.114.1; ip -6 route add default via 2001:db8:114::1");
    a().frr.emplace(a().ns(), a().ground.state_dir() / "frr",
                    host_config(65001, "203.0.113", "2001:db8:113"));
    b().frr.emplace(b().ns(), b().ground.state_dir() / "frr",
                    host_config(65002, "203.0.114", "2001:db8:114"));
    router_frr_.emplace(router(), a().ground.state_dir() / "router", router_config());
    EXPECT_TRUE(soon([&] {
      auto text = router_frr_->ask("show bgp summary json");
      auto json = nlohmann::json::parse(text, nullptr, false);
      return json.is_object() && json.dump().find("\"state\":\"Established\"") != std::string::npos &&
             json.dump().find("\"state\":\"Active\"") == std::string::npos &&
             json.dump().find("\"state\":\"Connect\"") == std::string::npos &&
             json.dump().find("\"state\":\"Idle\"") == std::string::npos;
    })) << router_frr_->ask("show bgp summary");
  }
  void TearDown() override {
    router_frr_.reset();
    for (auto* host : {a_.get(), b_.get()})
      if (host) {
        host->running.reset();
        host->frr.reset();
      }
  }

  AnnouncingHost& a() { return *a_; }
  AnnouncingHost& b() { return *b_; }
  Namespace& router() { return a_->ground.outside(); }
  Frr& router_frr() { return *router_frr_; }

  static bool soon(const std::function<bool()>& ready) { return wait_until(ready, std::chrono::seconds(20)); }

  std::string route(const std::string& prefix) {
    return router().sh("ip -o route show " + prefix + "; ip -6 -o route show " + prefix).out;
  }
  bool has_route(const std::string& prefix, const std::string& device) {
    return soon([&] { return route(prefix).find("dev " + device) != std::string::npos; });
  }
  bool has_none(const std::string& prefix) {
    return soon([&] { return route(prefix).empty(); });
  }

 private:
  // What docs/many-hosts.md has for a host.
  static std::string host_config(unsigned as, const std::string& net4, const std::string& net6) {
    return fmt::format(
        "router bgp {0}\n"
        " bgp router-id {1}.2\n"
        " no bgp ebgp-requires-policy\n"
        " neighbor {1}.1 remote-as 65000\n"
        " neighbor {1}.1 bfd\n"
        " neighbor {1}.1 timers connect 1\n"
        " neighbor {2}::1 remote-as 65000\n"
        " neighbor {2}::1 bfd\n"
        " neighbor {2}::1 timers connect 1\n"
        " address-family ipv4 unicast\n"
        "  no neighbor {2}::1 activate\n"
        " exit-address-family\n"
        " address-family ipv6 unicast\n"
        "  neighbor {2}::1 activate\n"
        " exit-address-family\n",
        as, net4, net6);
  }
  static std::string router_config() {
    std::string text =
        "router bgp 65000\n bgp router-id 198.51.100.1\n no bgp ebgp-requires-policy\n"
        " bgp bestpath as-path multipath-relax\n";
    std::string six = " address-family ipv6 unicast\n  maximum-paths 4\n  network 2001:db8:51::1/128\n";
    std::string four = " address-family ipv4 unicast\n  maximum-paths 4\n  network 198.51.100.1/32\n";
    for (const auto& [as, n] : {std::pair{65001, 113}, {65002, 114}}) {
      for (const auto& neighbor : {fmt::format("203.0.{}.2", n), fmt::format("2001:db8:{}::2", n)})
        text += fmt::format(
            " neighbor {0} remote-as {1}\n neighbor {0} bfd\n neighbor {0} timers connect 1\n"
            " neighbor {0} advertisement-interval 0\n",
            neighbor, as);
      four += fmt::format("  no neighbor 2001:db8:{}::2 activate\n", n);
      six += fmt::format("  neighbor 2001:db8:{}::2 activate\n", n);
    }
    return text + four + " exit-address-family\n" + six + " exit-address-family\n";
  }

  std::unique_ptr<AnnouncingHost> a_, b_;
  std::optional<Frr> router_frr_;
};

}  // namespace vnet::test
