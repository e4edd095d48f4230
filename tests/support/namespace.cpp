// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/support/namespace.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <thread>
#include <vector>

namespace vnet::test {
namespace {

// As `ip netns pids` finds them, without a process for it: every namespace of every test is asked.
std::vector<pid_t> inhabitants(const std::string& name) {
  std::vector<pid_t> pids;
  struct stat home {
  }, own{};
  if (stat(("/run/netns/" + name).c_str(), &home)) return pids;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    pid_t pid = std::atoi(entry.path().filename().c_str());
    if (pid > 0 && !stat((entry.path() / "ns/net").c_str(), &own) && own.st_dev == home.st_dev &&
        own.st_ino == home.st_ino)
      pids.push_back(pid);
  }
  return pids;
}

void kill_inhabitants(const std::string& name) {
  wait_until([&] {
    auto pids = inhabitants(name);
    for (pid_t pid : pids) kill(pid, SIGKILL);
    return pids.empty();
  });
}

void sweep() {
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator("/run/netns", ignored)) {
    std::string name = entry.path().filename();
    int pid = 0;
    if (std::sscanf(name.c_str(), "vt-%d-", &pid) != 1 || pid <= 0) continue;
    if (kill(pid, 0) == 0 || errno != ESRCH) continue;
    kill_inhabitants(name);
    execute({"ip", "netns", "del", name});
  }
}

Argv inside(const std::string& name, const Argv& argv) {
  Argv words = {"ip", "netns", "exec", name};
  words.insert(words.end(), argv.begin(), argv.end());
  return words;
}

}  // namespace

bool wait_until(const std::function<bool()>& ready, std::chrono::milliseconds limit) {
  auto deadline = std::chrono::steady_clock::now() + limit;
  while (!ready()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return true;
}

Namespace::Namespace() {
  static int number = 0;
  if (number == 0) sweep();
  name_ = fmt::format("vt-{}-{}", getpid(), ++number);
  if (Output made = execute({"ip", "netns", "add", name_}); !made.ok()) {
    throw std::runtime_error("ip netns add " + name_ + ": " + made.err);
  }
  // Addresses are usable at once: duplicate detection would cost every test more than a second.
  must(
      "echo 0 > /proc/sys/net/ipv6/conf/all/accept_dad; echo 0 > /proc/sys/net/ipv6/conf/default/accept_dad; "
      "ip link set lo up");
}

Namespace::~Namespace() {
  kill_inhabitants(name_);
  execute({"ip", "netns", "del", name_});
}

Output Namespace::exec(const Argv& argv, std::chrono::milliseconds limit) const {
  return execute(inside(name_, argv), limit);
}

Output Namespace::sh(const std::string& script, std::chrono::milliseconds limit) const {
  return exec({"sh", "-c", script}, limit);
}

void Namespace::must(const std::string& script) const {
  Output ran = sh("set -e\n" + script);
  if (!ran.ok()) throw std::runtime_error(fmt::format("in {}: {}: {}{}", name_, script, ran.out, ran.err));
}

Background Namespace::background(const Argv& argv) const {
  return Background(inside(name_, argv));
}

bool Namespace::pings(const std::string& address, int seconds) const {
  return exec({"ping", "-n", "-c", "1", "-w", std::to_string(seconds), address}).ok();
}

}  // namespace vnet::test
