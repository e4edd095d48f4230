// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/state/state_dir.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <utility>

#include "loader/base/fd.h"

namespace vnet {

namespace {

bool is_bpffs(const std::filesystem::path& path) {
  struct statfs info;
  return ::statfs(path.c_str(), &info) == 0 && info.f_type == BPF_FS_MAGIC;
}

// The id of the mount that is the root directory of a process: mount ids are unique, so two processes with
// the same one share their mount namespace. (/proc/1/ns/mnt would say so, too, but containers deny it.)
std::optional<std::string> root_mount(const char* mountinfo) {
  std::ifstream lines(mountinfo);
  std::optional<std::string> id;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream fields(line);
    std::string mount, parent, device, root, point;
    if (fields >> mount >> parent >> device >> root >> point && point == "/") id = mount;  // the topmost
  }
  return id;
}

// Why a mount made now would not surely stay when this process ends; empty when it will.
std::string why_not_mount() {
  auto own = root_mount("/proc/self/mountinfo");
  auto first = root_mount("/proc/1/mountinfo");
  if (!own || !first) return "whether one mounted from here would stay cannot be told (/proc/1/mountinfo)";
  return own == first ? "" : "one mounted from here would vanish with this command";
}

// Some records of some kilobytes. Without room for it now there is none to keep.
constexpr off_t reserve_bytes = 256 << 10;

void take_reserve(const std::filesystem::path& file) {
  Fd fd(::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (fd && ::posix_fallocate(fd.get(), 0, reserve_bytes)) ::unlink(file.c_str());
}

}  // namespace

StateDir::StateDir(std::optional<Path> dir) : dir_(std::move(dir)) {
  std::error_code error;
  if (!dir_) return;
  Path absolute = std::filesystem::absolute(*dir_, error);
  if (!error) dir_ = absolute.lexically_normal();
  if (!dir_->has_filename() && dir_->has_relative_path()) dir_ = dir_->parent_path();  // "DIR/"
}

StateDir::Path StateDir::definitions() const {
  return dir_ ? *dir_ / "networks" : "/etc/vnet-bpf/networks";
}
StateDir::Path StateDir::autostart() const {
  return definitions() / "autostart";
}
StateDir::Path StateDir::runtime() const {
  return dir_ ? *dir_ / "run" : "/run/vnet-bpf";
}
StateDir::Path StateDir::leases() const {
  return dir_ ? *dir_ / "leases" : "/var/lib/vnet-bpf/leases";
}
StateDir::Path StateDir::bpffs() const {
  return dir_ ? *dir_ / "bpf" : "/sys/fs/bpf";
}
StateDir::Path StateDir::pins() const {
  return bpffs() / "vnet-bpf";
}

StateDir::Path StateDir::frr() const {
  return dir_ ? *dir_ / "frr" : Path("/run/frr");
}

Result<void> StateDir::ensure() const {
  for (const Path& folder : {definitions(), autostart(), runtime(), leases()}) VNET_TRY(make_folder(folder));
  take_reserve(runtime() / "reserve");
  return {};
}

bool StateDir::give_up_reserve() const {
  return ::unlink((runtime() / "reserve").c_str()) == 0;
}

bool StateDir::bpffs_mounted() const {
  return is_bpffs(bpffs());
}

Result<void> StateDir::ensure_bpffs() const {
  const Path mount_point = bpffs();
  if (!is_bpffs(mount_point)) {
    if (std::string why = why_not_mount(); !why.empty()) {
      std::string how = "mount -t bpf bpf " + mount_point.string();
      std::error_code error;
      if (!std::filesystem::exists(mount_point, error))
        how = "mkdir -p " + mount_point.string() + " && " + how;
      return failed("no bpffs is mounted at " + mount_point.string() + ", and " + why +
                    "; first run, outside `ip netns exec`: " + how);
    }
    VNET_TRY(make_folder(mount_point));
    if (::mount("bpf", mount_point.c_str(), "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700") < 0)
      return system_error("mounting a bpffs at " + mount_point.string());
  }
  return make_folder(pins(), 0700);
}

Result<Lock> StateDir::lock(std::string_view verb, std::chrono::milliseconds wait) const {
  VNET_TRY(make_folder(runtime()));
  return Lock::acquire(runtime() / "lock", verb, wait);
}

Result<Lock> StateDir::run_lock() const {
  VNET_TRY(make_folder(runtime()));
  return Lock::acquire(runtime() / "run.lock", "run", std::chrono::milliseconds(0));
}

}  // namespace vnet
