// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/base/files.h"

#include <gmock/gmock.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <fstream>

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
  EXPECT_THAT(list_files(folder.path(), ".xml").value(), ElementsAre(".hidden.xml", "a.xml", "b.xml"));
  EXPECT_THAT(list_files(folder.path() / "none").value(), ElementsAre());
  ASSERT_TRUE(remove_file(folder.path() / "a.xml"));
  ASSERT_TRUE(remove_file(folder.path() / "a.xml"));
  EXPECT_EQ(read_file(folder.path() / "a.xml").value(), std::nullopt);
}

// A network may have any name; what a killed write has left is known by what no file of ours ends with.
TEST(Files, RemovesWhatIsUnfinishedAndNothingThatAUserHasNamed) {
  test::TemporaryFolder folder;
  const std::vector<std::string> names{"..json", ".foo.json", "a.unfinished.json", "b.xml~.json"};
  for (const auto& name : names) ASSERT_TRUE(write_file(folder.path() / name, "x"));
  std::ofstream(folder.path() / "aBc123.unfinished") << "half";
  EXPECT_EQ(list_files(folder.path()).value(), names);
  remove_unfinished_files(folder.path());
  EXPECT_EQ(list_files(folder.path()).value(), names);
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "aBc123.unfinished"));
}

TEST(Files, NamesMayBeAsLongAsTheFolderTakes) {
  test::TemporaryFolder folder;
  EXPECT_TRUE(write_file(folder.path() / std::string(255, 'n'), "x"));
}

// As on a full disk: nothing can be written, and still the network can be stopped.
TEST(Lock, NeedsNoRoom) {
  test::TemporaryFolder folder;
  struct rlimit before {};
  ::getrlimit(RLIMIT_FSIZE, &before);
  const struct rlimit none { 0, before.rlim_max };
  auto action = std::signal(SIGXFSZ, SIG_IGN);
  ::setrlimit(RLIMIT_FSIZE, &none);
  auto lock = Lock::acquire(folder.path() / "lock", "stop", std::chrono::seconds(0));
  const bool held = lock && !Lock::acquire(folder.path() / "lock", "set", std::chrono::seconds(0));
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, action);
  EXPECT_TRUE(held);
}

// Who may open it may hold it.
TEST(Lock, IsForRootAlone) {
  test::TemporaryFolder folder;
  std::ofstream(folder.path() / "lock") << "";  // of an earlier version
  std::filesystem::permissions(folder.path() / "lock", std::filesystem::perms(0644));
  ASSERT_TRUE(Lock::acquire(folder.path() / "lock", "stop", std::chrono::seconds(0)));
  EXPECT_EQ(0600u, mode_of(folder.path() / "lock"));
}

TEST(StateDir, GivesUpItsReserveOnce) {
  test::TemporaryFolder folder;
  StateDir state((folder.path() / "state").string());
  ASSERT_TRUE(state.ensure());
  EXPECT_LE(65536U, std::filesystem::file_size(state.runtime() / "reserve"));
  EXPECT_TRUE(state.give_up_reserve());
  EXPECT_FALSE(state.give_up_reserve());
  ASSERT_TRUE(state.ensure());
  EXPECT_TRUE(state.give_up_reserve());
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
