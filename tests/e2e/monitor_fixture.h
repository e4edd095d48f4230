// SPDX-License-Identifier: GPL-2.0-or-later
// Running `monitor` in the background, and reading what it has said so far.
#pragma once

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "loader/bpf/shared_maps.h"
#include "tests/e2e/network_fixture.h"

namespace vnet::test {

using Json = nlohmann::json;

class MonitorFixture : public NetworkTest {
 protected:
  // The network with both guests, which outside has a route to.
  void start_all() {
    start();
    plug_both();
    outside().must(
        "ip route add 192.168.122.0/24 via 203.0.113.2; ip -6 route add fd00:122::/64 via 2001:db8:113::2");
  }

  // In the background, its output in a file; returns when the kernel reports to it.
  Background monitor(const std::string& options) {
    Background running = in_background("monitor " + options, "monitor");
    EXPECT_TRUE(wait_until([&] { return active(); })) << text(err_path());
    return running;
  }
  Background in_background(const std::string& words, const std::string& name) {
    return host().background({"sh", "-c",
                              "exec env VNET_BPF_STATE_DIR=" + ground().state_dir().string() +
                                  " " VNET_PROGRAM " " + words + " > " + path(name + ".out") + " 2> " +
                                  path(name + ".err")});
  }
  bool active() {
    auto maps = SharedMaps::open(ground().state_dir() / "bpf/vnet-bpf/maps");
    return maps && *maps && (*maps)->readers.get(0)->until;
  }
  std::string path(const std::string& name) { return (ground().state_dir() / name).string(); }
  std::string out_path() { return path("monitor.out"); }
  std::string err_path() { return path("monitor.err"); }
  static std::string text(const std::string& path) {
    std::stringstream all;
    all << std::ifstream(path).rdbuf();
    return all.str();
  }
  std::vector<Json> events() {
    std::vector<Json> all;
    std::istringstream lines(text(out_path()));
    for (std::string line; std::getline(lines, line);)
      if (Json event = Json::parse(line, nullptr, false); !event.is_discarded()) all.push_back(event);
    return all;
  }
  bool seen(const std::string& reason) {
    for (const Json& event : events())
      if (event.value("reason", "") == reason) return true;
    return false;
  }
  void send_from_outside(int port, const std::string& to = "192.168.122.11") {
    outside().sh("echo x | socat -u - UDP:" + to + ":" + std::to_string(port) + ",sourceport=4711");
  }
};

}  // namespace vnet::test
