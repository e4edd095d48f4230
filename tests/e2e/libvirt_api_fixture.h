// SPDX-License-Identifier: GPL-2.0-or-later
// `vnet-bpf serve` on the playground's host, and the real virsh.
#pragma once

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>

#include "tests/support/playground.h"

namespace vnet::test {

class LibvirtApiTest : public testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root";
    if (!sh("command -v virsh").ok()) GTEST_SKIP() << "virsh is not installed (libvirt-clients)";
    ground_.emplace();
    serve();
  }
  void TearDown() override {
    if (!ground_) return;
    run_.reset();
    serve_.reset();
    for (const auto& network : ground().vnet_json({"list", "--all"})) {
      ground().vnet({"stop", network["name"].get<std::string>()});
      ground().vnet({"undefine", network["name"].get<std::string>()});
    }
  }

  Playground& ground() { return *ground_; }
  Namespace& host() { return ground_->host(); }
  std::string folder() { return ground_->state_dir().string(); }
  std::string socket() { return folder() + "/sock"; }

  Background start(const std::string& words, const std::string& log) {
    return host().background({"sh", "-c",
                              fmt::format("exec env VNET_BPF_STATE_DIR={0} {1} {2} >> {0}/{3} 2>&1", folder(),
                                          Playground::program(), words, log)});
  }
  void serve() {
    serve_.emplace(start("serve --socket " + socket(), "serve.log"));
    ASSERT_TRUE(wait_until([&] { return virsh({"uri"}).ok(); })) << read(folder() + "/serve.log");
  }
  void run() {
    run_.emplace(start("run", "run.log"));
    ASSERT_TRUE(wait_until([&] { return std::filesystem::exists(folder() + "/run/run.lock"); }));
  }
  pid_t server() { return serve_->pid(); }
  void stop_server() { serve_.reset(); }

  Output virsh(const Argv& words, const std::string& suffix = "") {
    Argv argv{"virsh", "-q", "-c", "network+unix:///system?socket=" + socket() + suffix};
    argv.insert(argv.end(), words.begin(), words.end());
    return execute(argv, std::chrono::seconds(60));
  }
  std::string must(const Argv& words) {
    auto output = virsh(words);
    EXPECT_TRUE(output.ok()) << testing::PrintToString(words) << output.err << read(folder() + "/serve.log");
    return output.out;
  }
  std::string file(const std::string& name, const std::string& text) {
    std::ofstream(folder() + "/" + name) << text;
    return folder() + "/" + name;
  }
  static std::string read(const std::string& path) {
    std::ifstream in(path);
    return {std::istreambuf_iterator<char>(in), {}};
  }

 private:
  std::optional<Playground> ground_;
  std::optional<Background> serve_, run_;
};

}  // namespace vnet::test
