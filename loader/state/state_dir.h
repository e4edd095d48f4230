// SPDX-License-Identifier: GPL-2.0-or-later
// Where things live: the system's folders, or all below one folder that the user names
// (--state-dir, VNET_BPF_STATE_DIR: the caller reads those).
#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string_view>

#include "loader/base/error.h"
#include "loader/base/files.h"
#include "loader/os/lock.h"

namespace vnet {

class StateDir {
 public:
  using Path = std::filesystem::path;

  // A relative DIR is taken from the current folder, once, here.
  explicit StateDir(std::optional<Path> dir = std::nullopt);

  Path definitions() const;  // DIR/networks     | /etc/vnet-bpf/networks
  Path autostart() const;    // definitions()/autostart
  Path runtime() const;      // DIR/run          | /run/vnet-bpf
  Path leases() const;       // DIR/leases       | /var/lib/vnet-bpf/leases
  Path bpffs() const;        // DIR/bpf          | /sys/fs/bpf      (the mount point)
  Path pins() const;         // DIR/bpf/vnet-bpf | /sys/fs/bpf/vnet-bpf
  Path frr() const;          // DIR/frr          | /run/frr         (FRR's own: its daemons' sockets)

  // Makes the folders (0755), except those in the bpffs. Idempotent.
  Result<void> ensure() const;

  // A bpffs is mounted at bpffs() and pins() (0700) is there. Mounts one where it is missing, but only in the
  // mount namespace of process 1: anywhere else (`ip netns exec`) the mount would vanish with this command
  // and every pin with it. There: Failed, saying what to mount first. Idempotent.
  Result<void> ensure_bpffs() const;
  // Whether ensure_bpffs() would have nothing to mount; for --dry-run and doctor.
  bool bpffs_mounted() const;

  // Room in runtime() that ensure() takes and nothing else uses: given up when its disk is full, so that a
  // network can still be stopped and a port shut. False: there was none.
  bool give_up_reserve() const;

  // runtime()/lock, with runtime() made if it is not there.
  Result<Lock> lock(std::string_view verb, std::chrono::milliseconds wait = std::chrono::seconds(10)) const;
  // Held by `run` as long as it runs, so that there is one.
  Result<Lock> run_lock() const;

 private:
  std::optional<Path> dir_;
};

}  // namespace vnet
