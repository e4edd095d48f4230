// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/os/process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "loader/base/fd.h"
#include "loader/base/files.h"

namespace vnet {

namespace {

using Clock = std::chrono::steady_clock;

// glibc 2.36 declares these without extern "C".
int open_pidfd(pid_t pid) {
  return static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
}
int signal_pidfd(int pidfd, int signal) {
  return static_cast<int>(::syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0));
}

int remaining_ms(Clock::time_point deadline) {
  auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
  return static_cast<int>(std::clamp<long long>(left, 0, 1 << 30));
}

class SpawnActions {
 public:
  SpawnActions() { posix_spawn_file_actions_init(&actions_); }
  SpawnActions(const SpawnActions&) = delete;
  SpawnActions& operator=(const SpawnActions&) = delete;
  ~SpawnActions() { posix_spawn_file_actions_destroy(&actions_); }
  posix_spawn_file_actions_t* get() { return &actions_; }

 private:
  posix_spawn_file_actions_t actions_;
};

class SpawnAttributes {
 public:
  // No signal blocked, none ignored or handled.
  SpawnAttributes() {
    posix_spawnattr_init(&attributes_);
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes_, &none);
    posix_spawnattr_setsigdefault(&attributes_, &all);
    posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  }
  SpawnAttributes(const SpawnAttributes&) = delete;
  SpawnAttributes& operator=(const SpawnAttributes&) = delete;
  ~SpawnAttributes() { posix_spawnattr_destroy(&attributes_); }
  const posix_spawnattr_t* get() const { return &attributes_; }

 private:
  posix_spawnattr_t attributes_;
};

struct Pipe {
  Fd read, write;
};

Result<Pipe> make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) < 0) return system_error("making a pipe");
  Pipe pipe{Fd(ends[0]), Fd(ends[1])};
  ::fcntl(pipe.read.get(), F_SETFL, O_NONBLOCK);  // our end; the child's blocks
  return pipe;
}

// Whatever is there now; closes at the end of the file.
void drain(Fd& fd, std::string& into) {
  char buffer[4096];
  while (fd) {
    ssize_t got = ::read(fd.get(), buffer, sizeof(buffer));
    if (got > 0) {
      into.append(buffer, static_cast<std::size_t>(got));
    } else if (got < 0 && errno == EINTR) {
      continue;
    } else if (got < 0 && errno == EAGAIN) {
      return;
    } else {
      fd.reset();
    }
  }
}

bool is_executable(const std::string& path) {
  struct stat info;
  return ::stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode) && ::access(path.c_str(), X_OK) == 0;
}

// Arguments, each ended by a NUL; empty for a zombie, a kernel thread or no process.
std::string command_line(pid_t pid) {
  if (pid <= 0) return {};
  auto content = read_file("/proc/" + std::to_string(pid) + "/cmdline");
  return content && *content ? std::move(**content) : std::string();
}

bool wait_end(int pidfd, Clock::time_point deadline) {
  pollfd item{.fd = pidfd, .events = POLLIN};
  while (true) {
    int ready = ::poll(&item, 1, remaining_ms(deadline));
    if (ready > 0) return true;
    if (ready == 0) return false;
    if (errno != EINTR) return false;
  }
}

// A handle on the process, if it is the expected one. Opened before looking, so that what was looked at
// is what the signal goes to: a pid that is given to another process later does not matter any more.
Result<Fd> open_expected(pid_t pid, std::string_view expected) {
  if (pid <= 0) return Fd();
  Fd fd(open_pidfd(pid));
  if (!fd && (errno == ESRCH || errno == EINVAL)) return Fd();
  if (!fd) return system_error("looking for process " + std::to_string(pid));
  if (!process_alive(pid, expected)) return Fd();
  return fd;
}

}  // namespace

std::optional<std::string> find_program(const std::string& name) {
  if (name.find('/') != std::string::npos) {
    if (is_executable(name)) return name;
    return std::nullopt;
  }
  const char* variable = std::getenv("PATH");
  std::string folders =
      std::string(variable ? variable : "/usr/bin:/bin") + ":/usr/local/sbin:/usr/sbin:/sbin";
  for (std::size_t start = 0; start <= folders.size();) {
    std::size_t end = std::min(folders.find(':', start), folders.size());
    std::string folder = folders.substr(start, end - start);
    // Relative entries would let the current folder choose what root runs.
    if (folder.starts_with('/') && is_executable(folder + "/" + name)) return folder + "/" + name;
    start = end + 1;
  }
  return std::nullopt;
}

