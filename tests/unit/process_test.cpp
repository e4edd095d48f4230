// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/os/process.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "loader/base/fd.h"

namespace vnet {
namespace {

using testing::HasSubstr;
using namespace std::chrono_literals;

// A child of the test that sleeps; reaped at the end.
class Sleeper {
 public:
  explicit Sleeper(const char* script = "sleep 60; :") {
    pid_ = ::fork();
    if (pid_ == 0) {
      ::setpgid(0, 0);
      ::execl("/bin/sh", "sh", "-c", script, "vnet-sleeper", nullptr);
      ::_exit(127);
    }
    for (int i = 0; i < 500 && !process_alive(pid_, "vnet-sleeper"); ++i) std::this_thread::sleep_for(10ms);
  }
  ~Sleeper() {
    ::kill(-pid_, SIGKILL);  // its own `sleep`, too, which would hold our output open
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  pid_t pid() const { return pid_; }

 private:
  pid_t pid_;
};

TEST(Process, CapturesOutputAndStatus) {
  auto output = run({"sh", "-c", "echo out; echo err >&2; exit 3"});
  ASSERT_TRUE(output) << output.error().message;
  EXPECT_EQ(output->out, "out\n");
  EXPECT_EQ(output->err, "err\n");
  EXPECT_EQ(output->status, 3);
  EXPECT_FALSE(output->ok());
  EXPECT_EQ(run({"sh", "-c", "kill -TERM $$"})->status, 128 + SIGTERM);
  EXPECT_EQ(run({"sh", "-c", "head -c 300000 /dev/zero"})->out.size(), 300000u) << "more than a pipe holds";
  auto missing = run({"no-such-program"});
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().kind, ErrorKind::NotFound);
}

TEST(Process, GivesTheChildNothingOfOurs) {
  Fd leaking(::open("/dev/null", O_RDONLY));  // without O_CLOEXEC
  ASSERT_TRUE(leaking);
  sigset_t blocked, before;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGTERM);
  sigprocmask(SIG_BLOCK, &blocked, &before);
  auto ignored = ::signal(SIGHUP, SIG_IGN);
  auto status = run({"cat", "/proc/self/status"});
  auto files = run({"ls", "/proc/self/fd"});
  ::signal(SIGHUP, ignored);
  sigprocmask(SIG_SETMASK, &before, nullptr);
  ASSERT_TRUE(status && files);
  EXPECT_THAT(status->out, HasSubstr("SigBlk:\t0000000000000000"));
  EXPECT_THAT(status->out, testing::ContainsRegex("SigIgn:\t[0-9a-f]*[08]0000000\n"))
      << "but for 32 and 33, which are glibc's own";
  EXPECT_EQ(files->out, "0\n1\n2\n3\n") << "3 is ls's own";
  EXPECT_EQ(run({"cat"})->out, "") << "stdin is /dev/null";
}

TEST(Process, DoesNotWaitForADaemonThatKeepsItsOutput) {
  const auto start = std::chrono::steady_clock::now();
  auto output = run({"sh", "-c", "sleep 3 & echo started"});
  ASSERT_TRUE(output);
  EXPECT_EQ(output->out, "started\n");
  EXPECT_LT(std::chrono::steady_clock::now() - start, 2s);
}

TEST(Process, KillsWhatDoesNotEnd) {
  auto output = run({"sleep", "60"}, 100ms);
  ASSERT_FALSE(output);
  EXPECT_THAT(output.error().message, HasSubstr("still running after 100 ms"));
}

TEST(Process, IsNotFooledByAReusedPid) {
  Sleeper sleeper;
  EXPECT_TRUE(process_alive(sleeper.pid(), "vnet-sleeper"));
  EXPECT_FALSE(process_alive(sleeper.pid(), "--conf-file=/somebody/else"));
  EXPECT_FALSE(process_alive(sleeper.pid(), "")) << "nothing to tell it by";
  EXPECT_TRUE(process_has_argument(sleeper.pid(), "vnet-sleeper"));
  EXPECT_FALSE(process_has_argument(sleeper.pid(), "vnet-sleepe"));
  EXPECT_TRUE(terminate(sleeper.pid(), "--conf-file=/somebody/else"));
  EXPECT_EQ(send_signal(sleeper.pid(), "--conf-file=/somebody/else", SIGKILL).value(), false);
  EXPECT_TRUE(process_alive(sleeper.pid(), "vnet-sleeper")) << "it got no signal";
  EXPECT_TRUE(terminate(sleeper.pid(), "vnet-sleeper"));
  EXPECT_FALSE(process_alive(sleeper.pid(), "vnet-sleeper")) << "a zombie is not alive";
  EXPECT_TRUE(terminate(sleeper.pid(), "vnet-sleeper"));
  for (pid_t nobody : {0, -1, 0x3fffffff}) EXPECT_FALSE(process_alive(nobody, "sh"));
}

TEST(Process, KillsWhatDoesNotListen) {
  Sleeper deaf("trap '' TERM; while :; do sleep 0.1; done");
  std::this_thread::sleep_for(100ms);
  ASSERT_TRUE(terminate(deaf.pid(), "vnet-sleeper", 200ms));
  EXPECT_FALSE(process_alive(deaf.pid(), "vnet-sleeper"));
}

// Much memory to give back keeps the killed child in that state for long enough to be seen in it.
TEST(Process, WaitsForTheFilesOfOneThatIsDying) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
  Fd read(ends[0]), write(ends[1]);
  pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    ::mmap(nullptr, 256u << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    ::prctl(PR_SET_NAME, "vnet-dying");
    (void)::write(write.get(), "!", 1);
    ::pause();
  }
  write.reset();
  pollfd ready{.fd = read.get(), .events = POLLIN};
  ASSERT_EQ(::poll(&ready, 1, 10'000), 1);
  char byte;
  ASSERT_EQ(::read(read.get(), &byte, 1), 1);
  ASSERT_EQ(::kill(child, SIGKILL), 0);
  while (process_alive(child, "unit_tests")) sched_yield();
  EXPECT_TRUE(wait_if_dying(child, "vnet-dying"));
  EXPECT_EQ(::read(read.get(), &byte, 1), 0) << "closed";
  EXPECT_TRUE(wait_if_dying(child, "vnet-dying")) << "a zombie has nothing left";
  ::waitpid(child, nullptr, 0);
  EXPECT_TRUE(wait_if_dying(child, "vnet-dying"));
}

TEST(Process, FindsProgramsInSbinToo) {
  EXPECT_TRUE(find_program("sh"));
  EXPECT_FALSE(find_program("no-such-program"));
  EXPECT_FALSE(find_program("/etc/passwd")) << "not executable";
}

}  // namespace
}  // namespace vnet
