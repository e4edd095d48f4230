// SPDX-License-Identifier: GPL-2.0-or-later
// Guests with a MAC of the test's choice, and what their ports count and hold.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <stdexcept>
#include <string>

#include "loader/bpf/shared_maps.h"
#include "loader/state/state_dir.h"
#include "tests/e2e/network_fixture.h"
#include "tests/support/raw_port.h"

namespace vnet::test {

inline const std::string gateway_mac = "52:54:00:00:00:fe";
inline std::string mac_of(int number) {
  return fmt::format("52:54:00:00:00:{:02x}", number);
}
inline std::string ip4(int number) {
  return "192.168.122." + std::to_string(number);
}
inline std::string ip6(int number) {
  return "fd00:122::" + std::to_string(number);
}
// fe80:: and the interface identifier of mac_of(number).
inline std::string link_local(int number) {
  return fmt::format("fe80::5054:ff:fe00:{:x}", number);
}

// For what takes seconds on a busy machine.
inline bool soon(const std::function<bool()>& ready) {
  return wait_until(ready, std::chrono::seconds(40));
}

class PortTest : public NetworkTest {
 protected:
  void start_lab(const std::string& extra = "") {
    start(dual_stack_xml("<nat ipv6='yes'/>", "<mac address='" + gateway_mac + "'/>" + extra));
  }

  // A guest that configures nothing by itself; addresses: .NUMBER and ::NUMBER, or none.
  void add(const std::string& name, int number, bool addresses = true) {
    ground().add_guest(name);
    guest(name).must("ip link set eth0 down; ip link set eth0 address " + mac_of(number));
    if (addresses)
      guest(name).must(fmt::format(
          "sysctl -qw net.ipv6.conf.eth0.autoconf=0; ip link set eth0 up; ip addr add {}/24 dev eth0; "
          "ip addr add {}/64 dev eth0 nodad; ip route replace default via 192.168.122.1; "
          "ip -6 route replace default via fd00:122::1",
          ip4(number), ip6(number)));
  }
  void attach(const std::string& name, int number, const Argv& options = {}) {
    Argv words{"attach", name, "--network", "lab", "--mac", mac_of(number)};
    words.insert(words.end(), options.begin(), options.end());
    vnet(words);
    wait_until_forwarding(name);
  }
  void set(const std::string& name, const Argv& options) {
    Argv words{"set", name};
    words.insert(words.end(), options.begin(), options.end());
    vnet(words);
  }

  nlohmann::json drops_of(const std::string& name) {
    auto stats = ground().vnet_json({"stats", "--port", name});
    return stats["ports"].at(0)["drops"];
  }
  std::uint64_t drops_at(const std::string& name, const std::string& reason) {
    return drops_of(name).value(reason, std::uint64_t{0});
  }
  std::string all_drops(const std::string& name) { return drops_of(name).dump(); }
  // What there is to say when something does not arrive.
  std::string seen() {
    return "\n" + ground().vnet({"stats"}).out + ground().vnet({"flows"}).out +
           host().sh("ip -6 neigh; ip -6 route; cat /proc/net/nf_conntrack").out;
  }

  // A service that answers what it is sent, and is there when this returns.
  Background service(const std::string& name, int port) {
    Background made = guest(name).background(
        {"socat", fmt::format("TCP6-LISTEN:{},ipv6only=0,reuseaddr,fork", port), "EXEC:cat"});
    EXPECT_TRUE(wait_until([&] { return connects(guest(name), "127.0.0.1", port); }));
    return made;
  }
  bool connects(Namespace& client, const std::string& to, int port) {
    bool v6 = to.find(':') != std::string::npos;
    return client
               .sh(fmt::format("echo hello | socat -T1 - TCP:{}:{},connect-timeout=1 2>/dev/null",
                               v6 ? "[" + to + "]" : to, port))
               .out == "hello\n";
  }

  // The pinned maps, as the commands have left them.
  SharedMaps maps() {
    auto opened = SharedMaps::open(StateDir(ground().state_dir()).pins() / "maps");
    if (!opened || !*opened) throw std::runtime_error("no maps are pinned");
    return std::move(**opened);
  }
};

}  // namespace vnet::test
