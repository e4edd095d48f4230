// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/support/shell.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>
#include <thread>

namespace vnet::test {
namespace {

using Clock = std::chrono::steady_clock;

std::array<int, 2> make_pipe() {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) throw std::system_error(errno, std::generic_category(), "pipe");
  return ends;
}

pid_t spawn(const Argv& argv, int out, int err) {
  std::vector<char*> words;
  for (const std::string& word : argv) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  pid_t pid = fork();
  if (pid < 0) throw std::system_error(errno, std::generic_category(), "fork");
  if (pid == 0) {
    setpgid(0, 0);
    dup2(null, 0);
    dup2(out < 0 ? null : out, 1);
    dup2(err < 0 ? null : err, 2);
    execvp(words[0], words.data());
    _exit(127);
  }
  setpgid(pid, pid);  // here too, so that a kill right away finds the group
  close(null);
  return pid;
}

}  // namespace

Output execute(const Argv& argv, std::chrono::milliseconds limit) {
  auto out = make_pipe(), err = make_pipe();
  pid_t pid = spawn(argv, out[1], err[1]);
  close(out[1]);
  close(err[1]);

  Output result;
  auto deadline = Clock::now() + limit;
  std::array<pollfd, 2> watched = {pollfd{out[0], POLLIN, 0}, pollfd{err[0], POLLIN, 0}};
  int status = 0;
  bool reaped = false;
  // Daemons that a tool leaves behind keep the pipes open: the tool's own end is what counts.
  while (true) {
    if (!reaped) reaped = waitpid(pid, &status, WNOHANG) == pid;
    int ready = poll(watched.data(), watched.size(), reaped ? 0 : 20);
    if (ready == 0 && reaped) break;
    for (pollfd& fd : watched) {
      if (fd.fd < 0 || !fd.revents) continue;
      std::array<char, 4096> buffer;
      ssize_t got = read(fd.fd, buffer.data(), buffer.size());
      if (got > 0)
        (fd.fd == out[0] ? result.out : result.err).append(buffer.data(), static_cast<std::size_t>(got));
      if (got <= 0) fd.fd = -1;
    }
    if (Clock::now() > deadline && !reaped) {
      result.timed_out = true;
      kill(-pid, SIGKILL);
      waitpid(pid, &status, 0);
      reaped = true;
    }
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
