// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/bench/tools.h"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <stdexcept>

namespace vnet::bench {

void fail(const std::string& what) {
  throw std::runtime_error(what + ": " + std::strerror(errno));
}

void enter_namespace(const std::string& name) {
  Fd net(::open(("/run/netns/" + name).c_str(), O_RDONLY | O_CLOEXEC));
  if (!net || ::setns(net.get(), CLONE_NEWNET) != 0) fail("entering namespace " + name);
}

void pin_to_cpu(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  if (sched_setaffinity(0, sizeof set, &set) != 0) fail(fmt::format("moving to CPU {}", cpu));
  // Not merely a better nice value: that counts within a cgroup only.
  sched_param first{.sched_priority = 1};
  if (sched_setscheduler(0, SCHED_FIFO, &first) != 0) fail("asking for the CPU");
}

unsigned index_of(const std::string& interface) {
  unsigned index = if_nametoindex(interface.c_str());
  if (index == 0) fail("interface " + interface);
  return index;
}

std::vector<std::uint8_t> mac_bytes(const std::string& text) {
  std::array<unsigned, 6> b{};
  if (std::sscanf(text.c_str(), "%x:%x:%x:%x:%x:%x", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5]) != 6) {
    throw std::runtime_error("not a MAC address: " + text);
  }
  return {b.begin(), b.end()};
}

Fd attach(int program, unsigned ifindex, Hook hook) {
  Fd link(bpf_link_create(program, static_cast<int>(ifindex), static_cast<bpf_attach_type>(hook), nullptr));
  if (!link) fail("attaching to tcx");
  return link;
}

Place place(std::string_view text) {
  auto colon = text.find(':');
  if (colon == std::string_view::npos)
    throw std::runtime_error(fmt::format("not NAMESPACE:INTERFACE: {}", text));
  return {std::string(text.substr(0, colon)), std::string(text.substr(colon + 1))};
}

std::vector<HookUse> hooks_at(const Place& where) {
  enter_namespace(where.where);
  std::vector<HookUse> found;
  for (Hook hook : {Hook::ingress, Hook::egress}) {
    std::array<__u32, 16> ids{};
    __u32 count = ids.size(), flags = 0;
    if (bpf_prog_query(static_cast<int>(index_of(where.interface)), static_cast<bpf_attach_type>(hook), 0,
                       &flags, ids.data(), &count) != 0) {
      if (errno == ENOENT) continue;
      fail("asking for the programs of " + where.interface);
    }
    for (__u32 i = 0; i < count; i++) {
      Fd program(bpf_prog_get_fd_by_id(ids[i]));
      bpf_prog_info info{};
      __u32 size = sizeof info;
      if (!program || bpf_obj_get_info_by_fd(program.get(), &info, &size) != 0) fail("looking at a program");
      found.push_back({.hook = where.interface + (hook == Hook::ingress ? "/ingress" : "/egress"),
                       .program = info.name,
                       .id = info.id,
                       .runs = info.run_cnt,
                       .nanoseconds = info.run_time_ns,
                       .verified_instructions = info.verified_insns,
                       .jited_bytes = info.jited_prog_len});
    }
  }
  return found;
}

double serve(const std::function<void()>& server, const std::function<double()>& client) {
  std::fflush(nullptr);
  pid_t parent = getpid();
  pid_t child = fork();
  if (child < 0) fail("fork");
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(1);
    try {
      server();
    } catch (const std::exception& e) {
      fmt::print(stderr, "server: {}\n", e.what());
    }
    _exit(1);
  }
  struct Reaper {
    pid_t pid;
    ~Reaper() {
      kill(pid, SIGKILL);
      waitpid(pid, nullptr, 0);
    }
  } reaper{child};
  return client();
}

}  // namespace vnet::bench
