// SPDX-License-Identifier: GPL-2.0-or-later
// QEMU without libvirt: its scripts for a tap, and its bridge helper. The guests do not boot.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <fstream>
#include <string>

#include "tests/support/playground.h"

namespace vnet::test {
namespace {

using std::chrono::seconds;

// Before, SIGTERM ends QEMU at once, and no script is run.
bool handles_sigterm(pid_t pid) {
  std::ifstream status(fmt::format("/proc/{}/status", pid));
  for (std::string name, value; status >> name && std::getline(status, value);)
    if (name == "SigCgt:") return std::stoull(value, nullptr, 16) >> (SIGTERM - 1) & 1;
  return false;
}

class QemuTest : public testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root";
    if (!sh("command -v qemu-system-x86_64").ok()) GTEST_SKIP() << "qemu-system-x86_64 is not installed";
    ground_ = std::make_unique<Playground>();
    ASSERT_TRUE(ground_->vnet({"up"}).ok());
  }
  Playground& ground() { return *ground_; }
  std::string environment() {
    return "VNET_BPF=" VNET_PROGRAM " VNET_BPF_STATE_DIR=" + ground().state_dir().string();
  }
  // before: what is done first, in mounts of its own.
  Background qemu(const std::string& netdev, const std::string& before = "true",
                  const std::string& more = "") {
    return ground().host().background(
        {"unshare", "-m", "sh", "-c",
         fmt::format("{} && exec env {} {} qemu-system-x86_64 -S -M q35 -accel tcg -nodefaults -display none "
                     "-netdev {} "
                     "-device virtio-net-pci,netdev=n,mac=52:54:00:00:00:09 > {}/qemu.log 2>&1",
                     before, environment(), more, netdev, ground().state_dir().string())});
  }
  std::string log() { return sh("cat " + (ground().state_dir() / "qemu.log").string()).out; }
  nlohmann::json ports() { return ground().vnet_json({"ports"}); }

 private:
  std::unique_ptr<Playground> ground_;
};

TEST_F(QemuTest, ItsScriptsAttachAndDetach) {
  const std::string scripts = VNET_SOURCE_DIR "/packaging/qemu/";
  std::string tap =
      fmt::format("tap,id=n,ifname=tap9,script={0}vnet-bpf-ifup,downscript={0}vnet-bpf-ifdown", scripts);
  Background guest = qemu(tap, "true", "VNET_BPF_OPTIONS='--mac 52:54:00:00:00:09 --filter clean-traffic'");
  ASSERT_TRUE(wait_until([&] { return !ports().empty(); }, seconds(20))) << log();
  EXPECT_EQ("tap9", ports()[0]["interface"].get<std::string>());
  EXPECT_EQ("up", ports()[0]["state"].get<std::string>());
  EXPECT_EQ("clean-traffic", ports()[0]["filters"].at(0).get<std::string>());
  ASSERT_TRUE(wait_until([&] { return handles_sigterm(guest.pid()); })) << log();
  kill(guest.pid(), SIGTERM);
  EXPECT_TRUE(wait_until([&] { return ports().empty(); }, seconds(10))) << log();
}

TEST_F(QemuTest, TheScriptsNameSaysWhichNetwork) {
  auto link = ground().state_dir() / "vnet-bpf-ifup-nosuch";
  std::filesystem::create_symlink(VNET_SOURCE_DIR "/packaging/qemu/vnet-bpf-ifup", link);
  Background guest = qemu("tap,id=n,ifname=tap9,script=" + link.string() + ",downscript=no");
  EXPECT_TRUE(wait_until([&] { return log().find("network nosuch is not active") != std::string::npos; },
                         seconds(20)))
      << log();
}

TEST_F(QemuTest, ItsBridgeHelpersTapIsSeen) {
  const std::string helper = "/usr/lib/qemu/qemu-bridge-helper";
  if (!std::filesystem::exists(helper)) GTEST_SKIP() << helper << " is not installed";
  auto folder = ground().state_dir() / "etc";
  std::filesystem::create_directories(folder / "upper");
  std::filesystem::create_directories(folder / "work");
  // Whether virbr0 may be used is in a file whose place is fixed.
  std::string allow = fmt::format(
      "mount -t tmpfs none {0} && mkdir {0}/upper {0}/work && mount -t overlay none -o "
      "lowerdir=/etc,upperdir={0}/upper,workdir={0}/work "
      "/etc && mkdir -p /etc/qemu && echo allow virbr0 > /etc/qemu/bridge.conf",
      folder.string());
  Background run = ground().host().background(
      {"env", "VNET_BPF_STATE_DIR=" + ground().state_dir().string(), VNET_PROGRAM, "run"});
  Background guest = qemu("bridge,id=n,br=virbr0,helper=" + helper, allow);
  EXPECT_TRUE(wait_until([&] { return !ports().empty(); }, seconds(20))) << log();
  kill(guest.pid(), SIGKILL);
  EXPECT_TRUE(wait_until([&] { return ports().empty(); }, seconds(10)));
}

}  // namespace
}  // namespace vnet::test
