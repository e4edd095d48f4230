// SPDX-License-Identifier: GPL-2.0-or-later
// Runs a command and kills it (SIGKILL) as soon as its N-th call that changes something has returned:
//
//   kill_after N COMMAND...
//
// Counted are calls that succeed: bpf(2) where it changes a map, a pin, a link or loads a program, requests
// to rtnetlink that are no questions, new, renamed and removed names, mounts, signals, children, and what is
// written below /proc/sys. In a row of changes to the session maps, whose length depends on the traffic, each
// kind of call counts twice: what is left in between is alike. The last line of standard error says what was
// done, the exit status is 137 when the command was killed and its own when it had ended before. N = 0:
// nothing is killed, the calls are counted. VNET_KILL_TRACE=1 lists every counted call.
//
// Children are neither traced nor killed: what the command has started goes on, as after a real kill -9.
#include <linux/bpf.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <optional>
#include <string>

namespace {

constexpr int killed_status = 128 + SIGKILL;
constexpr unsigned in_syscall = SIGTRAP | 0x80;  // PTRACE_O_TRACESYSGOOD

// One session after the other is erased from the first two, and given back to the third.
constexpr const char* session_maps[] = {"sessions", "rev_nat", "quota_usage"};

struct Call {
  std::uint64_t number = 0;
  std::array<std::uint64_t, 6> arguments{};
};

template <typename T>
std::optional<T> read_from(pid_t pid, std::uint64_t address) {
  T value{};
  iovec here{&value, sizeof value};
  iovec there{reinterpret_cast<void*>(address), sizeof value};
  if (process_vm_readv(pid, &here, 1, &there, 1, 0) != sizeof value) return std::nullopt;
  return value;
}

std::string text_from(pid_t pid, std::uint64_t address) {
  std::string text;
  while (text.size() < 4096) {
    auto letter = read_from<char>(pid, address + text.size());
    if (!letter || !*letter) break;
    text += *letter;
  }
  return text;
}

std::string opened(pid_t pid, std::uint64_t fd) {
  std::array<char, 512> path{};
  std::string link = "/proc/" + std::to_string(pid) + "/fd/" + std::to_string(static_cast<int>(fd));
  ssize_t length = readlink(link.c_str(), path.data(), path.size() - 1);
  return length > 0 ? std::string(path.data(), static_cast<std::size_t>(length)) : std::string();
}

// The tracee's file, as one of ours.
int copy_of(pid_t pid, int fd) {
  int of = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
  int copy = static_cast<int>(syscall(SYS_pidfd_getfd, of, fd, 0));
  close(of);
  return copy;
}

std::string map_name(pid_t pid, std::uint32_t fd) {
  int map = copy_of(pid, static_cast<int>(fd));
  bpf_map_info info{};
  bpf_attr attr{};
  attr.info.bpf_fd = static_cast<__u32>(map);
  attr.info.info_len = sizeof info;
  attr.info.info = reinterpret_cast<std::uint64_t>(&info);
  bool told = map >= 0 && syscall(SYS_bpf, BPF_OBJ_GET_INFO_BY_FD, &attr, sizeof attr.info) == 0;
  close(map);
  return told ? info.name : "?";
}

std::optional<std::string> bpf_change(std::uint64_t command) {
  switch (command) {
    case BPF_MAP_UPDATE_ELEM:
      return "BPF_MAP_UPDATE_ELEM";
    case BPF_MAP_DELETE_ELEM:
      return "BPF_MAP_DELETE_ELEM";
    case BPF_MAP_LOOKUP_AND_DELETE_ELEM:
      return "BPF_MAP_LOOKUP_AND_DELETE_ELEM";
    case BPF_MAP_UPDATE_BATCH:
      return "BPF_MAP_UPDATE_BATCH";
    case BPF_MAP_DELETE_BATCH:
      return "BPF_MAP_DELETE_BATCH";
    case BPF_MAP_LOOKUP_AND_DELETE_BATCH:
      return "BPF_MAP_LOOKUP_AND_DELETE_BATCH";
    case BPF_MAP_FREEZE:
      return "BPF_MAP_FREEZE";
    case BPF_PROG_LOAD:
      return "BPF_PROG_LOAD";
    case BPF_PROG_ATTACH:
      return "BPF_PROG_ATTACH";
    case BPF_PROG_DETACH:
      return "BPF_PROG_DETACH";
    case BPF_OBJ_PIN:
      return "BPF_OBJ_PIN";
    case BPF_LINK_CREATE:
      return "BPF_LINK_CREATE";
    case BPF_LINK_UPDATE:
      return "BPF_LINK_UPDATE";
    case BPF_LINK_DETACH:
      return "BPF_LINK_DETACH";
    default:
      return std::nullopt;
  }
}

// Of the kinds of rtnetlink messages, NEW, DEL, GET, SET in turn, GET asks and the others change.
std::optional<std::string> netlink_change(pid_t pid, std::uint64_t fd, std::uint64_t message) {
  int copy = copy_of(pid, static_cast<int>(fd));
  int domain = 0, protocol = -1;
  socklen_t size = sizeof domain;
  if (copy >= 0) {
    getsockopt(copy, SOL_SOCKET, SO_DOMAIN, &domain, &size);
    getsockopt(copy, SOL_SOCKET, SO_PROTOCOL, &protocol, &size);
    close(copy);
  }
  // Of the generic families nothing but questions is asked; nftables are only looked at.
  if (domain != AF_NETLINK || protocol != NETLINK_ROUTE) return std::nullopt;
  auto header = read_from<nlmsghdr>(pid, message);
  if (!header || header->nlmsg_type < RTM_BASE || (header->nlmsg_type & 3) == 2) return std::nullopt;
  static const std::map<int, std::string> names = {
      {RTM_NEWLINK, "RTM_NEWLINK"},       {RTM_DELLINK, "RTM_DELLINK"},   {RTM_SETLINK, "RTM_SETLINK"},
      {RTM_NEWADDR, "RTM_NEWADDR"},       {RTM_DELADDR, "RTM_DELADDR"},   {RTM_NEWROUTE, "RTM_NEWROUTE"},
      {RTM_DELROUTE, "RTM_DELROUTE"},     {RTM_NEWNEIGH, "RTM_NEWNEIGH"}, {RTM_DELNEIGH, "RTM_DELNEIGH"},
      {RTM_NEWQDISC, "RTM_NEWQDISC"},     {RTM_DELQDISC, "RTM_DELQDISC"}, {RTM_NEWTFILTER, "RTM_NEWTFILTER"},
      {RTM_DELTFILTER, "RTM_DELTFILTER"},
  };
  auto name = names.find(header->nlmsg_type);
  return name == names.end() ? "message " + std::to_string(header->nlmsg_type) : name->second;
}

// What the call that is about to be made changes, if it succeeds.
std::optional<std::string> change(pid_t pid, const Call& call) {
  auto path = [&](std::size_t argument) { return text_from(pid, call.arguments[argument]); };
  auto named = [](const char* name, const std::string& of) { return name + ("(" + of + ")"); };
  switch (call.number) {
    case SYS_bpf: {
      auto what = bpf_change(call.arguments[0]);
      if (what && *what == "BPF_OBJ_PIN") {
        auto at = read_from<std::uint64_t>(pid, call.arguments[1]);
        if (at) *what += ", " + text_from(pid, *at);
      }
      if (what && what->ends_with("_ELEM"))
        *what += ", " + map_name(pid, read_from<std::uint32_t>(pid, call.arguments[1]).value_or(0));
      return what ? std::optional(named("bpf", *what)) : std::nullopt;
    }
    case SYS_sendto: {
      auto what = netlink_change(pid, call.arguments[0], call.arguments[1]);
      return what ? std::optional(named("sendto", *what)) : std::nullopt;
    }
    case SYS_sendmsg: {
      auto header = read_from<msghdr>(pid, call.arguments[1]);
      if (!header || !header->msg_iovlen) return std::nullopt;
      auto part = read_from<iovec>(pid, reinterpret_cast<std::uint64_t>(header->msg_iov));
      if (!part) return std::nullopt;
      auto what = netlink_change(pid, call.arguments[0], reinterpret_cast<std::uint64_t>(part->iov_base));
      return what ? std::optional(named("sendmsg", *what)) : std::nullopt;
    }
    case SYS_write:
    case SYS_pwrite64: {
      std::string file = opened(pid, call.arguments[0]);
      return file.starts_with("/proc/sys/") ? std::optional(named("write", file)) : std::nullopt;
    }
    case SYS_kill:
      return call.arguments[1] ? std::optional<std::string>("kill") : std::nullopt;
    case SYS_pidfd_send_signal:
      return call.arguments[1] ? std::optional<std::string>("pidfd_send_signal") : std::nullopt;
    case SYS_clone:
    case SYS_clone3:
      return "clone";
    case SYS_mount:
      return named("mount", path(1));
    case SYS_umount2:
      return named("umount", path(0));
    case SYS_renameat2:
    case SYS_renameat:
      return named("rename", path(3));
    case SYS_unlinkat:
      return named("unlink", path(1));
    case SYS_mkdirat:
      return named("mkdir", path(1));
    case SYS_linkat:
      return named("link", path(3));
    case SYS_symlinkat:
      return named("symlink", path(2));
#ifdef SYS_rename  // the older calls, which x86-64 has
    case SYS_fork:
    case SYS_vfork:
      return "clone";
    case SYS_rename:
      return named("rename", path(1));
    case SYS_unlink:
      return named("unlink", path(0));
    case SYS_mkdir:
      return named("mkdir", path(0));
    case SYS_rmdir:
      return named("rmdir", path(0));
    case SYS_link:
      return named("link", path(1));
    case SYS_symlink:
      return named("symlink", path(1));
#endif
    default:
      return std::nullopt;
  }
}

bool is_about_a_session(const std::string& what) {
  return std::ranges::any_of(
      session_maps, [&](const char* map) { return what.ends_with(std::string("_ELEM, ") + map + ")"); });
}

// row: how often each kind of change to the session maps has been seen since any other.
bool is_new(const std::string& what, std::map<std::string, int>& row) {
  if (is_about_a_session(what)) return ++row[what] <= 2;
  row.clear();
  return true;
}

int end_of(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int follow(pid_t command, long limit) {
  const bool trace = std::getenv("VNET_KILL_TRACE") != nullptr;
  std::map<pid_t, std::optional<std::string>> pending;  // a thread's call, until it returns
  std::map<std::string, int> row;
  long count = 0;
  for (;;) {
    int status = 0;
    pid_t pid = waitpid(-1, &status, __WALL);
    if (pid < 0) {
      std::perror("kill_after: waitpid");
      return 125;
    }
    if (WIFEXITED(status) || WIFSIGNALED(status)) {
      if (pid != command) continue;
      std::fprintf(stderr, limit ? "ended before: %ld calls\n" : "%ld calls\n", count);
      return end_of(status);
    }
    int stopped = WSTOPSIG(status);
    if (stopped == static_cast<int>(in_syscall)) {
      __ptrace_syscall_info info{};
      if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof info, &info) < 0) continue;
      if (info.op == PTRACE_SYSCALL_INFO_ENTRY) {
        Call call;
        call.number = info.entry.nr;
        for (std::size_t i = 0; i < call.arguments.size(); ++i) call.arguments[i] = info.entry.args[i];
        pending[pid] = change(pid, call);
      } else if (info.op == PTRACE_SYSCALL_INFO_EXIT && pending[pid] && !info.exit.is_error &&
                 is_new(*pending[pid], row)) {
        ++count;
        if (trace) std::fprintf(stderr, "%ld: %s\n", count, pending[pid]->c_str());
        if (count == limit) {
          std::string last = *pending[pid];
          kill(command, SIGKILL);
          while (waitpid(command, &status, __WALL) == command && WIFSTOPPED(status)) continue;
          std::fprintf(stderr, "killed after %ld: %s\n", count, last.c_str());
          return killed_status;
        }
      }
      ptrace(PTRACE_SYSCALL, pid, nullptr, nullptr);
      continue;
    }
    // A new thread's first stop, and the stops of events, are the tracer's; signals are the command's.
    bool ours = stopped == SIGTRAP || stopped == SIGSTOP;
    ptrace(PTRACE_SYSCALL, pid, nullptr, ours ? 0L : static_cast<long>(stopped));
  }
}

}  // namespace

int main(int argc, char** argv) {
  char* end = nullptr;
  long limit = argc > 2 ? std::strtol(argv[1], &end, 10) : -1;
  if (limit < 0 || !end || *end) {
    std::fprintf(stderr, "usage: kill_after N COMMAND...\n");
    return 2;
  }
  pid_t command = fork();
  if (command == 0) {
    ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
    raise(SIGSTOP);
    execvp(argv[2], argv + 2);
    std::fprintf(stderr, "kill_after: %s: %s\n", argv[2], std::strerror(errno));
    _exit(127);
  }
  int status = 0;
  if (command < 0 || waitpid(command, &status, 0) != command) {
    std::perror("kill_after");
    return 125;
  }
  // Threads are followed. A child (fork, vfork, posix_spawn) is not: it must outlive the kill.
  ptrace(PTRACE_SETOPTIONS, command, nullptr,
         PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL | PTRACE_O_TRACECLONE);
  ptrace(PTRACE_SYSCALL, command, nullptr, nullptr);
  return follow(command, limit);
}
