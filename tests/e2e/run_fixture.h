// SPDX-License-Identifier: GPL-2.0-or-later
// A network's host with `vnet-bpf run` beside it.
#pragma once

#include <fmt/format.h>
#include <signal.h>

#include <cstring>
#include <fstream>

#include "tests/e2e/port_fixture.h"
#include "tests/support/service_manager.h"

namespace vnet::test {

// Loading a network's programs takes seconds in a machine without KVM.
class RunTest : public PortTest {
 protected:
  // Until it has looked for the first time.
  void run(const std::string& prefix = "") {
    manager_.emplace(ground().state_dir() / "notify");
    std::string command = fmt::format("export VNET_BPF_STATE_DIR={0} NOTIFY_SOCKET={1}; {2} " VNET_PROGRAM
                                      " run >> {0}/run.log 2>&1; echo $? > {0}/run.status",
                                      ground().state_dir().string(), manager_->path().string(), prefix);
    std::filesystem::remove(ground().state_dir() / "run.status");
    run_.emplace(host().background({"sh", "-c", command}));
    EXPECT_TRUE(manager_->expect("READY=1")) << log();
  }
  void end(int signal) {
    std::string text = read("run/run.lock");
    int pid = 0;
    ASSERT_EQ(1, std::sscanf(text.c_str(), "pid %d", &pid)) << text;
    ASSERT_EQ(0, kill(pid, signal));
  }
  bool ended() {
    return soon([&] { return !read("run.status").empty(); });
  }
  ServiceManager& manager() { return *manager_; }
  std::string read(const std::string& name) {
    std::ifstream in(ground().state_dir() / name);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  std::string log() { return read("run.log"); }

  nlohmann::json port(const std::string& name) {
    for (auto& entry : ground().vnet_json({"ports"}))
      if (entry["interface"] == name) return entry;
    return {};
  }
  // `ports` names what is in a network's bridge, but not attached yet, too.
  bool attached_to(const std::string& name, const std::string& network) {
    return soon([&] {
      auto entry = port(name);
      bool there = !entry.is_null() && entry.value("attached", true);
      return (there ? entry["network"].get<std::string>() : "") == network;
    });
  }
  void add_tap(const std::string& name, const std::string& mac, const std::string& bridge = "virbr0") {
    host().must(fmt::format(
        "ip tuntap add {0} mode tap vnet_hdr; ip link set {0} address {1}; ip link set {0} master {2}; "
        "ip link set {0} up",
        name, mac, bridge));
  }
  // A guest with an interface that nobody has attached, only put into the bridge.
  void put_into_bridge(const std::string& name, int number) {
    add(name, number);
    host().must("ip link set " + name + " master virbr0");
  }
  std::uint64_t sent_by(const std::string& name) {
    return ground().vnet_json({"stats", "--port", name})["ports"].at(0)["tx_packets"];
  }
  bool is_up(const std::string& network) {
    for (auto& entry : ground().vnet_json({"list"}))
      if (entry["name"] == network) return true;
    return false;
  }
  std::string dnsmasq_pid() { return read("run/dnsmasq/lab.pid"); }

 private:
  std::optional<ServiceManager> manager_;
  std::optional<Background> run_;
};

}  // namespace vnet::test
