// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/os/inotify.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <string>
#include <system_error>

#include "loader/base/files.h"
#include "loader/os/sysctl.h"

namespace vnet {
namespace {

namespace fs = std::filesystem;

unsigned number_of(const char* sysctl) {
  unsigned value = 0;
  auto text = read_sysctl(sysctl);
  if (text && *text) std::from_chars((*text)->data(), (*text)->data() + (*text)->size(), value);
  return value;
}

bool is_charged_to_us(const fs::path& process) {
  struct stat owner {};
  if (::stat(process.c_str(), &owner) != 0) return false;
  if (owner.st_uid == ::geteuid()) return true;
  auto name = read_file(process / "comm");
  return name && *name && **name == "dnsmasq\n";
}

unsigned instances_of(const fs::path& process) {
  unsigned count = 0;
  std::error_code error;
  for (const auto& descriptor : fs::directory_iterator(process / "fd", error))
    count += fs::read_symlink(descriptor.path(), error) == "anon_inode:inotify";
  return count;
}

}  // namespace

unsigned inotify_limit() {
  // The first is the one of the machine; in a user namespace the second may be lower.
  const unsigned machine = number_of("fs.inotify.max_user_instances");
  const unsigned here = number_of("user.max_inotify_instances");
  return here ? std::min(machine, here) : machine;
}

unsigned inotify_used() {
  unsigned count = 0;
  std::error_code error;
  const auto ours = fs::read_symlink("/proc/self/ns/user", error);
  for (const auto& process : fs::directory_iterator("/proc", error)) {
    const std::string pid = process.path().filename();
    if (pid.find_first_not_of("0123456789") != std::string::npos) continue;
    if (fs::read_symlink(process.path() / "ns/user", error) != ours || !is_charged_to_us(process.path()))
      continue;
    count += instances_of(process.path());
  }
  return count;
}

std::string raise_inotify_limit(unsigned limit) {
  constexpr unsigned plenty = 1024;
  return fmt::format("sysctl -w fs.inotify.max_user_instances={}", std::max(plenty, limit * 2));
}

}  // namespace vnet
