// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/support/shell.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>
#include <thread>
#include <utility>

namespace vnet::test {
namespace {

using Clock = std::chrono::steady_clock;

std::array<int, 2> make_pipe() {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) throw std::system_error(errno, std::generic_category(), "pipe");
  return ends;
}

// Without a copy of this process's page tables, which costs more than most of the tools. -1: not started.
pid_t spawn(const Argv& argv, int out, int err) {
  std::vector<char*> words;
  for (const std::string& word : argv) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDWR, 0);
  for (auto [fd, target] : {std::pair{out, STDOUT_FILENO}, std::pair{err, STDERR_FILENO}})
    posix_spawn_file_actions_adddup2(&files, fd < 0 ? STDIN_FILENO : fd, target);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  pid_t pid = -1;
  if (posix_spawnp(&pid, words[0], &files, &attributes, words.data(), environ)) pid = -1;
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&files);
  return pid;
}

// What is there; true at the end of it.
bool drain(int fd, std::string& text) {
  std::array<char, 4096> buffer;
  ssize_t got = read(fd, buffer.data(), buffer.size());
  if (got > 0) text.append(buffer.data(), static_cast<std::size_t>(got));
  return got <= 0;
}

}  // namespace

Output execute(const Argv& argv, std::chrono::milliseconds limit) {
  auto out = make_pipe(), err = make_pipe();
  pid_t pid = spawn(argv, out[1], err[1]);
  close(out[1]);
  close(err[1]);

  Output result;
  int status = W_EXITCODE(127, 0);
  if (pid > 0) {
    const auto deadline = Clock::now() + limit;
    int ended = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
    std::array<pollfd, 3> watched = {pollfd{out[0], POLLIN, 0}, pollfd{err[0], POLLIN, 0},
                                     pollfd{ended, POLLIN, 0}};
    // Daemons that a tool leaves behind keep the pipes open: the tool's own end is what counts.
    while (true) {
      auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
      int ready = poll(watched.data(), watched.size(),
                       watched[2].fd < 0 ? 0 : static_cast<int>(std::max<long>(left, 0)));
      if (watched[2].fd < 0 && ready <= 0) break;
      if (ready == 0) {
        result.timed_out = true;
        kill(-pid, SIGKILL);
      }
      if (watched[0].revents && drain(out[0], result.out)) watched[0].fd = -1;
      if (watched[1].revents && drain(err[0], result.err)) watched[1].fd = -1;
      if (watched[2].revents || result.timed_out) {
        waitpid(pid, &status, 0);
        watched[2].fd = -1;
      }
    }
    close(ended);
  }
  close(out[0]);
  close(err[0]);
  result.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return result;
}

Output sh(const std::string& script, std::chrono::milliseconds limit) {
  return execute({"sh", "-c", script}, limit);
}

Background::Background(const Argv& argv) : pid_(spawn(argv, -1, -1)) {}

void Background::terminate() {
  const auto deadline = Clock::now() + std::chrono::seconds(10);
  kill(-pid_, SIGTERM);
  while (Clock::now() < deadline)
    if (waitpid(pid_, nullptr, WNOHANG) == pid_) {
      pid_ = -1;
      return;
    } else {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
}

Background::~Background() {
  if (pid_ <= 0) return;
  kill(-pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

}  // namespace vnet::test