Result<Output> run(const std::vector<std::string>& argv, std::chrono::milliseconds timeout) {
  if (argv.empty()) return failed("no program to run");
  auto program = find_program(argv[0]);
  if (!program) return not_found("no such program: " + argv[0]);
  const std::string action = "running " + *program;

  VNET_ASSIGN(Pipe out, make_pipe());
  VNET_ASSIGN(Pipe err, make_pipe());
  SpawnActions actions;
  posix_spawn_file_actions_addopen(actions.get(), 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(actions.get(), out.write.get(), 1);
  posix_spawn_file_actions_adddup2(actions.get(), err.write.get(), 2);
  posix_spawn_file_actions_addclosefrom_np(actions.get(), 3);
  SpawnAttributes attributes;
  std::vector<char*> arguments;
  for (const std::string& argument : argv) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  pid_t pid = -1;
  if (int error =
          ::posix_spawn(&pid, program->c_str(), actions.get(), attributes.get(), arguments.data(), environ))
    return system_error(action, error);
  out.write.reset();
  err.write.reset();

  Output output;
  Fd child(open_pidfd(pid));
  const int pidfd_error = errno;
  const auto deadline = Clock::now() + timeout;
  bool ended = false;
  // The child's end counts, not the pipes': a daemon that it leaves behind may keep those.
  while (child && !ended) {
    std::array<pollfd, 3> items{
        {{child.get(), POLLIN, 0}, {out.read.get(), POLLIN, 0}, {err.read.get(), POLLIN, 0}}};
    int ready = ::poll(items.data(), items.size(), remaining_ms(deadline));
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) break;
    ended = items[0].revents != 0;
    drain(out.read, output.out);
    drain(err.read, output.err);
  }
  if (!ended) ::kill(pid, SIGKILL);  // our own child, not reaped yet: the pid is its own
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0)
    if (errno != EINTR) return system_error(action);
  if (!child) return system_error(action, pidfd_error);
  if (!ended)
    return failed(action + ": still running after " + std::to_string(timeout.count()) + " ms, killed");
  output.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return output;
}

bool process_alive(pid_t pid, std::string_view expected) {
  std::string line = command_line(pid);
  while (line.ends_with('\0')) line.pop_back();
  for (char& c : line)
    if (c == '\0') c = ' ';
  return !line.empty() && !expected.empty() && line.find(expected) != std::string::npos;
}

bool process_has_argument(pid_t pid, std::string_view argument) {
  const std::string line = command_line(pid);
  for (std::size_t start = 0; start < line.size();) {
    std::size_t end = std::min(line.find('\0', start), line.size());
    if (std::string_view(line).substr(start, end - start) == argument) return true;
    start = end + 1;
  }
  return false;
}

bool is_in_this_network(pid_t pid) {
  struct stat ours {
  }, theirs{};
  return ::stat("/proc/self/ns/net", &ours) == 0 &&
         ::stat(("/proc/" + std::to_string(pid) + "/ns/net").c_str(), &theirs) == 0 &&
         ours.st_ino == theirs.st_ino && ours.st_dev == theirs.st_dev;
}

Result<void> terminate(pid_t pid, std::string_view expected, std::chrono::milliseconds timeout) {
  VNET_ASSIGN(Fd process, open_expected(pid, expected));
  if (!process) return {};
  for (int signal : {SIGTERM, SIGKILL}) {
    if (signal_pidfd(process.get(), signal) < 0) {
      if (errno == ESRCH) return {};
      return system_error("stopping process " + std::to_string(pid));
    }
    // Killed, it ends as soon as the kernel gets to it.
    auto wait = signal == SIGTERM ? timeout : std::chrono::seconds(5);
    if (wait_end(process.get(), Clock::now() + wait)) return {};
  }
  return failed("process " + std::to_string(pid) + " does not end");
}

Result<void> wait_if_dying(pid_t pid, std::string_view program, std::chrono::milliseconds timeout) {
  if (pid <= 0) return {};
  Fd process(open_pidfd(pid));  // before looking, as in open_expected
  if (!process || !command_line(pid).empty()) return {};
  auto name = read_file("/proc/" + std::to_string(pid) + "/comm");
  if (!name || !*name || **name != std::string(program) + "\n") return {};
  if (wait_end(process.get(), Clock::now() + timeout)) return {};
  return failed("process " + std::to_string(pid) + ", an ended " + std::string(program) +
                ", still holds its sockets");
}

Result<bool> send_signal(pid_t pid, std::string_view expected, int signal) {
  VNET_ASSIGN(Fd process, open_expected(pid, expected));
  if (!process) return false;
  if (signal_pidfd(process.get(), signal) < 0) {
    if (errno == ESRCH) return false;
    return system_error("signalling process " + std::to_string(pid));
  }
  return true;
}

}  // namespace vnet
