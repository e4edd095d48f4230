// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/base/files.h"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include "loader/os/lock.h"
#include "loader/os/sysctl.h"
#include "loader/state/state_dir.h"
#include "tests/support/temporary_folder.h"

namespace vnet {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

mode_t mode_of(const std::filesystem::path& path) {
  struct stat info {};
  ::stat(path.c_str(), &info);
  return info.st_mode & 07777;
}

TEST(Files, WritesWholeFilesAndLeavesNothingBeside) {
  test::TemporaryFolder folder;
  const auto file = folder.path() / "a.xml";
  for (const char* content : {"first", "second, longer", ""}) {
    ASSERT_TRUE(write_file(file, content, 0600));
    EXPECT_EQ(read_file(file).value(), content);
  }
  EXPECT_EQ(mode_of(file), 0600u);
  ASSERT_TRUE(write_file(file, "x", 0666));
  EXPECT_EQ(mode_of(file), 0666u) << "whatever the umask";
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
}

TEST(Files, KeepsTheOldFileWhenTheNewOneFails) {
  test::TemporaryFolder folder;
  std::filesystem::create_directories(folder.path() / "taken" / "full");
  auto refused = write_file(folder.path() / "taken", "x");
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("writing " + (folder.path() / "taken").string() + ": "));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1) << "no remains";
  EXPECT_FALSE(write_file(folder.path() / "no" / "where", "x"));
}

TEST(Files, ListsAndRemoves) {
  test::TemporaryFolder folder;
  for (const char* name : {"b.xml", "a.xml", "c.txt", ".hidden.xml"})
    ASSERT_TRUE(write_file(folder.path() / name, ""));
  std::filesystem::create_directory(folder.path() / "autostart.xml");
  EXPECT_THAT(list_files(folder.path(), ".xml").value(), ElementsAre("a.xml", "b.xml"));
  EXPECT_THAT(list_files(folder.path() / "none").value(), ElementsAre());
  ASSERT_TRUE(remove_file(folder.path() / "a.xml"));
  ASSERT_TRUE(remove_file(folder.path() / "a.xml"));
  EXPECT_EQ(read_file(folder.path() / "a.xml").value(), std::nullopt);
}

TEST(StateDir, KnowsTheSystemsFolders) {
  StateDir state;
  EXPECT_EQ(state.definitions(), "/etc/vnet-bpf/networks");
  EXPECT_EQ(state.autostart(), "/etc/vnet-bpf/networks/autostart");
  EXPECT_EQ(state.runtime(), "/run/vnet-bpf");
  EXPECT_EQ(state.leases(), "/var/lib/vnet-bpf/leases");
  EXPECT_EQ(state.pins(), "/sys/fs/bpf/vnet-bpf");
}

TEST(StateDir, KeepsEverythingBelowTheUsersFolder) {
  test::TemporaryFolder folder;
  StateDir state((folder.path() / "state" / "").string());
  const auto root = folder.path() / "state";
  ASSERT_TRUE(state.ensure());
  ASSERT_TRUE(state.ensure());
  EXPECT_EQ(state.definitions(), root / "networks");
  EXPECT_EQ(state.pins(), root / "bpf" / "vnet-bpf");
  for (const auto& made : {state.definitions(), state.autostart(), state.runtime(), state.leases()})
    EXPECT_EQ(mode_of(made), 0755u) << made;
  EXPECT_TRUE(StateDir("relative").runtime().is_absolute());
  EXPECT_FALSE(state.bpffs_mounted());
}

TEST(Lock, SaysWhoHoldsIt) {
  test::TemporaryFolder folder;
  StateDir state(folder.path());
  {
    auto first = state.lock("start");
    ASSERT_TRUE(first) << first.error().message;
    auto second = state.lock("stop", std::chrono::milliseconds(50));
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().message, "another vnet-bpf is at work: pid " + std::to_string(::getpid()) +
                                          " (start); gave up after 50 ms");
    EXPECT_FALSE(state.lock("stop", std::chrono::seconds(0)));
  }
  EXPECT_TRUE(state.lock("stop", std::chrono::seconds(0))) << "released";
}

TEST(SysctlKey, TakesNamesAndParts) {
  EXPECT_EQ(SysctlKey("net.ipv4.ip_forward").path().value(), "/proc/sys/net/ipv4/ip_forward");
  SysctlKey parts{"net", "ipv4", "conf", "br.100", "forwarding"};
  EXPECT_EQ(parts.path().value(), "/proc/sys/net/ipv4/conf/br.100/forwarding");
  for (const char* bad : {"", "net..ipv4", "net/ipv4"}) EXPECT_FALSE(SysctlKey(bad).path()) << bad;
}

}  // namespace
}  // namespace vnet
