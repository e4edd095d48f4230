// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/services/dnsmasq.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/inotify.h>
#include <sys/wait.h>

#include <fstream>
#include <iostream>
#include <string>

#include "loader/base/files.h"
#include "loader/netlink/netlink.h"
#include "loader/os/inotify.h"
#include "loader/os/process.h"
#include "loader/state/state_dir.h"
#include "tests/e2e/own_network.h"
#include "tests/support/temporary_folder.h"

namespace vnet {
namespace {

using testing::HasSubstr;

class DnsmasqTest : public test::OwnNetwork {
 protected:
  void SetUp() override {
    OwnNetwork::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    if (!find_program("dnsmasq")) GTEST_SKIP() << "dnsmasq is not installed";
    std::filesystem::permissions(folder_.path(), std::filesystem::perms(0755));
    auto netlink = Netlink::open();
    ASSERT_TRUE(netlink);
    ASSERT_OK(netlink->set_up(netlink->link("lo")->ifindex));
  }
  Dnsmasq dnsmasq(const std::string& name, const std::string& more = "no-resolv") {
    auto pid = folder_.path() / (name + ".pid");
    auto conf = folder_.path() / (name + ".conf");
    EXPECT_TRUE(write_file(conf, "pid-file=" + pid.string() + "\nport=53\nno-hosts\nbind-interfaces\n" +
                                     "listen-address=127.0.0.1\nuser=root\n" + more + "\n"));
    return {conf, folder_.path() / (name + ".leases"), pid};
  }
  const test::TemporaryFolder& folder() const { return folder_; }

 private:
  test::TemporaryFolder folder_;
};

TEST_F(DnsmasqTest, StartsReloadsAndStops) {
  Dnsmasq first = dnsmasq("first");
  EXPECT_FALSE(first.running());
  EXPECT_FALSE(first.reload());
  ASSERT_OK(first.start());
  ASSERT_TRUE(first.running());
  const pid_t pid = *first.pid();
  ASSERT_OK(first.start());
  EXPECT_EQ(first.pid(), pid) << "the same one";
  ASSERT_OK(first.reload());

  Dnsmasq second = dnsmasq("second");
  auto refused = second.start();
  EXPECT_FALSE(second.running());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message,
            "dnsmasq: failed to create listening socket for 127.0.0.1: Address already in use");

  ASSERT_OK(first.stop());
  EXPECT_FALSE(process_alive(pid, "dnsmasq"));
  EXPECT_FALSE(first.running());
  ASSERT_OK(first.stop());
}

TEST_F(DnsmasqTest, RepeatsWhatDnsmasqSaysOfItsConfiguration) {
  auto refused = dnsmasq("bad", "no-such-option").start();
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("dnsmasq: "));
  EXPECT_THAT(refused.error().message, HasSubstr("bad.conf"));
}

TEST_F(DnsmasqTest, LeavesAStrangerWithItsPidAlone) {
  Dnsmasq mine = dnsmasq("mine");
  ASSERT_TRUE(write_file(folder().path() / "mine.pid", std::to_string(getpid()) + "\n"));
  EXPECT_FALSE(mine.running());
  ASSERT_OK(mine.stop());  // or this test is over
  ASSERT_OK(mine.start());
  ASSERT_OK(mine.stop());
}

bool write_words(const std::string& file, const std::string& text) {
  std::ofstream out(file);
  return static_cast<bool>(out << text << std::flush);
}

// In a user namespace, which has a limit of its own. What went wrong is said on stderr; 0: nothing did.
int without_inotify(const Dnsmasq& dnsmasq) {
  if (::unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0) return 77;
  ::raise(SIGSTOP);  // until our users are known here
  auto netlink = Netlink::open();
  if (!netlink || !netlink->set_up(netlink->link("lo")->ifindex)) return 77;
  int wrong = 0;
  auto expect = [&](bool right, const std::string& what) {
    if (!right) std::cerr << what << "\n";
    wrong += !right;
  };
  const std::string limit = "/proc/sys/user/max_inotify_instances";
  expect(write_words(limit, "2"), "setting the limit");
  Fd first(::inotify_init1(IN_CLOEXEC)), second(::inotify_init1(IN_CLOEXEC));
  expect(inotify_limit() == 2, fmt::format("limit {}", inotify_limit()));
  expect(inotify_used() == 2, fmt::format("used {}", inotify_used()));
  auto refused = dnsmasq.start();
  const std::string words =
      "dnsmasq: failed to create inotify: Too many open files: every inotify instance that a user may have "
      "is "
      "taken (fs.inotify.max_user_instances is 2); more: sysctl -w fs.inotify.max_user_instances=1024";
  expect(!refused && refused.error().message == words, refused ? "it started" : refused.error().message);
  expect(write_words(limit, "3"), "raising the limit");
  auto started = dnsmasq.start();
  expect(started.has_value(), started ? "" : started.error().message);
  expect(inotify_used() == 3, fmt::format("used {}", inotify_used()));
  expect(dnsmasq.stop().has_value(), "stopping it");
  return wrong;
}

TEST_F(DnsmasqTest, SaysWhatItMeansThatThereIsNoInotifyLeft) {
  Dnsmasq one = dnsmasq("one", "group=root");  // one that follows resolv.conf
  pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) ::_exit(without_inotify(one));
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, WUNTRACED), child);
  if (WIFSTOPPED(status)) {
    for (const char* map : {"uid_map", "gid_map"})
      EXPECT_TRUE(write_words(fmt::format("/proc/{}/{}", child, map), "0 0 65536"));
    ::kill(child, SIGCONT);
    ASSERT_EQ(::waitpid(child, &status, 0), child);
  }
  ASSERT_TRUE(WIFEXITED(status));
  if (WEXITSTATUS(status) == 77) GTEST_SKIP() << "cannot make a user namespace";
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

// Mounts only in a mount namespace of the test's own.
TEST(StateDirMount, RefusesAMountThatWouldVanishAndUsesOneThatIsThere) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root to make a mount namespace";
  test::TemporaryFolder folder;
  Fd before(::open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC));
  pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    StateDir state(folder.path());
    if (::unshare(CLONE_NEWNS) < 0) ::_exit(1);
    if (std::system("mount --make-rprivate /") != 0) ::_exit(2);
    auto refused = state.ensure_bpffs();
    const std::string how = "mount -t bpf bpf " + state.bpffs().string();
    if (refused || refused.error().message.find(how) == std::string::npos) ::_exit(3);
    std::filesystem::create_directories(state.bpffs());
    if (std::system(how.c_str()) != 0) ::_exit(4);
    if (!state.bpffs_mounted() || !state.ensure_bpffs() || !state.ensure_bpffs()) ::_exit(5);
    ::_exit(std::filesystem::is_directory(state.pins()) ? 0 : 6);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace vnet
